"""Jobs that start by themselves, by a clock that the tests move."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotImplemented as NotImplementedByService
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.jobs import (
    BaseRun,
    Continuous,
    CronSchedule,
    FileArrivalTriggerConfiguration,
    JobSettings,
    PauseStatus,
    PeriodicTriggerConfiguration,
    PeriodicTriggerConfigurationTimeUnit,
    TableUpdateTriggerConfiguration,
    TriggerSettings,
    TriggerType,
)
from databricks.sdk.service.sql import CreateQueryRequestQuery

from tests.support.job_runs import (
    PATIENCE_SECONDS,
    Query,
    RecordingSql,
    advance,
    create,
    jobs_over,
    sql_task,
    waited,
)
from tests.support.served import opened_state, served
from tests.support.warehouse import Warehouse

DAY = 86_400
NOON = CronSchedule(quartz_cron_expression="0 0 12 * * ?", timezone_id="UTC")


@pytest.fixture
def sql() -> Iterator[RecordingSql]:
    recording = RecordingSql()
    recording.queries = {"q": Query("SELECT 1"), "bad": Query("SELECT * FROM no_such_table")}
    yield recording
    recording.gate.set()


@pytest.fixture
def embedded(tmp_path: Path, sql: RecordingSql) -> Iterator[WorkspaceClient]:
    with opened_state(tmp_path) as state, served(state, jobs_over(state, sql)) as workspace:
        yield workspace
        sql.gate.set()


def now(client: WorkspaceClient) -> datetime:
    shown = client.api_client.do("GET", "/_workspace/clock")
    assert isinstance(shown, dict)
    return datetime.fromtimestamp(shown["now_ms"] / 1000, UTC)


def to_next(client: WorkspaceClient, hour: int, minute: int = 0) -> None:
    """Move time to just before the next such time of day."""
    current = now(client)
    due = current.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if due <= current + timedelta(seconds=30):
        due += timedelta(days=1)
    advance(client, (due - current).total_seconds() - 20)


def runs_of(client: WorkspaceClient, job_id: int) -> list[BaseRun]:
    return list(client.jobs.list_runs(job_id=job_id))


def at_least(client: WorkspaceClient, job_id: int, count: int) -> list[BaseRun]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(found := runs_of(client, job_id)) < count:
        assert time.monotonic() < deadline, f"{len(found)} runs, not {count}"
        time.sleep(0.05)
    return found


def test_a_schedule_starts_the_job_when_its_time_comes_and_not_before(embedded: WorkspaceClient) -> None:
    job_id = create(embedded, sql_task("a"), schedule=NOON)
    to_next(embedded, 12)
    already = len(runs_of(embedded, job_id))
    advance(embedded, 25)
    run, *others = runs_of(embedded, job_id)
    assert len(others) == already
    assert run.trigger is TriggerType.PERIODIC
    assert run.schedule is not None
    assert run.schedule.quartz_cron_expression == NOON.quartz_cron_expression
    assert run.start_time is not None
    started = datetime.fromtimestamp(run.start_time / 1000, UTC)
    assert (started.hour, started.minute) == (12, 0)


def test_fires_that_were_passed_over_are_made_up_for_once(embedded: WorkspaceClient) -> None:
    job_id = create(embedded, sql_task("a"), schedule=NOON, max_concurrent_runs=10)
    advance(embedded, 5 * DAY)
    assert len(runs_of(embedded, job_id)) == 1
    advance(embedded, DAY)
    assert len(runs_of(embedded, job_id)) == 2


def test_a_schedule_that_is_due_every_second_starts_the_job_every_ten_seconds(embedded: WorkspaceClient) -> None:
    every_second = CronSchedule(quartz_cron_expression="* * * * * ?", timezone_id="UTC")
    job_id = create(embedded, sql_task("a"), schedule=every_second, max_concurrent_runs=10)
    at_least(embedded, job_id, 1)
    advance(embedded, 5)
    assert len(runs_of(embedded, job_id)) == 1
    advance(embedded, 6)
    at_least(embedded, job_id, 2)


def test_a_paused_or_removed_schedule_and_a_deleted_job_start_nothing(embedded: WorkspaceClient) -> None:
    paused = CronSchedule(NOON.quartz_cron_expression, "UTC", pause_status=PauseStatus.PAUSED)
    ids = [create(embedded, sql_task("a"), schedule=schedule) for schedule in (paused, NOON, NOON, NOON)]
    embedded.jobs.update(ids[1], new_settings=JobSettings(schedule=paused))
    embedded.jobs.update(ids[2], fields_to_remove=["schedule"])
    embedded.jobs.delete(ids[3])
    advance(embedded, 2 * DAY)
    assert not list(embedded.jobs.list_runs())
    embedded.jobs.update(ids[0], new_settings=JobSettings(schedule=NOON))
    advance(embedded, DAY)
    assert len(runs_of(embedded, ids[0])) == 1


def test_an_update_of_something_else_does_not_move_what_is_due(embedded: WorkspaceClient) -> None:
    period = PeriodicTriggerConfiguration(interval=2, unit=PeriodicTriggerConfigurationTimeUnit.HOURS)
    job_id = create(embedded, sql_task("a"), trigger=TriggerSettings(periodic=period))
    advance(embedded, 3600)
    embedded.jobs.update(job_id, new_settings=JobSettings(name="renamed"))
    advance(embedded, 3601)
    assert len(runs_of(embedded, job_id)) == 1


def test_a_periodic_trigger_starts_the_job_every_so_often(embedded: WorkspaceClient) -> None:
    period = PeriodicTriggerConfiguration(interval=2, unit=PeriodicTriggerConfigurationTimeUnit.DAYS)
    job_id = create(embedded, sql_task("a"), trigger=TriggerSettings(periodic=period))
    advance(embedded, 2 * DAY - 60)
    assert not runs_of(embedded, job_id)
    advance(embedded, 61)
    waited(embedded, runs_of(embedded, job_id)[0].run_id or 0)
    advance(embedded, 2 * DAY)
    assert len(runs_of(embedded, job_id)) == 2


def test_a_time_that_passed_while_the_workspace_was_down_is_made_up_for_once(tmp_path: Path, sql: RecordingSql) -> None:
    with opened_state(tmp_path) as state:
        with served(state, jobs_over(state, sql)) as client:
            job_id = create(client, sql_task("a"), schedule=NOON)
        offset = state.documents.get("clock", "offset") or {"seconds": 0.0}
        state.documents.put("clock", "offset", {"seconds": offset["seconds"] + 3 * DAY})
        with served(state, jobs_over(state, sql)) as client:
            assert len(at_least(client, job_id, 1)) == 1
            advance(client, 60)
            assert len(runs_of(client, job_id)) == 1


def test_a_continuous_job_runs_again_when_its_run_is_over_and_later_after_failures(
    embedded: WorkspaceClient, sql: RecordingSql
) -> None:
    sql.gate.clear()
    sql.failures = 1
    job_id = create(embedded, sql_task("a"), continuous=Continuous(pause_status=PauseStatus.UNPAUSED))
    (first,) = at_least(embedded, job_id, 1)
    assert first.trigger is TriggerType.CONTINUOUS
    sql.gate.set()
    waited(embedded, first.run_id or 0)
    sql.gate.clear()
    advance(embedded, 5)
    assert len(runs_of(embedded, job_id)) == 1
    advance(embedded, 6)
    second = at_least(embedded, job_id, 2)[0]
    sql.gate.set()
    waited(embedded, second.run_id or 0)
    at_least(embedded, job_id, 3)
    embedded.jobs.update(job_id, new_settings=JobSettings(continuous=Continuous(pause_status=PauseStatus.PAUSED)))
    for run in runs_of(embedded, job_id):
        waited(embedded, run.run_id or 0)
    before = len(runs_of(embedded, job_id))
    advance(embedded, 3600)
    assert len(runs_of(embedded, job_id)) == before


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"trigger": {"model": {"condition": "MODEL_CREATED"}}}, "does not know trigger.model"),
        ({"triggers": [{"periodic": {}}]}, "does not know 'triggers'"),
    ],
)
def test_a_trigger_that_would_never_fire_here_is_refused(
    embedded: WorkspaceClient, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(NotImplementedByService, match=message):
        embedded.api_client.do("POST", "/api/2.2/jobs/create", body={"name": "j", **fields})


def query(client: WorkspaceClient) -> str:
    made = client.queries.create(
        query=CreateQueryRequestQuery(display_name=uuid.uuid4().hex, query_text="SELECT 1", warehouse_id="local")
    )
    assert made.id is not None
    return made.id


def quiet_for_a_moment(look: Callable[[], int], expected: int) -> None:
    """Two looks of the trigger later nothing has happened."""
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        assert look() == expected
        time.sleep(0.2)


def test_a_job_starts_when_a_table_is_updated(client: WorkspaceClient) -> None:
    warehouse = Warehouse.in_new_schema(client)
    for name in ("a", "b"):
        warehouse.execute(f"CREATE TABLE {name} (n INT)")
    names = [warehouse.full("a"), warehouse.full("b")]
    trigger = TriggerSettings(table_update=TableUpdateTriggerConfiguration(table_names=names))
    job_id = create(client, sql_task("q", query(client)), trigger=trigger)
    quiet_for_a_moment(lambda: len(runs_of(client, job_id)), 0)
    warehouse.execute("INSERT INTO b VALUES (1)")
    (run,) = at_least(client, job_id, 1)
    assert run.trigger is TriggerType.TABLE
    client.jobs.delete(job_id)


def test_a_job_starts_when_a_file_arrives(client: WorkspaceClient) -> None:
    schema = Warehouse.in_new_schema(client)
    client.volumes.create(schema.catalog, schema.schema, "landing", VolumeType.MANAGED)
    folder = f"/Volumes/{schema.catalog}/{schema.schema}/landing/"
    trigger = TriggerSettings(file_arrival=FileArrivalTriggerConfiguration(url=folder))
    job_id = create(client, sql_task("q", query(client)), trigger=trigger)
    client.files.upload(f"{folder}new.csv", io.BytesIO(b"a,b\n"))
    (run,) = at_least(client, job_id, 1)
    assert run.trigger is TriggerType.FILE_ARRIVAL
    client.jobs.delete(job_id)
