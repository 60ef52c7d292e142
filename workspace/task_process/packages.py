"""Packages that a task asks for: those of the environment must do, because nothing is installed while a task runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement


class MissingPackageError(Exception):
    """The environment does not have what a task needs."""


def require(requirements: Iterable[str], where: str) -> None:
    """Check requirements (`scikit-learn>=1.4`, `wheel.whl`) against the environment; MissingPackageError for the first
    that it does not meet. A wheel is put on the path instead."""
    for text in requirements:
        if text.endswith(".whl"):
            add_wheel(Path(text))
            continue
        try:
            wanted = Requirement(text)
        except InvalidRequirement as error:
            raise MissingPackageError(f"{where} asks for '{text}', which is no requirement: {error}") from error
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError as error:
            raise MissingPackageError(
                f"{where} asks for '{text}', and {wanted.name} is not installed in the environment of this workspace: "
                "tasks run in it as it is; install the package there"
            ) from error
        if not wanted.specifier.contains(version, prereleases=True):
            raise MissingPackageError(
                f"{where} asks for '{text}', and the environment of this workspace has {wanted.name} {version}: tasks "
                "run in it as it is; install the version there, or widen the requirement"
            )


def add_wheel(path: Path) -> None:
    """Make the packages of a pure Python wheel importable, before those of the environment."""
    if not path.is_file():
        raise MissingPackageError(f"the wheel {path} does not exist")
    if not path.name.endswith("-none-any.whl"):
        raise MissingPackageError(
            f"the wheel {path.name} holds compiled code; only pure Python wheels can be used here"
        )
    sys.path.insert(0, str(path))
