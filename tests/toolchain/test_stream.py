"""What the engine shows reaches the user at once, and a copy of it the log."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.engine import PROJECT
from toolchain.stream import run_shown

RUN = (
    "import os, sys; from pathlib import Path; from toolchain.stream import run_shown; "
    "sys.exit(run_shown(sys.argv[2:], Path('.'), os.environ, Path(sys.argv[1])))"
)


def test_the_copy_holds_what_was_shown_without_colours(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "logs" / "up.log"
    assert run_shown(["/bin/sh", "-c", r"printf '\033[31mred\033[0m\n'"], tmp_path, os.environ, log) == 0
    assert capfd.readouterr().out == "\x1b[31mred\x1b[0m\n"
    assert log.read_text() == "red\n"


@pytest.mark.parametrize(("script", "expected"), [("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_code_is_the_commands(tmp_path: Path, script: str, expected: int) -> None:
    assert run_shown(["/bin/sh", "-c", script], tmp_path, os.environ, tmp_path / "log") == expected


def test_on_a_terminal_the_command_has_one_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "test -t 1 && test -t 2 && echo has a terminal; exit 5"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(PROJECT)
        os.execv(sys.executable, [sys.executable, "-c", RUN, str(log), "/bin/sh", "-c", script])
    shown = _read(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 5
    assert shown == b"has a terminal\r\n"
    assert log.read_text() == "has a terminal\n"


def test_a_termination_is_passed_on_as_an_interrupt_and_waited_for(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'echo ending; exit 3' INT; touch {ready}; while :; do sleep 0.05; done"
    command = [sys.executable, "-c", RUN, str(tmp_path / "log"), "/bin/sh", "-c", script]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as toolchain:
        deadline = time.monotonic() + 30
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        toolchain.send_signal(signal.SIGTERM)
        shown, _ = toolchain.communicate(timeout=30)
    assert (toolchain.returncode, shown) == (3, "ending\n")


def _read(descriptor: int) -> bytes:
    content = b""
    while True:
        try:
            chunk = os.read(descriptor, 4096)
        except OSError:
            return content
        if not chunk:
            return content
        content += chunk
