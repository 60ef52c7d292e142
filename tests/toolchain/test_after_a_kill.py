"""A killed engine leaves a lock, a pending operation and a plugin process; the next `make up` deals with all three."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.engine import EngineProject
from tests.toolchain.test_language_host import DYNAMIC
from toolchain import stacks
from toolchain.engine import ensure_engine
from toolchain.layout import Layout
from toolchain.orphans import find_orphans, stop
from toolchain.pending import Pending, pending_operations, taken_over, unread_creations
from toolchain.report import Steps, ToolchainError
from toolchain.shell import engine_variables
from toolchain.stacks import Request

STACK = "test"


def pids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def waited_for(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def project(ready_clone: Layout, tmp_path: Path) -> EngineProject:
    """A project in the clone whose one resource takes its time to be created, and adopts what an earlier try made."""
    folder = ready_clone.root / "example"
    program = DYNAMIC.replace(".write_text(str(os.getpid()))", '.open("a").write(f"{os.getpid()}\\n")')
    program += f'Thing("a", {{"mark": {str(tmp_path / "mark")!r}, "seconds": 3}})\n'
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: project\nruntime: {name: python, options: {virtualenv: ../.venv}}\n")
    project = EngineProject(folder, STACK)
    project.write_program(program)
    return project


@contextmanager
def updating(clone: Layout, project: EngineProject, mark: Path) -> Iterator[subprocess.Popen[str]]:
    """An engine in the middle of creating the project's one resource."""
    engine = ensure_engine(clone, os.environ)
    environ = engine_variables(clone, engine, os.environ, STACK).applied(os.environ)
    clone.state.mkdir(exist_ok=True)
    running = replace(project, environ=environ)
    running.must("stack", "init", STACK)
    with running.start("up", "--yes", "--skip-preview", "--stack", STACK) as process:
        assert waited_for(lambda: pids(mark))
        yield process


def killed_in_the_middle(clone: Layout, project: EngineProject, mark: Path) -> None:
    """An update of which only the plugin is left."""
    with updating(clone, project, mark) as process:
        process.kill()
        process.communicate(timeout=60)


def test_the_next_up_converges_and_says_what_it_cleared(
    ready_clone: Layout, project: EngineProject, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "mark"
    killed_in_the_middle(ready_clone, project, mark)
    state_file = ready_clone.state / ".pulumi" / "stacks" / "project" / f"{STACK}.json"
    (pending,) = pending_operations(state_file)
    assert pending.kind == "creating"
    (survivor,) = pids(mark)
    assert survivor in [process.pid for process in find_orphans(ready_clone.pulumi_home)]
    capfd.readouterr()

    stacks.up(Request(ready_clone, project="example", stack=STACK), Steps())
    said = capfd.readouterr().err
    assert f"cleared the lock of a dead process: process {_locked_by(said)} of" in said
    assert "stopping plugin processes that outlived a killed engine" in said
    assert "an earlier run was interrupted while creating a; it is carried out again" in said
    assert len(pids(mark)) == 2
    assert pending_operations(state_file) == []
    assert find_orphans(ready_clone.pulumi_home) == []
    assert not Path(f"/proc/{survivor}").exists()

    stacks.up(Request(ready_clone, project="example", stack=STACK), Steps())
    shown = capfd.readouterr()
    assert "pending" not in shown.out + shown.err
    assert "1 unchanged" in shown.out or "2 unchanged" in shown.out
    assert len(pids(mark)) == 2


def test_a_stack_that_another_engine_works_on_is_left_alone(
    ready_clone: Layout, project: EngineProject, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    with updating(ready_clone, project, mark) as process:
        with pytest.raises(ToolchainError, match=rf"locked by process {process.pid} of .* on {socket.gethostname()}"):
            stacks.up(Request(ready_clone, project="example", stack=STACK), Steps())
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(pids(mark)) == 1


def test_the_plugins_of_a_living_engine_are_no_orphans(
    ready_clone: Layout, project: EngineProject, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    with updating(ready_clone, project, mark) as process:
        assert find_orphans(ready_clone.pulumi_home) == []
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    (survivor,) = pids(mark)
    assert waited_for(lambda: survivor in [process.pid for process in find_orphans(ready_clone.pulumi_home)])
    assert find_orphans(tmp_path / "another home") == []
    stop(find_orphans(ready_clone.pulumi_home))
    assert find_orphans(ready_clone.pulumi_home) == []


def test_what_was_created_is_put_behind_the_other_resources_to_be_read_whole() -> None:
    note = {"type": "creating", "resource": {"urn": "urn:b", "type": "t:i:T", "inputs": {"name": "b"}}}
    other = {"type": "creating", "resource": {"urn": "urn:c", "type": "t:i:T"}}
    deployment = {"resources": [{"urn": "urn:a"}], "pending_operations": [note, other], "x": 1}
    changed = taken_over(deployment, {"urn:b": "id-b"})
    made = {"urn": "urn:b", "type": "t:i:T", "inputs": {"name": "b"}, "id": "id-b", "outputs": {}}
    assert changed == {**deployment, "resources": [{"urn": "urn:a"}, made]}
    assert taken_over(changed, {"urn:b": "id-b"}) == changed


def test_what_was_taken_over_and_never_read_is_still_to_be_read(tmp_path: Path) -> None:
    resources = [
        {"urn": "urn:component", "type": "t:i:C"},
        {"urn": "urn:read", "type": "t:i:T", "id": "1", "outputs": {"id": "1"}},
        {"urn": "urn:unread", "type": "t:i:T", "id": "2", "outputs": {}},
        {"urn": "urn:others", "type": "t:i:U", "id": "3"},
    ]
    state = tmp_path / "stack.json"
    state.write_text(json.dumps({"checkpoint": {"latest": {"resources": resources}}}))
    assert unread_creations(state, lambda type_token: type_token == "t:i:T") == ["urn:unread"]
    assert unread_creations(tmp_path / "none.json", lambda _: True) == []


def test_what_an_interrupted_run_created_and_the_program_no_longer_declares_is_named_once(
    ready_clone: Layout, project: EngineProject, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    killed_in_the_middle(ready_clone, project, tmp_path / "mark")
    project.write_program("import pulumi")
    told = "creating a was interrupted earlier and the program no longer declares it"
    for times in (1, 0):
        capfd.readouterr()
        stacks.up(Request(ready_clone, project="example", stack=STACK), Steps())
        assert capfd.readouterr().err.count(told) == times


def test_a_pending_operation_is_named_shortly() -> None:
    assert str(Pending("urn:pulumi:local::taxi::a:b:C::endpoint", "creating")) == "creating endpoint"


def _locked_by(said: str) -> str:
    return said.partition("dead process: process ")[2].partition(" ")[0]
