"""A workspace in the background: started once, found again by its state folder, stopped by its own process id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from workspace.server import ADDRESS_FILE, LOG_FILE, PID_FILE

START_SECONDS = 60.0
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.1


class DaemonError(Exception):
    """The server could not be started or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    pid: int
    url: str


def find(folder: Path) -> Running | None:
    """The server of this state folder, if it is alive."""
    pid, url = _read(folder / PID_FILE), _read(folder / ADDRESS_FILE)
    if pid is None or url is None or not _is_ours(int(pid), folder):
        return None
    return Running(int(pid), url)


def start(folder: Path, port: int) -> Running:
    """Start a server in a session of its own and wait until it answers; the one that runs already is kept.

    Raises:
        DaemonError: it did not come up; the message carries the end of its log.
    """
    known = find(folder)
    if known is not None and _healthy(known.url):
        return known
    if known is not None:
        _wait_until_gone_or_healthy(known)
        if _healthy(known.url):
            return known
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ADDRESS_FILE).unlink(missing_ok=True)
    log = folder / LOG_FILE
    with log.open("ab") as output:
        start_of_log = output.tell()
        child = subprocess.Popen(
            [sys.executable, "-m", "workspace", "run", "--state", str(folder), "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise DaemonError(_why(f"it ended with code {child.returncode}", log, start_of_log))
        url = _read(folder / ADDRESS_FILE)
        if url is not None and _healthy(url):
            return Running(child.pid, url)
        time.sleep(_POLL_SECONDS)
    child.terminate()
    raise DaemonError(_why(f"it did not answer within {START_SECONDS:g} seconds", log, start_of_log))


def stop(folder: Path) -> bool:
    """Stop the server of this folder; False where none runs.

    Raises:
        DaemonError: it is still there after `STOP_SECONDS`.
    """
    running = find(folder)
    if running is None:
        return False
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if not _is_ours(running.pid, folder):
            (folder / PID_FILE).unlink(missing_ok=True)
            (folder / ADDRESS_FILE).unlink(missing_ok=True)
            return True
        time.sleep(_POLL_SECONDS)
    raise DaemonError(f"process {running.pid} did not stop within {STOP_SECONDS:g} seconds; see {folder / LOG_FILE}")


def _is_ours(pid: int, folder: Path) -> bool:
    """Whether a living process is this folder's server: a number alone could have been given to another process."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    named = [Path(argument).resolve() for argument in arguments if argument]
    return state != "Z" and "workspace" in arguments and folder.resolve() in named


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310 - a loopback address we wrote
            return json.load(answer).get("status") == "ok"
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _wait_until_gone_or_healthy(running: Running) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and Path(f"/proc/{running.pid}").exists() and not _healthy(running.url):
        time.sleep(_POLL_SECONDS)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None


def _why(what: str, log: Path, start_of_log: int) -> str:
    with log.open("rb") as content:
        content.seek(start_of_log)
        said = content.read().decode(errors="replace").strip()
    last = "\n".join(said.splitlines()[-5:]) or "nothing"
    return f"the embedded workspace did not start: {what}. It said:\n{last}\n(whole log: {log})"
