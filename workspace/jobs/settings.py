"""The settings of a job: what is checked when they are stored, what the service adds, and what this workspace can run.

Source: Jobs API 2.2 in databricks-sdk 0.156; the defaults that a GET shows are those of the `testserver` in
databricks/cli, which its authors measured on a real workspace.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from workspace.errors import ApiError, invalid
from workspace.jobs.starters import complete_starters
from workspace.jobs.task_settings import Task, cannot_run, check_count, complete_task, kind_of

Settings = dict[str, Any]

MAX_TASKS = 1000
MERGED_BY_KEY = {"tasks": "task_key", "job_clusters": "job_cluster_key"}
"""Arrays that `jobs/update` merges entry by entry; every other field it replaces whole."""

__all__ = ["Settings", "Task", "complete", "complete_task", "kind_of", "merged", "refuse_what_cannot_run", "run_order"]


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
    settings |= complete_starters(settings)
    check_count("max_concurrent_runs", settings["max_concurrent_runs"], most=1000)
    check_count("timeout_seconds", settings["timeout_seconds"])
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


def refuse_what_cannot_run(settings: Settings, kinds: Collection[str], only: Collection[str] | None = None) -> None:
    """ApiError 501 naming the first task that can be stored here, but not executed. `kinds` are those that can be."""
    tasks = [task for task in settings.get("tasks", []) if only is None or task["task_key"] in only]
    if not tasks:
        raise invalid(f"Job '{settings['name']}' has no tasks to run")
    for task in tasks:
        for problem in cannot_run(task, kinds):
            raise ApiError(
                501,
                "NOT_IMPLEMENTED",
                f"the embedded workspace cannot run task '{task['task_key']}' of job '{settings['name']}': {problem}",
            )


def _complete_tasks(tasks: object) -> list[Task]:
    if not isinstance(tasks, list) or len(tasks) > MAX_TASKS or not all(isinstance(task, dict) for task in tasks):
        raise invalid(f"tasks must be a list of at most {MAX_TASKS} objects")
    completed = [complete_task(number, task) for number, task in enumerate(tasks)]
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
            upstream = next(one for one in completed if one["task_key"] == dependency["task_key"])
            if "outcome" in dependency and "condition_task" not in upstream:
                raise invalid(
                    f"tasks: '{task['task_key']}' depends on the outcome of '{dependency['task_key']}', which is no "
                    "condition_task"
                )
    try:
        run_order({"tasks": completed})
    except CycleError as error:
        raise invalid(f"tasks: these depend on each other in a circle: {' -> '.join(error.args[1])}") from error
    return completed
