"""The lag gate of a publication: it waits for a copy that catches up, and fails for one that does not or is mute."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.dynamic.errors import ProviderError
from components.dynamic.published_table import PublishedTableProvider
from tests.support.rest_stub import RestStub, feature_table
from tests.unit.dynamic.conftest import FakeClock, MakeProvider

SOURCE, ONLINE = "main.ml.trips", "main.ml.trips_online"


@pytest.fixture
def tables(provider: MakeProvider[PublishedTableProvider], stub: RestStub) -> PublishedTableProvider:
    stub.tables[SOURCE] = feature_table(SOURCE, ["zip"])
    stub.stores["taxi"] = ["AVAILABLE"]
    stub.rows = history("2026-11-27T10:10:00Z")
    return provider(PublishedTableProvider)


def history(*moments: str) -> dict[str, Any]:
    rows = [[str(len(moments) - number), moment, "WRITE"] for number, moment in enumerate(moments)]
    return {"columns": {"version": "LONG", "timestamp": "TIMESTAMP", "operation": "STRING"}, "rows": rows}


def inputs(**others: Any) -> dict[str, Any]:
    return {
        "source_table": SOURCE,
        "online_store": "taxi",
        "online_table": ONLINE,
        "primary_keys": ["zip"],
        "publish_mode": "TRIGGERED",
        "poll_seconds": 30.0,
        "timeout_seconds": 1800.0,
        "max_lag_seconds": 60.0,
        "warehouse_id": "w1",
        "provider_version": "1",
        **others,
    }


def holding(stub: RestStub, *moments: str | None) -> None:
    """The commit that the copy holds, as seen by one read after the other; the last stays."""
    left = list(moments)

    def shown() -> dict[str, Any]:
        moment = left.pop(0) if len(left) > 1 else left[0]
        info = {} if moment is None else {"delta_table_sync_info": {"delta_commit_timestamp": moment}}
        return {"data_synchronization_status": {"detailed_state": "ONLINE", "last_sync": info}}

    handle = stub.handle

    def seen(request: Any) -> Any:
        reply = handle(request)
        if request.path == f"/api/2.0/database/synced_tables/{ONLINE}" and reply is not None and reply[0] == 200:
            return 200, {**json.loads(json.dumps(reply[1])), **shown()}
        return reply

    stub.handle = seen  # type: ignore[method-assign]


def test_a_copy_that_holds_the_newest_commit_passes_at_once(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock
) -> None:
    holding(stub, "2026-11-27T10:10:00Z")
    assert (tables.create(inputs()).outs or {})["state"] == "ONLINE_NO_PENDING_UPDATE"
    assert clock.slept == []
    (asked,) = [one.body for one in stub.received if one.path.startswith("/api/2.0/sql/statements")]
    assert asked["statement"] == "DESCRIBE HISTORY `main`.`ml`.`trips`"
    assert (asked["warehouse_id"], asked["row_limit"]) == ("w1", 1)


def test_a_copy_that_is_behind_is_waited_for_until_it_is_within_the_limit(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock
) -> None:
    holding(stub, "2026-11-27T10:00:00Z", "2026-11-27T10:05:00Z", "2026-11-27T10:09:00Z")
    tables.create(inputs())
    assert clock.slept == [30.0, 30.0]  # 600 s and 300 s are too many, 60 s are as many as are allowed


def test_a_copy_that_never_catches_up_fails_with_how_far_it_is_behind(
    tables: PublishedTableProvider, stub: RestStub, clock: FakeClock
) -> None:
    holding(stub, "2026-11-27T10:00:00Z")
    with pytest.raises(ProviderError, match=r"600 s behind main\.ml\.trips, expected at most 60 s after 1800 s") as it:
        tables.create(inputs())
    assert "publish it CONTINUOUS" in str(it.value)


def test_what_cannot_be_told_is_no_lag_of_zero(tables: PublishedTableProvider, stub: RestStub) -> None:
    holding(stub, None)
    with pytest.raises(ProviderError, match="does not say which commit"):
        tables.create(inputs())
    holding(stub, "2026-11-27T10:10:00Z")
    stub.rows = {}
    with pytest.raises(ProviderError, match=r"history of main\.ml\.trips could not be read: FAILED"):
        tables.create(inputs())


def test_without_a_limit_no_warehouse_is_asked_and_with_one_there_has_to_be_a_warehouse(
    tables: PublishedTableProvider, stub: RestStub
) -> None:
    tables.create(inputs(max_lag_seconds=None, warehouse_id=None))
    assert not [one for one in stub.received if "sql" in one.path]
    (failure,) = tables.check({}, inputs(warehouse_id=None)).failures
    assert (failure.property, "reads the source's history" in failure.reason) == ("warehouse_id", True)
    (failure,) = tables.check({}, inputs(max_lag_seconds=0.0)).failures
    assert failure.property == "max_lag_seconds"
