"""Repairs: tasks of a run that is over are run again, in the same run.

Source: `JobsAPI.repair_run` of the SDK, and the Databricks page "Troubleshoot and repair job failures".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from workspace.documents import Document, Documents
from workspace.errors import invalid
from workspace.jobs import runs
from workspace.jobs import settings as job_settings
from workspace.jobs.graph import Result
from workspace.jobs.runner import Runner
from workspace.jobs.runs import FIRST_ID, Runs
from workspace.jobs.starting import OVERRIDES, refuse_unknown
from workspace.jobs.store import JobStore


class Repairs:
    """Adds attempts to runs that are over, and has them go on."""

    def __init__(
        self, documents: Documents, jobs: JobStore, stored: Runs, runner: Runner, kinds: Collection[str]
    ) -> None:
        self._documents = documents
        self._jobs = jobs
        self._runs = stored
        self._runner = runner
        self._kinds = kinds

    def repair(self, run_id: int, asked: Mapping[str, Any]) -> int:
        """The id of the repair; ApiError 400 where the run is active or the request does not fit it."""
        run = self._runs.get(run_id)
        refuse_unknown(asked, "jobs/runs/repair")
        if not runs.is_over(run):
            raise invalid(f"Run {run_id} is active; only a run that is over can be repaired.")
        history = run.get("repair_history", [])
        _check_latest(asked.get("latest_repair_id"), history)
        keys = self._chosen(run, asked)
        tasks = self._tasks(run, keys)
        job_settings.refuse_what_cannot_run({"name": run["run_name"], "tasks": list(tasks.values())}, self._kinds)
        repair_id = FIRST_ID + self._documents.next_number("job repairs")
        added = [
            self._runs.new_attempt(run_id, task, runs.latest(run)[key]["attempt_number"] + 1)
            for key, task in tasks.items()
        ]

        def change(record: Document) -> None:
            entries = record.setdefault("repair_history", [])
            if not entries:
                entries.append({"type": "ORIGINAL", **_taken_from(record)})
            entries.append(
                {
                    "type": "REPAIR",
                    "id": repair_id,
                    "start_time": added[0]["start_time"],
                    "end_time": 0,
                    "state": runs.state(runs.PENDING),
                    "task_run_ids": [one["run_id"] for one in added],
                }
            )
            record["tasks"] += added
            record["parameters"] |= {name: str(value) for name, value in asked.get("job_parameters", {}).items()}
            overrides = {name: asked[name] for name in OVERRIDES if asked.get(name)}
            if overrides:
                record["overriding_parameters"] = {**record.get("overriding_parameters", {}), **overrides}

        self._runner.repair(run_id, change)
        return repair_id

    def _chosen(self, run: Document, asked: Mapping[str, Any]) -> list[str]:
        named, all_failed = asked.get("rerun_tasks"), asked.get("rerun_all_failed_tasks")
        if bool(named) == bool(all_failed):
            raise invalid("Exactly one of rerun_tasks and rerun_all_failed_tasks must be given")
        latest = runs.latest(run)
        if all_failed:
            chosen = [key for key, task in latest.items() if task["state"]["result_state"] not in _WELL]
            if not chosen:
                raise invalid(f"Run {run['run_id']} has no failed tasks to rerun.")
        else:
            chosen = list(named or [])
            for key in chosen:
                if key not in latest:
                    raise invalid(f"rerun_tasks: '{key}' is no task of the run; its tasks are {', '.join(latest)}")
        if asked.get("rerun_dependent_tasks"):
            chosen = _with_dependents(chosen, latest)
        return [key for key in latest if key in chosen]

    def _tasks(self, run: Document, keys: list[str]) -> dict[str, Document]:
        """The tasks as the job declares them now, else as the run had them: a repair uses the current settings."""
        job = self._jobs.find(run["job_id"])
        current = {task["task_key"]: task for task in job["settings"].get("tasks", [])} if job else {}
        latest = runs.latest(run)
        tasks = {}
        for key in keys:
            task = current.get(key) or {name: value for name, value in latest[key].items() if name not in _OF_A_RUN}
            depends_on = [one for one in task.get("depends_on", []) if one["task_key"] in latest]
            tasks[key] = {**task, "depends_on": depends_on} if depends_on else task
        return tasks


_WELL = (Result.SUCCESS, Result.EXCLUDED, Result.DISABLED)
_OF_A_RUN = ("run_id", "attempt_number", "start_time", "end_time", "execution_duration", "state", "private")


def _taken_from(run: Document) -> Document:
    return {
        "start_time": run["start_time"],
        "end_time": run["end_time"],
        "state": run["state"],
        "task_run_ids": [one["run_id"] for one in run["tasks"]],
    }


def _with_dependents(chosen: list[str], latest: Mapping[str, Document]) -> list[str]:
    found = set(chosen)
    # `latest` is in the order of dependencies, so one pass finds all.
    for key, task in latest.items():
        if any(one["task_key"] in found for one in task.get("depends_on", [])):
            found.add(key)
    return list(found)


def _check_latest(given: Any, history: list[Document]) -> None:
    newest = history[-1]["id"] if history else None
    if given != newest:
        wanted = f"latest_repair_id must be {newest}" if newest else "latest_repair_id is for a run that was repaired"
        raise invalid(f"{wanted}; received {given}")
