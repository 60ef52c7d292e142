"""Databricks SQL over rows in memory: slicing expressions, custom metrics and time columns are written in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from sqlglot import exp

from workspace.sql.engine import Cursor, Engine
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.names import Session
from workspace.sql.parsing import parse
from workspace.sql.translate import check, named_outputs, to_duckdb


class Bench:
    """Opens sheets. It has an engine of its own, so that a refresh does not stand in the way of statements."""

    def __init__(self, user: str) -> None:
        self._engine = Engine()
        self._session = Session("main", "default", user)

    @contextmanager
    def sheet(self) -> Iterator[Sheet]:
        cursor = self._engine.cursor()
        try:
            yield Sheet(self._session, cursor)
        finally:
            cursor.close()

    def close(self) -> None:
        self._engine.close()


class Sheet:
    """Some sources, and queries over them by the names that `add` gives. Used by one thread."""

    def __init__(self, session: Session, cursor: Cursor) -> None:
        self._session = session
        self._cursor = cursor
        self._names: set[str] = set()

    def add(self, source: Any) -> str:
        """The name of an Arrow table or dataset in queries."""
        name = self._cursor.register(source)
        self._names.add(name)
        return name

    def query(self, statement: str, *, naive: bool = False) -> pa.Table:
        """Raises SqlError in Databricks' words; also for a table of the catalog, which nobody has authorised here.

        Args:
            naive: whether the sources have TIMESTAMP_NTZ columns.
        """
        tree = named_outputs(parse(statement))
        for table in tree.find_all(exp.Table):
            if table.name not in self._names or table.db:
                raise unsupported(f"reading {table.sql('databricks')} in an expression of a monitor")
        check(tree)
        try:
            translated = to_duckdb(tree, self._session)
            return self._cursor.query(translated, naive_is="timestamp_ntz" if naive else "timestamp").rows
        except pa.ArrowException as error:
            raise SqlError("INTERNAL_ERROR", str(error)) from error


def quoted(name: str) -> str:
    """A column's name as Databricks SQL quotes it."""
    return "`" + name.replace("`", "``") + "`"
