"""The database that a local stack's online store is: a private MariaDB server, its users, and where their passwords go.

A stack that has one says so in its file: `mysql: {enabled: true, host, port}` beside its other settings. A host
elsewhere, or passwords in the file, mean a database of the user's own, which is left alone. Otherwise the server is
started here, the administrator's SQL of the project (`examples/<project>/database.py`) is run on it, and the passwords
are set as secrets in a copy of the stack file, which the engine is told to use: the file itself is shared, and this
machine's secrets are not.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from toolchain.files import read_record, write_atomically, write_record
from toolchain.layout import Layout
from toolchain.mariadb import MariaDb, require_installed
from toolchain.project import EXAMPLES, Project
from toolchain.report import ToolchainError, say
from toolchain.shell import Variables

ROLES = ("writer", "reader")
#: The engine takes every option from a variable of its name; this is `--config-file`.
CONFIG_FILE = "PULUMI_OPTION_CONFIG_FILE"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class PrivateDatabase:
    """The server of one project's stack, and the copy of its stack file."""

    layout: Layout
    project: Project
    stack: str
    port: int

    @property
    def server(self) -> MariaDb:
        return MariaDb(self.layout.database, self.port)

    @property
    def stack_file(self) -> Path:
        """The copy with the secrets in it."""
        return self.layout.database / f"{self.project.name}.{self.stack}.yaml"

    @property
    def variables(self) -> Variables:
        """What makes the engine use the copy."""
        return Variables({CONFIG_FILE: str(self.stack_file)})

    def start(self) -> None:
        """Starts the server and brings its database and users up to date.

        Raises:
            ToolchainError: MariaDB is not installed, or refuses something.
        """
        require_installed()
        if self.server.start():
            say(f"database: private server on 127.0.0.1:{self.port}")
        passwords = self._passwords()
        settings = ", ".join(f"@{role}_password = '{passwords[role]}'" for role in ROLES)
        self.server.run_sql(f"SET {settings};\n{self._administrator_sql()}")

    def copy_stack_file(self) -> None:
        """The stack file as it is now, without secrets; the ones that an unchanged copy has stay in it."""
        content = self.project.stack_file(self.stack).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if self._noted().get("stack_file") != digest or not self.stack_file.is_file():
            write_atomically(self.stack_file, content, mode=0o600)
            self._note(stack_file=digest, secrets_set=False)

    def set_secrets(self, engine: Path, environ: Mapping[str, str]) -> None:
        """Sets both passwords in the copy, encrypted for the stack, which has to exist.

        Raises:
            ToolchainError: the engine refuses; no password is in the text.
        """
        if self._noted().get("secrets_set"):
            return
        for role, password in self._passwords().items():
            # By standard input: a command line can be read by everybody on the machine.
            command = [str(engine), "config", "set", "--secret", f"mysql:{role}Password", "--stack", self.stack]
            done = subprocess.run(
                command,
                cwd=self.project.folder,
                env=dict(environ),
                input=password,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise ToolchainError(f"mysql:{role}Password cannot be set: {(done.stderr or done.stdout).strip()}")
        self._note(**{**self._noted(), "secrets_set": True})

    def _passwords(self) -> dict[str, str]:
        """Made once, readable by their owner only."""
        file = self.layout.database / "passwords.json"
        found = read_record(file)
        if not all(isinstance(found.get(role), str) for role in ROLES):
            found = {role: secrets.token_urlsafe(24) for role in ROLES}
            write_atomically(file, json.dumps(found).encode(), mode=0o600)
        return {role: str(found[role]) for role in ROLES}

    def _administrator_sql(self) -> str:
        command = [str(self.layout.python), "-m", f"{EXAMPLES}.{self.project.folder.name}.database", self.stack]
        done = subprocess.run(command, cwd=self.layout.root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolchainError(f"`python {' '.join(command[1:])}` wrote no SQL: {done.stderr.strip()}")
        return done.stdout

    def _noted(self) -> dict[str, Any]:
        return read_record(self.stack_file.with_suffix(".json"))

    def _note(self, **values: Any) -> None:
        write_record(self.stack_file.with_suffix(".json"), values)


def private_database(layout: Layout, project: Project, stack: str) -> PrivateDatabase | None:
    """The database that has to be brought up for a stack; None where it has none, or one of the user's own."""
    if project.folder.parent != (layout.root / EXAMPLES).resolve():
        return None
    try:
        content: Any = yaml.safe_load(project.stack_file(stack).read_text(encoding="utf-8"))
        config: Mapping[str, Any] = content["config"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        # What is wrong with it is the engine's to say.
        return None
    sections = [value["mysql"] for value in config.values() if isinstance(value, dict) and "mysql" in value]
    section = sections[0] if sections and isinstance(sections[0], dict) else {}
    own = any(f"mysql:{role}Password" in config for role in ROLES)
    if not section.get("enabled") or section.get("host") not in _LOOPBACK or own:
        return None
    return PrivateDatabase(layout, project, stack, int(section.get("port", 3306)))


def stop_database(layout: Layout) -> None:
    """Stops the private server if it runs. Raises ToolchainError where it does not end."""
    if MariaDb(layout.database, 0).stop():
        say("database: stopped")
