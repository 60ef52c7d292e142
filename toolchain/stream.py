"""Runs the engine in front of the user and keeps a copy of what it showed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

CHUNK_BYTES = 65536
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")


def run_shown(command: Sequence[str], folder: Path, environ: Mapping[str, str], log: Path) -> int:
    """Runs `command`, shows what it writes as it writes it, and appends that to `log` without colours.

    On a terminal the command gets a terminal too, so that it shows its live rows. Ctrl-C reaches the command itself,
    which ends in its own good time: this waits for it.

    Returns:
        The exit code; 128 + n when signal n ended it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    on_terminal = sys.stdout.isatty()
    if on_terminal:
        reading, writing = pty.openpty()
        _leave_line_ends_alone(writing)
        _copy_size(writing)
    else:
        reading, writing = os.pipe()
    with log.open("ab") as copy:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environ),
            stdout=writing,
            stderr=writing if on_terminal else None,
        )
        os.close(writing)
        with _signals_left_to(child, lambda: _copy_size(reading) if on_terminal else None):
            for chunk in _chunks(reading):
                os.write(sys.stdout.fileno(), chunk)
                copy.write(ESCAPES.sub(b"", chunk))
            code = child.wait()
    os.close(reading)
    return code if code >= 0 else 128 - code


def _chunks(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(descriptor, CHUNK_BYTES)
        except OSError:
            # Linux reports a terminal whose other end was closed as an error, not as an end of file.
            return
        if not chunk:
            return
        yield chunk


@contextmanager
def _signals_left_to(child: subprocess.Popen[bytes], on_resize: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C goes to the whole foreground group, so the child has it already; a termination is passed on as an
    interruption."""

    def ignore(number: int, frame: FrameType | None) -> None:
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        child.send_signal(signal.SIGINT)

    def resize(number: int, frame: FrameType | None) -> None:
        on_resize()

    handlers = {signal.SIGINT: ignore, signal.SIGTERM: interrupt, signal.SIGWINCH: resize}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _copy_size(descriptor: int) -> None:
    size = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, size)


def _leave_line_ends_alone(descriptor: int) -> None:
    """The user's own terminal turns line feeds into new lines; doing it twice would add carriage returns."""
    attributes = termios.tcgetattr(descriptor)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
