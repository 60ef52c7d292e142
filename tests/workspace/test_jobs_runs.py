"""Runs of jobs: what is executed, in which order, and how each end is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest
from databricks.sdk.errors import NotImplemented as NotImplementedByService
from databricks.sdk.service.jobs import QueueSettings, RunLifeCycleState, RunResultState

from tests.support.job_runs import (
    Query,
    RecordingSql,
    advance,
    create,
    ends,
    finished,
    jobs_over,
    sql_task,
    started,
    task_results,
    waited,
)
from tests.support.served import CALLER, opened_state, served
from workspace.state import State


@pytest.fixture
def sql() -> Iterator[RecordingSql]:
    recording = RecordingSql()
    yield recording
    recording.gate.set()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with opened_state(tmp_path) as opened:
        yield opened


@pytest.fixture
def client(state: State, sql: RecordingSql) -> Iterator[WorkspaceClient]:
    with served(state, jobs_over(state, sql)) as workspace:
        yield workspace
        sql.gate.set()


def test_tasks_run_in_the_order_of_their_dependencies_in_the_querys_schema(
    client: WorkspaceClient, sql: RecordingSql
) -> None:
    sql.queries = {
        "q1": Query("SELECT 1"),
        "q2": Query("SELECT 2", "other", "place"),
        "q3": Query("SELECT 3; SELECT 4;"),
    }
    run = finished(client, create(client, sql_task("z", "q1"), sql_task("a", "q3", "m"), sql_task("m", "q2", "z")))
    assert ends(run) == (RunLifeCycleState.TERMINATED, RunResultState.SUCCESS)
    assert sql.executed == [
        ("SELECT 1", {}, "main", "rec"),
        ("SELECT 2", {}, "other", "place"),
        ("SELECT 3", {}, "main", "rec"),
        ("SELECT 4", {}, "main", "rec"),
    ]
    assert run.creator_user_name == CALLER.user_name
    assert run.start_time is not None
    assert run.end_time is not None
    assert run.end_time >= run.start_time


def test_the_waiter_of_the_sdk_ends_with_the_run(client: WorkspaceClient, sql: RecordingSql) -> None:
    sql.queries = {"good": Query("SELECT 1"), "bad": Query("SELECT * FROM no_such_table")}
    run = client.jobs.run_now_and_wait(create(client, sql_task("a", "good")))
    assert ends(run)[1] is RunResultState.SUCCESS
    run = client.jobs.run_now_and_wait(create(client, sql_task("a", "bad")))
    assert ends(run)[1] is RunResultState.FAILED


def test_a_failing_statement_fails_the_run_and_what_depends_on_it_does_not_run(
    client: WorkspaceClient, sql: RecordingSql
) -> None:
    sql.queries = {"good": Query("SELECT 1"), "bad": Query("SELECT 1; SELECT * FROM no_such_table; SELECT 2")}
    tasks = [sql_task("a", "bad"), sql_task("b", "good", "a"), sql_task("c", "good", "b"), sql_task("d", "good")]
    run = finished(client, create(client, *tasks))
    assert ends(run) == (RunLifeCycleState.TERMINATED, RunResultState.FAILED)
    assert run.state is not None
    assert "Task a failed" in (run.state.state_message or "")
    assert "`no_such_table` cannot be found" in (run.state.state_message or "")
    assert task_results(run) == {
        "a": RunResultState.FAILED,
        "b": RunResultState.UPSTREAM_FAILED,
        "c": RunResultState.UPSTREAM_FAILED,
        "d": RunResultState.SUCCESS,
    }
    assert len(sql.executed) == 2
    by_key = {task.task_key: task.run_id for task in run.tasks or []}
    assert "no_such_table" in (client.jobs.get_run_output(by_key["a"] or 0).error or "")
    output = client.jobs.get_run_output(by_key["d"] or 0)
    assert output.error is None
    assert output.sql_output is not None
    assert output.sql_output.query_output is not None
    assert output.sql_output.query_output.query_text == "SELECT 1"
    assert run.run_id is not None
    with pytest.raises(BadRequest, match="each individual task run"):
        client.jobs.get_run_output(run.run_id)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "Query q does not exist"),
        ("SELECT '", "is not SQL"),
        ("SELECT {{ day }}", "write :day"),
    ],
)
def test_a_query_that_cannot_be_taken_apart_fails_its_task(
    client: WorkspaceClient, sql: RecordingSql, text: str | None, message: str
) -> None:
    sql.queries = {"q": Query(text)} if text else {}
    run = finished(client, create(client, sql_task("a")))
    assert ends(run) == (RunLifeCycleState.TERMINATED, RunResultState.FAILED)
    assert run.state is not None
    assert message in (run.state.state_message or "")


def test_parameters_reach_the_statements_that_name_them(client: WorkspaceClient, sql: RecordingSql) -> None:
    sql.queries = {"q": Query("SELECT :day; SELECT :day, data:city FROM t WHERE n > :least; SELECT 1")}
    job_id = client.api_client.do(
        "POST",
        "/api/2.2/jobs/create",
        body={
            "name": "with parameters",
            "parameters": [{"name": "run_day", "default": "2026-01-01"}, {"name": "least", "default": "3"}],
            "tasks": [sql_task("a", given={"day": "on {{job.parameters.run_day}}", "least": "1"}).as_dict()],
        },
    )
    assert isinstance(job_id, dict)
    assert (
        ends(finished(client, job_id["job_id"], job_parameters={"run_day": "2026-02-02"}))[1] is RunResultState.SUCCESS
    )
    assert [given for _, given, _, _ in sql.executed] == [
        {"day": "on 2026-02-02"},
        {"day": "on 2026-02-02", "least": "3"},
        {},
    ]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"pipeline_task": {"pipeline_id": "x"}}, "'a' of job 'retrain': it executes .*, not pipeline_task"),
        ({"dbt_task": {"commands": ["dbt run"]}}, "not dbt_task"),
        ({"sql_task": {"warehouse_id": "w", "dashboard": {"dashboard_id": "1"}}}, "not sql_task.dashboard"),
        ({"notebook_task": {"notebook_path": "x", "source": "GIT"}}, "not from git_source"),
        (
            {"for_each_task": {"inputs": "[1]", "task": {"task_key": "b", "spark_jar_task": {"main_class_name": "M"}}}},
            "not spark_jar_task",
        ),
        ({"run_job_task": {"job_id": 1, "jar_params": ["x"]}}, "it does not know jar_params"),
    ],
)
def test_a_job_that_cannot_be_executed_here_can_be_declared_but_not_run(
    client: WorkspaceClient, task: dict[str, Any], message: str
) -> None:
    body = {"name": "retrain", "tasks": [{"task_key": "a", **task}]}
    created = client.api_client.do("POST", "/api/2.2/jobs/create", body=body)
    assert isinstance(created, dict)
    with pytest.raises(NotImplementedByService, match=message):
        client.jobs.run_now(created["job_id"])
    assert not list(client.jobs.list_runs(job_id=created["job_id"]))


def test_the_same_idempotency_token_starts_one_run(client: WorkspaceClient, sql: RecordingSql) -> None:
    sql.queries = {"q": Query("SELECT 1")}
    job_id = create(client, sql_task("a"))
    first = finished(client, job_id, idempotency_token="once")
    assert finished(client, job_id, idempotency_token="once").run_id == first.run_id
    assert finished(client, job_id, idempotency_token="twice").run_id != first.run_id
    assert len(sql.executed) == 2


def test_a_run_beyond_the_limit_is_skipped_or_queued(client: WorkspaceClient, sql: RecordingSql) -> None:
    sql.queries = {"q": Query("SELECT 1")}
    sql.gate.clear()
    skipping = create(client, sql_task("a"))
    queueing = create(client, sql_task("a"), queue=QueueSettings(enabled=True))
    active = [started(client, job_id) for job_id in (skipping, queueing)]
    skipped = finished(client, skipping)
    assert ends(skipped) == (RunLifeCycleState.SKIPPED, RunResultState.MAXIMUM_CONCURRENT_RUNS_REACHED)
    queued = started(client, queueing)
    assert ends(client.jobs.get_run(queued))[0] is RunLifeCycleState.QUEUED
    assert [run.run_id for run in client.jobs.list_runs(job_id=queueing, active_only=True)] == [queued, active[1]]
    sql.gate.set()
    for run_id in (*active, queued):
        assert ends(waited(client, run_id)) == (RunLifeCycleState.TERMINATED, RunResultState.SUCCESS)
    assert len(sql.executed) == 3
    assert not list(client.jobs.list_runs(active_only=True))
    assert len(list(client.jobs.list_runs(completed_only=True))) == 4


def test_a_cancelled_run_starts_no_further_task(client: WorkspaceClient, sql: RecordingSql) -> None:
    sql.queries = {"q": Query("SELECT 1")}
    sql.gate.clear()
    run_id = started(client, create(client, sql_task("a"), sql_task("b", "q", "a")))
    assert sql.entered.wait(timeout=30)
    client.jobs.cancel_run(run_id)
    assert ends(client.jobs.get_run(run_id))[0] is RunLifeCycleState.TERMINATING
    sql.gate.set()
    run = waited(client, run_id)
    assert ends(run) == (RunLifeCycleState.TERMINATED, RunResultState.CANCELED)
    assert task_results(run)["b"] is RunResultState.CANCELED
    assert len(sql.executed) == 1
    client.jobs.cancel_run(run_id)


def test_a_task_that_takes_longer_than_its_limit_by_the_workspaces_clock_timed_out(
    client: WorkspaceClient, sql: RecordingSql
) -> None:
    sql.queries = {"q": Query("SELECT 1")}
    sql.gate.clear()
    run_id = started(client, create(client, sql_task("a", timeout_seconds=3600)))
    assert sql.entered.wait(timeout=30)
    advance(client, 3599 / 2)
    assert ends(client.jobs.get_run(run_id))[0] is RunLifeCycleState.RUNNING
    advance(client, 3599 / 2 + 5)
    sql.gate.set()
    run = waited(client, run_id)
    assert task_results(run) == {"a": RunResultState.TIMEDOUT}
    assert ends(run)[1] is RunResultState.FAILED


def test_a_run_that_a_kill_interrupted_is_shown_as_failed_and_a_queued_one_runs(
    tmp_path: Path, sql: RecordingSql
) -> None:
    sql.queries = {"q": Query("SELECT 1")}
    with opened_state(tmp_path) as state:
        with served(state, jobs_over(state, sql)) as client:
            job_id = create(client, sql_task("a"), queue=QueueSettings(enabled=True))
            done = finished(client, job_id)
            sql.gate.clear()
            running = started(client, job_id)
            queued = started(client, job_id)
            assert sql.entered.wait(timeout=30)
            left_behind = dict(state.documents.list("job_run"))
            sql.gate.set()
            waited(client, queued)
        for key, body in left_behind.items():
            state.documents.put("job_run", key, body)
    executed = len(sql.executed)
    with opened_state(tmp_path) as state, served(state, jobs_over(state, sql)) as client:
        assert done.run_id is not None
        interrupted = client.jobs.get_run(running)
        assert ends(interrupted) == (RunLifeCycleState.INTERNAL_ERROR, RunResultState.FAILED)
        assert interrupted.state is not None
        assert "stopped" in (interrupted.state.state_message or "")
        assert ends(waited(client, queued))[1] is RunResultState.SUCCESS
        assert ends(client.jobs.get_run(done.run_id))[1] is RunResultState.SUCCESS
        assert client.jobs.get(job_id).creator_user_name == CALLER.user_name
    assert len(sql.executed) == executed + 1
