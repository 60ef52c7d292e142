"""What is kept of a run.

A run is one document. Each attempt at one of its tasks is an entry of `tasks` with a run id of its own, under which its
output can be asked for; a retry or a repair adds an entry. What the API does not show is below `private`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workspace.clock import Clock
from workspace.documents import Document, Documents
from workspace.errors import invalid
from workspace.jobs.graph import Result
from workspace.jobs.settings import Settings, run_order

KEPT = ("email_notifications", "webhook_notifications", "notification_settings", "health")
"""Settings of a job that its runs keep, for those who are to hear of them."""

PENDING, QUEUED, RUNNING, TERMINATING = "PENDING", "QUEUED", "RUNNING", "TERMINATING"
BLOCKED, WAITING_FOR_RETRY = "BLOCKED", "WAITING_FOR_RETRY"
TERMINATED, SKIPPED, INTERNAL_ERROR = "TERMINATED", "SKIPPED", "INTERNAL_ERROR"
OVER = (TERMINATED, SKIPPED, INTERNAL_ERROR)
ACTIVE = (PENDING, RUNNING, TERMINATING)

JOB_RUN, SUBMIT_RUN = "JOB_RUN", "SUBMIT_RUN"

# Ids as long as Databricks' own, so that a client that keeps them in 32 bits is found out here.
FIRST_ID = 100_000_000_000_000

_RUN = "job_run"
_TASK_RUN = "job_task_run"
_TOKEN = "job_run_idempotency_token"  # noqa: S105  # the name of a kind of document, not a secret


def state(life_cycle: str, result: str | None = None, message: str = "") -> dict[str, Any]:
    block = {"life_cycle_state": life_cycle, "state_message": message, "user_cancelled_or_timedout": False}
    if result is not None:
        block["result_state"] = result
        block["user_cancelled_or_timedout"] = result in (Result.CANCELED, Result.TIMEDOUT)
    return block


def is_over(record: Document) -> bool:
    return record["state"]["life_cycle_state"] in OVER


def latest(run: Document) -> dict[str, Document]:
    """The newest attempt at each task, by the task's key."""
    return {task["task_key"]: task for task in run["tasks"]}


def task_of(run: Document, run_id: int) -> Document:
    """The attempt, or the iteration of a For each task, with that run id; KeyError where the run has none."""
    for task in run["tasks"]:
        one: Document
        for one in (task, *task["private"].get("iterations", ())):
            if one["run_id"] == run_id:
                return one
    raise KeyError(run_id)


def note_repair_end(run: Document) -> None:
    """Write how a repaired run ended to its last repair, in place."""
    history = run.get("repair_history")
    if history:
        history[-1] |= {"state": run["state"], "end_time": run["end_time"]}


