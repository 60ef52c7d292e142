"""Start, stop and look at the server of a state folder; knows nothing of what the server does."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from workspace import process
from workspace.process import ServerProcess
from workspace.version import code_digest

START_SECONDS = 60.0
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05
_LOG_TAIL_LINES = 20


class DaemonError(Exception):
    """The server could not be started or stopped; the message says why and what to do."""


class How(StrEnum):
    """What `start` had to do."""

    STARTED = "started"
    RESTARTED = "restarted, it ran older code"
    RUNNING = "already running"


def start(folder: Path, port: int) -> tuple[ServerProcess, How]:
    """The folder's server, which answers and runs this code, and what it took.

    A server that runs other code than this package's is ended and started anew on the port that it had: its state is
    kept, what it serves is rebuilt from there.

    Raises DaemonError when the port belongs to something else, when the folder's server runs on another port, or when
    the server does not answer within a minute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = process.running(folder)
    if found is None:
        return _launched(folder, port, How.STARTED)
    found = _answering(found, port)
    if found.code == code_digest():
        return found, How.RUNNING
    _end(folder, found)
    return _launched(folder, _port_of(found), How.RESTARTED)


def _launched(folder: Path, port: int, how: How) -> tuple[ServerProcess, How]:
    log = folder / process.LOG_FILE
    log_start = log.stat().st_size if log.exists() else 0
    child = _launch(folder, port, log)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = process.running(folder)
        # Another `start` may have won the race for the folder; its server is as good.
        if found is not None and health(found.address):
            return _answering(found, port), how if found.pid == child.pid else How.RUNNING
        if child.poll() is not None and found is None:
            raise DaemonError(f"the workspace server did not start:\n{_tail(log, log_start)}")
        time.sleep(_POLL_SECONDS)
    child.terminate()
    raise DaemonError(
        f"the workspace server did not answer within {START_SECONDS:.0f} s; its log:\n{_tail(log, log_start)}"
    )


def stop(folder: Path) -> ServerProcess | None:
    """End the folder's server and wait until it has let go of the folder; None where none runs.

    Raises DaemonError when a server holds the folder but cannot be told apart from another process.
    """
    found = process.running(folder)
    if found is None:
        if not _wait(lambda: not process.is_locked(folder)):
            raise DaemonError(
                f"{folder} is held by a server that has not written {folder / process.PROCESS_FILE}; "
                "it is starting, or that file was removed: end it by hand"
            )
        return None
    _end(folder, found)
    # A server that was killed had no chance to do it.
    process.forget(folder)
    return found


def _end(folder: Path, found: ServerProcess) -> None:
    """End one server; another one that has taken the folder meanwhile is left alone."""
    found.signal(signal.SIGTERM)
    if not _wait(lambda: not _holds(folder, found)):
        found.signal(signal.SIGKILL)
        if not _wait(lambda: not _holds(folder, found)):
            raise DaemonError(f"process {found.pid} does not end, and holds {folder}")


def _holds(folder: Path, server: ServerProcess) -> bool:
    """Whether the folder is locked, and not by another server that has taken it meanwhile."""
    return process.is_locked(folder) and process.running(folder) in (None, server)


def health(address: str) -> dict[str, object] | None:
    """What a workspace server says of itself; None where nothing, or something else, answers."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as response:  # noqa: S310 - http on loopback
            body = json.loads(response.read())
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError):
        return None
    return body if isinstance(body, dict) and body.get("workspace_id") else None


def _launch(folder: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    # The package is found where it was found now, whatever the caller's folder is.
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "workspace", "run", "--state", str(folder), "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
        )


def _answering(found: ServerProcess, port: int) -> ServerProcess:
    running_port = _port_of(found)
    if port not in (0, running_port):
        raise DaemonError(
            f"the server of this state folder runs on port {running_port} already, asked for {port}: "
            "stop it first, or use its port"
        )
    if not _wait(lambda: health(found.address) is not None, START_SECONDS):
        raise DaemonError(f"process {found.pid} serves {found.address} but does not answer; stop it, then start again")
    return found


def _port_of(found: ServerProcess) -> int:
    return int(found.address.rpartition(":")[2])


def _wait(condition: Callable[[], bool], seconds: float = STOP_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as handle:
        handle.seek(start)
        lines = handle.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_LOG_TAIL_LINES:])
