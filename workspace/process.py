"""Which server process holds a state folder: written by the server, read by `start`, `stop` and `status`.

A process id alone is no identity, because the system hands it out again. The record therefore carries the moment the
process started, as the system reports it, and the state folder's lock says whether a server is alive at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

PROCESS_FILE = "server.json"
ADDRESS_FILE = "address"
LOG_FILE = "workspace.log"


@dataclass(frozen=True)
class ServerProcess:
    """A server that opened a state folder."""

    pid: int
    started: str
    """Start of the process in the system's own terms; equal for the same process only."""
    address: str
    """`http://127.0.0.1:<port>`"""
    code: str = ""
    """Digest of the code it runs (`workspace.version`); empty for one from before there were digests."""

    def is_itself(self) -> bool:
        """Whether the process with this id is the one that wrote the record, and still runs."""
        return start_of(self.pid) == self.started

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; False, and nothing sent, where the id belongs to another process by now."""
        if not self.is_itself():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def record(folder: Path, address: str, code: str) -> None:
    """Write down that this process serves `folder` at `address`; to be called by the holder of the folder's lock."""
    started = start_of(os.getpid())
    if started is None:
        raise RuntimeError("the system does not tell when this process started")
    process = ServerProcess(pid=os.getpid(), started=started, address=address, code=code)
    _replace(folder / PROCESS_FILE, json.dumps(asdict(process)))
    _replace(folder / ADDRESS_FILE, address + "\n")


def forget(folder: Path) -> None:
    (folder / ADDRESS_FILE).unlink(missing_ok=True)
    (folder / PROCESS_FILE).unlink(missing_ok=True)


def running(folder: Path) -> ServerProcess | None:
    """The live server of `folder`, if it has one that has bound its port."""
    if not is_locked(folder):
        return None
    try:
        process = ServerProcess(**json.loads((folder / PROCESS_FILE).read_text()))
    except FileNotFoundError:
        return None
    return process if process.is_itself() else None


def address(folder: Path) -> str | None:
    """Where the server of `folder` answers; None before it does."""
    path = folder / ADDRESS_FILE
    return path.read_text().strip() if path.exists() else None


def is_locked(folder: Path) -> bool:
    """Whether a server has the folder open. The kernel drops the lock with the process: a kill leaves none behind."""
    try:
        with (folder / "lock").open("r") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def start_of(pid: int) -> str | None:
    """When process `pid` started; None where there is no such process, or it has ended and was not collected yet."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The command's name, in parentheses, may hold spaces: the fields are counted after it (proc(5)).
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return None if fields[0] == "Z" else f"{boot}/{fields[19]}"
    listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip() or None


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(path)
