"""What a task's process is told when it starts, and what it tells its server."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

NOTEBOOK, PYTHON, WHEEL = "notebook", "python", "wheel"

# Kinds of message.
VALUE, EXIT, FAILURE, DONE = "value", "exit", "failure", "done"


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One task to be done."""

    kind: str
    shown_path: str = ""
    """The path as the job names it."""
    file: str = ""
    """Where the source lies on disk."""
    language: str = "PYTHON"
    arguments: tuple[str, ...] = ()
    widgets: Mapping[str, str] = field(default_factory=dict)
    package_name: str = ""
    entry_point: str = ""
    wheels: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    task_values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Values that the tasks before this one have set, by task key and name."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Who and what runs: `jobId`, `runId`, `taskKey`, `user`, ..."""
    warehouse_id: str | None = None
    """Where SQL cells run; None for the first warehouse of the workspace."""

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Launch:
        body = json.loads(path.read_text())
        for name in ("arguments", "wheels", "requirements"):
            body[name] = tuple(body[name])
        return cls(**body)


class Report:
    """The channel to the server: one JSON object a line."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, kind: str, **fields: Any) -> None:
        line = json.dumps({"kind": kind, **fields}).encode() + b"\n"
        with self._lock:
            while line:
                line = line[os.write(self._descriptor, line) :]
