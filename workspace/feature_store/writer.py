"""The one writer of a keyed store: rows change inside one transaction, so a reader sees the table before a sync or
after it, never between, and a sync that is killed leaves what the sync before had written.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from workspace.feature_store.keyed import Layout, Position, Row, position_of
from workspace.feature_store.keys import EPOCH_DAY, encode_key, micros

_Slot = tuple[str, int]
"""Where a row is kept: its key and its time."""


class DuplicateKeyError(Exception):
    """Two rows have the same primary key; `key` as the store encodes it."""

    def __init__(self, key: str) -> None:
        super().__init__(f"two rows with primary key {key}")
        self.key = key


class UnstorableValueError(ValueError):
    """A value that Postgres, which an online store is on Databricks, does not take."""


class KeyedWriter:
    """Writes the keyed store at `path`, which is made when it is missing."""

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

    def replace(self, layout: Layout, rows: Iterable[Row]) -> int:
        """Put `rows` in the place of all rows; how many were kept. Rows with a null in the key are left out.

        Raises DuplicateKeyError, UnstorableValueError.
        """
        self._db.execute("DELETE FROM online_row")
        count = 0
        for key, time, body in _encoded(layout, rows):
            try:
                self._db.execute("INSERT INTO online_row VALUES (?, ?, ?)", (key, time, body))
            except sqlite3.IntegrityError as error:
                raise DuplicateKeyError(key) from error
            count += 1
        return count

    def apply(self, layout: Layout, changes: Iterable[tuple[bool, Row]]) -> None:
        """Apply row changes in their order: (True, row) adds a row, (False, row) removes one that looks like it.

        What counts is what is left in the end: a key that had two rows for a while is no violation.
        Raises DuplicateKeyError where a key has two rows in the end, UnstorableValueError.
        """
        slots: defaultdict[_Slot, list[str]] = defaultdict(list)
        seen: set[_Slot] = set()
        for is_added, row in changes:
            for key, time, body in _encoded(layout, [row]):
                slot = (key, time)
                if slot not in seen:
                    seen.add(slot)
                    slots[slot] = self._bodies(layout, slot)
                if is_added:
                    slots[slot].append(body)
                elif body in slots[slot]:
                    slots[slot].remove(body)
                elif slots[slot]:
                    # The feed shows the row as it was stored; where it does not, the key is what it is about.
                    slots[slot].pop(0)
        for (key, time), bodies in slots.items():
            if len(bodies) > 1:
                raise DuplicateKeyError(key)
            self._db.execute("DELETE FROM online_row WHERE key = ? AND time = ?", (key, time))
            self._db.executemany("INSERT INTO online_row VALUES (?, ?, ?)", [(key, time, body) for body in bodies])

    def set_synced(self, layout: Layout, position: Position) -> None:
        """Note what the rows of this transaction are: where they come from, and their columns."""
        meta = {"layout": json.dumps(asdict(layout)), **{name: str(value) for name, value in asdict(position).items()}}
        self._db.executemany(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", meta.items()
        )

    def synced(self) -> tuple[Layout, Position] | None:
        """Columns and position of the last sync; None before the first."""
        meta = dict(self._db.execute("SELECT name, value FROM meta"))
        position = position_of(meta)
        return (Layout.read(meta["layout"]), position) if position is not None else None

    def _bodies(self, layout: Layout, slot: _Slot) -> list[str]:
        """The stored row, in the form that rows of `layout` have: columns that came later are null in it."""
        found = self._db.execute("SELECT body FROM online_row WHERE key = ? AND time = ?", slot).fetchone()
        if found is None:
            return []
        body = json.loads(found[0])
        return [_dumped({name: body.get(name) for name, _ in layout.columns})]


def _encoded(layout: Layout, rows: Iterable[Row]) -> Iterator[tuple[str, int, str]]:
    for row in rows:
        key = encode_key(row, layout.key_columns)
        if key is None or (layout.timeseries and row[layout.timeseries] is None):
            continue
        body = {name: _encode(row.get(name)) for name, _ in layout.columns}
        yield key, layout.time_of(row), _dumped(body)


def _dumped(body: Row) -> str:
    return json.dumps(body, separators=(",", ":"))


def _encode(value: Any) -> Any:
    """A value of an Arrow table's `to_pylist` as JSON; `keyed._decoder` of its column's type reads it back."""
    if isinstance(value, str):
        if "\0" in value:
            raise UnstorableValueError(f"a text with a null byte, {value!r}, cannot be stored in Postgres")
        return value
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
