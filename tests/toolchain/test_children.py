"""Nothing that the language host starts outlives it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolchain.language_host import children
from toolchain.language_host.children import Children

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
PARENT = (
    "import subprocess, sys, time; "
    f"print(subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).pid, flush=True); time.sleep(600)"
)


def started(kept: Children, folder: Path, script: str, *, own_group: bool) -> subprocess.Popen[bytes]:
    child = kept.start(
        [sys.executable, "-c", script], folder=folder, environment=os.environ, capture=True, own_group=own_group
    )
    assert child.stdout is not None
    return child


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "TERMINATE_SECONDS", 0.3)


@pytest.mark.parametrize("own_group", [True, False])
def test_a_child_that_ignores_being_asked_is_ended_all_the_same(tmp_path: Path, own_group: bool) -> None:
    kept = Children()
    with started(kept, tmp_path, STUBBORN, own_group=own_group) as child:
        assert child.stdout is not None
        child.stdout.readline()
        kept.stop_all(quiet_seconds=0)
        assert child.wait(timeout=10) == -9


def test_what_a_plugin_started_ends_with_it(tmp_path: Path) -> None:
    kept = Children()
    with started(kept, tmp_path, PARENT, own_group=True) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        child.stdout.readline()
        # The plugin ends when asked, what it started does not: the group is made to.
        kept.stop(child)
        child.wait(timeout=10)
    assert _is_gone(grandchild)


def test_a_child_that_ends_by_itself_is_not_signalled(tmp_path: Path) -> None:
    kept = Children()
    script = "import time; time.sleep(0.5); raise SystemExit(4)"
    with started(kept, tmp_path, script, own_group=False) as child:
        kept.stop_all(quiet_seconds=20)
        assert child.wait(timeout=10) == 4


def test_nothing_is_started_once_the_host_is_stopping(tmp_path: Path) -> None:
    kept = Children()
    kept.stop_all(quiet_seconds=0)
    with pytest.raises(OSError, match="stopping"):
        started(kept, tmp_path, "", own_group=False)


def _is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False
