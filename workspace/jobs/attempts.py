"""Takes one task of a run through its attempts: references, time-out, retries, and what is noted of each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workspace.clock import Clock
from workspace.documents import Document
from workspace.errors import ApiError
from workspace.jobs import runs
from workspace.jobs.graph import Result
from workspace.jobs.notices import Notices, slow_after
from workspace.jobs.references import NO_INPUT, References, UnknownReferenceError
from workspace.jobs.runs import Runs
from workspace.jobs.settings import kind_of
from workspace.jobs.work import SHUTDOWN, Attempt, Outcome, Stop, TaskFailedError, Work

logger = logging.getLogger("workspace")

# `resolved_values` of a task: what of each kind is shown with its references filled in (`ResolvedValues` of the SDK).
_RESOLVED = {
    "condition_task": ("left", "right"),
    "notebook_task": ("base_parameters",),
    "python_wheel_task": ("named_parameters", "parameters"),
    "run_job_task": ("job_parameters",),
    "spark_python_task": ("parameters",),
    "sql_task": ("parameters",),
}


@dataclass(frozen=True)
class Place:
    """Where a run keeps the attempts at a task, and what `{{input}}` is there."""

    run_id: int
    add: Callable[[Document, Document], None]
    """Adds a new attempt (second) to the run (first)."""
    each: Any = NO_INPUT


class Attempts:
    """Runs tasks to their end, each in the thread of the caller."""

    def __init__(
        self,
        stored: Runs,
        clock: Clock,
        works: Mapping[str, Work],
        notices: Notices,
        workspace_id: str,
        host: Callable[[], str | None],
    ) -> None:
        """`works` by kind of task (`sql_task`); `host` is the address of the workspace, where it has one."""
        self._runs = stored
        self._clock = clock
        self._works = works
        self._notices = notices
        self._workspace_id = workspace_id
        self._host = host

    def take(self, place: Place, task_run_id: int, stop: Stop) -> Document | None:
        """The last attempt at a task once it is over; None where the server ends first."""
        while True:
            # Timing out stops this attempt, not those after it.
            ended = self._attempt(place, task_run_id, stop.child())
            if ended is None:
                return None
            following = self._end(place, task_run_id, ended)
            if following is None:
                return runs.task_of(self._runs.get(place.run_id), task_run_id)
            task_run_id = int(following["run_id"])
            self._wait_to_retry(following, stop)

    def _attempt(self, place: Place, task_run_id: int, stop: Stop) -> Callable[[Document], None] | None:
        """One attempt; what closes its record, or None where the server ends."""
        asked = stop.reason
        if asked is not None:
            return self._stopped(asked, 0)
        run = self._runs.change(place.run_id, lambda record: self._begin(runs.task_of(record, task_run_id)))
        task = runs.task_of(run, task_run_id)
        self._notices.task_started(run, task)
        limit = task["timeout_seconds"]
        due = self._clock.now() + limit
        alarms = [self._clock.call_at(due, lambda: stop.request(Result.TIMEDOUT))] if limit else []
        if slow := slow_after(task):
            late = self._clock.now() + slow
            alarms.append(self._clock.call_at(late, lambda: self._notices.task_is_slow(run, task)))
        closing: Callable[[Document], None]
        try:
            outcome = self._perform(place, run, task, stop)
            closing = self._succeeded(outcome)
        except TaskFailedError as failure:
            closing = self._failed(failure)
        finally:
            for alarm in alarms:
                alarm.cancel()
        return self._stopped(stop.reason, limit) if stop.reason is not None else closing

    def _perform(self, place: Place, run: Document, task: Document, stop: Stop) -> Outcome:
        kind = kind_of(task)

        def note(fields: Mapping[str, Any]) -> None:
            self._runs.change_task(place.run_id, task["run_id"], lambda one: one["private"].update(fields))

        try:
            references = References(run, task, self._workspace_id, self._host(), each=place.each)
            body = _resolved(references, kind, task[kind])
            shown = {name: body[name] for name in _RESOLVED.get(kind, ()) if name in body}
            if shown != {name: task[kind][name] for name in shown}:
                note({"resolved": {kind: shown}})
            return self._works[kind](Attempt(run, {**task, kind: body}, stop, note))
        except (ApiError, UnknownReferenceError) as error:
            raise TaskFailedError(str(error)) from error
        except TaskFailedError:
            raise
        except Exception as error:
            # The task's own thread: what is not noted of it here, nobody learns.
            logger.exception("task %s of run %s failed", task["task_key"], place.run_id)
            raise TaskFailedError(f"{type(error).__name__}: {error}") from error

    def _begin(self, task: Document) -> None:
        task["start_time"] = self._clock.now_ms()
        task["state"] = runs.state(runs.RUNNING)

    def _succeeded(self, outcome: Outcome) -> Callable[[Document], None]:
        def close(task: Document) -> None:
            task["private"].update(outcome.private)
            for kind, fields in outcome.shown.items():
                task[kind] = {**task[kind], **fields}
            self._runs.end(task, outcome.result)

        return close

    def _failed(self, failure: TaskFailedError) -> Callable[[Document], None]:
        def close(task: Document) -> None:
            task["private"] |= {"error": str(failure), "error_code": failure.code or "RunExecutionError"}
            if failure.trace is not None:
                task["private"]["error_trace"] = failure.trace
            self._runs.end(task, Result.FAILED, str(failure))

        return close

    def _stopped(self, reason: str, limit: int) -> Callable[[Document], None] | None:
        if reason == SHUTDOWN:
            return None
        message = (
            f"The task took longer than timeout_seconds ({limit})." if reason == Result.TIMEDOUT else "Run cancelled."
        )
        return lambda task: self._runs.end(task, reason, message)

    def _end(self, place: Place, task_run_id: int, close: Callable[[Document], None]) -> Document | None:
        """Close the attempt, and add the next one in the same write where the task is to be tried again."""
        attempt = runs.task_of(self._runs.get(place.run_id), task_run_id)
        preview = {**attempt, "private": dict(attempt["private"])}
        close(preview)
        following: Document | None = None
        if _may_retry(preview):
            fresh = {name: value for name, value in attempt.items() if name not in _OF_ONE_ATTEMPT}
            following = self._runs.new_attempt(place.run_id, fresh, attempt["attempt_number"] + 1)
            following["state"] = runs.state(runs.WAITING_FOR_RETRY)

        def apply(run: Document) -> None:
            close(runs.task_of(run, task_run_id))
            if following is not None:
                place.add(run, following)

        run = self._runs.change(place.run_id, apply)
        self._notices.task_ended(run, runs.task_of(run, task_run_id), is_last=following is None)
        return following

    def _wait_to_retry(self, following: Document, stop: Stop) -> None:
        over = threading.Event()
        due = self._clock.now() + following.get("min_retry_interval_millis", 0) / 1000
        alarm = self._clock.call_at(due, over.set)
        stop.on_request(lambda _: over.set())
        over.wait()
        alarm.cancel()


def _resolved(references: References, kind: str, body: Document) -> Document:
    if kind == "for_each_task":
        # The nested task is resolved once for every input.
        return {**body, "inputs": references.resolve(body["inputs"])}
    return dict(references.resolve(body))


_OF_ONE_ATTEMPT = ("run_id", "attempt_number", "start_time", "end_time", "execution_duration", "state", "private")


def _may_retry(task: Document) -> bool:
    result, allowed = task["state"]["result_state"], task.get("max_retries", 0)
    wanted = result == Result.FAILED or (result == Result.TIMEDOUT and bool(task.get("retry_on_timeout")))
    # -1 is "retry indefinitely".
    return wanted and (allowed == -1 or task["attempt_number"] < allowed)
