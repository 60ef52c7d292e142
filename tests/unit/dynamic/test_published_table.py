"""`PublishedTable`: what cannot be looked up is refused in preview; what is published is online, or known not to be."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime import rpc

from components.dynamic import publication
from components.dynamic.errors import PartlyMadeError, ProviderError
from components.dynamic.published_table import PublishedTableProvider
from tests.support.rest_stub import RestStub, feature_table
from tests.unit.dynamic.conftest import FakeClock, MakeProvider

SOURCE = "main.ml.trips"
ONLINE = "main.ml.trips_online"
PUBLISH = f"POST /api/2.0/feature-store/tables/{SOURCE}/publish"


@pytest.fixture
def tables(provider: MakeProvider[PublishedTableProvider], stub: RestStub) -> PublishedTableProvider:
    stub.tables[SOURCE] = feature_table(SOURCE, ["zip", "hour"])
    stub.stores["taxi"] = ["AVAILABLE"]
    return provider(PublishedTableProvider)


def inputs(**others: Any) -> dict[str, Any]:
    return {
        "source_table": SOURCE,
        "online_store": "taxi",
        "online_table": ONLINE,
        "primary_keys": ["zip", "hour"],
        "publish_mode": "TRIGGERED",
        "poll_seconds": 30.0,
        "timeout_seconds": 1800.0,
        "provider_version": "1",
        "__provider": "pickled",
        **others,
    }


def reasons(provider: PublishedTableProvider, news: dict[str, Any]) -> dict[str, str]:
    return {failure.property: failure.reason for failure in provider.check({}, news).failures}


def test_check_reads_the_source_and_writes_nothing(tables: PublishedTableProvider, stub: RestStub) -> None:
    assert reasons(tables, inputs()) == {}
    assert stub.calls() == [f"GET /api/2.1/unity-catalog/tables/{SOURCE}"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("source_table", "ml.trips", "2 parts"),
        ("online_table", "trips_online", "1 part"),
        ("online_table", SOURCE, "the source itself"),
        ("publish_mode", "STREAMING", "SNAPSHOT, TRIGGERED, CONTINUOUS"),
        ("primary_keys", [], "no column"),
        ("primary_keys", ["zip", "ZIP"], "one twice"),
        ("poll_seconds", 0.0, "more than 0"),
        ("timeout_seconds", -5.0, "more than 0"),
    ],
)
def test_check_refuses_a_bad_input_without_asking_anybody(
    tables: PublishedTableProvider, stub: RestStub, name: str, value: Any, says: str
) -> None:
    found = reasons(tables, inputs() | {name: value})
    assert list(found) == [name]
    assert says in found[name]
    assert stub.calls() == []


@pytest.mark.parametrize("name", ["source_table", "primary_keys", "publish_mode"])
def test_check_lets_what_is_not_known_yet_through(tables: PublishedTableProvider, stub: RestStub, name: str) -> None:
    assert reasons(tables, inputs() | {name: rpc.UNKNOWN}) == {}
    assert stub.calls() == []


def test_a_refused_publication_names_every_privilege_that_it_needs(
    tables: PublishedTableProvider, stub: RestStub
) -> None:
    stub.fail("POST", "/publish", 403, "User does not have CREATE TABLE on Schema 'main.ml'", code="PERMISSION_DENIED")
    with pytest.raises(ProviderError) as refused:
        tables.create(inputs())
    first, *others = str(refused.value).splitlines()
    assert first.startswith(f"publishing {SOURCE} as {ONLINE}: permission denied: User does not have CREATE TABLE")
    needs = f"Publishing {SOURCE} needs USE_CATALOG, USE_SCHEMA and SELECT on it, CREATE_TABLE in main.ml for {ONLINE}"
    assert any(needs in line for line in others)
    assert ONLINE not in stub.tables


def test_a_missing_source_and_a_missing_privilege_are_told_apart(
    tables: PublishedTableProvider, stub: RestStub
) -> None:
    stub.fail("GET", "/tables/", 403, "User does not have SELECT", code="PERMISSION_DENIED")
    denied = reasons(tables, inputs())["source_table"]
    assert "permission denied" in denied
    assert f"{SOURCE} needs USE_CATALOG, USE_SCHEMA and SELECT" in denied
    del stub.tables[SOURCE]
    missing = reasons(tables, inputs())["source_table"]
    assert f"{SOURCE}: not found" in missing
    assert f"creates {SOURCE}: run it first" in missing
    stub.fail("GET", "/tables/", 500, "boom")
    assert "no usable answer" in reasons(tables, inputs())["source_table"]


def test_every_mistake_of_the_source_is_told_at_once(tables: PublishedTableProvider, stub: RestStub) -> None:
    stub.tables[SOURCE] = feature_table(SOURCE, ["zip", "hour"], feed=False)
    stub.tables[SOURCE]["columns"][0]["nullable"] = True
    stub.tables[SOURCE]["table_constraints"] = []
    found = tables.check({}, inputs()).failures
    assert [failure.property for failure in found] == ["primary_keys", "primary_keys", "publish_mode"]


def test_create_waits_for_the_store_and_for_the_first_sync(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock
) -> None:
    stub.stores["taxi"] = ["STARTING", "UPDATING", "AVAILABLE"]
    stub.sync_states = [["QUEUED"], ["RUNNING"], ["COMPLETED"]]
    result = tables.create(inputs())
    outs = result.outs or {}
    assert result.id == ONLINE
    assert clock.slept == [30.0] * 4
    assert stub.writes() == [PUBLISH]
    (published,) = [one.body for one in stub.received if one.method == "POST"]
    assert published == {
        "publish_spec": {"online_store": "taxi", "online_table_name": ONLINE, "publish_mode": "TRIGGERED"}
    }
    assert outs["state"] == "ONLINE_NO_PENDING_UPDATE"
    assert outs["pipeline_id"] in stub.pipelines
    assert "__provider" not in outs


def test_an_online_table_is_polled_from_provisioning_over_an_update_to_idle(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("components.dynamic.engine.progress", told.append)
    stub.sync_states = [[], ["RUNNING", "COMPLETED"], ["COMPLETED", "COMPLETED"]]
    tables.create(inputs())
    assert clock.slept == [30.0, 30.0]
    seen = [line.removeprefix(f"online table {ONLINE}: ").partition(" (")[0] for line in told[:-1]]
    assert seen == ["PROVISIONING", "ONLINE_TRIGGERED_UPDATE"]
    assert told[-1] == f"online table {ONLINE} is ready: ONLINE_NO_PENDING_UPDATE"


def test_a_continuous_copy_is_online_while_its_pipeline_runs(tables: PublishedTableProvider, stub: RestStub) -> None:
    stub.sync_states = [["INITIALIZING"], ["RUNNING"]]
    outs = tables.create(inputs(publish_mode="CONTINUOUS")).outs or {}
    assert outs["state"] == "ONLINE_CONTINUOUS_UPDATE"


def test_create_adopts_the_same_publication(tables: PublishedTableProvider, stub: RestStub) -> None:
    first = tables.create(inputs()).outs or {}
    again = tables.create(inputs()).outs or {}
    assert again["pipeline_id"] == first["pipeline_id"]
    assert len(stub.pipelines) == 1


def test_create_takes_over_no_copy_of_another_source(tables: PublishedTableProvider, stub: RestStub) -> None:
    stub.tables[ONLINE] = {"full_name": ONLINE}
    stub.synced[ONLINE] = {"spec": {"source_table_full_name": "main.ml.others"}, "pipeline_id": "p"}
    with pytest.raises(ProviderError, match=r"is a copy of main\.ml\.others, expected main\.ml\.trips"):
        tables.create(inputs())
    assert stub.writes() == []
    # Where the synced table's API does not answer, the publish call itself refuses.
    stub.fail("GET", "synced_tables", 501, "no such API", code="NOT_IMPLEMENTED")
    with pytest.raises(ProviderError, match=r"exists already and is no copy of main\.ml\.trips"):
        tables.create(inputs())


def test_a_store_that_is_gone_stopped_or_late_is_named(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock
) -> None:
    stub.stores["taxi"] = ["STOPPED"]
    with pytest.raises(ProviderError, match="online store taxi is STOPPED, expected AVAILABLE"):
        tables.create(inputs())
    assert clock.slept == []
    stub.stores["taxi"] = ["STARTING"]
    with pytest.raises(ProviderError, match=r"online store taxi: still STARTING after 90 s \(limit 90 s\)"):
        tables.create(inputs(timeout_seconds=90.0))
    del stub.stores["taxi"]
    with pytest.raises(ProviderError, match="Create online store taxi first"):
        tables.create(inputs())
    assert stub.writes() == []


@pytest.mark.parametrize(
    ("states", "word"),
    [
        (["FAILED"], "OFFLINE_FAILED"),
        (["CANCELED"], "OFFLINE_FAILED"),
        (["FAILED", "COMPLETED"], "ONLINE_PIPELINE_FAILED"),
    ],
)
def test_a_failed_sync_ends_the_waiting_at_once(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock, states: list[str], word: str
) -> None:
    stub.sync_states = [["RUNNING", *states[1:]], states]
    with pytest.raises(ProviderError, match=f"online table {ONLINE} is {word}"):
        tables.create(inputs())
    assert clock.slept == [30.0]


def test_a_sync_that_takes_too_long_is_a_failure_with_the_last_state(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock
) -> None:
    stub.sync_states = [["RUNNING"]]
    with pytest.raises(ProviderError, match="still PROVISIONING_INITIAL_SNAPSHOT after 60 s"):
        tables.create(inputs(timeout_seconds=60.0))


def test_a_copy_that_was_made_and_failed_is_handed_over_to_state(
    tables: PublishedTableProvider, stub: RestStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.sync_states = [["FAILED"]]
    handed: list[PartlyMadeError] = []

    def keep(text: str, id_: str, outs: dict[str, Any], error: type[Exception]) -> None:
        handed.append(PartlyMadeError(id_, outs, text))
        raise error(text)

    monkeypatch.setattr("components.dynamic.engine.fail_partially", keep)
    with pytest.raises(ProviderError):
        tables.create(inputs())
    (partly,) = handed
    assert partly.id == ONLINE
    assert tables.diff(ONLINE, dict(partly.outs), inputs()).changes
    tables.delete(ONLINE, dict(partly.outs))
    assert ONLINE not in stub.tables


def test_a_publication_that_failed_silently_is_a_failure(tables: PublishedTableProvider, stub: RestStub) -> None:
    stub.fail("POST", "publish", 200)
    with pytest.raises(ProviderError, match="started no pipeline"):
        tables.create(inputs())


def test_an_unchanged_publication_is_no_change(tables: PublishedTableProvider) -> None:
    state = tables.create(inputs()).outs or {}
    assert not tables.diff(ONLINE, state, inputs()).changes
    assert not tables.diff(ONLINE, state, inputs(poll_seconds=1.0, timeout_seconds=5.0)).changes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source_table", "main.ml.others"),
        ("online_store", "other"),
        ("primary_keys", ["hour", "zip"]),
        ("timeseries_key", "hour"),
        ("publish_mode", "SNAPSHOT"),
    ],
)
def test_another_publication_replaces_the_old_one_after_deleting_it_and_preview_warns(
    tables: PublishedTableProvider, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr("components.dynamic.engine.warn", warnings.append)
    result = tables.diff(ONLINE, tables.create(inputs()).outs or {}, inputs() | {name: value})
    assert (result.changes, result.replaces, result.delete_before_replace) == (True, [name], True)
    assert f"{name} changed: online table {ONLINE} is deleted" in warnings[0]


def test_a_copy_under_another_name_is_online_before_the_old_one_goes(
    tables: PublishedTableProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.dynamic.engine.warn", pytest.fail)
    state = tables.create(inputs()).outs or {}
    result = tables.diff(ONLINE, state, inputs(online_table="main.ml.copy"))
    assert (result.changes, result.replaces, result.delete_before_replace) == (True, ["online_table"], False)


@pytest.mark.parametrize(
    "state", ["OFFLINE", "OFFLINE_FAILED", "ONLINE_PIPELINE_FAILED", "PROVISIONING_INITIAL_SNAPSHOT"]
)
def test_a_copy_that_is_not_there_is_synced_again_in_place(tables: PublishedTableProvider, state: str) -> None:
    result = tables.diff(ONLINE, inputs(pipeline_id="p", state=state), inputs())
    assert (result.changes, result.replaces) == (True, [])


def test_a_source_that_has_moved_on_is_synced_again_in_place(tables: PublishedTableProvider, stub: RestStub) -> None:
    state = tables.create(inputs(triggers={"versions": "1"})).outs or {}
    assert not tables.diff(ONLINE, state, inputs(triggers={"versions": "1"})).changes
    result = tables.diff(ONLINE, state, inputs(triggers={"versions": "2"}))
    assert (result.changes, result.replaces) == (True, [])
    before = len(stub.calls())
    tables.update(ONLINE, state, inputs(triggers={"versions": "2"}))
    assert PUBLISH in stub.calls()[before:]


@pytest.mark.parametrize("state", ["ONLINE_TRIGGERED_UPDATE", "ONLINE_UPDATING_PIPELINE_RESOURCES"])
def test_a_sync_under_way_is_no_change(tables: PublishedTableProvider, state: str) -> None:
    assert not tables.diff(ONLINE, inputs(pipeline_id="p", state=state), inputs()).changes


def test_update_syncs_again_and_is_not_taken_in_by_the_old_failure(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock
) -> None:
    outs = tables.create(inputs()).outs or {}
    pipeline = stub.pipelines[outs["pipeline_id"]]
    pipeline["seen"] = [["FAILED"]]
    stub.fail("POST", "publish", 200)
    stub.faults[-1].body = {"online_table_name": ONLINE, "pipeline_id": outs["pipeline_id"]}
    stub.sync_states = [["RUNNING", "FAILED"], ["COMPLETED", "FAILED"]]
    updated = tables.update(ONLINE, outs | {"state": "OFFLINE_FAILED"}, inputs()).outs or {}
    assert updated["state"] == "ONLINE_NO_PENDING_UPDATE"
    assert f"POST /api/2.0/pipelines/{outs['pipeline_id']}/updates" in stub.writes()


def test_a_sync_under_way_ends_before_the_next_one_is_asked_for(tables: PublishedTableProvider, stub: RestStub) -> None:
    outs = tables.create(inputs()).outs or {}
    pipeline_id = outs["pipeline_id"]
    stub.pipelines[pipeline_id]["seen"] = [["RUNNING"], ["RUNNING"], ["COMPLETED"]]
    stub.fail("POST", "publish", 200)
    stub.faults[-1].body = {"online_table_name": ONLINE, "pipeline_id": pipeline_id}
    stub.sync_states = [["RUNNING", "COMPLETED"], ["COMPLETED", "COMPLETED"]]
    before = len(stub.calls())
    updated = tables.update(ONLINE, outs, inputs(triggers={"versions": "2"})).outs or {}
    assert updated["state"] == "ONLINE_NO_PENDING_UPDATE"
    writes = [call for call in stub.calls()[before:] if call.startswith("POST")]
    assert writes == [PUBLISH, f"POST /api/2.0/pipelines/{pipeline_id}/updates"]
    reads = stub.calls()[before : stub.calls().index(PUBLISH, before)]
    assert reads.count(f"GET /api/2.0/pipelines/{pipeline_id}") == 3


def test_a_continuous_copy_that_runs_is_in_step_without_another_update(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock
) -> None:
    stub.sync_states = [["RUNNING"]]
    mode = "CONTINUOUS"
    outs = tables.create(inputs(publish_mode=mode)).outs or {}
    stub.fail("POST", "publish", 200)
    stub.faults[-1].body = {"online_table_name": ONLINE, "pipeline_id": outs["pipeline_id"]}
    updated = tables.update(ONLINE, outs, inputs(publish_mode=mode, triggers={"versions": "2"})).outs or {}
    assert updated["state"] == "ONLINE_CONTINUOUS_UPDATE"
    assert not [call for call in stub.writes() if call.endswith("/updates")]
    assert clock.slept == []


def test_read_sees_state_mode_key_and_absence(tables: PublishedTableProvider, stub: RestStub) -> None:
    outs = tables.create(inputs()).outs or {}
    assert tables.read(ONLINE, outs).outs == outs
    pipeline = stub.pipelines[outs["pipeline_id"]]
    pipeline["seen"], pipeline["continuous"] = [["FAILED", "RUNNING"]], True
    stub.tables[SOURCE] = feature_table(SOURCE, ["zip"])
    seen = tables.read(ONLINE, outs).outs or {}
    assert (seen["state"], seen["publish_mode"], seen["primary_keys"]) == (
        "ONLINE_PIPELINE_FAILED",
        "CONTINUOUS",
        ["zip"],
    )
    del stub.tables[SOURCE]
    assert (tables.read(ONLINE, outs).outs or {})["primary_keys"] == ["zip", "hour"]
    del stub.pipelines[outs["pipeline_id"]]
    assert (tables.read(ONLINE, outs).outs or {})["state"] == "OFFLINE"
    del stub.tables[ONLINE]
    assert tables.read(ONLINE, outs).id == ""


def test_read_does_not_take_an_error_for_absence(tables: PublishedTableProvider, stub: RestStub) -> None:
    outs = tables.create(inputs()).outs or {}
    for path in (ONLINE, "pipelines", SOURCE):
        stub.fail("GET", f"{path}(/|$)" if path != "pipelines" else path, 403, code="PERMISSION_DENIED")
        with pytest.raises(ProviderError, match="permission denied"):
            tables.read(ONLINE, outs)


def test_delete_frees_the_name(tables: PublishedTableProvider, stub: RestStub) -> None:
    outs = tables.create(inputs()).outs or {}
    tables.delete(ONLINE, outs)
    assert ONLINE not in stub.tables
    tables.delete(ONLINE, outs)


def test_delete_swallows_no_error(tables: PublishedTableProvider, stub: RestStub, clock: FakeClock) -> None:
    outs = tables.create(inputs()).outs or {}
    for status, code, says in ((403, "PERMISSION_DENIED", "permission denied"), (500, "", "no usable answer")):
        stub.fail("DELETE", "online-tables", status, code=code)
        with pytest.raises(ProviderError, match=says):
            tables.delete(ONLINE, outs)
    assert ONLINE in stub.tables
    stub.fail("DELETE", "online-tables", 200, count=1)
    with pytest.raises(ProviderError, match="still there after 60 s"):
        tables.delete(ONLINE, outs | {"timeout_seconds": 60.0})


def test_waiting_ends_when_the_engine_is_gone(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.sync_states = [["RUNNING"]]
    monkeypatch.setattr("components.dynamic.engine.is_waiting", lambda: False)
    with pytest.raises(ProviderError, match="the engine that asked is gone"):
        tables.create(inputs())
    assert clock.slept == [30.0]


def test_an_update_that_was_over_before_is_neither_a_failure_nor_success_of_the_next(
    tables: PublishedTableProvider, stub: RestStub
) -> None:
    pipeline_id = (tables.create(inputs()).outs or {})["pipeline_id"]
    for state in ("FAILED", "COMPLETED"):
        stub.pipelines[pipeline_id]["seen"] = [[state]]
        last = publication.sync_state(tables.client, pipeline_id)
        assert last.word in publication.FAILED | publication.ONLINE
        waiting = publication.sync_state(tables.client, pipeline_id, ignoring=last.update_id)
        assert waiting.word not in publication.FAILED | publication.ONLINE
