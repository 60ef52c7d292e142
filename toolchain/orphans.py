"""Plugins that outlived a killed engine: nobody records what they still do, and the next update does it again.

The engine starts each plugin in a process group of its own, so a kill of the engine does not reach it, and Pulumi's
dynamic provider serves on for ever. Linux only: elsewhere there is no /proc to find them in.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MARKS = ("pulumi.dynamic", "pulumi.policy", "pulumi-resource-", "pulumi-language-python", "toolchain.language_host")
STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """A running process, as far as /proc tells."""

    pid: int
    parent: int
    name: str
    command: str


def find_orphans(pulumi_home: Path, proc: Path = Path("/proc")) -> list[Process]:
    """Plugin processes started by an engine of this `PULUMI_HOME` that have no living engine among their ancestors."""
    processes = {process.pid: process for process in _processes(proc)}
    mark = b"PULUMI_HOME=" + os.fsencode(pulumi_home)
    return [
        process
        for process in processes.values()
        if any(name in process.command for name in MARKS)
        and mark in _environ(proc, process.pid)
        and not any(ancestor.name == "pulumi" for ancestor in _ancestors(process, processes))
    ]


def stop(orphans: Iterable[Process]) -> None:
    """Ends them: asked first, made after five seconds."""
    left = list(orphans)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            _signal(process.pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while left and time.monotonic() < deadline:
            left = [process for process in left if _signal(process.pid, 0)]
            time.sleep(0.05)


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _processes(proc: Path) -> Iterable[Process]:
    for folder in proc.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        head, _, rest = stat.rpartition(")")
        yield Process(int(folder.name), int(rest.split()[1]), head.partition("(")[2], command)


def _environ(proc: Path, pid: int) -> list[bytes]:
    try:
        return (proc / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _ancestors(process: Process, processes: dict[int, Process]) -> Iterable[Process]:
    parent = processes.get(process.parent)
    while parent is not None:
        yield parent
        parent = processes.get(parent.parent)
