"""The file tree behind the Files API, on local disk.

A file is either whole or absent: bytes go to a temporary file, which is synced and then renamed into place. So a killed
server leaves no half file, and loses none that was acknowledged.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from workspace.errors import ApiError, invalid

ROOTS = ("Models", "Volumes", "WorkspaceInternal")
MAX_SEGMENT_BYTES = 255
_INCOMING = ".incoming"

Guard = Callable[[tuple[str, ...]], None]


class FileTree:
    """Files and directories by API path (`/Models/main/ml/m/1/MLmodel`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.incoming = folder / _INCOMING
        self.incoming.mkdir(parents=True, exist_ok=True)
        self._guards: dict[str, Guard] = {}

    def guard(self, root: str, check: Guard) -> None:
        """Call `check(segments)` before a write or delete under `/<root>`; it raises `ApiError` to refuse."""
        self._guards[root] = check

    def path(self, api_path: str) -> Path:
        """Where an API path lives on disk. ApiError 400 for a path that is not plain, or not under a known root."""
        return self._folder.joinpath(*segments(api_path))

    def check_writable(self, api_path: str) -> None:
        parts = segments(api_path)
        if check := self._guards.get(parts[0]):
            check(parts)

    def existing_file(self, api_path: str) -> Path:
        path = self.path(api_path)
        if not path.is_file():
            raise _missing("file", api_path)
        return path

    def existing_directory(self, api_path: str) -> Path:
        path = self.path(api_path)
        if not path.is_dir():
            raise _missing("directory", api_path)
        return path

    @contextmanager
    def replacing(self, api_path: str, *, overwrite: bool) -> Iterator[IO[bytes]]:
        """A file to write to, which takes the place of `api_path` when the block ends without an exception."""
        self.check_writable(api_path)
        target = self.path(api_path)
        self._refuse_collision(target, api_path, overwrite=overwrite)
        descriptor, name = tempfile.mkstemp(dir=self.incoming)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            self._refuse_collision(target, api_path, overwrite=overwrite)
            self._make_parents(target, api_path)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(target.parent)

    def delete_file(self, api_path: str) -> None:
        self.check_writable(api_path)
        path = self.existing_file(api_path)
        path.unlink()
        _sync_directory(path.parent)

    def create_directory(self, api_path: str) -> None:
        """Create a directory with its parents; nothing happens where it is there already."""
        self.check_writable(api_path)
        path = self.path(api_path)
        if path.is_file():
            raise ApiError(409, "ALREADY_EXISTS", f"A file already exists at the path of the directory: {api_path}")
        self._make_parents(path / "x", api_path)
        _sync_directory(path.parent)

    def delete_directory(self, api_path: str) -> None:
        self.check_writable(api_path)
        path = self.existing_directory(api_path)
        try:
            path.rmdir()
        except OSError as error:
            raise ApiError(
                400,
                "DIRECTORY_NOT_EMPTY",
                f"The directory being deleted is not empty. Delete its contents first: {api_path}",
            ) from error
        _sync_directory(path.parent)

    def remove_tree(self, api_path: str) -> None:
        """Remove whatever is at `api_path`, unguarded: for the service that owns it."""
        shutil.rmtree(self.path(api_path), ignore_errors=True)

    def discard_unfinished(self) -> None:
        """Remove what writes that a killed server never acknowledged left behind."""
        for leftover in self.incoming.iterdir():
            if leftover.is_file():
                leftover.unlink()

    def _refuse_collision(self, target: Path, api_path: str, *, overwrite: bool) -> None:
        if target.is_dir():
            raise ApiError(409, "ALREADY_EXISTS", f"A directory already exists at the path of the file: {api_path}")
        if target.exists() and not overwrite:
            raise ApiError(
                409, "ALREADY_EXISTS", f"The file being created already exists, and overwrite is not true: {api_path}"
            )

    def _make_parents(self, target: Path, api_path: str) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise invalid(f"A parent of the path is a file, not a directory: {api_path}") from error


def segments(api_path: str) -> tuple[str, ...]:
    """The names in an API path. ApiError 400 where it could mean anything but a plain descent from a known root."""
    parts = tuple(api_path.strip("/").split("/"))
    for part in parts:
        if part in ("", ".", "..") or "\0" in part or len(part.encode()) > MAX_SEGMENT_BYTES:
            raise invalid(
                f"Invalid path: {api_path!r}. Its names must be non-empty, at most {MAX_SEGMENT_BYTES} bytes, "
                "and neither '.' nor '..'."
            )
    if parts[0] not in ROOTS:
        raise invalid(f"Invalid path: unsupported first path component: {parts[0]}. Supported: {', '.join(ROOTS)}.")
    if parts[0] in ("Models", "Volumes"):
        # The names of a catalog, a schema and an object in it: Unity Catalog does not tell their cases apart.
        return (parts[0], *(part.lower() for part in parts[1:4]), *parts[4:])
    return parts


def _missing(what: str, api_path: str) -> ApiError:
    # The Files API says NOT_FOUND, not RESOURCE_DOES_NOT_EXIST: mlflow's presigned repository takes only this code for
    # "not a directory" (store/artifact/presigned_url_artifact_repo.py).
    return ApiError(404, "NOT_FOUND", f"The {what} being accessed is not found: {api_path}")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
