"""What is kept of a run, and the words in which the API shows it.

A run is one document; each of its tasks has a run id of its own, under which its output can be asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from workspace.documents import Document, Documents
from workspace.errors import invalid
from workspace.jobs.settings import Settings, run_order

PENDING, QUEUED, RUNNING, TERMINATING = "PENDING", "QUEUED", "RUNNING", "TERMINATING"
TERMINATED, SKIPPED, INTERNAL_ERROR = "TERMINATED", "SKIPPED", "INTERNAL_ERROR"
OVER = (TERMINATED, SKIPPED, INTERNAL_ERROR)
ACTIVE = (PENDING, RUNNING, TERMINATING)

SUCCESS, FAILED, CANCELED, TIMEDOUT = "SUCCESS", "FAILED", "CANCELED", "TIMEDOUT"
UPSTREAM_FAILED = "UPSTREAM_FAILED"
TOO_MANY_RUNS = "MAXIMUM_CONCURRENT_RUNS_REACHED"

# Ids as long as Databricks' own, so that a client that keeps them in 32 bits is found out here.
FIRST_ID = 100_000_000_000_000

_RUN = "job_run"
_TASK_RUN = "job_task_run"
_TOKEN = "job_run_idempotency_token"  # noqa: S105  # the name of a kind of document, not a secret

# The `termination_details` of the newer status block, by result.
_TERMINATION = {
    SUCCESS: ("SUCCESS", "SUCCESS"),
    FAILED: ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    TIMEDOUT: ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    UPSTREAM_FAILED: ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    CANCELED: ("USER_CANCELED", "CLIENT_ERROR"),
    TOO_MANY_RUNS: ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
}


def state(life_cycle: str, result: str | None = None, message: str = "") -> dict[str, Any]:
    block = {"life_cycle_state": life_cycle, "state_message": message, "user_cancelled_or_timedout": False}
    if result is not None:
        block["result_state"] = result
        block["user_cancelled_or_timedout"] = result in (CANCELED, TIMEDOUT)
    return block


def is_over(record: Document) -> bool:
    return record["state"]["life_cycle_state"] in OVER


def end(record: Document, result: str, message: str = "", life_cycle: str = TERMINATED) -> None:
    """Close a run or a task of one, now."""
    record["state"] = state(life_cycle, result, message)
    record["end_time"] = now_ms()
    record["execution_duration"] = record["end_time"] - record["start_time"]


def now_ms() -> int:
    return int(time.time() * 1000)


class Runs:
    """The runs of all jobs."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def create(self, job_id: int, settings: Settings, user_name: str, parameters: dict[str, str]) -> Document:
        """A new run, PENDING, with the settings it was started with: a later edit of the job does not change it."""
        run: Document = {
            "run_id": self._next_id(),
            "job_id": job_id,
            "number_in_job": self._documents.next_number(f"runs of job {job_id}"),
            "run_name": settings["name"],
            "creator_user_name": user_name,
            "run_type": "JOB_RUN",
            "trigger": "ONE_TIME",
            "format": settings["format"],
            "start_time": now_ms(),
            "setup_duration": 0,
            "cleanup_duration": 0,
            "execution_duration": 0,
            "state": state(PENDING),
            "parameters": parameters,
            "timeout_seconds": settings["timeout_seconds"],
            "tasks": [
                {
                    **task,
                    "run_id": self._next_id(),
                    "attempt_number": 0,
                    "start_time": now_ms(),
                    "execution_duration": 0,
                    "state": state(PENDING),
                }
                for task in run_order(settings)
            ],
        }
        for task in run["tasks"]:
            self._documents.put(_TASK_RUN, str(task["run_id"]), {"run_id": run["run_id"]})
        self._documents.put(_RUN, str(run["run_id"]), run)
        return run

    def get(self, run_id: int) -> Document:
        """ApiError 400 for an unknown id, which the SDKs turn into "not found" as they do for Databricks."""
        run = self._documents.get(_RUN, str(run_id))
        if run is None:
            raise invalid(f"Run {run_id} does not exist.")
        return run

    def get_task(self, run_id: int) -> tuple[Document, Document]:
        """The run and the task of it that `run_id` names; a run of one task may be named itself."""
        owner = self._documents.get(_TASK_RUN, str(run_id))
        run = self.get(owner["run_id"] if owner else run_id)
        if owner is None and len(run["tasks"]) != 1:
            task_runs = ", ".join(str(task["run_id"]) for task in run["tasks"])
            raise invalid(
                "Retrieving the output of runs with multiple tasks is not supported. "
                f"Please retrieve the output of each individual task run instead: {task_runs}"
            )
        return run, next(task for task in run["tasks"] if owner is None or task["run_id"] == run_id)

    def change(self, run_id: int, change: Callable[[Document], None]) -> Document:
        """Apply `change` to the stored run, atomically."""
        run = self._documents.update(_RUN, str(run_id), change)
        if run is None:
            raise invalid(f"Run {run_id} does not exist.")
        return run

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
        return self.get(known["run_id"]) if known else None

    def _next_id(self) -> int:
        return FIRST_ID + self._documents.next_number("job runs")


def shown(run: Document, *, with_tasks: bool = True) -> Document:
    """The run as `jobs/runs/get` answers it."""
    hidden = {"tasks", "parameters", "timeout_seconds"}
    answer = {name: value for name, value in run.items() if name not in hidden}
    answer["status"] = _status(run)
    if run["parameters"]:
        answer["job_parameters"] = [{"name": name, "value": value} for name, value in sorted(run["parameters"].items())]
    if with_tasks:
        answer["tasks"] = [shown_task(task) for task in run["tasks"]]
    return answer


def shown_task(task: Document) -> Document:
    return {**{name: value for name, value in task.items() if name != "statements"}, "status": _status(task)}


def _status(record: Document) -> dict[str, Any]:
    life_cycle = record["state"]["life_cycle_state"]
    if life_cycle not in OVER:
        return {"state": life_cycle}
    code, kind = _TERMINATION[record["state"]["result_state"]]
    if life_cycle == INTERNAL_ERROR:
        code, kind = "INTERNAL_ERROR", "INTERNAL_ERROR"
    details = {"code": code, "type": kind, "message": record["state"]["state_message"]}
    return {"state": TERMINATED, "termination_details": details}
