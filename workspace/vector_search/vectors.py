"""The rows of one index with their vectors: durable in SQLite, searched exactly in memory."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workspace.vector_search.filters import Predicate

Row = dict[str, Any]
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Entry:
    """One row of an index."""

    key: Any
    """The value of its primary key."""
    row: Row
    vector: Sequence[float] | None
    """None where the source has no vector: such a row is kept, and never found."""


@dataclass(frozen=True)
class Hit:
    row: Row
    score: float


class Vectors:
    """One index on disk. Every write is one transaction, so that a kill leaves the state before or after it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.RLock()
        self._loaded: tuple[list[Row], Vector] | None = None
        with self._lock, closing(self._connect()) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, row TEXT NOT NULL, vector BLOB)")
            db.execute("CREATE TABLE IF NOT EXISTS synced (one INTEGER PRIMARY KEY, version INTEGER, table_id TEXT)")

    def change(
        self,
        upserts: Iterable[Entry] = (),
        deletes: Iterable[Any] = (),
        *,
        clear: bool = False,
        synced: tuple[int, str] | None = None,
    ) -> int:
        """Delete, then write; `synced` is the version of the source table that this reaches, and the table's id.

        Returns how many of `deletes` were there.
        """
        with self._lock, closing(self._connect()) as db, db:
            if clear:
                db.execute("DELETE FROM entry")
            deleted = sum(db.execute("DELETE FROM entry WHERE key = ?", (_text(key),)).rowcount for key in deletes)
            db.executemany(
                "INSERT INTO entry VALUES (?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET row = excluded.row, vector = excluded.vector",
                [(_text(one.key), json.dumps(one.row), _blob(one.vector)) for one in upserts],
            )
            if synced is not None:
                db.execute("INSERT OR REPLACE INTO synced VALUES (1, ?, ?)", synced)
            self._loaded = None
            return deleted

    def synced(self) -> tuple[int, str] | None:
        """The version of the source that the rows are of, and the id of that table; None before the first sync."""
        with self._lock, closing(self._connect()) as db:
            row = db.execute("SELECT version, table_id FROM synced").fetchone()
        return (int(row[0]), str(row[1])) if row else None

    def count(self) -> int:
        with self._lock, closing(self._connect()) as db:
            return int(db.execute("SELECT count(*) FROM entry").fetchone()[0])

    def page(self, after: Any, size: int) -> list[Entry]:
        """Rows with their vectors in the order of their keys, after one of them (None for the first)."""
        with self._lock, closing(self._connect()) as db:
            rows = db.execute(
                "SELECT key, row, vector FROM entry WHERE key > ? ORDER BY key LIMIT ?",
                ("" if after is None else _text(after), size),
            ).fetchall()
        return [Entry(_key(key), json.loads(row), _floats(blob)) for key, row, blob in rows]

    def nearest(self, query: Sequence[float], most: int, matches: Predicate, threshold: float) -> list[Hit]:
        """The rows nearest to `query`, nearest first, by the score 1 / (1 + d²) of their Euclidean distance d."""
        rows, matrix = self._load()
        if not rows:
            return []
        distances = ((matrix - np.asarray(query, dtype=np.float32)) ** 2).sum(axis=1, dtype=np.float64)
        scores = 1.0 / (1.0 + distances)
        hits: list[Hit] = []
        for position in np.argsort(-scores, kind="stable"):
            score = float(scores[position])
            if score < threshold or len(hits) == most:
                break
            if matches(rows[position]):
                hits.append(Hit(rows[position], score))
        return hits

    def remove(self) -> None:
        """Delete the files of the index."""
        with self._lock:
            self._loaded = None
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _load(self) -> tuple[list[Row], Vector]:
        with self._lock:
            if self._loaded is None:
                with closing(self._connect()) as db:
                    found = db.execute("SELECT row, vector FROM entry WHERE vector IS NOT NULL ORDER BY key").fetchall()
                vectors = [np.frombuffer(blob, dtype=np.float32) for _, blob in found]
                matrix = np.stack(vectors) if vectors else np.empty((0, 0), dtype=np.float32)
                self._loaded = ([json.loads(row) for row, _ in found], matrix)
            return self._loaded

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=30)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        return db


def _text(key: Any) -> str:
    """A key as text that sorts as the key does, as long as keys are of one type and no number is negative."""
    return f"{key:020d}" if isinstance(key, int) and not isinstance(key, bool) and key >= 0 else json.dumps(key)


def _key(text: str) -> Any:
    return int(text) if text.isdecimal() else json.loads(text)


def _blob(vector: Sequence[float] | None) -> bytes | None:
    return None if vector is None else np.asarray(vector, dtype=np.float32).tobytes()


def _floats(blob: bytes | None) -> list[float] | None:
    return None if blob is None else [float(value) for value in np.frombuffer(blob, dtype=np.float32)]
