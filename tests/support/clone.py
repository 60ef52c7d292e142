"""A checkout of its own, with everything already installed: for what `make` does, killed in the middle or not."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.server import WorkspaceServer

PROJECT = Path(__file__).parents[2]
# What a second checkout can share with this one: neither is written to once it is there.
INSTALLED = ("bin", "engine.json", "plugin.json", "pulumi", "bootstrap")


@dataclass
class Clone:
    """The project's files in a folder, with `.venv` and `.local` as `make up` finds them the second time."""

    folder: Path
    port: int = field(default=0)

    @classmethod
    def new(cls, folder: Path) -> Clone:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=PROJECT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            source, target = PROJECT / name, folder / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        (folder / ".venv").symlink_to(PROJECT / ".venv")
        (folder / ".local").mkdir()
        for name in INSTALLED:
            source = PROJECT / ".local" / name
            if source.is_dir():
                shutil.copytree(source, folder / ".local" / name, symlinks=True)
            elif source.is_file():
                shutil.copy2(source, folder / ".local" / name)
        return cls(folder, _free_port())

    @property
    def state(self) -> Path:
        return self.folder / ".local" / "workspace"

    def server(self) -> WorkspaceServer:
        """The embedded workspace that this checkout started."""
        return WorkspaceServer(self.state, int((self.state / "address").read_text().rpartition(":")[2]))

    def start(self, command: str) -> subprocess.Popen[str]:
        """`make <command>`, left running."""
        return subprocess.Popen(
            [sys.executable, "-m", "toolchain", command],
            cwd=self.folder,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def make(self, command: str) -> subprocess.CompletedProcess[str]:
        """`make <command>`, to its end; standard output and error together."""
        process = self.start(command)
        output, _ = process.communicate(timeout=400)
        return subprocess.CompletedProcess([command], process.returncode, output)

    def environ(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PULUMI_", "DATABRICKS_", "MLFLOW_"))
        }
        return {**kept, "WORKSPACE_PORT": str(self.port), "PYTHONPATH": str(self.folder)}

    def engine_processes(self) -> list[int]:
        """The running `pulumi` processes of this checkout."""
        return [pid for pid, command in _commands() if command[0] == str(self.folder / ".local" / "bin" / "pulumi")]


@contextmanager
def stopped_afterwards(clone: Clone) -> Iterator[Clone]:
    """Ends the checkout's workspace, whatever the test did."""
    try:
        yield clone
    finally:
        stop = [sys.executable, "-m", "workspace", "stop", "--state", str(clone.state)]
        subprocess.run(stop, cwd=clone.folder, env=clone.environ(), check=False, capture_output=True)


def _commands() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
        except OSError:
            continue
        if command[0]:
            yield int(entry.name), command


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
