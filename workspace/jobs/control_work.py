"""The tasks that steer others: If/else condition, Run Job, For each.

Source: the Databricks pages "Add branching logic to a job with the If/else task", "Run Job task for jobs" and "Use a
For each task to run another task in a loop"; `ConditionTask`, `RunJobTask`, `ForEachTask` of the SDK.
"""

from __future__ import annotations

import json
import operator
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from workspace.documents import Document
from workspace.jobs import runs
from workspace.jobs.attempts import Attempts, Place
from workspace.jobs.graph import Result
from workspace.jobs.runs import Runs
from workspace.jobs.settings import complete_task
from workspace.jobs.work import Attempt, Outcome, Stop, TaskFailedError

MAX_ITERATIONS = 5000
"""Databricks, "For each" limits."""
STOPPED = Outcome()
"""Of an attempt that ended because it was asked to: nobody reads it."""

_NUMERIC: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
}


class JobStarter(Protocol):
    """What starts a job for a Run Job task."""

    def start_for_task(self, job_id: int, parent: Document, parameters: Mapping[str, str]) -> Document:
        """The new run; ApiError where the job does not exist or cannot run."""
        ...

    def wait(self, run_id: int, stop: Stop) -> Document: ...

    def cancel(self, run_id: int) -> None: ...


def condition(attempt: Attempt) -> Outcome:
    """Compare two operands: as text for (in)equality (`12.0` is not `12`), as numbers for the rest."""
    body = attempt.task["condition_task"]
    left, op, right = str(body["left"]), body["op"], str(body["right"])
    if op in ("EQUAL_TO", "NOT_EQUAL"):
        holds = (left == right) == (op == "EQUAL_TO")
    else:
        holds = _NUMERIC[op](_number("left", left), _number("right", right))
    return Outcome(shown={"condition_task": {"outcome": str(holds).lower()}})


def _number(side: str, text: str) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation as error:
        raise TaskFailedError(
            f"condition_task: the {side} operand '{text}' is not a number; only EQUAL_TO and NOT_EQUAL compare text"
        ) from error


class RunJob:
    """Runs another job and takes its end for its own."""

    def __init__(self, starter: JobStarter) -> None:
        self._starter = starter

    def __call__(self, attempt: Attempt) -> Outcome:
        body = attempt.task["run_job_task"]
        # The parameters of the run are pushed down to the job, as to any task that takes key-value parameters.
        parameters = {**body.get("job_parameters", {}), **attempt.run["parameters"]}
        child = self._starter.start_for_task(int(body["job_id"]), attempt.run, parameters)
        attempt.note({"run_job_output": {"run_id": child["run_id"]}})
        ended = self._starter.wait(child["run_id"], attempt.stop)
        if attempt.stop.reason is not None:
            if attempt.stop.reason in (Result.CANCELED, Result.TIMEDOUT):
                self._starter.cancel(child["run_id"])
            return STOPPED
        result = ended["state"]["result_state"]
        if result not in (Result.SUCCESS, Result.SUCCESS_WITH_FAILURES):
            raise TaskFailedError(
                f"Run {child['run_id']} of job {body['job_id']} ended {result}: {ended['state']['state_message']}"
            )
        return Outcome()


class ForEach:
    """Runs a nested task once for every input, `concurrency` at a time; a failed iteration does not stop the others."""

    def __init__(self, stored: Runs, attempts: Callable[[], Attempts]) -> None:
        self._runs = stored
        self._attempts = attempts

    def __call__(self, attempt: Attempt) -> Outcome:
        body = attempt.task["for_each_task"]
        inputs = _inputs(body["inputs"])
        attempt.note({"total_iterations": len(inputs)})
        ended: list[Document | None] = [None] * len(inputs)
        order = threading.Lock()
        waiting = iter(enumerate(inputs))

        def work() -> None:
            while attempt.stop.reason is None:
                with order:
                    number, value = next(waiting, (None, None))
                if number is None:
                    return
                ended[number] = self._iterate(attempt, body["task"], number, value)

        workers = min(int(body.get("concurrency", 1)), max(1, len(inputs)))
        with ThreadPoolExecutor(workers, thread_name_prefix=f"for each {attempt.run_id}") as pool:
            for future in [pool.submit(work) for _ in range(workers)]:
                future.result()
        if attempt.stop.reason is not None:
            return STOPPED
        failed = [one for one in ended if one is not None and one["state"]["result_state"] != Result.SUCCESS]
        if failed:
            first = failed[0]
            raise TaskFailedError(
                f"{len(failed)} of {len(inputs)} iterations failed; the first, {first['task_key']}: "
                f"{first['state']['state_message']}"
            )
        return Outcome()

    def _iterate(self, attempt: Attempt, nested: Document, number: int, value: Any) -> Document | None:
        task = complete_task(0, {**nested, "task_key": f"{nested['task_key']}_{number}"})
        record = self._runs.new_attempt(attempt.run["run_id"], task)

        def add(run: Document, one: Document) -> None:
            runs.task_of(run, attempt.run_id)["private"].setdefault("iterations", []).append(one)

        self._runs.change(attempt.run["run_id"], lambda run: add(run, record))
        place = Place(attempt.run["run_id"], add, each=value)
        return self._attempts().take(place, record["run_id"], attempt.stop.child())


def _inputs(text: Any) -> list[Any]:
    try:
        values = json.loads(text) if isinstance(text, str) else text
    except ValueError as error:
        raise TaskFailedError(f"for_each_task.inputs is no JSON array: {text!r} ({error})") from error
    if not isinstance(values, list):
        raise TaskFailedError(f"for_each_task.inputs must be a JSON array; received {text!r}")
    if len(values) > MAX_ITERATIONS:
        raise TaskFailedError(f"for_each_task.inputs has {len(values)} values; at most {MAX_ITERATIONS} can be run")
    return values