class Runs:
    """The runs of all jobs."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    def create(
        self,
        job_id: int,
        settings: Settings,
        *,
        user_name: str,
        run_as: str,
        parameters: Mapping[str, str],
        run_type: str = JOB_RUN,
        trigger: str = "ONE_TIME",
        only: list[str] | None = None,
        **more: Any,
    ) -> Document:
        """A new run, PENDING, with the settings it was started with: a later edit of the job does not change it.

        Args:
            only: keys of the tasks to run; the others of the job are left out of the run.
            more: further fields of the run, as the API shows them (`trigger_info`, `overriding_parameters`).
        """
        now = self._clock.now_ms()
        run_id = self._next_id()
        tasks = [task for task in run_order(settings) if only is None or task["task_key"] in only]
        run: Document = {
            "run_id": run_id,
            "job_id": job_id,
            "number_in_job": self._documents.next_number(f"runs of job {job_id}"),
            "original_attempt_run_id": run_id,
            "run_name": settings["name"],
            "creator_user_name": user_name,
            "run_as_user_name": run_as,
            "run_type": run_type,
            "trigger": trigger,
            "format": settings["format"],
            "start_time": now,
            "trigger_time": now,
            "end_time": 0,
            "setup_duration": 0,
            "cleanup_duration": 0,
            "execution_duration": 0,
            "state": state(PENDING),
            "parameters": dict(parameters),
            "timeout_seconds": settings["timeout_seconds"],
            **{name: settings[name] for name in ("job_clusters", "git_source") if name in settings},
            "environments": settings.get("environments", []),
            "notices": {name: settings[name] for name in KEPT if name in settings},
            **more,
            "tasks": [self.new_attempt(run_id, _within(task, tasks)) for task in tasks],
        }
        self._documents.put(_RUN, str(run_id), run)
        return run

    def new_attempt(self, run_id: int, task: Mapping[str, Any], number: int = 0) -> Document:
        """An entry for a task of the run that has not started."""
        attempt_id = self._next_id()
        self._documents.put(_TASK_RUN, str(attempt_id), {"run_id": run_id})
        return {
            **task,
            "run_id": attempt_id,
            "attempt_number": number,
            "start_time": self._clock.now_ms(),
            "end_time": 0,
            "setup_duration": 0,
            "cleanup_duration": 0,
            "execution_duration": 0,
            "state": state(BLOCKED if task.get("depends_on") else PENDING),
            "private": {},
        }

    def get(self, run_id: int) -> Document:
        """ApiError 400 for an unknown id, which the SDKs turn into "not found" as they do for Databricks."""
        run = self.find(run_id)
        if run is None:
            raise invalid(f"Run {run_id} does not exist.")
        return run

    def find(self, run_id: int) -> Document | None:
        return self._documents.get(_RUN, str(run_id))

    def owner_of(self, task_run_id: int) -> int | None:
        """The run that an attempt at a task belongs to; None where the id is none of an attempt."""
        owner = self._documents.get(_TASK_RUN, str(task_run_id))
        return int(owner["run_id"]) if owner else None

    def get_task(self, run_id: int) -> tuple[Document, Document]:
        """The run and the task of it that `run_id` names; a run of one task may be named itself."""
        owner = self.owner_of(run_id)
        run = self.get(owner or run_id)
        if owner is not None:
            return run, task_of(run, run_id)
        if len(latest(run)) != 1:
            task_runs = ", ".join(str(task["run_id"]) for task in run["tasks"])
            raise invalid(
                "Retrieving the output of runs with multiple tasks is not supported. "
                f"Please retrieve the output of each individual task run instead: {task_runs}"
            )
        return run, run["tasks"][-1]

    def change(self, run_id: int, change: Callable[[Document], None]) -> Document:
        """Apply `change` to the stored run, atomically."""
        run = self._documents.update(_RUN, str(run_id), change)
        if run is None:
            raise invalid(f"Run {run_id} does not exist.")
        return run

    def change_task(self, run_id: int, task_run_id: int, change: Callable[[Document], None]) -> Document:
        """Apply `change` to one attempt, atomically; the attempt as it is then."""
        return task_of(self.change(run_id, lambda run: change(task_of(run, task_run_id))), task_run_id)

    def end(self, record: Document, result: str, message: str = "", life_cycle: str = TERMINATED) -> None:
        """Close a run or an attempt, now, in place."""
        record["state"] = state(life_cycle, result, message)
        record["end_time"] = self._clock.now_ms()
        record["execution_duration"] = record["end_time"] - record["start_time"]

    def close(self, run: Document, result: str, message: str, life_cycle: str = TERMINATED) -> None:
        """Close a run and everything of it that is not over, in place."""
        for task in run["tasks"]:
            for record in (*task["private"].get("iterations", ()), task):
                if not is_over(record):
                    self.end(record, result, message, life_cycle)
        if not is_over(run):
            self.end(run, result, message, life_cycle)
            note_repair_end(run)

    def delete(self, run_id: int) -> None:
        """Forget a run that is over."""
        run = self.get(run_id)
        if not is_over(run):
            raise invalid(f"Run {run_id} is active and cannot be deleted; cancel it first.")
        for task in run["tasks"]:
            self._documents.delete(_TASK_RUN, str(task["run_id"]))
        self._documents.delete(_RUN, str(run_id))

    def all(self) -> list[Document]:
        """Newest first."""
        return [run for _, run in reversed(self._documents.list(_RUN))]

    def of_job(self, job_id: int, *life_cycles: str) -> list[Document]:
        """Oldest first."""
        return [
            run
            for _, run in self._documents.list(_RUN)
            if run["job_id"] == job_id and run["state"]["life_cycle_state"] in life_cycles
        ]

    def remember_token(self, token: str, run_id: int) -> None:
        self._documents.put(_TOKEN, token, {"run_id": run_id})

    def by_token(self, token: str) -> Document | None:
        known = self._documents.get(_TOKEN, token)
        return self.find(known["run_id"]) if known else None

    def _next_id(self) -> int:
        return FIRST_ID + self._documents.next_number("job runs")


def _within(task: Mapping[str, Any], tasks: list[Document]) -> Document:
    """The task without dependencies on tasks that are not part of the run."""
    keys = {one["task_key"] for one in tasks}
    if "depends_on" not in task:
        return dict(task)
    return {**task, "depends_on": [one for one in task["depends_on"] if one["task_key"] in keys]}
