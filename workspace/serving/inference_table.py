"""AI Gateway inference tables: what was asked and answered, first in a durable outbox, then in the payload table.

A row is in the outbox before the caller has the answer. A thread moves rows to Delta in batches and names the last row
of each batch in the same Delta commit (an application transaction), where the next server finds it.
Columns: https://docs.databricks.com/aws/en/ai-gateway/inference-tables (AI Gateway-enabled inference table schema).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake

from workspace.errors import ApiError, invalid
from workspace.settings import Settings
from workspace.unity_catalog.tables import Column, Tables

logger = logging.getLogger("workspace.serving")

# Name, Databricks type, Arrow type.
COLUMNS: tuple[tuple[str, str, Any], ...] = (
    ("databricks_request_id", "string", pa.string()),
    ("request_date", "date", pa.date32()),
    ("client_request_id", "string", pa.string()),
    ("request_time", "timestamp", pa.timestamp("us", "UTC")),
    ("status_code", "int", pa.int32()),
    ("sampling_fraction", "double", pa.float64()),
    ("execution_duration_ms", "bigint", pa.int64()),
    ("request", "string", pa.string()),
    ("response", "string", pa.string()),
    ("served_entity_id", "string", pa.string()),
    ("logging_error_codes", "array<string>", pa.list_(pa.string())),
    ("requester", "string", pa.string()),
)
SCHEMA = pa.schema([(name, arrow) for name, _, arrow in COLUMNS])
# AUTOINCREMENT: a number is never used again, not even after its row was delivered and deleted.
SCHEMA_SQL = """
CREATE TABLE IF NOT EXISTS exchange (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    table_name TEXT NOT NULL,
    logged_at REAL NOT NULL,
    databricks_request_id TEXT NOT NULL,
    client_request_id TEXT,
    request_time REAL NOT NULL,
    status_code INTEGER NOT NULL,
    sampling_fraction REAL NOT NULL,
    execution_duration_ms INTEGER NOT NULL,
    request TEXT,
    response TEXT,
    served_entity_id TEXT NOT NULL,
    logging_error_codes TEXT NOT NULL,
    requester TEXT NOT NULL
)
"""
# Longer requests and responses are not logged; the row says so (docs, "Limitations").
MAX_LOGGED_BYTES = 1 << 20
APPLICATION = "workspace-inference-outbox"
BATCH_ROWS = 5_000
BATCH_BYTES = 64 << 20
TICK_SECONDS = 0.2


@dataclass(frozen=True)
class Exchange:
    """One request and its answer."""

    table: str
    request_id: str
    client_request_id: str | None
    started: float
    status: int
    milliseconds: float
    request: bytes
    response: bytes
    entity_id: str
    requester: str

    def row(self) -> dict[str, Any]:
        errors = []
        if len(self.request) > MAX_LOGGED_BYTES:
            errors.append("MAX_REQUEST_SIZE_EXCEEDED")
        if len(self.response) > MAX_LOGGED_BYTES:
            errors.append("MAX_RESPONSE_SIZE_EXCEEDED")
        logged = not errors
        return {
            "databricks_request_id": self.request_id,
            "client_request_id": self.client_request_id,
            "request_time": self.started,
            "status_code": self.status,
            "sampling_fraction": 1.0,
            "execution_duration_ms": round(self.milliseconds),
            "request": self.request.decode(errors="replace") if logged else None,
            "response": self.response.decode(errors="replace") if logged else None,
            "served_entity_id": self.entity_id,
            "logging_error_codes": errors,
            "requester": self.requester,
        }


class PayloadTables:
    """Creates payload tables, and knows one when it sees it."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def ensure(self, full_name: str) -> None:
        """The payload table of that name. 400 if another kind of table has the name, 404 if its schema is missing."""
        existing = self._tables.find(full_name)
        if existing is None:
            columns = [Column(name, type_text, True, None) for name, type_text, _ in COLUMNS]
            self._tables.create(full_name, columns, comment="AI Gateway inference table")
            return
        if [column.name for column in existing.columns] != [name for name, _, _ in COLUMNS]:
            raise invalid(
                f"Table '{full_name}' already exists and is no inference table; choose another table_name_prefix."
            )


