"""The engine version this project is made for: `toolchain/go.mod` says it, once."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from toolchain.engine.scripts import LANGUAGE_HOST
from toolchain.layout import Layout
from toolchain.report import ToolchainError

PACKAGE = "github.com/pulumi/pulumi/pkg/v3"


class RouteError(Exception):
    """One way to an engine is not open; the message says why, as half a sentence."""


@dataclass(frozen=True, order=True)
class Version:
    """A semantic version without pre-release or build part; they do not matter to any choice made here."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """The version that `text` starts with (a leading v is skipped), or None."""
        match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text.strip())
        return cls(*map(int, match.groups())) if match else None

    def satisfies(self, pinned: Version) -> bool:
        """Whether this engine may stand in for the pinned one: same major version, its minor version or a newer one."""
        return self.major == pinned.major and self.minor >= pinned.minor

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def pinned_version(layout: Layout) -> Version:
    """The version of the engine's module in `go.mod`.

    Raises:
        ToolchainError: `go.mod` does not name it.
    """
    match = re.search(rf"{re.escape(PACKAGE)} (v\S+)", layout.go_module.read_text(encoding="utf-8"))
    version = Version.parse(match.group(1)) if match else None
    if version is None:
        raise ToolchainError(f"{layout.go_module} does not name a version of {PACKAGE}; restore it from git.")
    return version


def module_digest(layout: Layout) -> str:
    """Changes when what would be built, or put beside it, changes."""
    digest = hashlib.sha256(LANGUAGE_HOST.encode())
    for file in (layout.go_module, layout.go_module.with_name("go.sum")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def executable_version(executable: Path) -> Version | None:
    """What `pulumi version` says, or None when it says nothing of use within half a minute."""
    environ = dict(os.environ, PULUMI_SKIP_UPDATE_CHECK="true")
    try:
        done = subprocess.run(
            [str(executable), "version"], capture_output=True, text=True, timeout=30, env=environ, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return Version.parse(done.stdout)
