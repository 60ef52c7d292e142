"""Workspace objects: directories, notebooks and files by path (`/Shared/project/train`), kept on disk.

The description of an object is a document; its content is a file of its own, written first. So a killed server leaves a
content nobody knows of, which the next start removes, and never an object without its content.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from workspace.errors import ApiError, invalid
from workspace.files.notebooks import EXTENSIONS, jupyter_to_source
from workspace.state import State

KIND = "workspace_object"
PREFIX = "/Workspace"
MAX_NAME_BYTES = 255

NOTEBOOK = "NOTEBOOK"
FILE = "FILE"
DIRECTORY = "DIRECTORY"


@dataclass(frozen=True)
class WorkspaceObject:
    """One object; `path` never has the prefix `/Workspace`. Times are in milliseconds."""

    path: str
    object_id: int
    object_type: str
    created_at: int
    modified_at: int
    language: str | None = None
    jupyter: bool = False
    size: int = 0
    content: str | None = None
    creator: str | None = None

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


class ObjectStore:
    """The tree of workspace objects. Every path may be given with or without `/Workspace` in front."""

    def __init__(self, state: State, now_ms: Callable[[], int], user_name: str) -> None:
        self._documents = state.documents
        self._folder = state.subfolder("workspace_objects")
        self._now_ms = now_ms
        self._lock = threading.RLock()
        self._built_in = ("/", "/Users", "/Shared", "/Repos", f"/Users/{user_name}")

    def start(self) -> None:
        """Make the folders that every workspace has, and remove contents that no object has."""
        for path in self._built_in:
            if self._find(path) is None:
                self._put(self._new(path, DIRECTORY))
        known = {body["content"] for _, body in self._documents.list(KIND)}
        for file in self._folder.iterdir():
            if file.name not in known:
                file.unlink()

    def get(self, path: str) -> WorkspaceObject:
        """ApiError 404 where there is nothing at `path`."""
        plain = plain_path(path)
        if found := self._find(plain):
            return found
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")

    def by_id(self, object_id: str) -> WorkspaceObject | None:
        return next((found for found in self._all() if str(found.object_id) == object_id), None)

    def content(self, found: WorkspaceObject) -> bytes:
        """The bytes as they were stored. ApiError 400 for a directory."""
        if found.content is None:
            raise invalid(f"{found.path} is a directory, it has no content")
        return (self._folder / found.content).read_bytes()

    def children(self, path: str) -> list[WorkspaceObject]:
        """What is in a directory, in the order of names; a notebook or file lists itself."""
        found = self.get(path)
        if found.object_type != DIRECTORY:
            return [found]
        return [one for one in self._all(_below(found.path)) if _parent(one.path) == found.path and one.path != "/"]

    def descendants(self, path: str) -> list[WorkspaceObject]:
        """Everything below a directory, parents before their contents."""
        return [one for one in self._all(_below(self.get(path).path)) if one.path != "/"]

    def make_directories(self, path: str) -> None:
        """Make a directory with its parents; ApiError 400 where an object that is none is in the way."""
        with self._lock:
            plain = plain_path(path)
            for ancestor in [*reversed(PurePosixPath(plain).parents), PurePosixPath(plain)]:
                found = self._find(str(ancestor))
                if found is None:
                    self._put(self._new(str(ancestor), DIRECTORY))
                elif found.object_type != DIRECTORY:
                    raise ApiError(
                        400,
                        "RESOURCE_ALREADY_EXISTS",
                        f"{found.path} already exists and is not a directory; remove it, or choose another path",
                    )

    def write(
        self,
        path: str,
        content: bytes,
        object_type: str,
        *,
        overwrite: bool,
        language: str | None = None,
        jupyter: bool = False,
        creator: str | None = None,
    ) -> WorkspaceObject:
        """Store a notebook or a file; with `overwrite` one of the same type is replaced and keeps its id."""
        with self._lock:
            plain = plain_path(path)
            old = self._find(plain)
            self._check_writable(plain, old, object_type, overwrite=overwrite)
            stored = self._store(content)
            new = self._new(plain, object_type)
            new = WorkspaceObject(
                **{
                    **asdict(new),
                    "object_id": old.object_id if old else new.object_id,
                    "created_at": old.created_at if old else new.created_at,
                    "creator": old.creator if old else creator,
                    "language": language,
                    "jupyter": jupyter,
                    "size": len(content),
                    "content": stored,
                }
            )
            self._put(new)
            if old and old.content:
                (self._folder / old.content).unlink(missing_ok=True)
            return new

    def delete(self, path: str, *, recursive: bool) -> None:
        with self._lock:
            found = self.get(path)
            if found.path in self._built_in:
                raise invalid(f"{found.path} belongs to the workspace and cannot be deleted")
            below = self.descendants(path) if found.object_type == DIRECTORY else []
            if below and not recursive:
                raise ApiError(
                    400, "DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty; pass recursive to delete its contents"
                )
            for one in [*reversed(below), found]:
                self._documents.delete(KIND, one.path)
                if one.content:
                    (self._folder / one.content).unlink(missing_ok=True)

    def _check_writable(self, path: str, old: WorkspaceObject | None, object_type: str, *, overwrite: bool) -> None:
        if path == "/":
            raise invalid("The root of the workspace is a directory; name an object in it")
        if old and not overwrite:
            raise ApiError(
                400,
                "RESOURCE_ALREADY_EXISTS",
                f"{path} already exists. Please pass overwrite as true to overwrite it.",
            )
        if old and old.object_type != object_type:
            raise invalid(
                f"Cannot overwrite the asset at {path} due to type mismatch "
                f"(asked: {object_type}, actual: {old.object_type})"
            )
        parent = self._find(_parent(path))
        if parent is None:
            raise ApiError(
                404, "RESOURCE_DOES_NOT_EXIST", f"The parent folder ({_parent(path)}) does not exist. Create it first."
            )
        if parent.object_type != DIRECTORY:
            raise invalid(f"{parent.path} is a {parent.object_type.lower()}, not a directory")

    def _find(self, path: str) -> WorkspaceObject | None:
        body = self._documents.get(KIND, path)
        return WorkspaceObject(**body) if body else None

    def _all(self, prefix: str = "") -> Iterator[WorkspaceObject]:
        for _, body in self._documents.list(KIND, prefix):
            yield WorkspaceObject(**body)

    def _put(self, one: WorkspaceObject) -> None:
        self._documents.put(KIND, one.path, asdict(one))

    def _new(self, path: str, object_type: str) -> WorkspaceObject:
        now = self._now_ms()
        return WorkspaceObject(path, secrets.randbelow(9 * 10**15) + 10**15, object_type, now, now)

    def _store(self, content: bytes) -> str:
        name = secrets.token_hex(16)
        with (self._folder / name).open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        return name


class WorkspaceFiles:
    """What other services read of workspace objects: notebooks and files of tasks."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def read(self, path: str) -> bytes:
        """A file's bytes, or a notebook's source with its cell markers. ApiError 404, or 400 for a directory."""
        found = self._store.get(path)
        content = self._store.content(found)
        return jupyter_to_source(content) if found.jupyter else content

    def object_type(self, path: str) -> str:
        """`NOTEBOOK`, `FILE` or `DIRECTORY`. ApiError 404."""
        return self._store.get(path).object_type

    def language(self, path: str) -> str | None:
        """`PYTHON`, `SQL`, `SCALA` or `R` for a notebook, None for a file or directory. ApiError 404."""
        return self._store.get(path).language

    def copy_tree(self, directory: str, target: Path) -> None:
        """Write a directory's notebooks (with their extension) and files below `target`, for a process to read."""
        root = self._store.get(directory)
        for one in self._store.descendants(directory):
            place = target / PurePosixPath(one.path).relative_to(root.path)
            if one.object_type == DIRECTORY:
                place.mkdir(parents=True, exist_ok=True)
                continue
            if one.object_type == NOTEBOOK:
                place = place.with_name(place.name + EXTENSIONS[one.language or "PYTHON"])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(self.read(one.path))


def plain_path(path: str) -> str:
    """The path without `/Workspace` and trailing slashes. ApiError 400 unless it is absolute and a plain descent."""
    if not path.startswith("/"):
        raise invalid(f"Path ({path}) doesn't start with '/'")
    plain = path.removeprefix(PREFIX) if path == PREFIX or path.startswith(f"{PREFIX}/") else path
    plain = "/" + plain.strip("/")
    for part in plain.split("/")[1:] if plain != "/" else ():
        if part in ("", ".", "..") or len(part.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES or not _is_text(part):
            raise invalid(
                f"Invalid path {path!r}: its names must be non-empty, at most {MAX_NAME_BYTES} bytes, without control "
                "characters, and neither '.' nor '..'"
            )
    return plain


def _is_text(part: str) -> bool:
    return not any(ord(character) < 32 or 0xD800 <= ord(character) <= 0xDFFF for character in part)


def _parent(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _below(path: str) -> str:
    return path.rstrip("/") + "/"