class Outbox:
    """The outbox and its two threads: one that writes rows, many to a commit, and one that delivers them."""

    def __init__(self, path: Path, tables: Tables, settings: Settings) -> None:
        self._path = path
        self._tables = tables
        self._payload_tables = PayloadTables(tables)
        self._settings = settings
        self._incoming: queue.SimpleQueue[tuple[Exchange, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._stopping.clear()
        with contextlib.closing(self._open()) as db:
            db.execute(SCHEMA_SQL)
        self._threads = [
            threading.Thread(target=self._write, name="outbox-writer", daemon=True),
            threading.Thread(target=self._deliver, name="outbox-delivery", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._incoming.put(None)
        for thread in self._threads:
            thread.join()

    async def add(self, exchange: Exchange) -> None:
        """Returns when the row is on disk."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._incoming.put((exchange, written))
        await written

    def deliver(self, older_than: float) -> int:
        """Move rows that were logged before `older_than` (epoch seconds) to their tables; how many were moved."""
        moved = 0
        with contextlib.closing(self._open()) as db:
            names = [row["table_name"] for row in db.execute("SELECT DISTINCT table_name FROM exchange")]
            for name in names:
                moved += self._deliver_table(db, name, older_than)
        return moved

    def _deliver_table(self, db: sqlite3.Connection, name: str, older_than: float) -> int:
        found = _oldest(db, name, older_than)
        if not found:
            return 0
        try:
            self._payload_tables.ensure(name)
        except ApiError as error:
            # As on Databricks, where a payload table's catalog or schema that is gone takes its rows with it.
            logger.warning("inference table %s: %d rows are lost: %s", name, len(found), error.message)
        else:
            self._append(name, found)
        db.execute("DELETE FROM exchange WHERE table_name = ? AND id <= ?", (name, found[-1]["id"]))
        return len(found)

    def _append(self, name: str, found: list[sqlite3.Row]) -> None:
        with self._tables.locked(name):
            delta = self._tables.delta(name)
            delivered = delta.transaction_version(APPLICATION) or 0
            new = [row for row in found if row["id"] > delivered]
            if new:
                mark = CommitProperties(app_transactions=[Transaction(APPLICATION, new[-1]["id"])])
                write_deltalake(delta, _arrow(new), mode="append", commit_properties=mark)

    def _deliver(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            try:
                while self.deliver(time.time() - self._settings.get("inference_table_delivery_lag_seconds")):
                    pass
            except Exception:
                # The rows are still in the outbox: the next round tries again.
                logger.exception("delivery to inference tables failed")

    def _write(self) -> None:
        with contextlib.closing(self._open()) as db:
            for batch in self._batches():
                rows = [{"table_name": exchange.table, **exchange.row()} for exchange, _ in batch]
                for row in rows:
                    row["logging_error_codes"] = ",".join(row["logging_error_codes"])
                    row["logged_at"] = time.time()
                error: Exception | None = None
                try:
                    _insert(db, rows)
                except sqlite3.Error as failure:
                    logger.exception("the outbox cannot be written")
                    error = failure
                _settle([written for _, written in batch], error)

    def _batches(self) -> Iterator[list[tuple[Exchange, asyncio.Future[None]]]]:
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
    for row in db.execute("SELECT * FROM exchange WHERE table_name = ? ORDER BY id LIMIT ?", (name, BATCH_ROWS)):
        if row["logged_at"] > older_than or size > BATCH_BYTES:
            break
        found.append(row)
        size += len(row["request"] or "") + len(row["response"] or "")
    return found


def _insert(db: sqlite3.Connection, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    statement = f"INSERT INTO exchange ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"  # noqa: S608 - names of our own columns
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(statement, rows)
    except BaseException:
        db.rollback()
        raise
    db.commit()


def _settle(futures: list[asyncio.Future[None]], error: Exception | None) -> None:
    def settle() -> None:
        for future in futures:
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)

    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        futures[0].get_loop().call_soon_threadsafe(settle)


def _arrow(rows: list[sqlite3.Row]) -> pa.Table:
    shaped = []
    for row in rows:
        values = {name: row[name] for name, _, _ in COLUMNS if name != "request_date"}
        values["request_time"] = datetime.fromtimestamp(row["request_time"], UTC)
        values["request_date"] = values["request_time"].date()
        values["logging_error_codes"] = [code for code in row["logging_error_codes"].split(",") if code]
        shaped.append(values)
    return pa.Table.from_pylist(shaped, schema=SCHEMA)
