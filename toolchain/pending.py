"""Operations that a killed engine left as pending: what they mean, and when they are settled.

A pending operation is a note in the state that its outcome is unknown. What a creation has made is taken into the
state first (toolchain/adoption.py); `up` carries the rest out again, but leaves the note, and then warns in every later
run.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolchain.files import read_record


@dataclass(frozen=True)
class Pending:
    """One operation whose outcome is unknown; `kind` is creating, updating, deleting, reading or importing."""

    urn: str
    kind: str
    type_token: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.urn.rpartition('::')[2]}"


def pending_operations(state_file: Path) -> list[Pending]:
    """The pending operations of a stack in the file backend."""
    latest = read_record(state_file).get("checkpoint", {}).get("latest") or {}
    return [
        Pending(
            operation["resource"]["urn"],
            operation["type"],
            operation["resource"].get("type", ""),
            operation["resource"].get("inputs") or {},
        )
        for operation in latest.get("pending_operations") or []
    ]


def settled(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The deployment without the notes that a successful update has made good.

    A creation is made good when its resource is in the state. If it is not, the program no longer declares it, and
    something may exist that no state knows: that note stays. Updates and deletions have been carried out again by then.
    """
    known = {resource["urn"] for resource in deployment.get("resources") or []}
    left = [
        operation
        for operation in deployment.get("pending_operations") or []
        if operation["type"] == "creating" and operation["resource"]["urn"] not in known
    ]
    return {**deployment, "pending_operations": left}


def settle(engine: Path, folder: Path, stack: str, environ: Mapping[str, str]) -> bool:
    """Writes `settled` back, through the engine. To be called after an update that succeeded.

    Returns:
        Whether that worked. If not, the next run shows the same warning again, and nothing else is different.
    """
    exported = subprocess.run(
        [str(engine), "stack", "export", "--stack", stack],
        cwd=folder,
        env=dict(environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if exported.returncode:
        return False
    content = json.loads(exported.stdout)
    content["deployment"] = settled(content["deployment"])
    imported = subprocess.run(
        [str(engine), "stack", "import", "--stack", stack],
        cwd=folder,
        env=dict(environ),
        input=json.dumps(content),
        capture_output=True,
        text=True,
        check=False,
    )
    return imported.returncode == 0
