"""What the workspace keeps, and where: one folder, opened by one server at a time.

| path | what |
| --- | --- |
| `workspace.json` | schema version, workspace id, metastore id |
| `token` | the generated access token (mode 600) |
| `lock` | held by the server as long as it lives |
| `server.json`, `address`, `workspace.log` | which process serves the folder, where, and what it said |
| `documents.db` | everything that has no better home (SQLite) |
| `tables/<catalog>/<schema>/<table>/` | Delta tables |
| `mlflow/` | MLflow's own stores and artifacts |
| `files/` | what the Files API holds |
| `online/` | keyed stores of published tables (SQLite) |
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from workspace.documents import Documents
from workspace.migrations import STATE_VERSION, STEPS

LOCK_SECONDS = 0.5


logger = logging.getLogger("workspace")


class StateFolderError(Exception):
    """The state folder cannot be used; the message says why and what to do."""


class State:
    """An opened state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder)
        meta = _load_or_create_meta(self.folder)
        self.workspace_id: str = meta["workspace_id"]
        self.metastore_id: str = meta["metastore_id"]
        self.token: str = _load_or_create_token(self.folder)
        self.documents = Documents(self.folder / "documents.db")

    def subfolder(self, *parts: str) -> Path:
        path = self.folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def close(self) -> None:
        self._lock.close()


def _lock(folder: Path) -> IO[str]:
    handle = (folder / "lock").open("w")
    # `status` and `start` look at the lock by holding it for an instant, which must not make a server give up.
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                handle.close()
                raise StateFolderError(
                    f"{folder} is in use by another workspace server; stop it, or name another folder"
                ) from error
            time.sleep(0.02)
        else:
            return handle


def _load_or_create_meta(folder: Path) -> dict[str, str]:
    path = folder / "workspace.json"
    if not path.exists():
        meta = {
            "version": str(STATE_VERSION),
            "workspace_id": str(secrets.randbelow(9 * 10**14) + 10**14),
            "metastore_id": str(uuid.uuid4()),
        }
        _write_whole(path, json.dumps(meta), mode=0o644)
    meta = {str(key): str(value) for key, value in json.loads(path.read_text()).items()}
    for version in _steps_of(folder, meta):
        logger.warning("state folder %s: from version %d to %d", folder, version, version + 1)
        STEPS[version](folder)
        meta["version"] = str(version + 1)
        _write_whole(path, json.dumps(meta), mode=0o644)
    return meta


def _steps_of(folder: Path, meta: Mapping[str, str]) -> range:
    """The versions to migrate from, in order. Raises StateFolderError where no step leads from the folder's version."""
    text = meta.get("version", "")
    written = int(text) if text.isdigit() else 0
    if written > STATE_VERSION:
        raise StateFolderError(
            f"{folder} was written by a newer workspace (state version {written}; this one reads up to "
            f"{STATE_VERSION}): update this clone, or move the folder away to start an empty workspace"
        )
    needed = range(written, STATE_VERSION)
    if not all(version in STEPS for version in needed):
        raise StateFolderError(
            f"{folder} has state version {text or 'none'}, which this workspace (version {STATE_VERSION}) cannot bring "
            f"up to date; it can from version {min(STEPS)} on: move the folder away to start an empty workspace"
        )
    return needed


def _load_or_create_token(folder: Path) -> str:
    path = folder / "token"
    if not path.exists():
        _write_whole(path, "dapi" + secrets.token_hex(16), mode=0o600)
    return path.read_text().strip()


def _write_whole(path: Path, text: str, *, mode: int) -> None:
    """A killed server leaves either no file or the whole one."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
