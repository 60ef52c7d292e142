"""Uploads in parts: what databricks-sdk does with files of 50 MiB and more (`mixins/files.py`, multipart upload)."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from workspace.errors import ApiError, invalid
from workspace.files.tree import FileTree

MAX_AGE_SECONDS = 24 * 3600
_TOKEN = re.compile(r"[0-9a-f]{32}")


class MultipartUploads:
    """Open upload sessions, each a folder of parts beside the tree; they survive a restart and last a day."""

    def __init__(self, tree: FileTree) -> None:
        self._tree = tree

    def initiate(self, api_path: str, *, overwrite: bool) -> str:
        """Open a session; the token names it."""
        self._tree.check_writable(api_path)
        self._tree.path(api_path)
        token = secrets.token_hex(16)
        folder = self._tree.incoming / token
        folder.mkdir()
        (folder / "session.json").write_text(json.dumps({"path": api_path, "overwrite": overwrite}))
        return token

    def part_file(self, api_path: str, token: str, part_number: int) -> Path:
        self._session(api_path, token)
        if part_number < 1:
            raise invalid(f"Invalid part_number {part_number}: parts are numbered from 1")
        return self._tree.incoming / token / f"part-{part_number}"

    def complete(self, api_path: str, token: str, parts: Sequence[dict[str, Any]]) -> None:
        """Join the named parts, in the order of their numbers, into the file."""
        session = self._session(api_path, token)
        numbers = [_number(part) for part in parts]
        if numbers != sorted(set(numbers)) or not numbers:
            raise invalid(f"The parts of an upload must be named once each, in order; got {numbers}")
        with self._tree.replacing(api_path, overwrite=bool(session["overwrite"])) as target:
            for number, part in zip(numbers, parts, strict=True):
                self._append(self.part_file(api_path, token, number), str(part.get("etag", "")), target)
        self.abort(api_path, token)

    def abort(self, api_path: str, token: str) -> None:
        self._session(api_path, token)
        shutil.rmtree(self._tree.incoming / token)

    def discard_expired(self) -> None:
        for folder in self._tree.incoming.iterdir():
            if folder.is_dir() and folder.stat().st_mtime < time.time() - MAX_AGE_SECONDS:
                shutil.rmtree(folder)

    def _session(self, api_path: str, token: str) -> dict[str, Any]:
        record = self._tree.incoming / token / "session.json"
        session: dict[str, Any] = {}
        if _TOKEN.fullmatch(token) and record.is_file():
            session = json.loads(record.read_text())
        if session.get("path") != api_path:
            raise ApiError(404, "NOT_FOUND", f"There is no open upload session of that token for {api_path}")
        return session

    def _append(self, part: Path, etag: str, target: IO[bytes]) -> None:
        if not part.is_file():
            raise invalid(f"{part.name} was not uploaded")
        if etag != part_etag(part):
            raise invalid(f"The etag of {part.name} is not the one that its upload was answered with: {etag!r}")
        with part.open("rb") as source:
            shutil.copyfileobj(source, target, 1 << 20)


def part_etag(part: Path) -> str:
    with part.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _number(part: dict[str, Any]) -> int:
    number = part.get("part_number")
    if not isinstance(number, int) or not 0 < number < 10**6:
        raise invalid(f"Every part of an upload needs its part_number; got {part!r}")
    return number
