"""AI Gateway inference tables: the row of a request and its answer, and the payload table it goes to.

Columns: https://docs.databricks.com/aws/en/ai-gateway/inference-tables (AI Gateway-enabled inference table schema).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from workspace.errors import invalid
from workspace.serving.outbox import Kind, Record, Row
from workspace.unity_catalog.tables import Column, Tables

PAYLOAD = "payload"
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
# Longer requests and responses are not logged; the row says so (docs, "Limitations").
MAX_LOGGED_BYTES = 1 << 20


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

    def record(self) -> Record:
        return Record(self.table, PAYLOAD, self._row())

    def _row(self) -> Row:
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

    def kind(self) -> Kind:
        return Kind(self.ensure, _arrow)


def _arrow(rows: Sequence[Row]) -> pa.Table:
    shaped = []
    for row in rows:
        at = datetime.fromtimestamp(row["request_time"], UTC)
        shaped.append({**row, "request_time": at, "request_date": at.date()})
    return pa.Table.from_pylist(shaped, schema=SCHEMA)
