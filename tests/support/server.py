"""The embedded workspace as a process of its own, the way users run it."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

PROJECT = Path(__file__).parents[2]
START_SECONDS = 60.0


@dataclass
class WorkspaceServer:
    """A server on a free port of 127.0.0.1 over the state folder `state`; `restart` keeps folder and port."""

    state: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.state / "token").read_text().strip()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def client(self, *, token: str | None = None, retry_timeout_seconds: int = 5) -> WorkspaceClient:
        """A client with credentials of its own, whatever the environment says."""
        config = Config(
            host=self.host, token=token or self.token, auth_type="pat", retry_timeout_seconds=retry_timeout_seconds
        )
        return WorkspaceClient(config=config)

    def start(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        _lay_out(self.state)
        command = [sys.executable, "-m", "workspace", "run", "--state", str(self.state), "--port", str(self.port)]
        with (self.state / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=PROJECT, env=_environment(), stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the workspace did not start:\n{(self.state / 'server.log').read_text()[-4000:]}")
            time.sleep(0.02)

    def stop(self) -> int | None:
        """End it the polite way; returns its exit code, None where none ran."""
        if self._process is None:
            return None
        self._process.terminate()
        code = self._process.wait(timeout=30)
        self._process = None
        return code

    def kill(self) -> None:
        """SIGKILL: no shutdown code runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def _answers(self) -> bool:
        address = self.state / "address"
        if not address.exists():
            return False
        port = int(address.read_text().strip().rpartition(":")[2] or 0)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                self.port = port
        except (urllib.error.URLError, OSError):
            return False
        return True


def _lay_out(state: Path) -> None:
    """Gives a new state folder MLflow's empty database, as the workspace's own code lays it out: a second of processor
    time that is spent once, and not for each server. `tests/workspace/test_server.py` starts servers without it.
    """
    database = state / "mlflow" / "mlflow.db"
    if not database.exists():
        database.parent.mkdir(exist_ok=True)
        shutil.copyfile(_empty_database(), database)


@functools.cache
def _empty_database() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mlflow-database-"))
    atexit.register(shutil.rmtree, folder)
    # In a process of its own: opened stores change MLflow's classes for whoever uses them next.
    script = "import sys, pathlib; from workspace.mlflow_api.stores import StoreOpener as Opener; "
    script += "opener = Opener(pathlib.Path(sys.argv[1])); opener.stores(); opener.close()"
    subprocess.run([sys.executable, "-c", script, str(folder)], cwd=PROJECT, env=_environment(), check=True)
    assert [file.name for file in folder.iterdir()] == ["mlflow.db"]
    return folder / "mlflow.db"


def _environment() -> dict[str, str]:
    """The caller's environment without credentials of a real workspace."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
