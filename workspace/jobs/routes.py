"""`/api/2.1/jobs` and `/api/2.2/jobs`: the same paths, of which 2.2 is the newer face."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute

from workspace.documents import Document
from workspace.errors import ApiError, invalid
from workspace.http import Call, Handler, Json, api
from workspace.jobs import runs as run_records
from workspace.jobs import store as job_records
from workspace.jobs.runner import Runner, Sql
from workspace.jobs.runs import Runs
from workspace.jobs.settings import refuse_what_cannot_run
from workspace.jobs.store import JobStore
from workspace.state import State

VERSIONS = ("2.1", "2.2")
JOBS_PAGE, RUNS_PAGE = 100, 25
"""The most entries that a list answers at once (Jobs API 2.2)."""

# What a run may be started with; the other fields of run-now steer kinds of task that are refused anyway.
_NOT_KNOWN_TO_RUN_NOW = ("only", "pipeline_params", "performance_target", "queue")


class Jobs:
    """Jobs and their runs.

    Any job can be declared. Runs are started by `run-now` alone: schedules and triggers are kept, they do not fire.
    """

    def __init__(self, state: State, sql: Sql) -> None:
        self._jobs = JobStore(state.documents)
        self._runs = Runs(state.documents)
        self._runner = Runner(self._runs, sql)
        self._starting = threading.Lock()

    def start(self) -> None:
        self._runner.recover()

    def stop(self) -> None:
        self._runner.stop()

    def creator_of(self, job_id: str) -> str | None:
        """The user name of the job's creator, None where there is no such job."""
        job = self._jobs.find(int(job_id)) if job_id.isdecimal() else None
        return str(job["creator_user_name"]) if job else None

    def routes(self) -> list[BaseRoute]:
        table: list[tuple[str, str, Handler]] = [
            ("POST", "create", self._create),
            ("POST", "reset", self._reset),
            ("POST", "update", self._update),
            ("POST", "delete", self._delete),
            ("GET", "get", lambda call: job_records.shown(self._jobs.get(_id(call.query, "job_id")))),
            ("GET", "list", self._list),
            ("POST", "run-now", self._run_now),
            ("GET", "runs/get", lambda call: run_records.shown(self._runs.get(_id(call.query, "run_id")))),
            ("GET", "runs/list", self._list_runs),
            ("GET", "runs/get-output", self._output),
            ("POST", "runs/cancel", self._cancel),
        ]
        return [
            api(method, f"/api/{version}/jobs/{path}", handler)
            for version in VERSIONS
            for method, path, handler in table
        ]

    def _create(self, call: Call) -> Json:
        return {"job_id": self._jobs.create(call.body, call.caller.user_name)}

    def _reset(self, call: Call) -> Json:
        self._jobs.reset(_id(call.body, "job_id"), call.require("new_settings")[0], call.caller.user_name)
        return {}

    def _update(self, call: Call) -> Json:
        changes, removed = call.body.get("new_settings", {}), call.body.get("fields_to_remove", [])
        self._jobs.update(_id(call.body, "job_id"), changes, removed, call.caller.user_name)
        return {}

    def _delete(self, call: Call) -> Json:
        job_id = _id(call.body, "job_id")
        self._jobs.delete(job_id)
        for run in self._runs.of_job(job_id, *run_records.ACTIVE, run_records.QUEUED):
            self._runner.cancel(run["run_id"])
        return {}

    def _list(self, call: Call) -> Json:
        wanted = call.query.get("name", "").casefold()
        found = [job for job in self._jobs.all() if not wanted or job["settings"]["name"].casefold() == wanted]
        page, rest = _page(call, found, JOBS_PAGE)
        with_tasks = call.query.get("expand_tasks") == "true"
        return {"jobs": [job_records.shown(job, with_tasks=with_tasks) for job in page], **rest}

    def _run_now(self, call: Call) -> Json:
        job = self._jobs.get(_id(call.body, "job_id"))
        for field in _NOT_KNOWN_TO_RUN_NOW:
            if field in call.body:
                raise ApiError(
                    501, "NOT_IMPLEMENTED", f"the embedded workspace does not know '{field}' of jobs/run-now"
                )
        settings = job["settings"]
        refuse_what_cannot_run(settings)
        token = call.body.get("idempotency_token")
        with self._starting:
            run = self._runs.by_token(token) if token else None
            if run is None:
                parameters = {one["name"]: str(one["default"]) for one in settings.get("parameters", [])}
                parameters |= call.body.get("job_parameters", {}) | call.body.get("sql_params", {})
                run = self._runs.create(job["job_id"], settings, call.caller.user_name, parameters)
                if token:
                    self._runs.remember_token(token, run["run_id"])
                self._runner.submit(run, settings)
        return {"run_id": run["run_id"], "number_in_job": run["number_in_job"]}

    def _list_runs(self, call: Call) -> Json:
        job_id = call.query.get("job_id")
        active, completed = (call.query.get(name) == "true" for name in ("active_only", "completed_only"))
        if active and completed:
            raise invalid("Only one of active_only and completed_only may be set")
        found = [
            run
            for run in self._runs.all()
            if (job_id is None or run["job_id"] == _id(call.query, "job_id"))
            and not (active and run_records.is_over(run))
            and not (completed and not run_records.is_over(run))
        ]
        page, rest = _page(call, found, RUNS_PAGE)
        with_tasks = call.query.get("expand_tasks") == "true"
        return {"runs": [run_records.shown(run, with_tasks=with_tasks) for run in page], **rest}

    def _output(self, call: Call) -> Json:
        run, task = self._runs.get_task(_id(call.query, "run_id"))
        answer: Json = {"metadata": {**run_records.shown(run, with_tasks=False), **run_records.shown_task(task)}}
        if "statements" in task:
            answer["sql_output"] = {
                "query_output": {
                    "warehouse_id": task["sql_task"]["warehouse_id"],
                    "query_text": ";\n".join(task["statements"]),
                    "sql_statements": [{"lookup_key": str(number)} for number in range(len(task["statements"]))],
                }
            }
        if task["state"].get("result_state") not in (None, run_records.SUCCESS):
            answer["error"] = task["state"]["state_message"]
        return answer

    def _cancel(self, call: Call) -> Json:
        self._runner.cancel(_id(call.body, "run_id"))
        return {}


def _id(values: Any, name: str) -> int:
    value = str(values.get(name, ""))
    if not value.isdecimal():
        raise invalid(f"{name} must be a whole number, received '{value}'")
    return int(value)


def _page(call: Call, entries: Sequence[Document], most: int) -> tuple[Sequence[Document], Json]:
    """The page that `page_token` (or the older `offset`) and `limit` name, and what says how to go on."""
    try:
        start = int(call.query.get("page_token") or call.query.get("offset") or 0)
        limit = int(call.query.get("limit") or 20)
    except ValueError as error:
        raise invalid(f"limit and page_token must be numbers: {error}") from error
    if not 1 <= limit <= most or start < 0:
        raise invalid(f"limit must be from 1 to {most}, received {limit}")
    more = start + limit < len(entries)
    return entries[start : start + limit], {
        "has_more": more,
        **({"next_page_token": str(start + limit)} if more else {}),
    }
