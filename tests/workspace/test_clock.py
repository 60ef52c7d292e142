"""The workspace's clock: alarms go off at their time, and when time is moved past it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest

from tests.support.served import opened_state
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse
from workspace.clock import Clock
from workspace.state import State

HOUR = 3600.0
PATIENCE_SECONDS = 30


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with opened_state(tmp_path) as opened:
        yield opened


@pytest.fixture
def clock(state: State) -> Iterator[Clock]:
    running = Clock(state)
    running.start()
    yield running
    running.stop()


def test_an_alarm_goes_off_by_itself_when_its_time_comes(clock: Clock) -> None:
    rang = threading.Event()
    clock.call_at(clock.now() + HOUR, lambda: None)
    clock.call_at(clock.now() + 0.05, rang.set)
    assert rang.wait(PATIENCE_SECONDS)


def test_what_an_advance_passes_has_gone_off_when_it_returns_in_order_and_once(clock: Clock) -> None:
    rang: list[str] = []
    now = clock.now()
    clock.call_at(now + 2 * HOUR, lambda: rang.append("second"))
    clock.call_at(now + HOUR, lambda: rang.append("first"))
    clock.call_at(now + 4 * HOUR, lambda: rang.append("later"))
    clock.advance(3 * HOUR)
    assert rang == ["first", "second"]
    clock.advance(2 * HOUR)
    assert rang == ["first", "second", "later"]


def test_a_cancelled_alarm_is_silent(clock: Clock) -> None:
    rang: list[str] = []
    clock.call_at(clock.now() + HOUR, lambda: rang.append("no")).cancel()
    clock.advance(2 * HOUR)
    assert rang == []


def test_an_alarm_that_fails_does_not_silence_the_next(clock: Clock) -> None:
    rang: list[str] = []

    def fail() -> None:
        raise RuntimeError("broken on purpose")

    clock.call_at(clock.now() + HOUR, fail)
    clock.call_at(clock.now() + HOUR, lambda: rang.append("yes"))
    clock.advance(2 * HOUR)
    assert rang == ["yes"]


def test_listeners_hear_of_an_advance_after_the_alarms(clock: Clock) -> None:
    heard: list[str] = []
    clock.on_advance(lambda: heard.append("listener"))
    clock.call_at(clock.now() + HOUR, lambda: heard.append("alarm"))
    clock.advance(2 * HOUR)
    assert heard == ["alarm", "listener"]


def test_an_advance_survives_a_restart(state: State) -> None:
    before = Clock(state)
    before.advance(HOUR)
    assert Clock(state).now() - before.now() == pytest.approx(0, abs=5)


def test_time_is_moved_and_read_over_http(client: WorkspaceClient, server: WorkspaceServer) -> None:
    before = client.api_client.do("GET", "/_workspace/clock")
    after = client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": 1.5})
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert after["now_ms"] - before["now_ms"] >= 1500
    assert after["offset_seconds"] == before["offset_seconds"] + 1.5
    with pytest.raises(BadRequest, match="received -1"):
        client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": -1})


def test_sql_and_the_registry_go_by_the_clock(client: WorkspaceClient, sql: Warehouse) -> None:
    def shown(path: str, body: dict[str, float] | None = None) -> float:
        answer = client.api_client.do("GET" if body is None else "PUT", path, body=body)
        assert isinstance(answer, dict)
        return float(answer["now_ms"]) / 1_000

    shown("/_workspace/clock", {"advance_seconds": 900})
    before = shown("/_workspace/clock")
    said = [float(str(sql.value(text))) for text in ("unix_micros(now()) / 1e6", "unix_timestamp()")]
    day = sql.value("datediff(current_date(), DATE'1970-01-01')")
    model = client.registered_models.create(
        catalog_name=sql.catalog, schema_name=sql.schema, name=f"clock_{uuid.uuid4().hex[:8]}"
    )
    after = shown("/_workspace/clock")
    assert all(before - 1 <= moment <= after for moment in said)
    assert int(before // 86_400) <= int(str(day)) <= int(after // 86_400)
    assert before - 1 <= (model.created_at or 0) / 1_000 <= after
