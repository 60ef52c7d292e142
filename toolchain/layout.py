"""Where everything lives that the toolchain makes: under the project, out of git, away from a user's own Pulumi."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The folders and files of one clone.

    Args:
        root: the project's folder.
    """

    root: Path

    @property
    def local(self) -> Path:
        return self.root / ".local"

    @property
    def environment(self) -> Path:
        """The Python environment made from `uv.lock`."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def bin(self) -> Path:
        """The engine and its language host, when they do not come from PATH."""
        return self.local / "bin"

    @property
    def go_module(self) -> Path:
        return self.root / "toolchain" / "go.mod"

    @property
    def pulumi_home(self) -> Path:
        return self.local / "pulumi"

    @property
    def state(self) -> Path:
        """The folder of the file backend."""
        return self.local / "state"

    @property
    def workspace(self) -> Path:
        """The state of the embedded workspace."""
        return self.local / "workspace"

    @property
    def logs(self) -> Path:
        return self.local / "logs"

    @property
    def releases(self) -> Path:
        """Transcripts of releases."""
        return self.local / "releases"

    @property
    def policy(self) -> Path:
        """Reports of the policy pack, and the events that they were made of."""
        return self.local / "policy"

    @property
    def database(self) -> Path:
        """The private database server of stacks whose online store is one: its files, users and settings."""
        return self.local / "mysql"

    @property
    def passphrase(self) -> Path:
        return self.local / "passphrase"


def project_layout() -> Layout:
    """The clone this package belongs to."""
    return Layout(Path(__file__).resolve().parent.parent)
