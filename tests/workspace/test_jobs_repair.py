"""Runs are asked for, found, repaired, exported and forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.service.jobs import (
    JobParameterDefinition,
    JobSettings,
    PerformanceTarget,
    QueueSettings,
    RepairHistoryItemType,
    Run,
    RunLifeCycleState,
    RunResultState,
    RunType,
    SqlTask,
    SqlTaskQuery,
    SubmitTask,
)

from tests.support.job_runs import (
    PATIENCE_SECONDS,
    Query,
    RecordingSql,
    advance,
    create,
    ends,
    finished,
    jobs_over,
    sql_task,
    started,
    waited,
)
from tests.support.served import opened_state, served

SUCCESS, FAILED = RunResultState.SUCCESS, RunResultState.FAILED


@pytest.fixture
def sql() -> Iterator[RecordingSql]:
    recording = RecordingSql()
    recording.queries = {
        "good": Query("SELECT 1"),
        "bad": Query("SELECT * FROM no_such_table"),
        "v": Query("SELECT :v"),
    }
    yield recording
    recording.gate.set()


@pytest.fixture
def client(tmp_path: Path, sql: RecordingSql) -> Iterator[WorkspaceClient]:
    with opened_state(tmp_path) as state, served(state, jobs_over(state, sql)) as workspace:
        yield workspace
        sql.gate.set()


def submit(client: WorkspaceClient, query: str = "good", token: str | None = None) -> int:
    task = SubmitTask(task_key="a", sql_task=SqlTask("local", query=SqlTaskQuery(query)))
    run_id = client.jobs.submit(run_name="once", tasks=[task], idempotency_token=token).bind()["run_id"]
    assert isinstance(run_id, int)
    return run_id


def attempts(run: Run) -> list[tuple[str, int | None, RunResultState | None]]:
    return [(task.task_key, task.attempt_number, task.state.result_state) for task in run.tasks or [] if task.state]


def id_of(run: Run) -> int:
    assert run.run_id is not None
    return run.run_id


def test_tasks_are_run_once_without_a_job(client: WorkspaceClient) -> None:
    run_id = submit(client, token="t")
    assert submit(client, token="t") == run_id
    run = waited(client, run_id)
    assert ends(run)[1] is SUCCESS
    assert run.run_type is RunType.SUBMIT_RUN
    assert run.run_name == "once"
    assert not list(client.jobs.list())
    with pytest.raises(NotFound):
        client.jobs.get(run.job_id or 0)


def test_a_run_of_some_tasks_leaves_the_others_out(client: WorkspaceClient, sql: RecordingSql) -> None:
    job_id = create(client, sql_task("a", "bad"), sql_task("b", "good", "a"), sql_task("c", "good", "b"))
    run = finished(client, job_id, only=["b", "c"], performance_target=PerformanceTarget.STANDARD)
    assert attempts(run) == [("b", 0, SUCCESS), ("c", 0, SUCCESS)]
    assert run.effective_performance_target is PerformanceTarget.STANDARD
    with pytest.raises(BadRequest, match="'z' is no task of the job; its tasks are a, b, c"):
        client.jobs.run_now(job_id, only=["z"])


def test_older_parameters_of_a_run_reach_its_sql_tasks(client: WorkspaceClient, sql: RecordingSql) -> None:
    job_id = create(client, sql_task("a", "v", given={"v": "weakest"}))
    run = finished(client, job_id, sql_params={"v": "given"})
    assert sql.executed[-1][1] == {"v": "given"}
    assert run.overriding_parameters is not None
    assert run.overriding_parameters.sql_params == {"v": "given"}


def test_runs_are_found_by_job_kind_time_and_state(client: WorkspaceClient, sql: RecordingSql) -> None:
    job_id = create(client, sql_task("a", "good"))
    first = finished(client, job_id)
    advance(client, 3600)
    second, once = finished(client, job_id), waited(client, submit(client))

    def ids(**asked: object) -> list[int | None]:
        return [run.run_id for run in client.jobs.list_runs(**asked)]  # type: ignore[arg-type]

    assert ids() == [once.run_id, second.run_id, first.run_id]
    assert ids(job_id=job_id) == [second.run_id, first.run_id]
    assert ids(run_type=RunType.SUBMIT_RUN) == [once.run_id]
    assert first.start_time is not None
    assert ids(start_time_to=first.start_time + 1000) == [first.run_id]
    assert ids(start_time_from=first.start_time + 1000, job_id=job_id) == [second.run_id]
    assert ids(active_only=True) == []


def test_a_deleted_run_is_gone_and_an_active_one_stays(client: WorkspaceClient, sql: RecordingSql) -> None:
    job_id = create(client, sql_task("a", "good"))
    run = finished(client, job_id)
    client.jobs.delete_run(id_of(run))
    with pytest.raises(NotFound):
        client.jobs.get_run(id_of(run))
    sql.gate.clear()
    active = started(client, job_id)
    with pytest.raises(BadRequest, match="is active and cannot be deleted"):
        client.jobs.delete_run(active)


def test_all_runs_of_a_job_are_cancelled_or_only_those_that_wait(client: WorkspaceClient, sql: RecordingSql) -> None:
    sql.gate.clear()
    job_id = create(client, sql_task("a", "good"), queue=QueueSettings(enabled=True))
    active, queued = started(client, job_id), started(client, job_id)
    assert sql.entered.wait(PATIENCE_SECONDS)
    client.jobs.cancel_all_runs(job_id=job_id, all_queued_runs=True)
    assert ends(client.jobs.get_run(queued))[1] is RunResultState.CANCELED
    assert ends(client.jobs.get_run(active))[0] is RunLifeCycleState.RUNNING
    client.jobs.cancel_all_runs(job_id=job_id)
    sql.gate.set()
    assert ends(waited(client, active))[1] is RunResultState.CANCELED


def test_a_run_that_waited_two_days_in_the_queue_is_skipped(client: WorkspaceClient, sql: RecordingSql) -> None:
    sql.gate.clear()
    job_id = create(client, sql_task("a", "good"), queue=QueueSettings(enabled=True))
    started(client, job_id)
    queued = started(client, job_id)
    advance(client, 48 * 3600 - 60)
    assert ends(client.jobs.get_run(queued))[0] is RunLifeCycleState.QUEUED
    advance(client, 120)
    assert ends(client.jobs.get_run(queued))[0] is RunLifeCycleState.SKIPPED


def test_a_repair_runs_what_failed_again_in_the_same_run_with_the_current_settings(
    client: WorkspaceClient, sql: RecordingSql
) -> None:
    job_id = create(
        client,
        sql_task("a", "good"),
        sql_task("b", "bad", "a"),
        sql_task("c", "v", "b", given={"v": "{{job.parameters.day}} {{job.repair_count}}"}),
        parameters=[JobParameterDefinition(name="day", default="1")],
    )
    run = finished(client, job_id)
    assert ends(run)[1] is FAILED
    client.jobs.update(job_id, new_settings=JobSettings(tasks=[sql_task("b", "good", "a")]))
    repair_id = client.jobs.repair_run(id_of(run), rerun_all_failed_tasks=True, job_parameters={"day": "2"}).bind()[
        "run_id"
    ]
    assert repair_id == run.run_id
    repaired = waited(client, id_of(run))
    assert ends(repaired)[1] is SUCCESS
    assert attempts(repaired) == [
        ("a", 0, SUCCESS),
        ("b", 0, FAILED),
        ("c", 0, RunResultState.UPSTREAM_FAILED),
        ("b", 1, SUCCESS),
        ("c", 1, SUCCESS),
    ]
    assert sql.executed[-1][1] == {"v": "2 1"}
    history = repaired.repair_history or []
    assert [one.type for one in history] == [RepairHistoryItemType.ORIGINAL, RepairHistoryItemType.REPAIR]
    assert [one.state.result_state for one in history if one.state] == [FAILED, SUCCESS]
    assert len(history[1].task_run_ids or []) == 2


def test_a_repair_names_tasks_and_can_take_what_depends_on_them_along(client: WorkspaceClient) -> None:
    job_id = create(client, sql_task("a", "good"), sql_task("b", "good", "a"), sql_task("c", "good"))
    run = finished(client, job_id)
    client.jobs.repair_run(id_of(run), rerun_tasks=["a"], rerun_dependent_tasks=True)
    repaired = waited(client, id_of(run))
    assert [key for key, number, _ in attempts(repaired) if number == 1] == ["a", "b"]
    with pytest.raises(BadRequest, match="latest_repair_id must be"):
        client.jobs.repair_run(id_of(run), rerun_tasks=["a"])
    latest = (repaired.repair_history or [])[-1].id
    client.jobs.repair_run(id_of(run), rerun_tasks=["c"], latest_repair_id=latest)
    assert [key for key, number, _ in attempts(waited(client, id_of(run))) if number == 1] == ["a", "b", "c"]


def test_a_repair_that_does_not_fit_the_run_is_refused(client: WorkspaceClient, sql: RecordingSql) -> None:
    job_id = create(client, sql_task("a", "good"))
    run_id = id_of(finished(client, job_id))
    with pytest.raises(BadRequest, match="has no failed tasks"):
        client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    with pytest.raises(BadRequest, match="Exactly one of rerun_tasks and rerun_all_failed_tasks"):
        client.jobs.repair_run(run_id)
    with pytest.raises(BadRequest, match="'z' is no task of the run"):
        client.jobs.repair_run(run_id, rerun_tasks=["z"])
    sql.gate.clear()
    active = started(client, job_id)
    with pytest.raises(BadRequest, match="is active"):
        client.jobs.repair_run(active, rerun_tasks=["a"])


def test_only_notebooks_are_exported(client: WorkspaceClient) -> None:
    with pytest.raises(BadRequest, match="Only runs of notebook tasks can be exported"):
        client.jobs.export_run(id_of(finished(client, create(client, sql_task("a", "good")))))
