"""The settings of one task: what is checked when they are stored, and what of them this workspace can run.

Source: `Task` and its kinds in databricks-sdk 0.156 (Jobs API 2.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from workspace.errors import invalid

Task = dict[str, Any]

RUN_IF = ("ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED")
OPERATORS = (
    *("EQUAL_TO", "NOT_EQUAL"),
    *("GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"),
)
MAX_CONCURRENCY = 100
"""Iterations of a For each task at once."""

_TASK_KEY = re.compile(r"[\w-]{1,100}")
_SQL_WORK = ("query", "alert", "dashboard", "file")
_IDS = {"query": "query_id", "alert": "alert_id", "dashboard": "dashboard_id", "file": "path"}


def kind_of(task: Task) -> str:
    """The field that says what the task does: `sql_task`, `notebook_task`, ..."""
    return next(name for name in task if name.endswith("_task"))


def complete_task(number: int, task: Task) -> Task:
    """A task as it is stored and shown; ApiError 400 naming what is wrong with it."""
    key = task.get("task_key")
    if not isinstance(key, str) or not _TASK_KEY.fullmatch(key):
        raise invalid(f"tasks[{number}].task_key: '{key}' must be 1 to 100 letters, digits, '_' or '-'")
    kinds = [name for name in task if name.endswith("_task")]
    if len(kinds) != 1:
        raise invalid(f"tasks: '{key}' must have exactly one kind of task; received {', '.join(kinds) or 'none'}")
    completed = {"run_if": "ALL_SUCCESS", "timeout_seconds": 0, "email_notifications": {}, **task}
    if completed["run_if"] not in RUN_IF:
        raise invalid(f"tasks: run_if of '{key}' must be one of {', '.join(RUN_IF)}; received '{completed['run_if']}'")
    check_count(f"tasks: timeout_seconds of '{key}'", completed["timeout_seconds"])
    check_count(f"tasks: min_retry_interval_millis of '{key}'", completed.get("min_retry_interval_millis", 0))
    if completed.get("max_retries") != -1:
        check_count(f"tasks: max_retries of '{key}'", completed.get("max_retries", 0))
    if "depends_on" in completed:
        completed["depends_on"] = _dependencies(key, completed["depends_on"])
    kind = kinds[0]
    if not isinstance(completed[kind], dict):
        raise invalid(f"tasks: {kind} of '{key}' must be an object; received {completed[kind]!r}")
    if check := _CHECKS.get(kind):
        check(key, completed[kind])
    return completed


def cannot_run(task: Task, kinds: Collection[str]) -> list[str]:
    """Why this workspace could not run the task, which it stores all the same."""
    kind = kind_of(task)
    if kind not in kinds:
        return [f"it executes {', '.join(sorted(kinds))}, not {kind}"]
    body = task[kind]
    if kind == "for_each_task":
        return cannot_run(body["task"], kinds)
    problems = []
    if kind == "sql_task" and "dashboard" in body:
        problems.append("it executes sql_task.query, .file and .alert, not sql_task.dashboard")
    if body.get("source") == "GIT" or body.get("file", {}).get("source") == "GIT":
        problems.append("it reads sources from the workspace, not from git_source (source: GIT)")
    problems += [f"it does not know {name}" for name in _STEERS_OTHERS if body.get(name)]
    return problems


# What a Run Job task may pass to kinds of task that are not executed here.
_STEERS_OTHERS = ("dbt_commands", "jar_params", "pipeline_params", "spark_submit_params")


def check_count(field: str, value: object, most: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or (most is not None and value > most):
        limit = f"from 0 to {most}" if most is not None else "of 0 or more"
        raise invalid(f"{field} must be a whole number {limit}; received {value!r}")


def _dependencies(key: str, depends_on: object) -> list[dict[str, Any]]:
    if not isinstance(depends_on, list) or not all(isinstance(one, dict) and one.get("task_key") for one in depends_on):
        raise invalid(f"tasks: depends_on of '{key}' must be a list of objects with a task_key")
    for one in depends_on:
        if one.get("outcome", "true") not in ("true", "false"):
            raise invalid(
                f"tasks: outcome in depends_on of '{key}' must be 'true' or 'false'; received {one['outcome']!r}"
            )
    return sorted(depends_on, key=lambda dependency: str(dependency["task_key"]))


def _check_sql(key: str, body: Mapping[str, Any]) -> None:
    if not body.get("warehouse_id"):
        raise invalid(f"tasks: sql_task of '{key}' needs a warehouse_id")
    work = [name for name in _SQL_WORK if name in body]
    if len(work) != 1:
        raise invalid(
            f"tasks: sql_task of '{key}' needs exactly one of {', '.join(_SQL_WORK)}; received {work or 'none'}"
        )
    named = body[work[0]]
    if not (isinstance(named, dict) and named.get(_IDS[work[0]])):
        article = "an" if _IDS[work[0]].startswith("a") else "a"
        raise invalid(f"tasks: sql_task.{work[0]} of '{key}' needs {article} {_IDS[work[0]]}")


def _check_condition(key: str, body: Mapping[str, Any]) -> None:
    if body.get("op") not in OPERATORS:
        raise invalid(
            f"tasks: condition_task.op of '{key}' must be one of {', '.join(OPERATORS)}; received {body.get('op')!r}"
        )
    _needs("condition_task", "left", "right")(key, body)


def _check_for_each(key: str, body: Mapping[str, Any]) -> None:
    _needs("for_each_task", "inputs", "task")(key, body)
    concurrency = body.get("concurrency", 1)
    check_count(f"tasks: for_each_task.concurrency of '{key}'", concurrency, most=MAX_CONCURRENCY)
    if concurrency == 0:
        raise invalid(f"tasks: for_each_task.concurrency of '{key}' must be from 1 to {MAX_CONCURRENCY}; received 0")
    if not isinstance(body["task"], dict):
        raise invalid(f"tasks: for_each_task.task of '{key}' must be an object; received {body['task']!r}")
    if "for_each_task" in body["task"]:
        raise invalid(f"tasks: for_each_task of '{key}' cannot hold another for_each_task")
    complete_task(0, body["task"])


def _check_run_job(key: str, body: Mapping[str, Any]) -> None:
    if isinstance(body.get("job_id"), bool) or not isinstance(body.get("job_id"), int):
        raise invalid(f"tasks: run_job_task.job_id of '{key}' must be a whole number; received {body.get('job_id')!r}")


def _needs(kind: str, *fields: str) -> Callable[[str, Mapping[str, Any]], None]:
    def check(key: str, body: Mapping[str, Any]) -> None:
        for field in fields:
            if body.get(field) is None:
                raise invalid(f"tasks: {kind} of '{key}' needs {field}")

    return check


_CHECKS: Mapping[str, Callable[[str, Mapping[str, Any]], None]] = {
    "alert_task": _needs("alert_task", "alert_id"),
    "condition_task": _check_condition,
    "for_each_task": _check_for_each,
    "notebook_task": _needs("notebook_task", "notebook_path"),
    "python_wheel_task": _needs("python_wheel_task", "package_name", "entry_point"),
    "run_job_task": _check_run_job,
    "spark_python_task": _needs("spark_python_task", "python_file"),
    "sql_task": _check_sql,
}
