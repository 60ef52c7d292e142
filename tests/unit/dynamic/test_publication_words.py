"""The words for a copy are those that Databricks knows, and every one of them is ready, failed or on its way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from components.dynamic import publication

# databricks-sdk 0.156.0 `catalog.OnlineTableState`, all of its values.
KNOWN = {
    "OFFLINE",
    "OFFLINE_FAILED",
    "ONLINE",
    "ONLINE_CONTINUOUS_UPDATE",
    "ONLINE_NO_PENDING_UPDATE",
    "ONLINE_PIPELINE_FAILED",
    "ONLINE_TRIGGERED_UPDATE",
    "ONLINE_UPDATING_PIPELINE_RESOURCES",
    "PROVISIONING",
    "PROVISIONING_INITIAL_SNAPSHOT",
    "PROVISIONING_PIPELINE_RESOURCES",
}
UPDATES = ["CREATED", "QUEUED", "WAITING_FOR_RESOURCES", "INITIALIZING", "RESETTING", "SETTING_UP_TABLES", "RUNNING"]
OVER = ["COMPLETED", "FAILED", "CANCELED"]


def test_the_words_are_the_sdks() -> None:
    from databricks.sdk.service.catalog import OnlineTableState

    assert {state.value for state in OnlineTableState} == KNOWN
    assert publication.ONLINE | publication.FAILED | publication.INCOMPLETE <= KNOWN


@given(st.lists(st.sampled_from([*UPDATES, *OVER]), max_size=5), st.booleans())
def test_whatever_a_pipeline_did_its_copy_has_a_known_state(updates: list[str], is_continuous: bool) -> None:
    word = publication._word(updates, is_continuous)
    assert word in KNOWN
    latest = updates[0] if updates else None
    # Failed exactly where the latest update failed, ready only where one has ended well or a continuous one runs.
    assert (word in publication.FAILED) == (latest in ("FAILED", "CANCELED"))
    assert (word in publication.ONLINE) == (latest == "COMPLETED" or (is_continuous and latest == "RUNNING"))
    # A copy that lookups find already stays online while it is updated.
    if word.startswith("PROVISIONING") or word == "OFFLINE_FAILED":
        assert "COMPLETED" not in updates[1:]
