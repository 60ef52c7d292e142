"""Where the source of a task comes from: workspace objects, volumes, or this machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from workspace.errors import ApiError
from workspace.jobs.work import TaskFailedError

_WORKSPACE_ROOTS = ("/Workspace/", "/Users/", "/Shared/", "/Repos/")
_VOLUMES = "/Volumes/"
_EXTENSIONS = {"PYTHON": ".py", "SQL": ".sql"}
_SCHEMES = ("file:", "dbfs:")


class WorkspaceFiles(Protocol):
    """Notebooks and files of the workspace as jobs read them (`workspace.files.WorkspaceFiles`)."""

    def read(self, path: str) -> bytes: ...

    def object_type(self, path: str) -> str: ...

    def language(self, path: str) -> str | None: ...

    def copy_tree(self, directory: str, target: Path) -> None: ...


class VolumeFiles(Protocol):
    """Where files of volumes live on disk (`workspace.files.Files`)."""

    def path(self, api_path: str) -> Path: ...


@dataclass(frozen=True)
class Source:
    """The source of a task, laid out on disk."""

    file: Path
    language: str
    notebook: bool


class Sources:
    """Finds sources; ApiError and TaskFailedError say what is not there."""

    def __init__(self, objects: WorkspaceFiles | None, volumes: VolumeFiles | None) -> None:
        self._objects = objects
        self._volumes = volumes

    def text(self, path: str) -> str:
        """The text of a file or notebook."""
        plain = _without_scheme(path)
        if self._objects is not None and plain.startswith(_WORKSPACE_ROOTS):
            return self._objects.read(plain).decode()
        return self.on_disk(plain).read_text()

    def on_disk(self, path: str) -> Path:
        """A file of a volume, or of this machine, where it is."""
        plain = _without_scheme(path)
        if plain.startswith(_VOLUMES) and self._volumes is not None:
            place = self._volumes.path(plain)
        elif plain.startswith(_WORKSPACE_ROOTS) or not plain.startswith("/"):
            raise TaskFailedError(
                f"'{path}' cannot be read: name a workspace path (/Workspace/...), a volume (/Volumes/...) or a file "
                "of the machine that the workspace runs on"
            )
        else:
            place = Path(plain)
        if not place.is_file():
            raise TaskFailedError(f"Cannot read the file {path}: it does not exist.")
        return place

    def lay_out(self, path: str, folder: Path, *, notebook: bool) -> Source:
        """The source below `folder`, with what is beside it, so that it finds its siblings; files of volumes and of
        this machine are taken where they are."""
        plain = _without_scheme(path)
        if self._objects is None or not plain.startswith(_WORKSPACE_ROOTS):
            return self._local(plain, notebook=notebook)
        try:
            kind = self._objects.object_type(plain)
        except ApiError as error:
            what = "notebook" if notebook else "python file"
            raise TaskFailedError(f'Unable to access the {what} "{path}": {error.message}') from error
        wanted = "NOTEBOOK" if notebook else "FILE"
        if kind != wanted:
            raise TaskFailedError(f"'{path}' is a {kind.lower()}, not a {wanted.lower()}: it was imported as such")
        parent = str(PurePosixPath(plain).parent)
        self._objects.copy_tree(parent, folder)
        language = self._objects.language(plain) or "PYTHON"
        name = PurePosixPath(plain).name + (_EXTENSIONS.get(language, "") if notebook else "")
        return Source(folder / name, language, notebook)

    def wheel(self, path: str, folder: Path) -> Path:
        """A wheel on disk."""
        plain = _without_scheme(path)
        if self._objects is None or not plain.startswith(_WORKSPACE_ROOTS):
            return self.on_disk(plain)
        place = folder / PurePosixPath(plain).name
        place.write_bytes(self._objects.read(plain))
        return place

    def _local(self, path: str, *, notebook: bool) -> Source:
        candidates = [path, *(path + extension for extension in _EXTENSIONS.values())] if notebook else [path]
        for candidate in candidates:
            try:
                place = self.on_disk(candidate)
            except TaskFailedError:
                continue
            return Source(place, "SQL" if place.suffix == ".sql" else "PYTHON", notebook)
        raise TaskFailedError(f"Cannot read the {'notebook' if notebook else 'python file'} {path}: it does not exist.")


def clear(folder: Path) -> None:
    """Remove what was laid out for a task; what it wrote there goes with it."""
    shutil.rmtree(folder, ignore_errors=True)


def _without_scheme(path: str) -> str:
    for scheme in _SCHEMES:
        path = path.removeprefix(scheme)
    return path
