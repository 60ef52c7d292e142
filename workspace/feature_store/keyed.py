"""The keyed store of one online table: a SQLite file that a model process reads while a sync writes it.

A row is kept whole, as typed JSON: Python writes a double with the digits that read back to the same bits, and
SQLite's own columns would lose NaN and the sign of zero. Writers replace rows inside one transaction, so a reader sees
the table before a sync or after it, never between.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
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
class Layout:
    """What a keyed store holds: every column with its type, which of them are the key, which one is the time."""

    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    timeseries: str | None = None

    @property
    def key_columns(self) -> tuple[tuple[str, str], ...]:
        types = dict(self.columns)
        return tuple((name, types[name]) for name in self.key)

    def time_of(self, row: Mapping[str, Any]) -> int:
        return micros(row[self.timeseries]) if self.timeseries else NO_TIME


class KeyedWriter:
    """The one writer of a keyed store."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS online_row ("
            "key TEXT NOT NULL, time INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (key, time)) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.rollback()
            raise
        self._db.commit()

    def clear(self) -> None:
        self._db.execute("DELETE FROM online_row")

    def insert(self, layout: Layout, rows: Iterable[Row]) -> int:
        """Add rows; sqlite3.IntegrityError where two of them have the same key and time. Null keys are left out."""
        return self._db.executemany("INSERT INTO online_row VALUES (?, ?, ?)", _encoded(layout, rows)).rowcount

    def upsert(self, layout: Layout, rows: Iterable[Row]) -> None:
        self._db.executemany(
            "INSERT INTO online_row VALUES (?, ?, ?) ON CONFLICT (key, time) DO UPDATE SET body = excluded.body",
            _encoded(layout, rows),
        )

    def delete(self, layout: Layout, rows: Iterable[Row]) -> None:
        keys = [(key, time) for key, time, _ in _encoded(layout, rows)]
        self._db.executemany("DELETE FROM online_row WHERE key = ? AND time = ?", keys)

    def set_synced(self, layout: Layout, version: int, table_id: str) -> None:
        """Note what the rows of this transaction are: the source table's identity, its version, its columns."""
        meta = {"layout": json.dumps(asdict(layout)), "version": str(version), "table_id": table_id}
        self._db.executemany(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", meta.items()
        )

    def synced(self) -> tuple[int, str] | None:
        """Version and identity of the source table at the last sync; None before the first."""
        meta = dict(self._db.execute("SELECT name, value FROM meta"))
        return (int(meta["version"]), meta["table_id"]) if "version" in meta else None

    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM online_row").fetchone()[0])


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
            fields = json.loads(stored[0])
            columns = tuple((name, type_text) for name, type_text in fields["columns"])
            local.layout = Layout(columns, tuple(fields["key"]), fields["timeseries"])
            local.decoders = {name: _decoder(type_text) for name, type_text in columns}
            local.layout_text = stored[0]
        return db


def delete_store(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _encoded(layout: Layout, rows: Iterable[Row]) -> Iterator[tuple[str, int, str]]:
    for row in rows:
        key = encode_key(row, layout.key_columns)
        if key is None or (layout.timeseries and row[layout.timeseries] is None):
            continue
        body = {name: _encode(row.get(name)) for name, _ in layout.columns}
        yield key, layout.time_of(row), json.dumps(body, separators=(",", ":"))


def _encode(value: Any) -> Any:
    """A value of an Arrow table's `to_pylist` as JSON; `_decoder` of its column's type reads it back."""
    if isinstance(value, datetime):
        return micros(value)
    if isinstance(value, date):
        return (value - EPOCH_DAY).days
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return value


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
