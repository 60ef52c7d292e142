"""Notebook, Python file and Python wheel tasks: a process each, in the environment of the project.

Sources: `NotebookTask`, `SparkPythonTask`, `PythonWheelTask` of the SDK; the Databricks page "Access parameter values
from a task" (which kinds of task get the parameters of the job, and how).
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from workspace.documents import Document
from workspace.jobs import runs
from workspace.jobs.process import TaskProcess
from workspace.jobs.sources import Sources, clear
from workspace.jobs.work import SHUTDOWN, Attempt, Outcome, TaskFailedError, overridden
from workspace.task_process.launch import EXIT, FAILURE, NOTEBOOK, PYTHON, VALUE, WHEEL, Launch

RESULT_LIMIT = 5 * 1024 * 1024
"""Bytes of a notebook's result, and of logs, that the API gives back (`jobs/runs/get-output`)."""
_SECRET = re.compile(r"\{\{secrets/([^/{}]+)/([^/{}]+)\}\}")
SecretOf = Callable[[str, str], str | None]
"""A secret by scope and key, as the current caller may read it; None where there is none, ApiError 403."""

SparkOf = Callable[[Path, Mapping[str, str]], Mapping[str, str]]
"""Environment variables for Spark, given a task's folder and the `spark_conf` of its cluster."""


class Credentials(Protocol):
    """How a task gets at the workspace."""

    def acting_as(self, name: str) -> AbstractContextManager[object]:
        """Have what happens inside the block be asked by the user or service principal of that name."""
        ...

    def variables(self, run_as: str) -> Mapping[str, str]:
        """`DATABRICKS_HOST` and `DATABRICKS_TOKEN` of the identity that a run has."""
        ...


class ProcessWork:
    """Starts a process for each attempt, and takes its end for the task's."""

    def __init__(
        self, folder: Path, sources: Sources, credentials: Credentials, secret: SecretOf, spark: SparkOf
    ) -> None:
        """`folder` is where processes work and leave their logs; `secret` resolves variables of clusters."""
        self._spark = spark
        self._secret = secret
        self._folder = folder
        self._sources = sources
        self._credentials = credentials

    def log_of(self, task_run_id: int) -> Path:
        return self._folder / f"{task_run_id}.log"

    def forget(self, task_run_id: int) -> None:
        self.log_of(task_run_id).unlink(missing_ok=True)

    def notebook(self, attempt: Attempt) -> Outcome:
        def launch(folder: Path) -> Launch:
            body = attempt.task["notebook_task"]
            source = self._sources.lay_out(body["notebook_path"], folder, notebook=True)
            given = {**body.get("base_parameters", {}), **(overridden(attempt.run, "notebook_params") or {})}
            return Launch(
                kind=NOTEBOOK,
                file=str(source.file),
                shown_path=body["notebook_path"],
                language=source.language,
                widgets=_texts({**given, **attempt.run["parameters"]}),
                warehouse_id=body.get("warehouse_id"),
                **self._around(attempt, folder),
            )

        return self._perform(attempt, launch)

    def python(self, attempt: Attempt) -> Outcome:
        def launch(folder: Path) -> Launch:
            body = attempt.task["spark_python_task"]
            source = self._sources.lay_out(body["python_file"], folder, notebook=False)
            given = overridden(attempt.run, "python_params") or body.get("parameters", [])
            return Launch(
                kind=PYTHON,
                file=str(source.file),
                shown_path=body["python_file"],
                arguments=tuple(map(str, given)),
                **self._around(attempt, folder),
            )

        return self._perform(attempt, launch)

    def wheel(self, attempt: Attempt) -> Outcome:
        def launch(folder: Path) -> Launch:
            body = attempt.task["python_wheel_task"]
            named = {
                **(body.get("named_parameters") or {}),
                **(overridden(attempt.run, "python_named_params") or {}),
            }
            if named or "named_parameters" in body:
                given = [f"--{name}={value}" for name, value in {**named, **attempt.run["parameters"]}.items()]
            else:
                given = overridden(attempt.run, "python_params") or body.get("parameters", [])
            return Launch(
                kind=WHEEL,
                package_name=body["package_name"],
                entry_point=body["entry_point"],
                arguments=tuple(map(str, given)),
                **self._around(attempt, folder),
            )

        return self._perform(attempt, launch)

    def _around(self, attempt: Attempt, folder: Path) -> dict[str, Any]:
        """What every kind of process is told: packages, task values, who it is."""
        wheels, requirements = [], []
        for text in _packages(attempt):
            if text.endswith(".whl"):
                wheels.append(str(self._sources.wheel(text, folder)))
            else:
                requirements.append(text)
        run, task = attempt.run, attempt.task
        return {
            "wheels": tuple(wheels),
            "requirements": tuple(requirements),
            "task_values": {
                key: one["private"].get("values", {})
                for key, one in runs.latest(run).items()
                if runs.is_over(one) and key != task["task_key"]
            },
            "context": {
                "jobId": str(run["job_id"]),
                "jobName": str(run["run_name"]),
                "multitaskParentRunId": str(run["run_id"]),
                "runId": str(task["run_id"]),
                "taskKey": str(task["task_key"]),
                "user": str(run["run_as_user_name"]),
            },
        }

    def _perform(self, attempt: Attempt, launch: Callable[[Path], Launch]) -> Outcome:
        folder = self._folder / str(attempt.run_id)
        clear(folder)
        folder.mkdir(parents=True)
        cluster = _cluster(attempt)
        variables = {
            **({} if cluster is None else self._spark(folder, _texts(cluster.get("spark_conf", {})))),
            **self._cluster_variables(attempt, cluster or {}),
            # What the Databricks runtime sets for MLflow.
            "MLFLOW_TRACKING_URI": "databricks",
            "MLFLOW_REGISTRY_URI": "databricks-uc",
            **self._credentials.variables(attempt.run["run_as_user_name"]),
        }
        try:
            process = TaskProcess(launch(folder), folder, self.log_of(attempt.run_id), variables)
            attempt.stop.on_request(lambda reason: process.kill() if reason == SHUTDOWN else process.end())
            heard = _Heard(attempt)
            code = process.listen(heard)
            return heard.outcome(code)
        finally:
            folder.with_suffix(".launch").unlink(missing_ok=True)
            clear(folder)

    def _cluster_variables(self, attempt: Attempt, cluster: Mapping[str, Any]) -> dict[str, str]:
        """`spark_env_vars` of the cluster that the task names, secrets filled in as the run may read them."""

        def fill(match: re.Match[str]) -> str:
            value = self._secret(match[1], match[2])
            if value is None:
                raise TaskFailedError(f"spark_env_vars: there is no secret '{match[2]}' in scope '{match[1]}'")
            return value

        with self._credentials.acting_as(attempt.run["run_as_user_name"]):
            variables = _texts(cluster.get("spark_env_vars", {}))
            return {name: _SECRET.sub(fill, value) for name, value in variables.items()}


