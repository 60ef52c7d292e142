"""The server as a process: start, stop, status, who may hold a port and a state folder."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.server import PROJECT, WorkspaceServer
from workspace.process import ServerProcess, running


def workspace(*arguments: str, clone: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workspace", *arguments], cwd=clone, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    workspace("stop", "--state", str(folder))


def start(state: Path, port: int = 0) -> subprocess.CompletedProcess[str]:
    return workspace("start", "--state", str(state), "--port", str(port))


def test_start_returns_once_the_server_answers_and_prints_its_address(state: Path) -> None:
    started = start(state)
    assert started.returncode == 0, started.stderr
    address = started.stdout.strip()
    assert address == (state / "address").read_text().strip()
    assert address.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{address}/health", timeout=5) as response:
        assert json.loads(response.read())["status"] == "ok"


def test_start_twice_keeps_the_first_server(state: Path) -> None:
    first = start(state)
    before = json.loads((state / "server.json").read_text())
    second = start(state)
    assert (second.returncode, second.stdout) == (0, first.stdout)
    assert json.loads((state / "server.json").read_text()) == before


def test_start_refuses_a_port_that_something_else_listens_on(state: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = start(state, port)
    assert refused.returncode == 1
    assert f"port {port} on 127.0.0.1 cannot be used" in refused.stderr
    assert workspace("status", "--state", str(state)).returncode == 3


def test_start_on_another_port_names_the_port_the_server_has(state: Path) -> None:
    running = start(state).stdout.strip().rpartition(":")[2]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        other = free.getsockname()[1]
    refused = start(state, other)
    assert refused.returncode == 1
    assert f"runs on port {running} already" in refused.stderr


def test_two_servers_cannot_open_one_state_folder(state: Path) -> None:
    start(state)
    second = workspace("run", "--state", str(state), "--port", "0")
    assert second.returncode == 1
    assert "in use by another workspace server" in second.stderr


def test_stop_ends_the_server_and_status_says_so(state: Path) -> None:
    start(state)
    pid = json.loads((state / "server.json").read_text())["pid"]
    assert workspace("status", "--state", str(state)).returncode == 0
    assert workspace("stop", "--state", str(state)).returncode == 0
    status = Path(f"/proc/{pid}/stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"
    assert workspace("status", "--state", str(state)).returncode == 3
    assert workspace("stop", "--state", str(state)).returncode == 0


def test_a_process_that_got_the_servers_id_is_left_alone(state: Path) -> None:
    """The record of a killed server names a process id that belongs to another process by now."""
    state.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as innocent:
        record = {"pid": innocent.pid, "started": "before", "address": "http://127.0.0.1:1"}
        (state / "server.json").write_text(json.dumps(record))
        (state / "lock").touch()
        assert workspace("stop", "--state", str(state)).returncode == 0
        assert not ServerProcess(innocent.pid, "before", "http://127.0.0.1:1").signal(signal.SIGTERM)
        with (state / "lock").open("w") as held:
            # Another server holds the folder, and has not written its own record yet.
            fcntl.flock(held, fcntl.LOCK_EX)
            assert running(state) is None
        assert innocent.poll() is None
        innocent.communicate(b"\n")
    assert innocent.returncode == 0


def test_a_killed_server_starts_again_with_the_same_token_and_id(start_server: Callable[[], WorkspaceServer]) -> None:
    server = start_server()
    token, workspace_id = server.token, server.client().get_workspace_id()
    server.restart()
    assert server.token == token
    assert server.client().get_workspace_id() == workspace_id


def test_a_server_does_not_load_what_describes_a_stack() -> None:
    """Rates and questions are the project's; Pulumi and its channels are not what a workspace is made of."""
    loaded = "import sys, workspace.assembly; print(*{name.partition('.')[0] for name in sys.modules})"
    found = subprocess.run([sys.executable, "-c", loaded], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "components" in found.stdout.split()
    assert not {"pulumi", "grpc", "pyspark"} & set(found.stdout.split())


def test_the_token_is_readable_by_its_owner_only(server: WorkspaceServer) -> None:
    assert stat.S_IMODE(os.stat(server.state / "token").st_mode) == 0o600


def test_the_server_is_reachable_on_loopback_only(server: WorkspaceServer) -> None:
    with socket.socket() as elsewhere:
        # 127.0.0.2 is this machine too, but not the address that the server binds.
        assert elsewhere.connect_ex(("127.0.0.2", server.port)) != 0


def test_a_server_that_runs_older_code_is_started_anew_where_it_was(state: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(PROJECT / "workspace", clone / "workspace", ignore=shutil.ignore_patterns("__pycache__"))
    arguments = ("start", "--state", str(state), "--port", "0")
    first = workspace(*arguments, clone=clone)
    assert first.returncode == 0, first.stderr
    before = json.loads((state / "server.json").read_text())
    token = (state / "token").read_text()
    with urllib.request.urlopen(f"{before['address']}/health", timeout=5) as response:
        assert json.loads(response.read())["code"] == before["code"]
    assert workspace(*arguments, "--quiet", clone=clone).stderr == ""

    with (clone / "workspace" / "errors.py").open("a") as source:
        source.write("# An update of the clone.\n")
    assert "runs other code" in workspace("status", "--state", str(state), clone=clone).stderr
    again = workspace(*arguments, "--quiet", clone=clone)
    after = json.loads((state / "server.json").read_text())
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert "restarted, it ran older code" in again.stderr
    assert after["pid"] != before["pid"]
    assert after["code"] != before["code"]
    assert (state / "token").read_text() == token
    assert "already running" in workspace(*arguments, clone=clone).stderr
    assert json.loads((state / "server.json").read_text()) == after


def test_a_server_from_before_there_were_digests_counts_as_older(state: Path) -> None:
    start(state)
    record = json.loads((state / "server.json").read_text())
    del record["code"]
    (state / "server.json").write_text(json.dumps(record))
    found = running(state)
    assert found is not None
    assert found.code == ""
    assert "runs other code" in workspace("status", "--state", str(state)).stderr
