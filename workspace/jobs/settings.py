"""The settings of a job: what is checked when they are stored, what the service adds, and what this workspace can run.

Source: Jobs API 2.2 in databricks-sdk 0.156; the defaults that a GET shows are those of the `testserver` in
databricks/cli, which its authors measured on a real workspace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from workspace.errors import ApiError, invalid
from workspace.schedules import check_schedule

Settings = dict[str, Any]
Task = dict[str, Any]

MAX_TASKS = 1000
RUN_IF = ("ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED")
MERGED_BY_KEY = {"tasks": "task_key", "job_clusters": "job_cluster_key"}
"""Arrays that `jobs/update` merges entry by entry; every other field it replaces whole."""

_TASK_KEY = re.compile(r"[\w-]{1,100}")
_STARTERS = ("schedule", "continuous", "trigger")
_SQL_WORK = ("query", "alert", "dashboard", "file")


def complete(requested: Mapping[str, Any]) -> Settings:
    """The settings as they are stored and shown; ApiError 400 naming the first field that is wrong."""
    settings: Settings = {
        "name": "Untitled",
        "email_notifications": {},
        "webhook_notifications": {},
        "timeout_seconds": 0,
        "max_concurrent_runs": 1,
        **requested,
        "format": "MULTI_TASK",
    }
    if "access_control_list" in settings:
        raise ApiError(
            501,
            "NOT_IMPLEMENTED",
            "the embedded workspace does not take access_control_list with a job: "
            "set it by PUT /api/2.0/permissions/jobs/<job id>",
        )
    starters = [name for name in _STARTERS if settings.get(name)]
    if len(starters) > 1:
        raise invalid(f"A job starts by at most one of {', '.join(_STARTERS)}; received {' and '.join(starters)}")
    if settings.get("schedule"):
        settings["schedule"] = check_schedule(settings["schedule"])
    _check_count("max_concurrent_runs", settings["max_concurrent_runs"], most=1000)
    _check_count("timeout_seconds", settings["timeout_seconds"])
    if "tasks" in settings:
        settings["tasks"] = _complete_tasks(settings["tasks"])
    return settings


def merged(current: Settings, changes: Mapping[str, Any], removed: Sequence[str]) -> Settings:
    """What `jobs/update` leaves: `removed` fields taken out (`tasks/<key>` for one task), then `changes` laid over."""
    settings = dict(current)
    for field in removed:
        top, _, key = field.partition("/")
        if key and top in MERGED_BY_KEY:
            settings[top] = [entry for entry in settings.get(top, []) if entry[MERGED_BY_KEY[top]] != key]
        else:
            settings.pop(field, None)
    for field, value in changes.items():
        key_name = MERGED_BY_KEY.get(field)
        if key_name is None or not isinstance(value, list):
            settings[field] = value
            continue
        replaced = {entry.get(key_name) for entry in value if isinstance(entry, dict)}
        settings[field] = [entry for entry in settings.get(field, []) if entry[key_name] not in replaced] + value
    return settings


def run_order(settings: Settings) -> list[Task]:
    """The tasks, each after those it depends on."""
    tasks = {task["task_key"]: task for task in settings.get("tasks", [])}
    graph = {key: [dependency["task_key"] for dependency in task.get("depends_on", [])] for key, task in tasks.items()}
    return [tasks[key] for key in TopologicalSorter(graph).static_order()]


def refuse_what_cannot_run(settings: Settings) -> None:
    """ApiError 501 naming the first task of a kind that can be stored here, but not executed."""
    tasks = settings.get("tasks", [])
    if not tasks:
        raise invalid(f"Job '{settings['name']}' has no tasks to run")
    for task in tasks:
        for problem in _cannot_run(task):
            raise ApiError(
                501,
                "NOT_IMPLEMENTED",
                f"the embedded workspace cannot run task '{task['task_key']}' of job '{settings['name']}': {problem}",
            )


def kind_of(task: Task) -> str:
    """The field that says what the task does: `sql_task`, `notebook_task`, ..."""
    return next(name for name in task if name.endswith("_task"))


def _cannot_run(task: Task) -> list[str]:
    problems = []
    kind = kind_of(task)
    if kind != "sql_task":
        problems.append(f"it executes sql_task, not {kind}")
    elif "query" not in task["sql_task"]:
        given = next(name for name in _SQL_WORK if name in task["sql_task"])
        problems.append(f"it executes sql_task.query, not sql_task.{given}")
    if task["run_if"] != "ALL_SUCCESS":
        problems.append(f"it knows run_if ALL_SUCCESS, not {task['run_if']}")
    problems += [f"it does not know {field}" for field in ("disabled", "max_retries") if task.get(field)]
    return problems


def _complete_tasks(tasks: object) -> list[Task]:
    if not isinstance(tasks, list) or len(tasks) > MAX_TASKS or not all(isinstance(task, dict) for task in tasks):
        raise invalid(f"tasks must be a list of at most {MAX_TASKS} objects")
    completed = [_complete_task(number, task) for number, task in enumerate(tasks)]
    keys = [task["task_key"] for task in completed]
    for key in keys:
        if keys.count(key) > 1:
            raise invalid(f"tasks: task_key '{key}' is used twice")
    for task in completed:
        for dependency in task.get("depends_on", []):
            if dependency["task_key"] not in keys:
                raise invalid(
                    f"tasks: '{task['task_key']}' depends on '{dependency['task_key']}', which is no task of the job"
                )
    try:
        run_order({"tasks": completed})
    except CycleError as error:
        raise invalid(f"tasks: these depend on each other in a circle: {' -> '.join(error.args[1])}") from error
    return completed


def _complete_task(number: int, task: Task) -> Task:
    key = task.get("task_key")
    if not isinstance(key, str) or not _TASK_KEY.fullmatch(key):
        raise invalid(f"tasks[{number}].task_key: '{key}' must be 1 to 100 letters, digits, '_' or '-'")
    kinds = [name for name in task if name.endswith("_task")]
    if len(kinds) != 1:
        raise invalid(f"tasks: '{key}' must have exactly one kind of task; received {', '.join(kinds) or 'none'}")
    completed = {"run_if": "ALL_SUCCESS", "timeout_seconds": 0, "email_notifications": {}, **task}
    if completed["run_if"] not in RUN_IF:
        raise invalid(f"tasks: run_if of '{key}' must be one of {', '.join(RUN_IF)}; received '{completed['run_if']}'")
    _check_count(f"tasks: timeout_seconds of '{key}'", completed["timeout_seconds"])
    if "depends_on" in completed:
        completed["depends_on"] = _dependencies(key, completed["depends_on"])
    if "sql_task" in completed:
        _check_sql_task(key, completed["sql_task"])
    return completed


def _dependencies(key: str, depends_on: object) -> list[dict[str, Any]]:
    if not isinstance(depends_on, list) or not all(isinstance(one, dict) and one.get("task_key") for one in depends_on):
        raise invalid(f"tasks: depends_on of '{key}' must be a list of objects with a task_key")
    return sorted(depends_on, key=lambda dependency: str(dependency["task_key"]))


def _check_sql_task(key: str, sql_task: object) -> None:
    if not isinstance(sql_task, dict) or not sql_task.get("warehouse_id"):
        raise invalid(f"tasks: sql_task of '{key}' needs a warehouse_id")
    work = [name for name in _SQL_WORK if name in sql_task]
    if len(work) != 1:
        raise invalid(
            f"tasks: sql_task of '{key}' needs exactly one of {', '.join(_SQL_WORK)}; received {work or 'none'}"
        )
    if work == ["query"] and not (isinstance(sql_task["query"], dict) and sql_task["query"].get("query_id")):
        raise invalid(f"tasks: sql_task.query of '{key}' needs a query_id")


def _check_count(field: str, value: object, most: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or (most is not None and value > most):
        limit = f"from 0 to {most}" if most is not None else "of 0 or more"
        raise invalid(f"{field} must be a whole number {limit}; received {value!r}")
