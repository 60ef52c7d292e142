"""Rows on their way to tables: first in a durable outbox, then, after the delivery lag, in Delta tables.

A row is in the outbox before the caller has the answer. A thread moves rows to Delta in batches and names the last row
of each batch in the same Delta commit (an application transaction), where the next server finds it: a row arrives once,
whenever the server is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake

from workspace.clock import Clock
from workspace.errors import ApiError
from workspace.settings import Settings
from workspace.unity_catalog.tables import Tables

logger = logging.getLogger("workspace.serving")

# AUTOINCREMENT: a number is never used again, not even after its row was delivered and deleted.
SCHEMA_SQL = """
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    table_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    logged_at REAL NOT NULL,
    body TEXT NOT NULL
)
"""
APPLICATION = "workspace-inference-outbox"
BATCH_ROWS = 5_000
BATCH_BYTES = 64 << 20
TICK_SECONDS = 0.2
STOP_SECONDS = 5.0
Row = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """How rows of one kind of table are written."""

    ensure: Callable[[str], None]
    """Has the table of that name be there; ApiError where that cannot be, which loses its rows as on Databricks."""
    arrow: Callable[[Sequence[Row]], pa.Table]


@dataclass(frozen=True)
class Record:
    """One row for one table: JSON values that its kind makes an Arrow row of."""

    table: str
    kind: str
    body: Row


Written = asyncio.Future[None] | Future[None]
_Item = tuple[Sequence[Record], Written]


class Outbox:
    """The outbox and its two threads: one that writes rows, many to a commit, and one that delivers them."""

    def __init__(self, path: Path, tables: Tables, kinds: Mapping[str, Kind], settings: Settings, clock: Clock) -> None:
        self._path = path
        self._tables = tables
        self._kinds = kinds
        self._settings = settings
        self._clock = clock
        self._incoming: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._stopping.clear()
        with contextlib.closing(self._open()) as db:
            db.execute(SCHEMA_SQL)
            _take_over(db)
        self._threads = [
            threading.Thread(target=self._write, name="outbox-writer", daemon=True),
            threading.Thread(target=self._deliver, name="outbox-delivery", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Write what has come in. What is not delivered yet is delivered by the next server."""
        self._stopping.set()
        self._incoming.put(None)
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    async def add(self, records: Sequence[Record]) -> None:
        """Returns when the rows are on disk."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._incoming.put((records, written))
        await written

    def put(self, records: Sequence[Record]) -> None:
        """`add` for a thread that is not the event loop's."""
        written: Future[None] = Future()
        self._incoming.put((records, written))
        written.result()

    def deliver(self, older_than: float) -> int:
        """Move rows that were logged before `older_than` (epoch seconds) to their tables; how many were moved."""
        moved = 0
        with contextlib.closing(self._open()) as db:
            targets = [tuple(row) for row in db.execute("SELECT DISTINCT table_name, kind FROM record")]
            for name, kind in targets:
                if self._stopping.is_set():
                    break
                moved += self._deliver_table(db, name, self._kinds[kind], older_than)
        return moved

    def _deliver_table(self, db: sqlite3.Connection, name: str, kind: Kind, older_than: float) -> int:
        found = _oldest(db, name, older_than)
        if not found:
            return 0
        try:
            kind.ensure(name)
        except ApiError as error:
            # As on Databricks, where a payload table's catalog or schema that is gone takes its rows with it.
            logger.warning("table %s: %d rows are lost: %s", name, len(found), error.message)
        else:
            self._append(name, kind, found)
        db.execute("DELETE FROM record WHERE table_name = ? AND id <= ?", (name, found[-1]["id"]))
        return len(found)

    def _append(self, name: str, kind: Kind, found: list[sqlite3.Row]) -> None:
        with self._tables.locked(name):
            delta = self._tables.delta(name)
            delivered = delta.transaction_version(APPLICATION) or 0
            new = [row for row in found if row["id"] > delivered]
            if new:
                mark = CommitProperties(app_transactions=[Transaction(APPLICATION, new[-1]["id"])])
                rows = kind.arrow([json.loads(row["body"]) for row in new])
                write_deltalake(delta, rows, mode="append", commit_properties=mark)

    def _deliver(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            try:
                while self.deliver(self._clock.now() - self._settings.get("inference_table_delivery_lag_seconds")):
                    pass
            except Exception:
                # The rows are still in the outbox: the next round tries again.
                logger.exception("delivery to inference tables failed")

    def _write(self) -> None:
        with contextlib.closing(self._open()) as db:
            for batch in self._batches():
                now = self._clock.now()
                error: Exception | None = None
                try:
                    _insert(db, [_row(record, now) for records, _ in batch for record in records])
                except (sqlite3.Error, ValueError, TypeError) as failure:
                    logger.exception("the outbox cannot be written")
                    error = failure
                _settle([written for _, written in batch], error)

    def _batches(self) -> Iterator[list[_Item]]:
        """Whatever has come in since the last commit, so that one disk write serves many answers."""
        while (first := self._incoming.get()) is not None:
            batch = [first]
            while not self._incoming.empty():
                item = self._incoming.get()
                if item is None:
                    # The sign to stop: this batch first, then the sign again.
                    self._incoming.put(None)
                    break
                batch.append(item)
            yield batch

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        return db


def _oldest(db: sqlite3.Connection, name: str, older_than: float) -> list[sqlite3.Row]:
    """The first rows of a table without a gap: what is delivered is told by the number of its last row."""
    found: list[sqlite3.Row] = []
    size = 0
    for row in db.execute("SELECT * FROM record WHERE table_name = ? ORDER BY id LIMIT ?", (name, BATCH_ROWS)):
        if row["logged_at"] > older_than or size > BATCH_BYTES:
            break
        found.append(row)
        size += len(row["body"])
    return found


def _row(record: Record, now: float) -> tuple[str, str, float, str]:
    return record.table, record.kind, now, json.dumps(record.body)


def _settle(futures: Sequence[Written], error: Exception | None) -> None:
    def settle(which: Sequence[Written]) -> None:
        for future in which:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    settle([future for future in futures if isinstance(future, Future)])
    waiting = [future for future in futures if isinstance(future, asyncio.Future)]
    if waiting:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            waiting[0].get_loop().call_soon_threadsafe(settle, waiting)


def _insert(db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany("INSERT INTO record (table_name, kind, logged_at, body) VALUES (?, ?, ?, ?)", rows)
    except BaseException:
        db.rollback()
        raise
    db.commit()


def _take_over(db: sqlite3.Connection) -> None:
    """Rows that an older server left, whose outbox knew payload tables only, with the numbers they have."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'exchange'").fetchone() is None:
        return
    db.execute("BEGIN IMMEDIATE")
    for row in db.execute("SELECT * FROM exchange ORDER BY id").fetchall():
        body = {name: row[name] for name in row.keys() if name not in ("id", "table_name", "logged_at")}  # noqa: SIM118
        body["logging_error_codes"] = [code for code in body["logging_error_codes"].split(",") if code]
        db.execute(
            "INSERT INTO record VALUES (?, ?, 'payload', ?, ?)",
            (row["id"], row["table_name"], row["logged_at"], json.dumps(body)),
        )
    # Numbers go on where they were: tables remember the last one they have.
    (last,) = db.execute("SELECT max(seq) FROM sqlite_sequence WHERE name IN ('exchange', 'record')").fetchone()
    db.execute("DELETE FROM sqlite_sequence WHERE name = 'record'")
    db.execute("INSERT INTO sqlite_sequence VALUES ('record', ?)", (last or 0,))
    db.execute("DROP TABLE exchange")
    db.commit()
