"""What `pulumi install` has to run for a Python program."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path


def install_command(options: Mapping[str, object], root: Path, folder: Path) -> list[list[str]]:
    """The commands that make the program's environment, in order; empty when there is nothing to do.

    A project with a `uv.lock` (in `folder` or above) is synced from it, never re-resolved. Otherwise the environment
    named by `virtualenv` is made and filled from `requirements.txt`, as the official host does.
    """
    lock = next((parent / "uv.lock" for parent in (folder, *folder.parents) if (parent / "uv.lock").is_file()), None)
    uv = shutil.which("uv")
    if lock is not None and uv is not None:
        return [[uv, "sync", "--frozen", "--compile-bytecode", "--project", str(lock.parent)]]
    named = options.get("virtualenv")
    if not named:
        return []
    environment = root / str(named)
    python = environment / "bin" / "python"
    commands = [] if python.is_file() else [[sys.executable, "-m", "venv", str(environment)]]
    requirements = folder / "requirements.txt"
    if requirements.is_file():
        commands.append([str(python), "-m", "pip", "install", "--requirement", str(requirements)])
    return commands
