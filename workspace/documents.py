"""Durable JSON documents by kind and key, on SQLite: the home of everything that no library stores for us.

A write is on disk before the call returns (WAL with synchronous=FULL), so a SIGKILL loses nothing acknowledged.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]
_LAST_CHARACTER = "\U0010ffff"

CREATE_TABLE = (
    "CREATE TABLE IF NOT EXISTS document ("
    "kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"
)


class Documents:
    """One table `(kind, key) -> JSON`; safe for use from many threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._write_lock = threading.RLock()
        with self._transaction() as db:
            db.execute(CREATE_TABLE)

    def get(self, kind: str, key: str) -> Document | None:
        row = self._connection().execute("SELECT body FROM document WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, key: str, body: Document) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT INTO document VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
                (kind, key, json.dumps(body)),
            )

    def insert(self, kind: str, key: str, body: Document) -> bool:
        """Store a new document; False, and nothing stored, where the key is taken."""
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT INTO document VALUES (?, ?, ?) ON CONFLICT (kind, key) DO NOTHING",
                (kind, key, json.dumps(body)),
            )
            return cursor.rowcount == 1

    def update(self, kind: str, key: str, change: Callable[[Document], None]) -> Document | None:
        """Apply `change` to the stored document in place, atomically; None where there is no such document."""
        with self._transaction():
            body = self.get(kind, key)
            if body is None:
                return None
            change(body)
            self.put(kind, key, body)
            return body

    def delete(self, kind: str, key: str) -> bool:
        with self._transaction() as db:
            return db.execute("DELETE FROM document WHERE kind = ? AND key = ?", (kind, key)).rowcount == 1

    def list(self, kind: str, prefix: str = "") -> list[tuple[str, Document]]:
        # A range, which the primary key answers without a look at the other keys.
        rows = self._connection().execute(
            "SELECT key, body FROM document WHERE kind = ? AND key >= ? AND key < ? ORDER BY key",
            (kind, prefix, prefix + _LAST_CHARACTER),
        )
        return [(key, json.loads(body)) for key, body in rows]

    def next_number(self, sequence: str) -> int:
        """The next number of a named sequence, starting at 1; never handed out twice, also not after a restart."""
        with self._transaction():
            current = self.get("_sequence", sequence) or {"value": 0}
            current["value"] += 1
            self.put("_sequence", sequence, current)
            return int(current["value"])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of this thread inside it take effect together, or none of them does; it may be nested.

        Other writers wait meanwhile. Whoever takes another lock inside must take it in that order everywhere.
        """
        with self._transaction():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Serialise writers; nested use joins the outer transaction."""
        with self._write_lock:
            db = self._connection()
            if db.in_transaction:
                yield db
                return
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()

    def _connection(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self._path, isolation_level=None, timeout=30)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            self._local.db = db
        return db
