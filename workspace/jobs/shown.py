"""Runs and tasks of runs in the words of the API (`Run`, `RunTask`, `RunOutput` of the Jobs API 2.2)."""

from __future__ import annotations

from typing import Any

from workspace.documents import Document
from workspace.jobs import runs
from workspace.jobs.graph import Result

_HIDDEN = (
    "tasks",
    "parameters",
    "timeout_seconds",
    "private",
    "run_as_user_name",
    "environments",
    "trigger_time",
    "notices",
)
_HIDDEN_OF_TASK = ("private",)

# The `termination_details` of the newer status block, by result.
_TERMINATION = {
    Result.SUCCESS: ("SUCCESS", "SUCCESS"),
    Result.SUCCESS_WITH_FAILURES: ("SUCCESS_WITH_FAILURES", "SUCCESS"),
    Result.FAILED: ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    Result.TIMEDOUT: ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    Result.UPSTREAM_FAILED: ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    Result.UPSTREAM_CANCELED: ("CANCELED", "CLIENT_ERROR"),
    Result.CANCELED: ("USER_CANCELED", "CLIENT_ERROR"),
    Result.EXCLUDED: ("SKIPPED", "SUCCESS"),
    Result.DISABLED: ("DISABLED", "SUCCESS"),
    Result.TOO_MANY_RUNS: ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
}
# States that the newer status block has other words for.
_NEWER = {runs.WAITING_FOR_RETRY: "WAITING"}


def run(record: Document, *, with_tasks: bool = True) -> Document:
    """The run as `jobs/runs/get` answers it."""
    answer = {name: value for name, value in record.items() if name not in _HIDDEN}
    answer["status"] = _status(record)
    answer["run_duration"] = max(0, record["end_time"] - record["start_time"])
    if record["parameters"]:
        answer["job_parameters"] = [
            {"name": name, "value": value} for name, value in sorted(record["parameters"].items())
        ]
    if with_tasks:
        answer["tasks"] = [task(one) for one in record["tasks"]]
    return answer


def task(record: Document) -> Document:
    """One attempt, as an entry of a run's `tasks`."""
    answer = {name: value for name, value in record.items() if name not in _HIDDEN_OF_TASK}
    answer["status"] = _status(record)
    answer["run_duration"] = max(0, record["end_time"] - record["start_time"])
    resolved = record["private"].get("resolved")
    if resolved:
        answer["resolved_values"] = resolved
    if "for_each_task" in record:
        answer["for_each_task"] = {**record["for_each_task"], "stats": {"task_run_stats": _statistics(record)}}
    return answer


def task_as_run(owner: Document, record: Document) -> Document:
    """What `jobs/runs/get` answers for the run id of a task: the task in the frame of its run."""
    answer = {**run(owner, with_tasks=False), **task(record), "job_run_id": owner["run_id"]}
    if "for_each_task" in record:
        answer["iterations"] = [task(one) for one in record["private"].get("iterations", [])]
    return answer


def output(owner: Document, record: Document, logs: str | None, *, logs_truncated: bool) -> Document:
    """`RunOutput` of one attempt. `logs` is None for kinds of task that the API gives no logs of."""
    private = record["private"]
    answer: Document = {"metadata": {**run(owner, with_tasks=False), **task(record), "job_run_id": owner["run_id"]}}
    for name in ("alert_output", "notebook_output", "run_job_output", "sql_output"):
        if name in private:
            answer[name] = private[name]
    if logs is not None:
        answer |= {"logs": logs, "logs_truncated": logs_truncated}
    result = record["state"].get("result_state")
    if result not in (None, Result.SUCCESS, Result.EXCLUDED, Result.DISABLED):
        answer["error"] = private.get("error") or record["state"]["state_message"]
        if "error_trace" in private:
            answer["error_trace"] = private["error_trace"]
    return answer


def _status(record: Document) -> dict[str, Any]:
    life_cycle = record["state"]["life_cycle_state"]
    if life_cycle not in runs.OVER:
        status: dict[str, Any] = {"state": _NEWER.get(life_cycle, life_cycle)}
        if life_cycle == runs.QUEUED:
            status["queue_details"] = {
                "code": "MAX_CONCURRENT_RUNS_REACHED",
                "message": record["state"]["state_message"],
            }
        return status
    code, kind = _TERMINATION[Result(record["state"]["result_state"])]
    if life_cycle == runs.INTERNAL_ERROR:
        code, kind = "INTERNAL_ERROR", "INTERNAL_ERROR"
    details = {"code": code, "type": kind, "message": record["state"]["state_message"]}
    return {"state": runs.TERMINATED, "termination_details": details}


def _statistics(record: Document) -> dict[str, int]:
    """`ForEachTaskTaskRunStats`, over the latest attempt at each iteration."""
    private = record["private"]
    newest = {one["task_key"]: one for one in private.get("iterations", [])}.values()
    over = [one for one in newest if runs.is_over(one)]
    succeeded = sum(one["state"]["result_state"] == Result.SUCCESS for one in over)
    return {
        "total_iterations": private.get("total_iterations", 0),
        "scheduled_iterations": len(newest),
        "active_iterations": len(newest) - len(over),
        "completed_iterations": len(over),
        "succeeded_iterations": succeeded,
        "failed_iterations": len(over) - succeeded,
    }
