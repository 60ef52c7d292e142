"""The pipeline's SQL files run for real, on DuckDB, from the same text that a Databricks warehouse gets."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

import duckdb
import sqlglot

from pipelines.sql import Result, Value
from pipelines.taxi.features import FEATURE_TABLES, create_feature_table
from pipelines.taxi.ingest import create_trips, replace_trips
from pipelines.taxi.trips import Trip


class Duck:
    """A `SqlRunner` on an in-memory DuckDB."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(config={"threads": 1})
        # Feature keys must not depend on the session's time zone: a session far from UTC would show it.
        self._connection.execute("SET TimeZone = 'Asia/Kathmandu'")
        self._connection.execute("CREATE MACRO timestamp_micros(micros) AS make_timestamptz(micros)")

    def run(self, statement: str, parameters: Mapping[str, str] | None = None) -> Result:
        if "SET TBLPROPERTIES" in statement:
            return Result(columns=[], rows=[])
        translated = _translated(statement)
        cursor = self._connection.execute(translated, dict(parameters or {}))
        rows = [[_utc(value) for value in row] for row in cursor.fetchall()]
        return Result(columns=[column[0] for column in cursor.description or []], rows=rows)

    def table(self, name: str, keys: Sequence[str]) -> dict[tuple[Value, ...], dict[str, Value]]:
        """All rows of a table by their key."""
        result = self.run(f"SELECT * FROM {name}")
        rows = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
        return {tuple(row[key] for key in keys): row for row in rows}


def with_trips(trips: Sequence[Trip]) -> Duck:
    """A database with `trips` loaded and empty feature tables."""
    duck = Duck()
    create_trips(duck)
    replace_trips(duck, trips)
    for table in FEATURE_TABLES:
        create_feature_table(duck, table)
    return duck


@cache
def _translated(statement: str) -> str:
    # Comments and table properties mean nothing to DuckDB.
    (text,) = sqlglot.transpile(
        statement, read="databricks", write="duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE
    )
    return str(text)


def _utc(value: Value) -> Value:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
