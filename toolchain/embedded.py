"""Starts and stops the embedded workspace, through its command line only."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.layout import Layout
from toolchain.report import ToolchainError
from toolchain.shell import workspace_port


@dataclass(frozen=True)
class Workspace:
    """A running embedded workspace."""

    address: str
    token: str


def running_workspace(layout: Layout, environ: Mapping[str, str], python: Path) -> Workspace:
    """The workspace of this clone, started when it is not running, or anew when it runs older code than the clone has.

    Raises:
        ToolchainError: it does not start; its own words come first.
    """
    address = _ask(layout, python, "status")
    try:
        # A running workspace keeps its port.
        port = workspace_port(environ) if address is None else int(address.rpartition(":")[2])
    except ValueError as error:
        raise ToolchainError(str(error)) from error
    address = _ask(layout, python, "start", "--quiet", "--port", str(port))
    if address is None:
        raise ToolchainError(
            f"the embedded workspace did not start on port {port}, its words are above. "
            "If the port is taken, name another one: WORKSPACE_PORT=8651 make ..."
        )
    token = (layout.workspace / "token").read_text(encoding="utf-8").strip()
    return Workspace(address, token)


def stop_workspace(layout: Layout, python: Path) -> None:
    """Stops the workspace of this clone if it runs.

    Raises:
        ToolchainError: it does not stop.
    """
    if not layout.workspace.is_dir():
        return
    if _command(layout, python, "stop", quiet=False).returncode:
        raise ToolchainError(f"the embedded workspace in {layout.workspace} did not stop, its words are above")


def _ask(layout: Layout, python: Path, *arguments: str) -> str | None:
    done = _command(layout, python, *arguments, quiet=arguments[0] == "status")
    return done.stdout.strip() if done.returncode == 0 else None


def _command(layout: Layout, python: Path, *arguments: str, quiet: bool) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-m", "workspace", *arguments, "--state", str(layout.workspace)],
        cwd=layout.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        check=False,
    )
