"""Dynamic value references: `{{job.parameters.day}}`, `{{tasks.train.values.auc}}`, filled in when a task starts.

Source: the Databricks page "Dynamic value references". What is not of the form of a reference, or of no namespace that
is known, stays as it was written; an unknown name in a known namespace is an error, as there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from workspace.documents import Document
from workspace.jobs import runs

_REFERENCE = re.compile(r"\{\{\s*((?:[\w-]+|`[^`]*`)(?:\.(?:[\w-]+|`[^`]*`))*)\s*\}\}")
_PART = re.compile(r"`([^`]*)`|([^.]+)")

_WEEKDAYS_FROM_MONDAY = 5
_TIMES: Mapping[str, Callable[[datetime], str]] = {
    "iso_weekday": lambda at: str(at.isoweekday()),
    "is_weekday": lambda at: str(at.weekday() < _WEEKDAYS_FROM_MONDAY).lower(),
    "iso_date": lambda at: at.strftime("%Y-%m-%d"),
    "iso_datetime": lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%f"),
    "year": lambda at: str(at.year),
    "month": lambda at: str(at.month),
    "day": lambda at: str(at.day),
    "hour": lambda at: str(at.hour),
    "minute": lambda at: str(at.minute),
    "second": lambda at: str(at.second),
    "timestamp_ms": lambda at: str(int(at.timestamp() * 1000)),
}
_TRIGGERS = {"ONE_TIME": "one_time", "PERIODIC": "periodic", "RUN_JOB_TASK": "run_job_task", "TABLE": "table_update"}
NO_INPUT = object()


class UnknownReferenceError(Exception):
    """A reference of a known namespace names something that is not there."""


class References:
    """What references mean to one task of one run."""

    def __init__(
        self, run: Document, task: Document, workspace_id: str, host: str | None, each: Any = NO_INPUT
    ) -> None:
        """`each` is what `{{input}}` stands for inside a For each task."""
        self._run = run
        self._task = task
        self._workspace = {"id": workspace_id, "url": (host or "").partition("://")[2]}
        self._each = each

    def resolve(self, value: Any) -> Any:
        """`value` with the references in its strings filled in, at any depth; raises UnknownReferenceError."""
        if isinstance(value, str):
            return _REFERENCE.sub(self._replacement, value)
        if isinstance(value, list):
            return [self.resolve(one) for one in value]
        if isinstance(value, dict):
            return {name: self.resolve(one) for name, one in value.items()}
        return value

    def _replacement(self, match: re.Match[str]) -> str:
        path = [quoted or plain for quoted, plain in _PART.findall(match[1])]
        namespace, *rest = path
        known = {
            "job": self._job,
            "task": self._own_task,
            "tasks": self._other_task,
            "workspace": self._of_workspace,
            "input": self._input,
        }
        if namespace in known and (rest or namespace == "input"):
            return known[namespace](rest, match[1])
        return str(self._older_names().get(match[1], match[0]))

    def _job(self, rest: list[str], whole: str) -> str:
        match rest:
            case ["id"]:
                return str(self._run["job_id"])
            case ["name"]:
                return str(self._run["run_name"])
            case ["run_id"]:
                return str(self._run["run_id"])
            case ["repair_count"]:
                return str(max(0, len(self._run.get("repair_history", [])) - 1))
            case ["start_time", argument]:
                return _time(self._run["start_time"], argument, whole)
            case ["parameters", name]:
                return self._parameter(name)
            case ["trigger", "type"]:
                return str(_TRIGGERS.get(self._run["trigger"], self._run["trigger"].lower()))
            case ["trigger", "time", argument]:
                return _time(self._run["trigger_time"], argument, whole)
            case ["trigger", "file_arrival", "location"]:
                return str(self._run.get("trigger_location", ""))
            case _:
                raise _unknown(whole)

    def _parameter(self, name: str) -> str:
        parameters = self._run["parameters"]
        if name not in parameters:
            raise UnknownReferenceError(
                f"the job has no parameter '{name}'; it has {', '.join(parameters) or 'none'}: declare it in the job's "
                "parameters"
            )
        return str(parameters[name])

    def _own_task(self, rest: list[str], whole: str) -> str:
        if rest == ["name"]:
            return str(self._task["task_key"])
        return _of_task(self._task, rest, whole)

    def _other_task(self, rest: list[str], whole: str) -> str:
        key, *what = rest
        task = runs.latest(self._run).get(key)
        if task is None:
            raise UnknownReferenceError(f"{{{{{whole}}}}}: the job has no task '{key}'")
        if not runs.is_over(task):
            raise UnknownReferenceError(
                f"{{{{{whole}}}}}: task '{key}' is not over when '{self._task['task_key']}' starts: "
                "add it to depends_on"
            )
        match what:
            case ["result_state"]:
                return str(task["state"]["result_state"]).lower()
            case ["values", name]:
                return _task_value(task, name, whole)
            case ["error_code"]:
                return str(task["private"].get("error_code", ""))
            case ["output", *column]:
                return _output(task, column, whole)
            case _:
                return _of_task(task, what, whole)

    def _of_workspace(self, rest: list[str], whole: str) -> str:
        if len(rest) == 1 and rest[0] in self._workspace:
            return self._workspace[rest[0]]
        raise _unknown(whole)

    def _input(self, rest: list[str], whole: str) -> str:
        if self._each is NO_INPUT:
            raise UnknownReferenceError(f"{{{{{whole}}}}} means something inside a For each task only")
        value = self._each
        for name in rest:
            if not isinstance(value, dict) or name not in value:
                raise UnknownReferenceError(f"{{{{{whole}}}}}: the input {json.dumps(self._each)} has no '{name}'")
            value = value[name]
        return as_text(value)

    def _older_names(self) -> Mapping[str, Any]:
        """The names of before `job.` and `task.`, which jobs still use."""
        started = datetime.fromtimestamp(self._run["start_time"] / 1000, UTC)
        return {
            "job_id": self._run["job_id"],
            "run_id": self._task["run_id"],
            "parent_run_id": self._run["run_id"],
            "task_key": self._task["task_key"],
            "task_retry_count": self._task["attempt_number"],
            "start_date": started.strftime("%Y-%m-%d"),
            "start_time": self._run["start_time"],
        }


def as_text(value: Any) -> str:
    """A task value, or an input, as it is put into a string: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _time(milliseconds: int, argument: str, whole: str) -> str:
    if argument not in _TIMES:
        raise UnknownReferenceError(f"{{{{{whole}}}}}: '{argument}' is none of {', '.join(_TIMES)}")
    return _TIMES[argument](datetime.fromtimestamp(milliseconds / 1000, UTC))


def _of_task(task: Document, rest: list[str], whole: str) -> str:
    match rest:
        case ["run_id"]:
            return str(task["run_id"])
        case ["execution_count"]:
            return str(task["attempt_number"] + 1)
        case ["notebook_path"] if "notebook_task" in task:
            return str(task["notebook_task"]["notebook_path"])
        case _:
            raise _unknown(whole)


def _task_value(task: Document, name: str, whole: str) -> str:
    values = task["private"].get("values", {})
    if name not in values:
        raise UnknownReferenceError(
            f"{{{{{whole}}}}}: task '{task['task_key']}' set no value '{name}'; it set {', '.join(values) or 'none'}"
        )
    return as_text(values[name])


def _output(task: Document, column: list[str], whole: str) -> str:
    output = task["private"].get("rows")
    match column:
        case ["alert_state"] if "alert_state" in task["private"]:
            return str(task["private"]["alert_state"])
        case ["rows"] if output is not None:
            return json.dumps(output, default=str)
        case ["first_row", name] if output and name in output[0]:
            return as_text(output[0][name])
        case _:
            raise _unknown(whole)


def _unknown(whole: str) -> UnknownReferenceError:
    return UnknownReferenceError(f"{{{{{whole}}}}} is no dynamic value reference of this task")
