"""What becomes of a task whose dependencies are over, and of a run whose tasks are.

Source: the Databricks pages "Configure task dependencies" (conditions, excluded tasks, how cancelling spreads) and
"View and manage job runs" (a run's outcome is that of its leaf tasks).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from workspace.documents import Document


class Result(StrEnum):
    """Result states of tasks and runs (`RunResultState` of the Jobs API)."""

    SUCCESS = "SUCCESS"
    SUCCESS_WITH_FAILURES = "SUCCESS_WITH_FAILURES"
    FAILED = "FAILED"
    TIMEDOUT = "TIMEDOUT"
    CANCELED = "CANCELED"
    EXCLUDED = "EXCLUDED"
    DISABLED = "DISABLED"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_CANCELED = "UPSTREAM_CANCELED"
    TOO_MANY_RUNS = "MAXIMUM_CONCURRENT_RUNS_REACHED"


_UPSTREAM = (Result.UPSTREAM_FAILED, Result.UPSTREAM_CANCELED)
_CANCELED = (Result.CANCELED, Result.UPSTREAM_CANCELED)
_FAILED = (Result.FAILED, Result.TIMEDOUT, Result.UPSTREAM_FAILED, *_CANCELED)
# "Excluded tasks are ignored and treated as successful"; a disabled task is one that was switched off by its owner.
_PASSED_OVER = (Result.EXCLUDED, Result.DISABLED)


@dataclass(frozen=True)
class Verdict:
    """Whether a task may start; else the result that it ends with, and why."""

    result: Result | None = None
    message: str = ""

    @property
    def may_start(self) -> bool:
        return self.result is None


START = Verdict()


def judge(task: Document, latest: Mapping[str, Document]) -> Verdict:
    """What becomes of `task`, every dependency of which is over. `latest` are the run's tasks by key."""
    if task.get("disabled"):
        return Verdict(Result.DISABLED, "The task is disabled.")
    dependencies = task.get("depends_on", [])
    if not dependencies:
        return START
    edges = [_edge(one, latest[one["task_key"]]) for one in dependencies]
    if all(edge.passed_over for edge in edges):
        return Verdict(Result.EXCLUDED, f"All dependencies were excluded: {', '.join(edge.key for edge in edges)}.")
    return _by_condition(task["run_if"], edges)


@dataclass(frozen=True)
class _Edge:
    """A dependency that is over."""

    key: str
    result: Result
    taken: bool
    """False for the branch of an If/else condition that the run did not go."""

    @property
    def passed_over(self) -> bool:
        return not self.taken or self.result in _PASSED_OVER

    @property
    def failed(self) -> bool:
        return self.result in _FAILED


def _edge(dependency: Mapping[str, Any], task: Document) -> _Edge:
    result, wanted = _result(task), dependency.get("outcome")
    taken = wanted is None or result != Result.SUCCESS or task.get("condition_task", {}).get("outcome") == wanted
    return _Edge(dependency["task_key"], result, taken)


def _by_condition(run_if: str, edges: list[_Edge]) -> Verdict:
    failed = [edge for edge in edges if edge.failed]
    succeeded = [edge for edge in edges if edge.result == Result.SUCCESS and edge.taken]
    unmet = f"The condition {run_if} is not met: " + ", ".join(f"{edge.key} is {edge.result}" for edge in edges) + "."
    match run_if:
        case "ALL_DONE":
            return START
        case "AT_LEAST_ONE_FAILED":
            return START if failed else Verdict(Result.EXCLUDED, unmet)
        case "ALL_FAILED":
            return START if len(failed) == len(edges) else Verdict(Result.EXCLUDED, unmet)
        case "AT_LEAST_ONE_SUCCESS":
            met = bool(succeeded)
        case "NONE_FAILED":
            met = not failed
        case _:
            # Excluded tasks count as successful; a branch that was not taken is no success for who needs all of them.
            if not failed and not all(edge.taken for edge in edges):
                return Verdict(Result.EXCLUDED, unmet)
            met = not failed
    if met:
        return START
    names = ", ".join(edge.key for edge in failed)
    if all(edge.result in _CANCELED for edge in failed):
        return Verdict(Result.UPSTREAM_CANCELED, f"Upstream task {names} was canceled.")
    return Verdict(Result.UPSTREAM_FAILED, f"Upstream task {names} did not succeed.")


def outcome(tasks: Collection[Document]) -> tuple[Result, str]:
    """The result of a run whose tasks (each one's latest attempt) are all over, and the message that goes with it."""
    failed = [task for task in tasks if _result(task) in _FAILED]
    needed = {dependency["task_key"] for task in tasks for dependency in task.get("depends_on", [])}
    failed_leaves = [task for task in failed if task["task_key"] not in needed]
    if failed_leaves:
        # Named is the task where it began, which is seldom a leaf.
        first = next((task for task in failed if _result(task) not in _UPSTREAM), failed[0])
        if all(_result(task) in _CANCELED for task in failed):
            return Result.CANCELED, "Run cancelled."
        return Result.FAILED, f"Task {first['task_key']} failed with message: {first['state']['state_message']}."
    if failed:
        return Result.SUCCESS_WITH_FAILURES, f"Tasks failed, but no leaf task did: {_keys(failed)}."
    return Result.SUCCESS, ""


def _result(task: Document) -> Result:
    return Result(task["state"]["result_state"])


def _keys(tasks: Iterable[Document]) -> str:
    return ", ".join(task["task_key"] for task in tasks)
