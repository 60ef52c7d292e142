"""The keyed store of one online table: a SQLite file that a model process reads while a sync writes it (`writer.py`).

A row is kept whole, as typed JSON: Python writes a double with the digits that read back to the same bits, and
SQLite's own columns would lose NaN and the sign of zero.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from workspace.feature_store.keys import EPOCH, EPOCH_DAY, TIMESTAMPS, encode_key, micros

Row = dict[str, Any]

# A table without a timeseries column has one row a key; this is the time of that row.
NO_TIME = 0
END_OF_TIME = 2**63 - 1


class OnlineTableGoneError(LookupError):
    """The online table was deleted, or never filled."""


@dataclass(frozen=True)
class Position:
    """What the last sync that succeeded brought to a keyed store, and when.

    Times are milliseconds since the epoch, None where a server from before they were kept has synced.
    """

    version: int
    """Version of the source table."""
    table_id: str
    """Identity of the source table."""
    commit_ms: int | None
    """When that version was committed."""
    started_ms: int | None
    ended_ms: int | None


@dataclass(frozen=True)
class Layout:
    """What a keyed store holds: every column with its type, which of them are the key, which one is the time."""

    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    timeseries: str | None = None

    @property
    def key_columns(self) -> tuple[tuple[str, str], ...]:
        types = dict(self.columns)
        return tuple((name, types[name]) for name in self.key)

    @classmethod
    def read(cls, text: str) -> Layout:
        """The layout that a keyed store's `layout` entry describes."""
        fields = json.loads(text)
        columns = tuple((name, type_text) for name, type_text in fields["columns"])
        return cls(columns, tuple(fields["key"]), fields["timeseries"])

    def time_of(self, row: Mapping[str, Any]) -> int:
        return micros(row[self.timeseries]) if self.timeseries else NO_TIME


class KeyedReader:
    """Point lookups, from many threads and many processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    def lookup(self, keys: Mapping[str, object], columns: Sequence[str], timestamp: object = None) -> Row:
        """The named columns of the newest row under `keys`, with the offline row's values; all None if there is none.

        `timestamp` (a datetime, ISO text or epoch milliseconds) asks for the newest row not after it.
        Raises OnlineTableGoneError, KeyTypeError, KeyError for a missing key value, ValueError for an unknown column.
        """
        db = self._connection()
        layout: Layout = self._local.layout
        key = encode_key(keys, layout.key_columns)
        latest = END_OF_TIME if timestamp is None else micros(timestamp)
        found = db.execute(
            "SELECT body FROM online_row WHERE key = ? AND time <= ? ORDER BY time DESC LIMIT 1", (key, latest)
        ).fetchone()
        decoders: dict[str, Callable[[Any], Any]] = self._local.decoders
        unknown = [name for name in columns if name not in decoders]
        if unknown:
            raise ValueError(f"online table has no columns {unknown}; it has {sorted(decoders)}")
        if found is None:
            return dict.fromkeys(columns)
        body = json.loads(found[0])
        return {name: None if (value := body.get(name)) is None else decoders[name](value) for name in columns}

    def layout(self) -> Layout:
        self._connection()
        layout: Layout = self._local.layout
        return layout

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection; opened anew if the file was replaced, its columns read anew if they changed."""
        try:
            inode = os.stat(self._path).st_ino
        except FileNotFoundError as error:
            raise OnlineTableGoneError(f"online table file {self._path.name} does not exist") from error
        local = self._local
        if getattr(local, "inode", None) != inode:
            # Not opened read-only: a WAL database's readers share its -shm file, which they must be able to make.
            local.db = sqlite3.connect(self._path, isolation_level=None, timeout=30)
            local.db.execute("PRAGMA query_only = 1")
            local.inode, local.layout_text = inode, None
        db: sqlite3.Connection = local.db
        stored = db.execute("SELECT value FROM meta WHERE name = 'layout'").fetchone()
        if stored is None:
            raise OnlineTableGoneError(f"online table file {self._path.name} was never filled")
        if stored[0] != local.layout_text:
            local.layout = Layout.read(stored[0])
            local.decoders = {name: _decoder(type_text) for name, type_text in local.layout.columns}
            local.layout_text = stored[0]
        return db


def position(path: Path) -> Position | None:
    """How far the store at `path` is; None before its first sync."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        found = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]
        return position_of(dict(db.execute("SELECT name, value FROM meta"))) if found else None


def position_of(meta: Mapping[str, str]) -> Position | None:
    """The position that a keyed store's entries describe."""
    if "version" not in meta:
        return None
    times = (int(meta[name]) if name in meta else None for name in ("commit_ms", "started_ms", "ended_ms"))
    return Position(int(meta["version"]), meta["table_id"], *times)


def delete_store(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _decoder(type_text: str) -> Callable[[Any], Any]:
    if type_text == "timestamp":
        return lambda value: EPOCH + timedelta(microseconds=value)
    if type_text in TIMESTAMPS:
        return lambda value: (EPOCH + timedelta(microseconds=value)).replace(tzinfo=None)
    if type_text == "date":
        return lambda value: EPOCH_DAY + timedelta(days=value)
    if type_text.startswith("decimal"):
        return Decimal
    if type_text == "binary":
        return base64.b64decode
    return lambda value: value
