"""Operations that a killed engine left as pending: what they mean, and when they are settled.

A pending operation is a note in the state that its outcome is unknown. What a creation has made is taken into the
state first (toolchain/adoption.py); `up` carries the rest out again, but leaves the note, and then warns in every later
run.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolchain.files import read_record
from toolchain.report import ToolchainError


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


def taken_over(deployment: Mapping[str, Any], created: Mapping[str, str]) -> dict[str, Any]:
    """The deployment with what interrupted creations have made among its resources.

    Without outputs a refresh reads such a resource as an import does, whole (pkg/v3 resource/deploy/step.go:
    RefreshStep). The notes stay until that refresh has been done, see `without_notes`: a run that is killed in between
    is gone on with by the next one. Pulumi's own `refresh --import-pending-creates` is no help: in 3.259 it turns the
    note into an "importing" one, and the refresh that follows drops that.

    Args:
        created: URN to id of each.
    """
    resources = list(deployment.get("resources") or [])
    known = {resource["urn"] for resource in resources}
    # What a resource depends on was there before its creation began: behind all others it is in order.
    for operation in deployment.get("pending_operations") or []:
        resource = operation["resource"]
        if operation["type"] == "creating" and resource["urn"] in created.keys() - known:
            resources.append({**resource, "id": created[resource["urn"]], "outputs": {}})
    return {**deployment, "resources": resources}


def without_notes(deployment: Mapping[str, Any], urns: Collection[str]) -> dict[str, Any]:
    """The deployment without the notes of creations that have been taken over."""
    left = [
        operation
        for operation in deployment.get("pending_operations") or []
        if not (operation["type"] == "creating" and operation["resource"]["urn"] in urns)
    ]
    return {**deployment, "pending_operations": left}


def rewrite_state(
    engine: Path,
    folder: Path,
    stack: str,
    environ: Mapping[str, str],
    change: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> None:
    """Puts a changed deployment in place of the stack's, through the engine.

    Raises:
        ToolchainError: the engine refuses to give or to take it; the state is as it was.
    """
    content = json.loads(_run(engine, "export", folder, stack, environ))
    content["deployment"] = change(content["deployment"])
    _run(engine, "import", folder, stack, environ, json.dumps(content))


def _run(
    engine: Path, verb: str, folder: Path, stack: str, environ: Mapping[str, str], content: str | None = None
) -> str:
    done = subprocess.run(
        [str(engine), "stack", verb, "--stack", stack],
        cwd=folder,
        env=dict(environ),
        input=content,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolchainError(
            f"the note of an interrupted run in the state of stack {stack} could not be dealt with: "
            f"`pulumi stack {verb}` failed, {(done.stderr or done.stdout).strip()}"
        )
    return done.stdout
