"""The processes this host has started, and how they end: none may outlive the host, and the host may not outlive the
engine."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

#: The engine kills a plugin five seconds after it asked it to stop; what we started has to be gone before that.
QUIET_SECONDS = 2.0
TERMINATE_SECONDS = 2.0


class Children:
    """Starts processes and stops every one that is left. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[subprocess.Popen[bytes], bool] = {}
        self._closed = False

    def start(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        capture: bool,
        own_group: bool,
    ) -> subprocess.Popen[bytes]:
        """Starts `command` in `folder`.

        Args:
            capture: give the caller pipes for stdout and stderr; otherwise the child writes to this host's own streams,
                which the engine shows line by line.
            own_group: a process group of its own, so that stopping it also stops what it started. A program stays in
                the host's group instead: the engine interrupts that group when an operation failed.

        Raises:
            OSError: the command cannot be executed, or the host is stopping.
        """
        pipe = subprocess.PIPE if capture else None
        with self._lock:
            if self._closed:
                raise OSError("the language host is stopping and starts nothing more")
            child = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                process_group=0 if own_group else None,
            )
            self._running[child] = own_group
        return child

    def forget(self, child: subprocess.Popen[bytes]) -> None:
        """Called when the child has been waited for."""
        with self._lock:
            self._running.pop(child, None)

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Ends one child and what it has started; nothing, if it has been waited for already."""
        with self._lock:
            leads_group = self._running.get(child)
        if leads_group is not None:
            _end({child: leads_group})

    def stop_all(self, *, quiet_seconds: float) -> None:
        """Ends every child and refuses new ones.

        Args:
            quiet_seconds: how long to wait before the first signal, for children that were interrupted together with
                the host and are ending by themselves.
        """
        with self._lock:
            self._closed = True
            left = dict(self._running)
        _ended(left, quiet_seconds)
        _end(left)


def _end(children: Mapping[subprocess.Popen[bytes], bool]) -> None:
    """Ends children, given with whether each leads a process group."""
    for child, leads_group in children.items():
        _signal(child, leads_group, signal.SIGTERM)
    _ended(children, TERMINATE_SECONDS)
    # A group is killed in any case: its leader may have ended, and something that it started not.
    for child, leads_group in children.items():
        _signal(child, leads_group, signal.SIGKILL)


def _signal(child: subprocess.Popen[bytes], leads_group: bool, number: signal.Signals) -> None:
    try:
        if leads_group:
            os.killpg(child.pid, number)
        elif child.poll() is None:
            child.send_signal(number)
    except ProcessLookupError:
        return


def _ended(children: Collection[subprocess.Popen[bytes]], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(child.poll() is None for child in children):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True
