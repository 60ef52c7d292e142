"""What the tasks of a job do, and the rules of a task graph. Pure: nothing of Pulumi's engine.

Sources: Jobs API 2.2 (`tasks[]`, `condition_task`, `depends_on[].outcome`), and the provider, which keeps tasks in the
order of their keys.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal

import pulumi

from .arguments import Arguments

ConditionOperator = Literal[
    "EQUAL_TO", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"
]
RunIf = Literal["ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED"]
MAX_TASKS = 1000
_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
_SECRET = re.compile(r"password|passwd|secret|token(?!s)|credential", re.IGNORECASE)
# Where a secret is, is none: `read_secret_prefix`, `token_scope`, `secret_key`.
_PLACE = re.compile(r"(?:scope|prefix|name|path|table|secret_?key)$", re.IGNORECASE)


class JobError(ValueError):
    """A job cannot be made as it is described; the message lists every reason."""


@dataclass(frozen=True, kw_only=True)
class NotebookTaskArgs(Arguments):
    """A notebook: a local file that the stack puts into the workspace, or one that is there."""

    source: Path | None = None
    """Local notebook in source format (`# Databricks notebook source`); put under the job's folder."""
    path: str | None = None
    """Or the workspace path of a notebook that somebody else keeps."""
    parameters: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Widgets of the notebook. Secrets are read by the notebook itself, from a secret scope."""


@dataclass(frozen=True, kw_only=True)
class PythonTaskArgs(Arguments):
    """A Python file: a local one that the stack puts into the workspace, or one that is there."""

    source: Path | None = None
    """Local file; put under the job's folder."""
    path: str | None = None
    """Or the workspace path of a file that somebody else keeps."""
    parameters: Sequence[pulumi.Input[str]] = ()
    """Command line. Secrets are read by the file itself, from a secret scope."""


@dataclass(frozen=True, kw_only=True)
class SqlTaskArgs(Arguments):
    """A saved query on a SQL warehouse."""

    query_id: pulumi.Input[str]
    """Id of the query."""
    warehouse_id: pulumi.Input[str]
    """Warehouse that runs it."""
    parameters: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Named parameters of the query."""


@dataclass(frozen=True, kw_only=True)
class ConditionTaskArgs(Arguments):
    """Compares two values; tasks after it name the outcome they wait for."""

    left: str
    """Such as `{{tasks.Drift_detection.values.all_violations_count}}`."""
    op: ConditionOperator
    """EQUAL_TO and NOT_EQUAL compare texts, the others numbers."""
    right: str
    """A text, also where it is a number: `"0"`."""


@dataclass(frozen=True, kw_only=True)
class RunJobTaskArgs(Arguments):
    """Another job, as a task."""

    job_id: pulumi.Input[str]
    """Its id."""
    parameters: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Its job parameters."""


Work = NotebookTaskArgs | PythonTaskArgs | SqlTaskArgs | ConditionTaskArgs | RunJobTaskArgs


@dataclass(frozen=True, kw_only=True)
class AfterArgs(Arguments):
    """What a task waits for."""

    task: str
    """Key of a task of the same job."""
    outcome: bool | None = None
    """Of a condition task: the side that this one is on."""


@dataclass(frozen=True, kw_only=True)
class TaskArgs(Arguments):
    """One task of a job."""

    key: str
    """Letters, digits, dash and underscore; at most 100."""
    work: Work
    """What it does."""
    after: Sequence[AfterArgs] = ()
    """Which tasks it waits for."""
    compute: str | None = None
    """Key of the job's cluster or environment that a notebook or Python file runs on; the only one when left out."""
    run_if: RunIf = "ALL_SUCCESS"
    """What must have become of the tasks it waits for."""
    max_retries: int = 0
    """How often it is tried again when it fails."""
    timeout_seconds: int = 0
    """How long one try may take; 0 sets no limit."""

    @property
    def needs_compute(self) -> bool:
        return isinstance(self.work, NotebookTaskArgs | PythonTaskArgs)


def check_tasks(job: str, tasks: Sequence[TaskArgs], computes: Sequence[str]) -> None:
    """The rules of a task graph.

    Args:
        job: name of the job, for messages.
        computes: keys of its clusters and environments.

    Raises:
        JobError: listing every rule that is broken.
    """
    if problems := [*_graph_problems(tasks), *_work_problems(tasks, computes)]:
        raise JobError(f"job {job}: " + "; ".join(problems))


def names_a_secret(parameter: str) -> bool:
    """Whether a parameter of this name holds what nobody should read in the settings of a job, not where it is kept."""
    return _SECRET.search(parameter) is not None and _PLACE.search(parameter) is None


def _graph_problems(tasks: Sequence[TaskArgs]) -> Iterator[str]:
    if not 1 <= len(tasks) <= MAX_TASKS:
        yield f"has {len(tasks)} tasks; a job has 1 to {MAX_TASKS}"
    by_key = {task.key: task for task in tasks}
    for key, count in Counter(task.key for task in tasks).items():
        if count > 1:
            yield f"{count} tasks are called {key!r}; give each a key of its own"
        if not _KEY.fullmatch(key):
            yield f"task key {key!r} is none; use letters, digits, dash and underscore, at most 100"
    for task in tasks:
        for after in task.after:
            other = by_key.get(after.task)
            if other is None:
                yield f"task {task.key} waits for {after.task!r}, which is not there; tasks are {', '.join(by_key)}"
            elif (after.outcome is not None) != isinstance(other.work, ConditionTaskArgs):
                fix = (
                    "name the outcome, True or False"
                    if after.outcome is None
                    else "an outcome goes with a condition task"
                )
                yield f"task {task.key} waits for {after.task}: {fix}"
    try:
        TopologicalSorter({task.key: [after.task for after in task.after] for task in tasks}).prepare()
    except CycleError as error:
        yield f"tasks wait for each other in a circle: {' -> '.join(error.args[1])}"


def _work_problems(tasks: Sequence[TaskArgs], computes: Sequence[str]) -> Iterator[str]:
    for task in tasks:
        work = task.work
        if task.max_retries < 0 or task.timeout_seconds < 0:
            yield f"task {task.key} has a negative number of retries or seconds; use 0 or more"
        if task.needs_compute:
            if task.compute is None and len(computes) != 1:
                yield f"task {task.key} does not say where it runs; name one of {', '.join(computes) or 'no compute'}"
            elif task.compute is not None and task.compute not in computes:
                yield f"task {task.key} runs on {task.compute!r}, which is not there; known: {', '.join(computes)}"
        elif task.compute is not None:
            yield f"task {task.key} runs on no cluster; remove compute"
        if isinstance(work, NotebookTaskArgs | PythonTaskArgs):
            if (work.source is None) == (work.path is None):
                yield f"task {task.key} names its file twice or not at all; set exactly one of source and path"
            elif work.source is not None and not work.source.is_file():
                yield f"task {task.key}: {work.source} is no file"
            elif work.path is not None and not work.path.startswith("/"):
                yield f"task {task.key}: workspace path {work.path!r} begins at the root; write /Workspace/..."
        parameters = getattr(work, "parameters", ())
        for name in parameters if isinstance(parameters, Mapping) else ():
            if names_a_secret(name):
                yield (
                    f"task {task.key} is given {name!r}: parameters are shown to everybody who can see the job; have "
                    "the task read it from a secret scope (dbutils.secrets.get)"
                )
