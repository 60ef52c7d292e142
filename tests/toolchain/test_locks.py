"""A lock is cleared when its process is certainly gone, and never otherwise."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from toolchain.locks import Lock, clear_lock, holder_is_gone, read_locks


def lock_file(state: Path, pid: int, *, hostname: str | None = None, taken_at: datetime | None = None) -> Path:
    """A lock as the engine of 3.259.0 was seen to write it, with the attributes file beside it."""
    folder = state / ".pulumi" / "locks" / "organization" / "taxi" / "local"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"lock-{pid}.json"
    moment = (taken_at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "565Z"
    content = {"pid": pid, "username": "me", "hostname": hostname or socket.gethostname(), "timestamp": moment}
    file.write_text(json.dumps(content))
    file.with_name(file.name + ".attrs").write_text("{}")
    return file


def only_lock(state: Path) -> Lock:
    (lock,) = read_locks(state, "taxi", "local")
    return lock


@pytest.fixture
def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_lock_is_read_as_the_engine_writes_it(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 21, 2, 3, 37, 119509, tzinfo=UTC)
    lock_file(tmp_path, 981, hostname="vm", taken_at=moment)
    lock = only_lock(tmp_path)
    assert (lock.pid, lock.username, lock.hostname, lock.taken_at) == (981, "me", "vm", moment)


def test_a_timestamp_without_a_fraction_is_read_too(tmp_path: Path) -> None:
    file = lock_file(tmp_path, 981)
    file.write_text(json.dumps({**json.loads(file.read_text()), "timestamp": "2026-11-21T02:03:37Z"}))
    assert only_lock(tmp_path).taken_at == datetime(2026, 11, 21, 2, 3, 37, tzinfo=UTC)


def test_the_lock_of_a_dead_process_is_cleared_with_its_attributes(tmp_path: Path, dead_pid: int) -> None:
    file = lock_file(tmp_path, dead_pid)
    assert holder_is_gone(only_lock(tmp_path))
    clear_lock(only_lock(tmp_path))
    assert list(file.parent.iterdir()) == []


def test_the_lock_of_a_living_process_stays(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        lock_file(tmp_path, child.pid)
        assert not holder_is_gone(only_lock(tmp_path))
    finally:
        child.kill()
        child.wait()


def test_the_lock_of_another_machine_stays(tmp_path: Path, dead_pid: int) -> None:
    lock_file(tmp_path, dead_pid, hostname="elsewhere")
    assert not holder_is_gone(only_lock(tmp_path))


def test_a_later_process_with_the_same_number_does_not_hold_the_lock(tmp_path: Path) -> None:
    lock_file(tmp_path, os.getpid(), taken_at=datetime.now(UTC) - timedelta(days=30))
    assert holder_is_gone(only_lock(tmp_path))


def test_locks_of_other_stacks_and_other_files_are_left_alone(tmp_path: Path, dead_pid: int) -> None:
    file = lock_file(tmp_path, dead_pid)
    file.with_name("note.json").write_text("not a lock")
    assert read_locks(tmp_path, "taxi", "staging") == []
    assert read_locks(tmp_path, "other", "local") == []
    assert [lock.file for lock in read_locks(tmp_path, "taxi", "local")] == [file]
