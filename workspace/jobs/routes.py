"""`/api/2.1/jobs` and `/api/2.2/jobs`: the same paths, of which 2.2 is the newer face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.routing import BaseRoute

from workspace.clock import Clock
from workspace.documents import Document
from workspace.http import Call, Handler, Json, api
from workspace.jobs import runs as run_records
from workspace.jobs import store as job_records
from workspace.jobs.asking import flag, page, whole_number
from workspace.jobs.attempts import Attempts
from workspace.jobs.control_work import ForEach, RunJob, condition
from workspace.jobs.graph import Result
from workspace.jobs.notices import Destinations, Mail, Notices
from workspace.jobs.process_work import Credentials, ProcessWork, SecretOf, SparkOf
from workspace.jobs.repairs import Repairs
from workspace.jobs.run_routes import RunRoutes
from workspace.jobs.runner import Runner
from workspace.jobs.runs import Runs
from workspace.jobs.sources import Sources, VolumeFiles, WorkspaceFiles
from workspace.jobs.sql_work import Alerts, AlertWork, Identities, Sql, SqlWork
from workspace.jobs.starting import Starting
from workspace.jobs.store import JobStore
from workspace.jobs.triggers import Triggers
from workspace.jobs.watches import Watches
from workspace.jobs.work import Work
from workspace.state import State

VERSIONS = ("2.1", "2.2")
JOBS_PAGE = 100
"""The most entries that a list answers at once (Jobs API 2.2)."""
RUNNABLE = (
    *("alert_task", "condition_task", "for_each_task", "notebook_task", "python_wheel_task", "run_job_task"),
    *("spark_python_task", "sql_task"),
)
"""Kinds of task that can be executed; the others can be declared, and are refused when a run is asked for."""


class Principals(Identities, Credentials, Protocol):
    """Who runs run as (`RunAs`)."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What jobs need of the rest of the workspace."""

    sql: Sql
    run_as: Principals
    host: Callable[[], str | None]
    """Where the workspace answers; None before it does."""
    objects: WorkspaceFiles | None = None
    volumes: VolumeFiles | None = None
    alerts: Alerts | None = None
    mail: Mail | None = None
    destinations: Destinations | None = None
    secret: SecretOf = lambda _scope, _key: None
    table_version: Callable[[str], int | None] = lambda _: None
    """The newest version of a Delta table by its full name, None where there is none."""
    spark: SparkOf = lambda _folder, _conf: {}
    """Environment variables with which a task on a cluster, given its folder and `spark_conf`, finds Spark."""


