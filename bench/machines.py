"""The processes that are measured: a workspace server and MLflow's own model server, each on a free loopback port."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.load import BenchError

PROJECT = Path(__file__).parents[1]
START_SECONDS = 90.0
END_SECONDS = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def workspace(state: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A workspace server that answers, over the state folder `state`."""
    command = [sys.executable, "-m", "workspace", "run", "--state", str(state), "--port", str(port)]
    with _running(command, state.with_suffix(".log"), {}) as process:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield process


@contextmanager
def mlflow_server(model: Path, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`mlflow models serve` of a saved model, with the packages of this environment."""
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    # It starts `uvicorn` by name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with _running(command, log, {"PATH": path}) as process:
        wait_for(f"http://127.0.0.1:{port}/ping", process)
        yield process


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - http on loopback
                return
        except (urllib.error.URLError, OSError, http.client.HTTPException):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"nothing answers at {url}: {process.args!r}") from None
            time.sleep(0.005)


def children(pid: int) -> list[int]:
    """A process and all that it started, directly or not."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = [pid]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def memory_mb(pid: int) -> dict[str, float]:
    """Memory of a process and its children: resident, and with shared pages shared out among those who have them."""
    sums = {"Rss": 0, "Pss": 0}
    for process in children(pid):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            name = line.partition(":")[0]
            if name in sums:
                sums[name] += int(line.split()[1])
    return {name.lower(): round(kilobytes / 1024, 1) for name, kilobytes in sums.items()}


@contextmanager
def _running(command: list[str], log: Path, extra: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "MLFLOW_"))}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, env={**clean, **extra}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
