"""A checkout of its own, with everything already installed: for what `make` does, killed in the middle or not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.server import WorkspaceServer
from toolchain.orphans import find_orphans, stop
from workspace import process as workspace_process

PROJECT = Path(__file__).parents[2]
STACK = "local"
STEP_SECONDS = 60.0
MAKE_SECONDS = 400.0

State = dict[str, Any]


@dataclass
class Clone:
    """The project's files in a folder, with `.venv` and `.local` as `make up` finds them the second time.

    The environment is this checkout's own, shared; the engine's binary is a hard link to this checkout's.
    """

    folder: Path
    port: int

    @classmethod
    def new(cls, folder: Path) -> Clone:
        """What git has of this checkout as it stands now, installed, with no state of a stack or a workspace."""
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
        installed, local = PROJECT / ".local", folder / ".local"
        local.mkdir()
        if (installed / "bin").is_dir():
            shutil.copytree(installed / "bin", local / "bin", copy_function=_linked)
        plugins = Path("pulumi", "plugins")
        shutil.copytree(installed / plugins, local / plugins, symlinks=True)
        for name in ("engine.json", "plugin.json"):
            shutil.copy2(installed / name, local / name)
        _rename_engine(local, PROJECT, folder)
        return cls(folder, _free_port())

    def copy(self, folder: Path) -> Clone:
        """The same again, as it stands, with a port of its own; this one's workspace must be stopped."""
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=_linked_if_executable)
        _rename_engine(folder / ".local", self.folder, folder)
        return Clone(folder, _free_port())

    @property
    def state(self) -> Path:
        """The state folder of its workspace."""
        return self.folder / ".local" / "workspace"

    @property
    def state_file(self) -> Path:
        """The stack's state in the file backend."""
        return self.folder / ".local" / "state" / ".pulumi" / "stacks" / "taxi-serving" / f"{STACK}.json"

    @property
    def server(self) -> WorkspaceServer:
        """The workspace that runs in it, or ran last: a handle for clients, not for starting it."""
        return WorkspaceServer(self.state, self.port)

    def environ(self) -> dict[str, str]:
        """What a user's shell has: no Pulumi, no credentials, and byte code written as usual."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PULUMI_", "DATABRICKS_", "MLFLOW_", "PYTHON"))
        }
        return {**kept, "WORKSPACE_PORT": str(self.port)}

    def start(self, command: str) -> Running:
        """`make <command>`, left running."""
        log = self.folder / ".local" / f"{command}.out"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(self.folder / ".venv/bin/python"), "-m", "toolchain", command],
                cwd=self.folder,
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return Running(self, process, log)

    def make(self, command: str) -> Finished:
        """`make <command>`, to its end."""
        return self.start(command).finished()

    def start_workspace(self) -> None:
        """The workspace alone, for settings that a test wants in force before `up`."""
        self._workspace("start", "--port", str(self.port))

    def stop_workspace(self) -> None:
        self._workspace("stop")

    def kill_workspace(self) -> None:
        """SIGKILL to the server; what it started must notice by itself."""
        running = workspace_process.running(self.state)
        assert running is not None, "the workspace does not run"
        running.signal(signal.SIGKILL)
        _wait(lambda: not workspace_process.is_locked(self.state), "the end of the workspace's process")

    def settings(self, **seconds: float) -> None:
        """Times that the workspace imposes from now on."""
        self.server.client().api_client.do("PUT", "/_workspace/settings", body=seconds)

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of every request since the workspace was started."""
        answer: Any = self.server.client().api_client.do("GET", "/_workspace/requests")
        return [(entry["method"], entry["path"]) for entry in answer["requests"]]

    def pulumi(self, *arguments: str, text: str | None = None) -> str:
        """A command on the stack's state, typed by hand; gives what it printed."""
        local = self.folder / ".local"
        own = {
            "PATH": os.pathsep.join([str(local / "bin"), str(self.folder / ".venv/bin"), os.environ.get("PATH", "")]),
            "PULUMI_HOME": str(local / "pulumi"),
            "PULUMI_BACKEND_URL": f"file://{local / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(local / "passphrase"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "DATABRICKS_HOST": self.server.host,
            "DATABRICKS_TOKEN": self.server.token,
        }
        done = subprocess.run(
            [str(_engine(local)), *arguments, "--stack", STACK],
            cwd=self.folder,
            env={**self.environ(), **own},
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def export(self) -> State:
        """The stack's state, secrets left encrypted."""
        state: State = json.loads(self.pulumi("stack", "export"))
        return state

    def pending(self) -> list[str]:
        """What the state has as interrupted, in the words that `make up` has for it."""
        operations = self.export()["deployment"].get("pending_operations") or []
        return [f"{operation['type']} {operation['resource']['urn'].rpartition('::')[2]}" for operation in operations]

    def close(self) -> None:
        """Ends whatever runs in it, however a test left it."""
        stop(find_orphans(self.folder / ".local" / "pulumi"))
        self.stop_workspace()

    def _workspace(self, *arguments: str) -> None:
        subprocess.run(
            [str(self.folder / ".venv/bin/python"), "-m", "workspace", *arguments, "--state", str(self.state)],
            cwd=self.folder,
            env=self.environ(),
            check=True,
            capture_output=True,
        )


@dataclass(frozen=True)
class Finished:
    """How a command ended; its text form is all that the user saw."""

    exit_code: int
    output: str

    def __str__(self) -> str:
        return f"{self.output}\n(exit code {self.exit_code})"

    @property
    def changed_nothing(self) -> bool:
        """Whether the engine's summary has unchanged resources and nothing else."""
        summary = self.output.partition("Resources:\n")[2].partition("\n\n")[0].split("\n")
        return len(summary) == 1 and summary[0].strip().endswith("unchanged")


@dataclass(frozen=True)
class Running:
    """A command at work in a clone."""

    clone: Clone
    process: subprocess.Popen[bytes]
    log: Path

    def finished(self) -> Finished:
        """Waits for its end; one that takes far too long is ended and reported as it is."""
        try:
            code = self.process.wait(MAKE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return Finished(code, self.log.read_text(errors="replace"))

    def wait_until(self, moment: Callable[[], object], what: str) -> None:
        """Returns once `moment` is seen; fails where the command ends before."""

        def seen() -> bool:
            if moment():
                return True
            assert self.process.poll() is None, f"up ended before {what}:\n{self.log.read_text(errors='replace')}"
            return False

        _wait(seen, what, 2 * STEP_SECONDS)

    def wait_for_request(self, method: str, ending: str) -> None:
        """Returns once the workspace has answered such a request."""
        self.wait_until(
            lambda: any(verb == method and path.endswith(ending) for verb, path in self.clone.requests()),
            f"{method} ...{ending}",
        )

    def kill_engine(self) -> Finished:
        """SIGKILL to `pulumi`; the plugins that it started live on. Returns when the command has noticed."""
        engines = _children_called("pulumi", self.process.pid)
        assert len(engines) == 1, f"expected one engine below process {self.process.pid}, found {engines}"
        os.kill(engines[0], signal.SIGKILL)
        return self.finished()


def _children_called(name: str, parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            head, _, rest = (entry / "stat").read_text().rpartition(")")
        except OSError:
            continue
        if head.partition("(")[2] == name and int(rest.split()[1]) == parent:
            found.append(int(entry.name))
    return found


def _wait(condition: Callable[[], object], what: str, seconds: float = STEP_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.05)


def _rename_engine(local: Path, before: Path, after: Path) -> None:
    record = local / "engine.json"
    content = json.loads(record.read_text())
    if content["executable"].startswith(f"{before}{os.sep}"):
        content["executable"] = str(after) + content["executable"].removeprefix(str(before))
        record.write_text(json.dumps(content))


def _engine(local: Path) -> Path:
    return Path(json.loads((local / "engine.json").read_text())["executable"])


def _linked(source: str, target: str) -> str:
    """The engine is 110 MB, and nobody writes to it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _linked_if_executable(source: str, target: str) -> str:
    return _linked(source, target) if Path(source).parent.name == "bin" else shutil.copy2(source, target)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
