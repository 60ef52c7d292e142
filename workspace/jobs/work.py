"""What every kind of task shares: an attempt at it, how it is asked to stop, and what comes out of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workspace.documents import Document
from workspace.jobs.graph import Result

SHUTDOWN = "SHUTDOWN"
"""The reason of a stop because the server ends: nothing is noted, the next start closes the run."""


class TaskFailedError(Exception):
    """A task ended without success; the message is what the run shows."""

    def __init__(self, message: str, *, trace: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.trace = trace
        self.code = code


class Stop:
    """A request to stop, with its reason (a `Result`, or SHUTDOWN). The first reason stays."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._listeners: list[Callable[[str], None]] = []
        self.reason: str | None = None

    def request(self, reason: str) -> None:
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason
            listeners = list(self._listeners)
        self._event.set()
        for listener in listeners:
            listener(reason)

    def on_request(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called with the reason; at once where the request is made already."""
        with self._lock:
            if self.reason is None:
                self._listeners.append(listener)
                return
            reason = self.reason
        listener(reason)

    def child(self) -> Stop:
        """A stop that is requested with this one, and may be by itself."""
        child = Stop()
        self.on_request(child.request)
        return child


@dataclass(frozen=True)
class Attempt:
    """One attempt at one task."""

    run: Document
    """The run as it was when the attempt began."""
    task: Document
    """The task with its references filled in."""
    stop: Stop
    note: Callable[[Mapping[str, Any]], None]
    """Stores fields of the attempt that the API does not show as they are (`private`), while it goes on."""

    @property
    def run_id(self) -> int:
        return int(self.task["run_id"])


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended by itself; an attempt that failed raises TaskFailedError instead."""

    private: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the task as the API shows them that only a run has (`condition_task.outcome`)."""
    result: Result = Result.SUCCESS


Work = Callable[[Attempt], Outcome]
"""Does the work of one kind of task: blocks until it is done, or `stop` is requested; raises TaskFailedError."""


def overridden(run: Document, name: str) -> Any:
    """A parameter field that `run-now` was given for the whole run (`notebook_params`, `python_params`, ...)."""
    return run.get("overriding_parameters", {}).get(name)
