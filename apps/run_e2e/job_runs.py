"""Runs of jobs, by databricks-sdk: started, followed, and read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.jobs import Run, RunLifeCycleState, RunResultState, RunTask

from apps.deploy.project import Say
from apps.run_e2e.phases import PhaseError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_OVER = (RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR)
_FIRST_LOOK_SECONDS, _LONGEST_SECONDS = 0.3, 10.0
RUN_SECONDS = 4 * 3_600.0


def run_job(client: WorkspaceClient, job_id: str, what: str, parameters: Mapping[str, str], tell: Say) -> Run:
    """Run a job to its end; the run, which succeeded.

    Args:
        what: the job, for status lines.
        parameters: job parameters that differ from their defaults.

    Raises:
        PhaseError: it failed, naming the task and its own words; or it is not over after four hours.
    """
    started = client.jobs.run_now(int(job_id), job_parameters=dict(parameters)).run_id
    tell(f"{what}: run {started} of job {job_id}")
    try:
        run = _to_its_end(client, started, what, tell)
    except KeyboardInterrupt:
        tell(f"{what}: run {started} goes on by itself; `databricks jobs cancel-run {started}` ends it")
        raise
    if run.state is None or run.state.result_state is not RunResultState.SUCCESS:
        raise PhaseError(f"{what}: run {started} failed: {_reason(client, run)}")
    return run


def _to_its_end(client: WorkspaceClient, started: int, what: str, tell: Say) -> Run:
    deadline, pause = time.monotonic() + RUN_SECONDS, _FIRST_LOOK_SECONDS
    told: dict[str, str] = {}
    while True:
        run = client.jobs.get_run(started)
        for task in run.tasks or []:
            if told.get(task.task_key) != (word := _word(task)):
                told[task.task_key] = word
                tell(f"{what}: {task.task_key} {word}")
        if run.state is not None and run.state.life_cycle_state in _OVER:
            return run
        if time.monotonic() > deadline:
            raise PhaseError(f"{what}: run {started} is not over after {RUN_SECONDS / 3_600:g} hours; look at it")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_SECONDS)


def reference_value(run: Run, task_key: str, parameter: str) -> str:
    """What a task was given for a parameter that refers to another task's value.

    Task values have no call of their own: the run says what its references came to (Jobs API, `resolved_values`).

    Raises:
        PhaseError: the run has no such task, or does not say.
    """
    for task in run.tasks or []:
        if task.task_key == task_key and task.resolved_values and task.resolved_values.notebook_task:
            given = task.resolved_values.notebook_task.base_parameters or {}
            if given.get(parameter):
                return str(given[parameter])
    raise PhaseError(f"run {run.run_id} does not say which {parameter} task {task_key} was given; is it another job?")


def result_text(client: WorkspaceClient, run: Run, task_key: str) -> str:
    """What a notebook task exited with; empty where it did not say anything."""
    for task in run.tasks or []:
        if task.task_key == task_key and task.run_id is not None:
            output = client.jobs.get_run_output(task.run_id).notebook_output
            return (output.result or "") if output else ""
    return ""


def _word(task: RunTask) -> str:
    state = task.state
    if state is None:
        return "waits"
    if state.result_state is not None:
        return state.result_state.value
    return state.life_cycle_state.value if state.life_cycle_state is not None else "waits"


def _reason(client: WorkspaceClient, run: Run) -> str:
    """The tasks that failed by themselves, each with what it said."""
    reasons = []
    for task in run.tasks or []:
        if task.state is None or task.state.result_state not in (RunResultState.FAILED, RunResultState.TIMEDOUT):
            continue
        said = task.state.state_message or "no message"
        if task.run_id is not None:
            try:
                said = client.jobs.get_run_output(task.run_id).error or said
            except DatabricksError as error:
                said = f"{said} (its output cannot be read: {error})"
        reasons.append(f"task {task.task_key}: {said}")
    message = run.state.state_message if run.state else None
    return "; ".join(reasons) or message or "it does not say why"
