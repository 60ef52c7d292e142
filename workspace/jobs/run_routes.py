"""`jobs/runs/...`: runs are looked at, cancelled, repaired, exported and deleted."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

from workspace.documents import Document
from workspace.errors import ApiError, invalid
from workspace.http import Call, Handler, Json
from workspace.jobs import runs, shown
from workspace.jobs.asking import flag, page, whole_number
from workspace.jobs.process_work import RESULT_LIMIT, ProcessWork
from workspace.jobs.repairs import Repairs
from workspace.jobs.runner import Runner
from workspace.jobs.runs import Runs
from workspace.jobs.starting import Starting

RUNS_PAGE = 25
"""The most entries that a list answers at once (Jobs API 2.2)."""
# The API gives logs of these kinds only ("It's not supported for the notebook_task", `RunOutput.logs`).
_WITH_LOGS = ("spark_python_task", "python_wheel_task")
_EXPORTED = ("CODE", "ALL", "DASHBOARDS")


class RunRoutes:
    """The routes of runs."""

    def __init__(
        self,
        stored: Runs,
        runner: Runner,
        starting: Starting,
        repairs: Repairs,
        processes: ProcessWork,
        new_job_id: Callable[[], int],
    ) -> None:
        self._runs = stored
        self._runner = runner
        self._starting = starting
        self._repairs = repairs
        self._processes = processes
        self._new_job_id = new_job_id

    def table(self) -> list[tuple[str, str, Handler]]:
        return [
            ("POST", "runs/submit", self._submit),
            ("GET", "runs/get", self._get),
            ("GET", "runs/list", self._list),
            ("GET", "runs/get-output", self._output),
            ("GET", "runs/export", self._export),
            ("POST", "runs/cancel", self._cancel),
            ("POST", "runs/cancel-all", self._cancel_all),
            ("POST", "runs/repair", self._repair),
            ("POST", "runs/delete", self._delete),
        ]

    def _submit(self, call: Call) -> Json:
        if "tasks" not in call.body:
            raise invalid("tasks: a run needs at least one task")
        run = self._starting.submit(call.body, self._new_job_id(), call.caller.user_name)
        return {"run_id": run["run_id"]}

    def _get(self, call: Call) -> Json:
        """A run; or one task of it, by the task's own run id."""
        run_id = whole_number(call.query, "run_id")
        owner = self._runs.owner_of(run_id)
        if owner is None:
            return shown.run(self._runs.get(run_id))
        run = self._runs.get(owner)
        return shown.task_as_run(run, runs.task_of(run, run_id))

    def _list(self, call: Call) -> Json:
        active, completed = (flag(call.query, name) for name in ("active_only", "completed_only"))
        if active and completed:
            raise invalid("Only one of active_only and completed_only may be set")
        job_id = whole_number(call.query, "job_id") if "job_id" in call.query else None
        first, last = (
            whole_number(call.query, name) if name in call.query else None
            for name in ("start_time_from", "start_time_to")
        )
        run_type = call.query.get("run_type")
        found = [
            run
            for run in self._runs.all()
            if (job_id is None or run["job_id"] == job_id)
            and (run_type is None or run["run_type"] == run_type)
            and (first is None or run["start_time"] >= first)
            and (last is None or run["start_time"] <= last)
            and not (active and runs.is_over(run))
            and not (completed and not runs.is_over(run))
        ]
        entries, rest = page(call, found, RUNS_PAGE)
        with_tasks = flag(call.query, "expand_tasks")
        return {"runs": [shown.run(run, with_tasks=with_tasks) for run in entries], **rest}

    def _output(self, call: Call) -> Json:
        run, task = self._runs.get_task(whole_number(call.query, "run_id"))
        logs, truncated = None, False
        if any(kind in task for kind in _WITH_LOGS):
            logs, truncated = _tail(self._processes.log_of(task["run_id"]))
        return shown.output(run, task, logs, logs_truncated=truncated)

    def _export(self, call: Call) -> Json:
        """The notebook of a task with what it printed, as a page."""
        if (views := call.query.get("views_to_export", "CODE")) not in _EXPORTED:
            raise invalid(f"views_to_export must be one of {', '.join(_EXPORTED)}; received '{views}'")
        _, task = self._runs.get_task(whole_number(call.query, "run_id"))
        if "notebook_task" not in task:
            raise invalid("Only runs of notebook tasks can be exported in HTML format")
        if views == "DASHBOARDS":
            raise ApiError(501, "NOT_IMPLEMENTED", "the embedded workspace does not know dashboards of notebooks")
        printed, _ = _tail(self._processes.log_of(task["run_id"]))
        name = str(task["notebook_task"]["notebook_path"])
        result = task["private"].get("notebook_output", {}).get("result", "")
        content = (
            f"<!DOCTYPE html><title>{html.escape(name)}</title><h1>{html.escape(name)}</h1>"
            f"<pre>{html.escape(printed)}</pre><h2>Result</h2><pre>{html.escape(result)}</pre>"
        )
        return {"views": [{"name": name.rpartition("/")[2], "type": "NOTEBOOK", "content": content}]}

    def _cancel(self, call: Call) -> Json:
        """Cancel a run; or one task of it, after which the others go by their conditions."""
        run_id = whole_number(call.body, "run_id")
        owner = self._runs.owner_of(run_id)
        if owner is None:
            self._runner.cancel(self._runs.get(run_id)["run_id"])
        else:
            self._runner.cancel_task(owner, runs.task_of(self._runs.get(owner), run_id)["task_key"])
        return {}

    def _cancel_all(self, call: Call) -> Json:
        queued_only = bool(call.body.get("all_queued_runs"))
        job_id = whole_number(call.body, "job_id") if "job_id" in call.body else None
        if job_id is None and not queued_only:
            raise invalid("job_id is needed, unless all_queued_runs is true")
        states = (runs.QUEUED,) if queued_only else (*runs.ACTIVE, runs.QUEUED)
        for run in self._runs.all():
            if run["state"]["life_cycle_state"] in states and job_id in (None, run["job_id"]):
                self._runner.cancel(run["run_id"])
        return {}

    def _repair(self, call: Call) -> Json:
        return {"repair_id": self._repairs.repair(whole_number(call.body, "run_id"), call.body)}

    def _delete(self, call: Call) -> Json:
        run: Document = self._runs.get(whole_number(call.body, "run_id"))
        self._runs.delete(run["run_id"])
        for task in run["tasks"]:
            for one in (task, *task["private"].get("iterations", ())):
                self._processes.forget(one["run_id"])
        return {}


def _tail(log: Path) -> tuple[str, bool]:
    """The last part of a log, and whether there was more."""
    if not log.exists():
        return "", False
    with log.open("rb") as handle:
        size = log.stat().st_size
        handle.seek(max(0, size - RESULT_LIMIT))
        return handle.read().decode(errors="replace"), size > RESULT_LIMIT
