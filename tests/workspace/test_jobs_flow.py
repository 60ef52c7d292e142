"""Task graphs: what runs after what ended how, references, loops, other jobs, retries and time-outs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import (
    ConditionTask,
    ConditionTaskOp,
    ForEachTask,
    JobParameterDefinition,
    RunIf,
    RunJobTask,
    RunLifeCycleState,
    RunResultState,
    Task,
    TaskDependency,
    TriggerType,
)

from tests.support.job_runs import (
    PATIENCE_SECONDS,
    Query,
    RecordingSql,
    advance,
    condition,
    create,
    ends,
    finished,
    jobs_over,
    sql_task,
    started,
    task_results,
    waited,
)
from tests.support.served import opened_state, served

GOOD, BAD = "good", "bad"
SUCCESS, FAILED = RunResultState.SUCCESS, RunResultState.FAILED
EXCLUDED, UPSTREAM_FAILED = RunResultState.EXCLUDED, RunResultState.UPSTREAM_FAILED


@pytest.fixture
def sql() -> Iterator[RecordingSql]:
    recording = RecordingSql()
    recording.queries = {GOOD: Query("SELECT 1"), BAD: Query("SELECT * FROM no_such_table"), "q": Query("SELECT :v")}
    yield recording
    recording.gate.set()


@pytest.fixture
def client(tmp_path: Path, sql: RecordingSql) -> Iterator[WorkspaceClient]:
    with opened_state(tmp_path) as state, served(state, jobs_over(state, sql)) as workspace:
        yield workspace
        sql.gate.set()


def until(condition_holds: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition_holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("run_if", "upstream", "expected"),
    [
        (RunIf.ALL_SUCCESS, (GOOD, GOOD), SUCCESS),
        (RunIf.ALL_SUCCESS, (GOOD, BAD), UPSTREAM_FAILED),
        (RunIf.AT_LEAST_ONE_SUCCESS, (GOOD, BAD), SUCCESS),
        (RunIf.AT_LEAST_ONE_SUCCESS, (BAD, BAD), UPSTREAM_FAILED),
        (RunIf.NONE_FAILED, (GOOD, GOOD), SUCCESS),
        (RunIf.NONE_FAILED, (GOOD, BAD), UPSTREAM_FAILED),
        (RunIf.ALL_DONE, (BAD, BAD), SUCCESS),
        (RunIf.AT_LEAST_ONE_FAILED, (GOOD, BAD), SUCCESS),
        (RunIf.AT_LEAST_ONE_FAILED, (GOOD, GOOD), EXCLUDED),
        (RunIf.ALL_FAILED, (BAD, BAD), SUCCESS),
        (RunIf.ALL_FAILED, (GOOD, BAD), EXCLUDED),
    ],
)
def test_run_if_decides_over_a_task_by_the_ends_of_its_dependencies(
    client: WorkspaceClient, run_if: RunIf, upstream: tuple[str, str], expected: RunResultState
) -> None:
    job_id = create(
        client, sql_task("a", upstream[0]), sql_task("b", upstream[1]), sql_task("c", GOOD, "a", "b", run_if=run_if)
    )
    assert task_results(finished(client, job_id))["c"] is expected


def test_a_run_ends_as_its_leaf_tasks_do(client: WorkspaceClient) -> None:
    recovers = create(client, sql_task("a", BAD), sql_task("b", GOOD, "a", run_if=RunIf.ALL_DONE))
    assert ends(finished(client, recovers))[1] is RunResultState.SUCCESS_WITH_FAILURES
    fails = create(client, sql_task("a", BAD), sql_task("b", GOOD, "a"))
    run = finished(client, fails)
    assert ends(run)[1] is FAILED
    assert run.state is not None
    assert (run.state.state_message or "").startswith("Task a failed with message: [TABLE_OR_VIEW_NOT_FOUND]")
    handled = create(client, sql_task("a", GOOD), sql_task("b", GOOD, "a", run_if=RunIf.AT_LEAST_ONE_FAILED))
    assert ends(finished(client, handled))[1] is SUCCESS


def test_a_disabled_task_is_passed_over_and_so_is_what_depends_on_it_alone(client: WorkspaceClient) -> None:
    run = finished(client, create(client, sql_task("a", BAD, disabled=True), sql_task("b", BAD, "a")))
    assert task_results(run) == {"a": RunResultState.DISABLED, "b": EXCLUDED}


def test_a_condition_sends_the_run_down_one_branch_and_excludes_the_other(client: WorkspaceClient) -> None:
    def after(outcome: str, key: str) -> Task:
        task = sql_task(key, GOOD)
        task.depends_on = [TaskDependency(task_key="gate", outcome=outcome)]
        return task

    both = after("false", "both")
    both.depends_on = [*(both.depends_on or []), TaskDependency(task_key="deploy")]
    run = finished(
        client,
        create(
            client,
            condition("gate", "{{job.parameters.auc}}", ConditionTaskOp.GREATER_THAN, "0.7"),
            after("true", "deploy"),
            after("false", "alert"),
            sql_task("next", GOOD, "alert"),
            sql_task("join", GOOD, "deploy", "alert"),
            both,
            parameters=[JobParameterDefinition(name="auc", default="0.65")],
        ),
        job_parameters={"auc": "0.9"},
    )
    assert task_results(run) == {
        "gate": SUCCESS,
        "deploy": SUCCESS,
        "alert": EXCLUDED,
        "next": EXCLUDED,
        "join": SUCCESS,
        "both": EXCLUDED,
    }
    gate = next(task for task in run.tasks or [] if task.task_key == "gate")
    assert gate.condition_task is not None
    assert gate.condition_task.outcome == "true"
    assert gate.resolved_values is not None
    assert gate.resolved_values.condition_task is not None
    assert gate.resolved_values.condition_task.left == "0.9"
    assert ends(run)[1] is SUCCESS


@pytest.mark.parametrize(
    ("left", "op", "right", "outcome"),
    [
        ("12.0", "EQUAL_TO", "12", "false"),
        ("a", "EQUAL_TO", "a", "true"),
        ("a", "NOT_EQUAL", "b", "true"),
        ("12.0", "GREATER_THAN_OR_EQUAL", "12", "true"),
        ("10.0", "GREATER_THAN_OR_EQUAL", "12", "false"),
        ("9", "GREATER_THAN", "10", "false"),
        ("-1", "LESS_THAN", "0", "true"),
        ("1e3", "LESS_THAN_OR_EQUAL", "1000", "true"),
    ],
)
def test_equality_compares_text_and_order_compares_numbers(
    client: WorkspaceClient, left: str, op: str, right: str, outcome: str
) -> None:
    run = finished(client, create(client, condition("c", left, ConditionTaskOp(op), right)))
    (task,) = run.tasks or []
    assert task.condition_task is not None
    assert task.condition_task.outcome == outcome


def test_an_order_of_what_is_no_number_fails_the_condition(client: WorkspaceClient) -> None:
    run = finished(client, create(client, condition("c", "high", ConditionTaskOp.GREATER_THAN, "1")))
    assert run.state is not None
    assert "the left operand 'high' is not a number" in (run.state.state_message or "")


def test_references_are_filled_in_when_a_task_starts(client: WorkspaceClient, sql: RecordingSql) -> None:
    texts = {
        "{{job.name}}/{{job.trigger.type}}/{{job.repair_count}}": "retrain/one_time/0",
        "{{task.name}} {{task.execution_count}}": "b 1",
        "{{tasks.a.result_state}} {{tasks.a.execution_count}}": "success 1",
        "{{job.parameters.`the day`}}": "monday",
        "{{job.start_time.is_weekday}}": "true|false",
        "{{job.start_time.iso_date}}": r"\d{4}-\d\d-\d\d",
        "{{job.start_time.timestamp_ms}}": r"\d{13}",
        "{{unknown.thing}} {{job.id}": r"\{\{unknown.thing\}\} \{\{job.id\}",
    }
    for text, expected in texts.items():
        job_id = create(
            client,
            sql_task("a", GOOD),
            sql_task("b", "q", "a", given={"v": text}),
            parameters=[JobParameterDefinition(name="the day", default="monday")],
        )
        assert ends(finished(client, job_id))[1] is SUCCESS, text
        assert re.fullmatch(expected, sql.executed[-1][1]["v"]), (text, sql.executed[-1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{job.notebook_url}}", "is no dynamic value reference"),
        ("{{job.parameters.nothing}}", "the job has no parameter 'nothing'"),
        ("{{tasks.z.result_state}}", "the job has no task 'z'"),
        ("{{tasks.a.values.auc}}", "task 'a' set no value 'auc'"),
        ("{{job.start_time.century}}", "'century' is none of iso_weekday"),
        ("{{input}}", "inside a For each task only"),
    ],
)
def test_a_reference_of_a_known_namespace_to_nothing_fails_the_task(
    client: WorkspaceClient, text: str, message: str
) -> None:
    run = finished(client, create(client, sql_task("a", GOOD), sql_task("b", "q", "a", given={"v": text})))
    assert task_results(run)["b"] is FAILED
    assert run.state is not None
    assert message in (run.state.state_message or "")


def test_tasks_that_do_not_depend_on_each_other_run_at_once(client: WorkspaceClient, sql: RecordingSql) -> None:
    sql.gate.clear()
    run_id = started(client, create(client, sql_task("a", GOOD), sql_task("b", GOOD), sql_task("c", GOOD, "a", "b")))

    def states() -> list[RunLifeCycleState | None]:
        return [task.state.life_cycle_state for task in client.jobs.get_run(run_id).tasks or [] if task.state]

    running = RunLifeCycleState.RUNNING
    until(lambda: states() == [running, running, RunLifeCycleState.BLOCKED])
    sql.gate.set()
    assert ends(waited(client, run_id))[1] is SUCCESS


def test_a_loop_runs_its_task_for_every_input_and_says_how_it_went(client: WorkspaceClient, sql: RecordingSql) -> None:
    nested = sql_task("city", "q", given={"v": "{{input.name}}: {{input.size}}"})
    inputs = '[{"name": "Oslo", "size": 1}, {"name": "Rome", "size": [2]}]'
    loop = Task(task_key="loop", for_each_task=ForEachTask(inputs="{{job.parameters.cities}}", task=nested))
    job_id = create(client, loop, parameters=[JobParameterDefinition(name="cities", default=inputs)])
    run = finished(client, job_id)
    assert ends(run)[1] is SUCCESS
    assert [given["v"] for _, given, _, _ in sql.executed] == ["Oslo: 1", "Rome: [2]"]
    (task,) = run.tasks or []
    assert task.for_each_task is not None
    assert task.for_each_task.stats is not None
    assert task.for_each_task.stats.task_run_stats is not None
    assert task.for_each_task.stats.task_run_stats.succeeded_iterations == 2
    assert task.run_id is not None
    iterations = client.jobs.get_run(task.run_id).iterations or []
    assert [one.task_key for one in iterations] == ["city_0", "city_1"]
    assert iterations[0].run_id is not None
    assert client.jobs.get_run_output(iterations[0].run_id).sql_output is not None


def test_a_failed_iteration_fails_the_loop_after_the_others_have_run(
    client: WorkspaceClient, sql: RecordingSql
) -> None:
    sql.failures = 1
    loop = Task(task_key="loop", for_each_task=ForEachTask(inputs="[1, 2, 3]", task=sql_task("one", GOOD)))
    run = finished(client, create(client, loop))
    assert ends(run)[1] is FAILED
    assert run.state is not None
    assert "1 of 3 iterations failed; the first, one_0" in (run.state.state_message or "")
    assert len(sql.executed) == 2


def test_as_many_iterations_run_at_once_as_concurrency_says(client: WorkspaceClient, sql: RecordingSql) -> None:
    sql.gate.clear()
    loop = Task(
        task_key="loop", for_each_task=ForEachTask(inputs="[1, 2, 3, 4, 5]", concurrency=2, task=sql_task("one", GOOD))
    )
    run_id = started(client, create(client, loop))

    def active() -> int | None:
        (task,) = client.jobs.get_run(run_id).tasks or []
        stats = task.for_each_task.stats if task.for_each_task else None
        return stats.task_run_stats.active_iterations if stats and stats.task_run_stats else None

    until(lambda: active() == 2)
    sql.gate.set()
    assert ends(waited(client, run_id))[1] is SUCCESS
    assert len(sql.executed) == 5


@pytest.mark.parametrize(("inputs", "message"), [("{", "is no JSON array"), ('{"a": 1}', "must be a JSON array")])
def test_inputs_of_a_loop_that_are_no_list_fail_it(client: WorkspaceClient, inputs: str, message: str) -> None:
    loop = Task(task_key="loop", for_each_task=ForEachTask(inputs=inputs, task=sql_task("one", GOOD)))
    run = finished(client, create(client, loop))
    assert run.state is not None
    assert message in (run.state.state_message or "")


def test_a_run_job_task_runs_the_job_with_its_parameters_and_ends_as_it_does(
    client: WorkspaceClient, sql: RecordingSql
) -> None:
    inner = create(
        client,
        sql_task("q", "q", given={"v": "{{job.trigger.type}} {{job.parameters.day}}"}),
        parameters=[JobParameterDefinition(name="day", default="1")],
    )
    task = Task(task_key="call", run_job_task=RunJobTask(job_id=inner, job_parameters={"day": "{{job.id}}"}))
    outer = create(client, task)
    run = finished(client, outer)
    assert ends(run)[1] is SUCCESS
    assert sql.executed[-1][1] == {"v": f"run_job_task {outer}"}
    (call,) = run.tasks or []
    assert call.run_id is not None
    output = client.jobs.get_run_output(call.run_id).run_job_output
    assert output is not None
    assert output.run_id is not None
    child = client.jobs.get_run(output.run_id)
    assert child.trigger is TriggerType.RUN_JOB_TASK
    assert child.trigger_info is not None
    assert child.trigger_info.run_id == run.run_id
    failing = create(client, Task(task_key="call", run_job_task=RunJobTask(job_id=create(client, sql_task("a", BAD)))))
    failed = finished(client, failing)
    assert failed.state is not None
    assert "ended FAILED" in (failed.state.state_message or "")


def test_a_job_that_would_run_itself_is_told_so(client: WorkspaceClient) -> None:
    job_id = create(client, sql_task("a", GOOD), max_concurrent_runs=2)
    client.api_client.do(
        "POST",
        "/api/2.2/jobs/update",
        body={
            "job_id": job_id,
            "new_settings": {"tasks": [{"task_key": "a", "run_job_task": {"job_id": job_id}}]},
        },
    )
    run = finished(client, job_id)
    assert run.state is not None
    assert f"Job {job_id} would run itself" in (run.state.state_message or "")


def test_cancelling_reaches_the_run_that_a_run_job_task_started(client: WorkspaceClient, sql: RecordingSql) -> None:
    sql.gate.clear()
    inner = create(client, sql_task("a", GOOD))
    run_id = started(client, create(client, Task(task_key="call", run_job_task=RunJobTask(job_id=inner))))
    assert sql.entered.wait(timeout=PATIENCE_SECONDS)
    client.jobs.cancel_run(run_id)
    sql.gate.set()
    assert ends(waited(client, run_id))[1] is RunResultState.CANCELED
    (child,) = client.jobs.list_runs(job_id=inner)
    assert child.run_id is not None
    assert ends(waited(client, child.run_id))[1] is RunResultState.CANCELED


def test_a_failed_task_is_tried_again_after_its_interval_by_the_workspaces_clock(
    client: WorkspaceClient, sql: RecordingSql
) -> None:
    sql.failures = 2
    task = sql_task("a", GOOD, max_retries=2, min_retry_interval_millis=3_600_000)
    run_id = started(client, create(client, task, sql_task("b", GOOD, "a")))

    def attempts() -> list[tuple[int | None, RunLifeCycleState | None]]:
        tasks = [task for task in client.jobs.get_run(run_id).tasks or [] if task.task_key == "a"]
        return [(task.attempt_number, task.state.life_cycle_state) for task in tasks if task.state]

    waiting, over = RunLifeCycleState.WAITING_FOR_RETRY, RunLifeCycleState.TERMINATED
    until(lambda: attempts() == [(0, over), (1, waiting)])
    advance(client, 3600)
    until(lambda: attempts() == [(0, over), (1, over), (2, waiting)])
    advance(client, 3600)
    run = waited(client, run_id)
    assert ends(run)[1] is SUCCESS
    results = [(task.task_key, task.state.result_state) for task in run.tasks or [] if task.state]
    assert results == [("a", FAILED), ("b", SUCCESS), ("a", FAILED), ("a", SUCCESS)]


def test_retries_end_and_the_last_failure_counts(client: WorkspaceClient, sql: RecordingSql) -> None:
    run = finished(client, create(client, sql_task("a", BAD, max_retries=1)))
    assert ends(run)[1] is FAILED
    assert [task.attempt_number for task in run.tasks or []] == [0, 1]


def test_a_time_out_is_retried_only_where_the_task_says_so(client: WorkspaceClient, sql: RecordingSql) -> None:
    for retry_on_timeout, attempts in ((False, 1), (True, 2)):
        sql.gate.clear()
        sql.entered.clear()
        task = sql_task("a", GOOD, timeout_seconds=60, max_retries=1, retry_on_timeout=retry_on_timeout)
        run_id = started(client, create(client, task))
        assert sql.entered.wait(timeout=PATIENCE_SECONDS)
        advance(client, 61)
        sql.gate.set()
        run = waited(client, run_id)
        assert len(run.tasks or []) == attempts
        assert ends(run)[1] is (SUCCESS if retry_on_timeout else FAILED)


def test_a_run_that_takes_too_long_timed_out_with_what_was_left_of_it(
    client: WorkspaceClient, sql: RecordingSql
) -> None:
    sql.gate.clear()
    run_id = started(client, create(client, sql_task("a", GOOD), sql_task("b", GOOD, "a"), timeout_seconds=600))
    assert sql.entered.wait(timeout=PATIENCE_SECONDS)
    advance(client, 601)
    sql.gate.set()
    run = waited(client, run_id)
    assert ends(run) == (RunLifeCycleState.TERMINATED, RunResultState.TIMEDOUT)
    assert task_results(run)["b"] is RunResultState.CANCELED


def test_a_cancelled_task_cancels_what_needs_it_and_lets_run_what_handles_failures(
    client: WorkspaceClient, sql: RecordingSql
) -> None:
    sql.gate.clear()
    cleanup = sql_task("cleanup", GOOD, "a", run_if=RunIf.AT_LEAST_ONE_FAILED)
    run_id = started(client, create(client, sql_task("a", GOOD), sql_task("b", GOOD, "a"), cleanup))
    assert sql.entered.wait(timeout=PATIENCE_SECONDS)
    task_run = next(task.run_id for task in client.jobs.get_run(run_id).tasks or [] if task.task_key == "a")
    assert task_run is not None
    client.jobs.cancel_run(task_run)
    sql.gate.set()
    assert task_results(waited(client, run_id)) == {
        "a": RunResultState.CANCELED,
        "b": RunResultState.UPSTREAM_CANCELED,
        "cleanup": SUCCESS,
    }


def test_what_is_asked_of_a_nested_condition_is_answered_inside_the_loop(client: WorkspaceClient) -> None:
    nested = Task(
        task_key="is_two", condition_task=ConditionTask(left="{{input}}", op=ConditionTaskOp.EQUAL_TO, right="2")
    )
    loop = Task(task_key="loop", for_each_task=ForEachTask(inputs="[1, 2]", task=nested))
    run = finished(client, create(client, loop))
    (task,) = run.tasks or []
    assert task.run_id is not None
    outcomes = [
        one.condition_task.outcome for one in client.jobs.get_run(task.run_id).iterations or [] if one.condition_task
    ]
    assert outcomes == ["false", "true"]
