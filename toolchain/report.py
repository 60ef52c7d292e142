"""What the toolchain says while it works: to stderr, because stdout belongs to what was asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Without a terminal a progress line is printed this often, so that a log shows life and stays readable.
PLAIN_INTERVAL_SECONDS = 15.0
TERMINAL_INTERVAL_SECONDS = 0.2


class ToolchainError(Exception):
    """Something the user has to put right. The message says what, where, and the remedy."""


def say(message: str) -> None:
    """One line to the user."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def duration(seconds: float) -> str:
    """`4.2 s`, or `3 min 05 s` from one minute on."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


class Progress:
    """A line that is rewritten on a terminal and repeated now and then elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = time.monotonic()
        self._shown = 0.0
        self._terminal = sys.stderr.isatty()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def show(self, detail: str) -> None:
        """Shows `detail` beside the title and the time elapsed, unless the last showing is too recent."""
        interval = TERMINAL_INTERVAL_SECONDS if self._terminal else PLAIN_INTERVAL_SECONDS
        if self.elapsed - self._shown < interval:
            return
        self._shown = self.elapsed
        line = f"{self._title}: {duration(self.elapsed)}, {detail}"
        sys.stderr.write(f"\r\x1b[2K{line}" if self._terminal else f"{line}\n")
        sys.stderr.flush()

    def clear(self) -> None:
        """Takes the line off a terminal, so that what comes next starts at its left edge."""
        if self._terminal:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


class Steps:
    """Times the steps of one command and prints them as a table, whether they succeeded or not."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, float, str]] = []

    def add(self, name: str, seconds: float) -> None:
        """A step that was measured elsewhere."""
        self._rows.append((name, seconds, ""))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measures the block. A step that raises is listed as failed."""
        started = time.monotonic()
        outcome = "failed"
        try:
            yield
            outcome = ""
        finally:
            self._rows.append((name, time.monotonic() - started, outcome))

    def table(self) -> str:
        """The steps so far and their sum."""
        rows = [*self._rows, ("total", sum(seconds for _, seconds, _ in self._rows), "")]
        width = max(len(name) for name, _, _ in rows)
        return "\n".join(
            f"  {name:<{width}}  {duration(seconds):>12}  {outcome}".rstrip() for name, seconds, outcome in rows
        )
