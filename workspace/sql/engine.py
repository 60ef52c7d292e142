"""DuckDB as the engine of queries: one database in memory with the macros, a cursor a statement with its tables."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from workspace.sql.datatypes import ResultColumn, arrow_type, type_text
from workspace.sql.errors import SqlError, from_duckdb
from workspace.sql.macros import MACROS

# A statement sees the tables it names and nothing else of this machine.
_SETTINGS = (
    "SET TimeZone = 'UTC'",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET autoinstall_known_extensions = false",
    "SET lock_configuration = true",
)


@dataclass(frozen=True)
class Result:
    """What a query answers."""

    columns: list[ResultColumn]
    rows: pa.Table
    """In the Arrow types of `columns`; intervals and untyped NULLs as DuckDB gives them."""


class CancelledError(SqlError):
    """The statement was cancelled while it ran."""

    def __init__(self) -> None:
        super().__init__("CANCELED", "The statement was cancelled.")


class Engine:
    """Opens cursors. The database is made when the first one is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database: duckdb.DuckDBPyConnection | None = None

    def cursor(self) -> Cursor:
        with self._lock:
            if self._database is None:
                self._database = duckdb.connect()
                for statement in (*MACROS, *_SETTINGS):
                    self._database.execute(statement)
            return Cursor(self._database.cursor())

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None


class Cursor:
    """The tables and queries of one statement. Used by one thread; `interrupt` may come from another."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._count = 0
        self._interrupted = False

    def register(self, source: Any) -> str:
        """Make an Arrow table or dataset known; the name to call it by."""
        name = f"__source_{self._count}"
        self._count += 1
        self._connection.register(name, source)
        return name

    def query(self, sql: str, *, naive_is: str = "timestamp") -> Result:
        """Raises SqlError in Databricks' words, CancelledError after `interrupt`."""
        if self._interrupted:
            raise CancelledError
        try:
            relation = self._connection.sql(sql)
            columns = [
                ResultColumn(name, type_text(kind, naive_is=naive_is))
                for name, kind in zip(relation.columns, relation.types, strict=True)
            ]
            rows = relation.to_arrow_table()
        except duckdb.InterruptException as error:
            raise CancelledError from error
        except duckdb.Error as error:
            raise from_duckdb(error) from error
        return Result(columns, _in_types(rows, columns))

    def columns(self, sql: str) -> list[str]:
        """The names of a query's columns, without running it. Raises SqlError."""
        try:
            return [str(name) for name in self._connection.sql(sql).columns]
        except duckdb.Error as error:
            raise from_duckdb(error) from error

    def interrupt(self) -> None:
        """Stop the query that runs, and let none follow it."""
        self._interrupted = True
        self._connection.interrupt()

    def close(self) -> None:
        self._connection.close()


def _in_types(rows: pa.Table, columns: list[ResultColumn]) -> pa.Table:
    arrays = []
    for index, column in enumerate(columns):
        array = rows.column(index)
        if column.type_text not in ("interval", "void"):
            wanted = arrow_type(column.type_text)
            if array.type != wanted:
                try:
                    array = array.cast(wanted)
                except pa.ArrowInvalid as error:
                    raise SqlError(
                        "ARITHMETIC_OVERFLOW", f"column `{column.name}`: {error}", sql_state="22003"
                    ) from error
        arrays.append(array)
    return pa.Table.from_arrays(arrays, names=[column.name for column in columns])