class Jobs:
    """Jobs and their runs: started on request, by schedules and triggers, or by each other."""

    def __init__(self, state: State, clock: Clock, around: Surroundings) -> None:
        documents = state.documents
        self._jobs = JobStore(documents, clock)
        self._runs = Runs(documents, clock)
        sources = Sources(around.objects, around.volumes)
        self._processes = ProcessWork(state.subfolder("jobs"), sources, around.run_as, around.secret, around.spark)
        works: dict[str, Work] = {}
        notices = Notices(around.mail, around.destinations, state.workspace_id)
        attempts = Attempts(self._runs, clock, works, notices, state.workspace_id, around.host)
        self._runner = Runner(self._runs, clock, attempts, notices)
        self._starting = Starting(self._jobs, self._runs, self._runner, RUNNABLE)
        works |= {
            "condition_task": condition,
            "for_each_task": ForEach(self._runs, lambda: attempts),
            "notebook_task": self._processes.notebook,
            "python_wheel_task": self._processes.wheel,
            "run_job_task": RunJob(self._starting),
            "spark_python_task": self._processes.python,
            "alert_task": AlertWork(around.run_as, around.alerts),
            "sql_task": SqlWork(around.sql, sources, around.run_as, around.alerts),
        }
        repairs = Repairs(documents, self._jobs, self._runs, self._runner, RUNNABLE)
        self._run_routes = RunRoutes(
            self._runs, self._runner, self._starting, repairs, self._processes, self._jobs.next_id
        )
        watches = Watches(around.table_version, around.volumes.path if around.volumes else None)
        self._triggers = Triggers(documents, clock, watches, self._starting.by_trigger)
        self._runner.on_over(self._continue)

    def start(self) -> None:
        self._runner.recover()
        self._triggers.start(self._jobs.all())

    def stop(self) -> None:
        self._triggers.stop()
        self._runner.stop()

    def creator_of(self, job_id: str) -> str | None:
        """The user name of the job's creator, None where there is no such job."""
        job = self._jobs.find(int(job_id)) if job_id.isdecimal() else None
        return str(job["creator_user_name"]) if job else None

    def owner_of_run(self, run_id: str) -> tuple[str, str] | None:
        """Id of the job and user name of the creator of a run, by its id or a task's; None where there is none."""
        number = int(run_id) if run_id.isdecimal() else -1
        run = self._runs.find(self._runs.owner_of(number) or number)
        return (str(run["job_id"]), str(run["creator_user_name"])) if run else None

    def routes(self) -> list[BaseRoute]:
        table: list[tuple[str, str, Handler]] = [
            ("POST", "create", self._create),
            ("POST", "reset", self._reset),
            ("POST", "update", self._update),
            ("POST", "delete", self._delete),
            ("GET", "get", lambda call: job_records.shown(self._jobs.get(whole_number(call.query, "job_id")))),
            ("GET", "list", self._list),
            ("POST", "run-now", self._run_now),
            *self._run_routes.table(),
        ]
        return [
            api(method, f"/api/{version}/jobs/{path}", handler)
            for version in VERSIONS
            for method, path, handler in table
        ]

    def _create(self, call: Call) -> Json:
        job_id = self._jobs.create(call.body, call.caller.user_name)
        self._follow(job_id)
        return {"job_id": job_id}

    def _reset(self, call: Call) -> Json:
        job_id = whole_number(call.body, "job_id")
        self._jobs.reset(job_id, call.require("new_settings")[0], call.caller.user_name)
        self._follow(job_id)
        return {}

    def _update(self, call: Call) -> Json:
        job_id = whole_number(call.body, "job_id")
        changes, removed = call.body.get("new_settings", {}), call.body.get("fields_to_remove", [])
        self._jobs.update(job_id, changes, removed, call.caller.user_name)
        self._follow(job_id)
        return {}

    def _delete(self, call: Call) -> Json:
        job_id = whole_number(call.body, "job_id")
        self._jobs.delete(job_id)
        self._triggers.forget(job_id)
        for run in self._runs.of_job(job_id, *run_records.ACTIVE, run_records.QUEUED):
            self._runner.cancel(run["run_id"])
        return {}

    def _list(self, call: Call) -> Json:
        wanted = call.query.get("name", "").casefold()
        found = [job for job in self._jobs.all() if not wanted or job["settings"]["name"].casefold() == wanted]
        entries, rest = page(call, found, JOBS_PAGE)
        with_tasks = flag(call.query, "expand_tasks")
        return {"jobs": [job_records.shown(job, with_tasks=with_tasks) for job in entries], **rest}

    def _run_now(self, call: Call) -> Json:
        run = self._starting.run_now(whole_number(call.body, "job_id"), call.body, call.caller.user_name)
        return {"run_id": run["run_id"], "number_in_job": run["number_in_job"]}

    def _follow(self, job_id: int) -> None:
        job = self._jobs.find(job_id)
        if job is not None:
            self._triggers.follow(job_id, job["settings"])

    def _continue(self, run: Document) -> None:
        failed = run["state"]["result_state"] not in (Result.SUCCESS, Result.SUCCESS_WITH_FAILURES)
        self._triggers.run_ended(run["job_id"], failed=failed)
