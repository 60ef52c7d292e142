"""Makes runs of jobs: on request, by a trigger, for a Run Job task, or once for tasks that are no job."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Any

from workspace.documents import Document
from workspace.errors import ApiError, invalid
from workspace.jobs import runs
from workspace.jobs import settings as job_settings
from workspace.jobs.runner import Runner
from workspace.jobs.runs import Runs
from workspace.jobs.store import JobStore, runs_as
from workspace.jobs.work import Stop

# Parameters by kind of task, for all such tasks of the run: from before jobs had parameters.
OVERRIDES = ("notebook_params", "python_params", "python_named_params", "sql_params")
_NOT_KNOWN = ("dbt_commands", "jar_params", "pipeline_params", "spark_submit_params")
PERFORMANCE_TARGETS = ("STANDARD", "PERFORMANCE_OPTIMIZED")
MAX_TOKEN_LENGTH = 64


class Starting:
    """Everything that begins a run."""

    def __init__(self, jobs: JobStore, stored: Runs, runner: Runner, kinds: Collection[str]) -> None:
        """`kinds` are the kinds of task that can be executed."""
        self._jobs = jobs
        self._runs = stored
        self._runner = runner
        self._kinds = kinds
        self._lock = threading.Lock()

    def run_now(self, job_id: int, asked: Mapping[str, Any], user_name: str) -> Document:
        """`jobs/run-now`; the run of the same idempotency token, where there is one."""
        job = self._jobs.get(job_id)
        refuse_unknown(asked, "jobs/run-now")
        settings, only = job["settings"], asked.get("only")
        if only is not None:
            _check_only(only, settings)
        if "queue" in asked:
            settings = {**settings, "queue": asked["queue"]}
        job_settings.refuse_what_cannot_run(settings, self._kinds, only)
        more = _shown_of(asked)
        parameters = {**defaults(settings), **_texts(asked.get("job_parameters", {}))}
        return self._once(
            asked.get("idempotency_token"),
            lambda: self._runs.create(
                job_id,
                settings,
                user_name=user_name,
                run_as=runs_as(job),
                parameters=parameters,
                only=only,
                **more,
            ),
            settings,
        )

    def submit(self, asked: Mapping[str, Any], job_id: int, user_name: str) -> Document:
        """`jobs/runs/submit`: the tasks of the request, once, without a job."""
        fields = {name: value for name, value in asked.items() if name not in ("run_name", "idempotency_token")}
        settings = job_settings.complete({"name": asked.get("run_name", "Untitled"), **fields})
        job_settings.refuse_what_cannot_run(settings, self._kinds)
        run_as = runs_as({"settings": settings, "creator_user_name": user_name})
        return self._once(
            asked.get("idempotency_token"),
            lambda: self._runs.create(
                job_id,
                settings,
                user_name=user_name,
                run_as=run_as,
                parameters={},
                run_type=runs.SUBMIT_RUN,
            ),
            settings,
        )

    def by_trigger(self, job_id: int, trigger: str, location: str | None) -> None:
        """Start a job because its schedule or trigger says so; a job that cannot run leaves a run that says why."""
        job = self._jobs.find(job_id)
        if job is None:
            return
        more: dict[str, Any] = {} if location is None else {"trigger_location": location}
        if "schedule" in job["settings"]:
            more["schedule"] = job["settings"]["schedule"]
        self._start(job, trigger, defaults(job["settings"]), **more)

    def start_for_task(self, job_id: int, parent: Document, parameters: Mapping[str, str]) -> Document:
        """Start a job for a Run Job task of the run `parent`; ApiError where there is no such job, or in a circle."""
        job = self._jobs.get(job_id)
        chain = self._ancestors(parent)
        if job_id in chain:
            path = " -> ".join(map(str, [*reversed(chain), job_id]))
            raise invalid(f"Job {job_id} would run itself: {path}")
        job_settings.refuse_what_cannot_run(job["settings"], self._kinds)
        given = {**defaults(job["settings"]), **_texts(parameters)}
        return self._start(job, "RUN_JOB_TASK", given, trigger_info={"run_id": parent["run_id"]})

    def wait(self, run_id: int, stop: Stop) -> Document:
        return self._runner.wait(run_id, stop)

    def cancel(self, run_id: int) -> None:
        self._runner.cancel(run_id)

    def _start(self, job: Document, trigger: str, parameters: Mapping[str, str], **more: Any) -> Document:
        settings = job["settings"]
        who = runs_as(job)
        run = self._runs.create(
            job["job_id"],
            settings,
            user_name=job["creator_user_name"],
            run_as=who,
            parameters=parameters,
            trigger=trigger,
            **more,
        )
        self._runner.submit(run, settings)
        return run

    def _once(self, token: Any, create: Any, settings: Mapping[str, Any]) -> Document:
        if token is not None and not (isinstance(token, str) and 0 < len(token) <= MAX_TOKEN_LENGTH):
            raise invalid(f"idempotency_token must have 1 to {MAX_TOKEN_LENGTH} characters; received {token!r}")
        with self._lock:
            known = self._runs.by_token(token) if token else None
            if known is not None:
                return known
            run: Document = create()
            if token:
                self._runs.remember_token(token, run["run_id"])
            self._runner.submit(run, dict(settings))
            return run

    def _ancestors(self, run: Document) -> list[int]:
        """The jobs of a run and of those that started it, nearest first."""
        found = [run["job_id"]]
        while (info := run.get("trigger_info")) and (parent := self._runs.find(info["run_id"])):
            run = parent
            found.append(run["job_id"])
        return found


def refuse_unknown(asked: Mapping[str, Any], where: str) -> None:
    """ApiError 501 for what steers kinds of task that are not executed here; 400 for a wrong performance_target."""
    for name in _NOT_KNOWN:
        if asked.get(name):
            raise ApiError(501, "NOT_IMPLEMENTED", f"the embedded workspace does not know '{name}' of {where}")
    target = asked.get("performance_target")
    if target is not None and target not in PERFORMANCE_TARGETS:
        raise invalid(f"performance_target must be one of {', '.join(PERFORMANCE_TARGETS)}; received {target!r}")


def defaults(settings: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: str(one["default"]) for one in settings.get("parameters", [])}


def _shown_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a run keeps of how it was asked for."""
    overrides = {name: asked[name] for name in OVERRIDES if asked.get(name)}
    more: dict[str, Any] = {"overriding_parameters": overrides} if overrides else {}
    if asked.get("performance_target"):
        # Accepted, and without effect here: there is one kind of machine.
        more["effective_performance_target"] = asked["performance_target"]
    return more


def _check_only(only: object, settings: Mapping[str, Any]) -> None:
    keys = [task["task_key"] for task in settings.get("tasks", [])]
    if not isinstance(only, list) or not only:
        raise invalid(f"only must be a list of task keys; received {only!r}")
    for key in only:
        if key not in keys:
            raise invalid(f"only: '{key}' is no task of the job; its tasks are {', '.join(keys)}")


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}
