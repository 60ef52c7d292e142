"""The server's end of a task's process: start it, listen to it, end it and everything that it started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workspace.task_process.launch import Launch

PROJECT = Path(__file__).resolve().parents[2]
GRACE_SECONDS = 2.0
"""Between the request to end and the end."""
# What a driver would have; everything else that the server's environment holds stays with the server.
PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "VIRTUAL_ENV"),
    *("JAVA_HOME", "SPARK_HOME", "TZ"),
)


class TaskProcess:
    """One running process of a task."""

    def __init__(self, launch: Launch, folder: Path, log: Path, variables: Mapping[str, str]) -> None:
        """Starts it. `folder` is its working directory; standard output and error go to `log`."""
        told = folder.with_suffix(".launch")
        launch.write(told)
        self._reading, writing = os.pipe()
        lifeline, self._lifeline = os.pipe()
        command = [sys.executable, "-m", "workspace.task_process", str(told), str(writing), str(lifeline)]
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=launch_folder(launch, folder),
                    env=_environment(variables),
                    pass_fds=(writing, lifeline),
                    start_new_session=True,
                )
        finally:
            os.close(writing)
            os.close(lifeline)
        self._ended = threading.Event()

    @property
    def pid(self) -> int:
        return self._process.pid

    def listen(self, hear: Callable[[Mapping[str, Any]], None]) -> int:
        """Pass on what the process tells until it ends; its exit code, negative for a signal."""
        waiter = threading.Thread(target=self._reap, daemon=True)
        waiter.start()
        with os.fdopen(self._reading, "rb") as reading:
            for line in reading:
                hear(json.loads(line))
        waiter.join()
        return self._process.returncode

    def end(self) -> None:
        """Ask the process and its children to end, and see to it after a moment. Does not block."""
        self._signal(signal.SIGTERM)
        threading.Thread(target=self._see_to_it, daemon=True).start()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _reap(self) -> None:
        """Wait for the process, then end what it left behind: such a child would hold the report open."""
        # The id stays taken until it is waited for, so that the group that gets the signal is this one.
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._ended.set()
        os.close(self._lifeline)

    def _see_to_it(self) -> None:
        if not self._ended.wait(GRACE_SECONDS):
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def launch_folder(launch: Launch, folder: Path) -> Path:
    """Where the process starts: beside its source, as on Databricks; a wheel has none."""
    return Path(launch.file).parent if launch.file else folder


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1", **variables}
