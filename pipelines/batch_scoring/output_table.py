"""The table of predictions: made once, given new columns when the input has some, never emptied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.errors import PipelineError
from pipelines.sql import SqlRunner

DAY: Final = "inference_date"
RUN: Final = "run_id"
TRACKING: Final[Mapping[str, str]] = {
    "model_name": "string",
    "model_version": "int",
    "model_alias": "string",
    "inference_timestamp": "timestamp",
    RUN: "string",
    DAY: "date",
}
"""What every row says of where it comes from, with Databricks SQL types; times are UTC."""


def ensure(workspace: WorkspaceClient, warehouse: SqlRunner, table: str, columns: Mapping[str, str]) -> list[str]:
    """Have `table` with `columns` (name to type), and return those that were added to one that was there.

    A new table is partitioned by day, with its change data feed on. Columns that the table has and `columns` lacks
    stay, and get nulls. Raises PipelineError where a column has another type: rows would be refused or changed.
    """
    try:
        info = workspace.tables.get(table)
    except NotFound:
        declared = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
        warehouse.run(
            f"CREATE TABLE IF NOT EXISTS {quoted(table)} ({declared}) PARTITIONED BY ({DAY}) "
            "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
        )
        return []
    there = {(column.name or "").lower(): (column.type_text or "").lower() for column in info.columns or []}
    differing = [
        f"{name} is {there[name.lower()]} there and {kind} here"
        for name, kind in columns.items()
        if there.get(name.lower(), kind) != kind
    ]
    if differing:
        raise PipelineError(
            f"Predictions do not fit into {table}: {'; '.join(differing)}. Cast the input's columns, or write "
            "to another table."
        )
    added = [name for name in columns if name.lower() not in there]
    if added:
        declared = ", ".join(f"`{name}` {columns[name]}" for name in added)
        warehouse.run(f"ALTER TABLE {quoted(table)} ADD COLUMNS ({declared})")
    return added


def quoted(table: str) -> str:
    """A table's name as statements take it, whatever is in it."""
    return ".".join(f"`{part}`" for part in table.split("."))
