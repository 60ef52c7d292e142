"""Operations that a killed engine left as pending: what they mean, and how their notes leave the state.

A pending operation is a note in the state that its outcome is unknown. What a creation has made is taken into the
state first (toolchain/adoption.py); `up` carries the rest out again, but leaves the note, and then warns in every later
run.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
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


def known_urns(state_file: Path) -> set[str]:
    """URNs of the resources of a stack in the file backend."""
    return {resource["urn"] for resource in _resources(state_file)}


def unread_creations(state_file: Path, is_looked_up: Callable[[str], bool]) -> list[str]:
    """URNs of what was taken over and is still to be read: see `taken_over`."""
    return [
        resource["urn"]
        for resource in _resources(state_file)
        if resource.get("id") and not resource.get("outputs") and is_looked_up(resource["type"])
    ]


def _resources(state_file: Path) -> list[dict[str, Any]]:
    return (read_record(state_file).get("checkpoint", {}).get("latest") or {}).get("resources") or []


def taken_over(deployment: Mapping[str, Any], created: Mapping[str, str]) -> dict[str, Any]:
    """The deployment with what interrupted creations have made among its resources.

    Without outputs a refresh reads such a resource as an import does, whole (pkg/v3 resource/deploy/step.go:
    RefreshStep), and a run that is killed before that refresh is recognised by it. Pulumi's own
    `refresh --import-pending-creates` is no help: in 3.259 it turns the note into an "importing" one, and the refresh
    that follows drops that.

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


def rewrite_state(
    engine: Path,
    folder: Path,
    stack: str,
    environ: Mapping[str, str],
    change: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> None:
    """Puts a changed deployment in place of the stack's, through the engine.

    The engine drops all notes of pending operations on the way (pkg/v3 cmd/pulumi/stack/io.go).

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
