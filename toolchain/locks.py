"""Locks that a killed engine left in the file backend: cleared when their process is certainly gone, never
otherwise."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

#: A process that started this much later than a lock was written is another one that got the same number.
CLOCK_SLACK_SECONDS = 2.0


@dataclass(frozen=True)
class Lock:
    """One lock file of the backend, as the engine writes it (pkg/v3 backend/diy/lock.go)."""

    file: Path
    pid: int
    username: str
    hostname: str
    taken_at: datetime

    def __str__(self) -> str:
        return f"process {self.pid} of {self.username} on {self.hostname}, since {self.taken_at:%Y-%m-%d %H:%M:%S} UTC"


def read_locks(state: Path, project: str, stack: str) -> list[Lock]:
    """The locks on a stack. A file that is not such a lock is left to the engine to complain about.

    Args:
        state: the folder of the file backend.
    """
    folder = state / ".pulumi" / "locks" / "organization" / project / stack
    locks = []
    for file in sorted(folder.glob("*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            lock = Lock(
                file=file,
                pid=int(content["pid"]),
                username=str(content["username"]),
                hostname=str(content["hostname"]),
                taken_at=_timestamp(content["timestamp"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
        locks.append(lock)
    return locks


def holder_is_gone(lock: Lock) -> bool:
    """Whether the process that took the lock has certainly ended: it ran on this machine, and is no more."""
    if lock.hostname != socket.gethostname():
        return False
    try:
        os.kill(lock.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    started = _started_at(lock.pid)
    return started is not None and started > lock.taken_at.timestamp() + CLOCK_SLACK_SECONDS


def clear_lock(lock: Lock) -> None:
    """What `pulumi cancel` does, for this one lock."""
    lock.file.unlink(missing_ok=True)
    lock.file.with_name(lock.file.name + ".attrs").unlink(missing_ok=True)


def _timestamp(text: str) -> datetime:
    # Go writes nanoseconds and Z; Python reads microseconds.
    main, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{main}.{fraction[:6]:0<6}").replace(tzinfo=UTC)


def _started_at(pid: int) -> float | None:
    """Seconds since the epoch, from /proc; None where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError):
        return None
    # Field 22 of proc(5): start time after boot, in clock ticks.
    return time.time() - uptime + int(fields[19]) / os.sysconf("SC_CLK_TCK")
