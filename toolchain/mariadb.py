"""A private MariaDB server on loopback: own data folder, own port, TLS only, its administrator by socket.

Debian's `mariadb-server` brings the program; the service of that package is neither used nor started. What is said here
of users and sockets: MariaDB documentation, "mariadb-install-db" and "Authentication Plugin - Unix Socket".
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.certificates import CA, CERTIFICATE, KEY, make_certificates
from toolchain.report import ToolchainError, say

PACKAGE = "mariadb-server"
ADDRESS = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
#: Relative to the data folder, where the server works: a socket's path may have 107 characters.
SOCKET = "server.sock"
_POLL_SECONDS = 0.05
_SERVICE_USER = "mysql"


@dataclass(frozen=True)
class MariaDb:
    """A server whose files are all in `folder`, on `port` of 127.0.0.1."""

    folder: Path
    port: int

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def ca(self) -> Path:
        """Certificate of who signed the server's."""
        return self.folder / CA

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def pid(self) -> int | None:
        """The server's process; None where it does not run."""
        try:
            pid = int((self.data / "server.pid").read_text().strip())
        except (OSError, ValueError):
            return None
        # The number may have gone to another process since.
        return pid if f"--datadir={self.data} " in _command_line(pid) else None

    def start(self) -> bool:
        """Starts the server, unless it runs on this port, and makes its data folder the first time.

        Returns whether it was started.

        Raises:
            ToolchainError: MariaDB is not installed, the port is another's, or the server does not start, with the end
                of its log.
        """
        running = self.pid
        if running is not None:
            if f"--port={self.port} " in _command_line(running):
                return False
            self.stop()
        server = _program("mariadbd")
        self._require_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        user = _server_user(self.folder)
        if not (self.data / "mysql").is_dir():
            self._install(user)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [server, *self._options(user)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                raise ToolchainError(
                    f"the database server did not start on port {self.port}; the end of {self.log}:\n"
                    f"{self.log.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(_POLL_SECONDS)
        return True

    def stop(self) -> bool:
        """Stops the server if it runs; returns whether it did.

        Raises:
            ToolchainError: it does not end.
        """
        pid = self.pid
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.pid is not None:
            if time.monotonic() > deadline:
                raise ToolchainError(f"the database server (process {pid}) does not stop; see {self.log}")
            _reap(pid)
            time.sleep(_POLL_SECONDS)
        return True

    def run_sql(self, text: str) -> str:
        """Runs statements as the administrator, through the socket; what they print.

        Raises:
            ToolchainError: a statement fails; the server's words are in the text, and the statement is not.
        """
        done = self._client("--batch", text=text)
        if done.returncode:
            # The client repeats the statement above the error, and a statement may hold a password.
            words = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise ToolchainError(f"the database server refused its set-up: {' '.join(words) or 'it does not say why'}")
        return done.stdout

    def _require_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, self.port))
            except OSError as error:
                raise ToolchainError(
                    f"the database cannot have port {self.port} on {ADDRESS}, which is mysql.port of the stack file: "
                    f"{error.strerror}. If another clone's database has it, stop that one (make down PROJECT=... "
                    "STOP=1 there); otherwise write a free port into the stack file"
                ) from None

    def _answers(self) -> bool:
        return self._client("--batch", text="SELECT 1;").returncode == 0

    def _client(self, *options: str, text: str) -> subprocess.CompletedProcess[str]:
        # By standard input: a password on a command line can be read by everybody on the machine.
        command = [_program("mariadb"), "--no-defaults", f"--socket={SOCKET}", f"--user={_own_name()}", *options]
        cwd = self.data if self.data.is_dir() else self.folder
        return subprocess.run(command, cwd=cwd, input=text, capture_output=True, text=True, check=False)

    def _install(self, user: str | None) -> None:
        say(f"database: making a private server in {self.folder}")
        if not self.ca.is_file():
            make_certificates(self.folder)
        self.data.mkdir(parents=True, exist_ok=True)
        command = [
            _program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.data}",
            "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={_own_name()}",
            "--skip-test-db",
            "--skip-name-resolve",
        ]
        if user is not None:
            for path in (self.folder, self.data, self.folder / KEY):
                shutil.chown(path, user)
            command.append(f"--user={user}")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ToolchainError(f"the database server's data folder cannot be made:\n{done.stdout}{done.stderr}")

    def _options(self, user: str | None) -> Sequence[str]:
        return [
            "--no-defaults",
            f"--datadir={self.data}",
            f"--socket={SOCKET}",
            "--pid-file=server.pid",
            f"--port={self.port}",
            f"--bind-address={ADDRESS}",
            f"--ssl-ca={self.ca}",
            f"--ssl-cert={self.folder / CERTIFICATE}",
            f"--ssl-key={self.folder / KEY}",
            "--require-secure-transport=ON",
            "--skip-name-resolve",
            "--performance-schema=OFF",
            # A few thousand rows, on a machine that does other things.
            "--innodb-buffer-pool-size=16M",
            "--max-connections=50",
            *([] if user is None else [f"--user={user}"]),
        ]


def require_installed() -> None:
    """Raises ToolchainError, naming the package, where the programs are not there."""
    for name in ("mariadbd", "mariadb-install-db", "mariadb"):
        _program(name)


def _program(name: str) -> str:
    # Debian keeps servers where only an administrator's PATH leads.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec")
    if found is None:
        raise ToolchainError(
            f"{name} is not on this machine, and this stack's online store is a MySQL database: install Debian's "
            f"package {PACKAGE} (apt-get install {PACKAGE}; its service is not needed), or name a database of your own "
            "in the stack file, section mysql"
        )
    return found


def _server_user(folder: Path) -> str | None:
    """Whom the server runs as, where it has to be said: root's server runs as the package's user, if that one can reach
    the folder.
    """
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(_SERVICE_USER)
    except KeyError:
        return "root"
    reachable = all(path.stat().st_mode & 0o001 for path in folder.resolve().parents)
    return _SERVICE_USER if reachable else "root"


def _own_name() -> str:
    """Whom the socket takes this process for: the system's name of its user, whatever the environment says."""
    return pwd.getpwuid(os.geteuid()).pw_name


def _command_line(pid: int) -> str:
    """The words of a process, parted by spaces; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        if Path("/proc/self").exists():
            return ""
    done = subprocess.run(["ps", "-ww", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return done.stdout


def _reap(pid: int) -> None:
    """A server that this process has started itself stays listed until it is waited for."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