class _Heard:
    """What a process told, and what that makes of the task."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._values: dict[str, Any] = {}
        self._exit: str | None = None
        self._failure: Mapping[str, Any] | None = None

    def __call__(self, message: Mapping[str, Any]) -> None:
        match message["kind"]:
            case kind if kind == VALUE:
                self._values[message["key"]] = message["value"]
                self._attempt.note({"values": self._values})
            case kind if kind == EXIT:
                self._exit = message["value"]
            case kind if kind == FAILURE:
                self._failure = message

    def outcome(self, code: int) -> Outcome:
        if self._failure is not None:
            failure = self._failure
            raise TaskFailedError(failure["message"], trace=failure["trace"], code=failure["code"])
        if code != 0:
            raise TaskFailedError(f"The Python process exited with {_described(code)}.", code="PythonProcessExited")
        private: Document = {"values": self._values}
        if "notebook_task" in self._attempt.task:
            result = self._exit or ""
            shown = result.encode()[:RESULT_LIMIT].decode(errors="ignore")
            private["notebook_output"] = {"result": shown, "truncated": shown != result} if self._exit else {}
        return Outcome(private)


def _cluster(attempt: Attempt) -> Mapping[str, Any] | None:
    """The cluster that the task names; None for one that is serverless."""
    clusters = {one["job_cluster_key"]: one["new_cluster"] for one in attempt.run.get("job_clusters", [])}
    named: Mapping[str, Any] | None = attempt.task.get("new_cluster") or clusters.get(
        attempt.task.get("job_cluster_key")
    )
    return {} if named is None and attempt.task.get("existing_cluster_id") else named


def _described(code: int) -> str:
    if code < 0:
        return f"exit code {128 - code} ({signal.Signals(-code).name})"
    return f"exit code {code}"


def _packages(attempt: Attempt) -> list[str]:
    """Requirements and wheels of the task: its libraries, and its serverless environment."""
    task, run = attempt.task, attempt.run
    wanted = []
    for library in task.get("libraries", []):
        if "pypi" in library:
            wanted.append(library["pypi"]["package"])
        elif "whl" in library:
            wanted.append(library["whl"])
        else:
            raise TaskFailedError(
                f"libraries: {', '.join(library)} cannot be used by a process of this workspace; it knows pypi and whl"
            )
    if key := task.get("environment_key"):
        environments = {one["environment_key"]: one.get("spec", {}) for one in run["environments"]}
        if key not in environments:
            raise TaskFailedError(f"environment_key '{key}' names no environment; there are {', '.join(environments)}")
        wanted += environments[key].get("dependencies", [])
    return wanted


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}
