"""A Delta feature table as a source of publications: its columns and key, its rows, and its change data feed.

Read with SQL on a warehouse, page by page in the order of the key: an answer of the statement API holds 25 MiB at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.errors import PipelineError
from pipelines.external_columns import KeyedColumns
from pipelines.sql import SqlRunner

# What Databricks answers where the feed does not reach back to a version: cleaned up, or switched on later.
_NO_FEED: Final = (
    "DELTA_MISSING_CHANGE_DATA",
    "DELTA_INVALID_CDC_RANGE",
    "DELTA_CHANGE_DATA_FILE_NOT_FOUND",
    "DELTA_TRUNCATED_TRANSACTION_LOG",
    "DELTA_VERSIONS_NOT_CONTIGUOUS",
    "DELTA_CHANGE_TABLE_FEED_DISABLED",
)
_CHANGE: Final = "_change_type"


@dataclass(frozen=True)
class Change:
    """What became of a key: its newest row, or None where it is gone."""

    key: tuple[Any, ...]
    row: tuple[Any, ...] | None


class DeltaSource:
    """One feature table.

    Raises PipelineError where it is not there, has no primary key, or a column that cannot be published.
    """

    def __init__(self, workspace: WorkspaceClient, warehouse: SqlRunner, full_name: str) -> None:
        self._warehouse: Final = warehouse
        self._name: Final = full_name
        self._table: Final = ".".join(f"`{part}`" for part in full_name.split("."))
        try:
            self._info: Final = workspace.tables.get(full_name)
        except NotFound as error:
            raise PipelineError(f"Table {full_name} is not there: make the features first, then publish.") from error

    @cached_property
    def columns(self) -> KeyedColumns:
        """Names, types and key."""
        types = {column.name or "": (column.type_text or "").lower() for column in self._info.columns or []}
        keys = [one.primary_key_constraint for one in self._info.table_constraints or [] if one.primary_key_constraint]
        return KeyedColumns(types=types, key=list(keys[0].child_columns) if keys else [])

    @property
    def identity(self) -> str:
        """Unity Catalog's id of the table."""
        return self._info.table_id or self._name

    def version(self) -> int:
        """Of the newest commit."""
        history = self._warehouse.run(f"DESCRIBE HISTORY {self._table}")
        place = history.columns.index("version")
        return max(int(str(row[place])) for row in history.rows)

    def rows(self, version: int, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """All rows as of a version, in the order of their keys."""
        names = ", ".join(f"`{name}`" for name in self.columns.names)
        for page in self._pages(f"SELECT {names} FROM {self._table} VERSION AS OF {version}", size):  # noqa: S608
            yield [tuple(row) for row in page]

    def changes(self, after: int, version: int, size: int) -> Iterator[list[Change]] | None:
        """What became of every key that changed in the versions after one and up to another, each key once.

        None where the feed does not reach back so far.
        """
        key = ", ".join(f"`{name}`" for name in self.columns.key)
        names = ", ".join(f"`{name}`" for name in self.columns.names)
        # In one commit a key may be deleted and inserted again (an overwrite): what was inserted is what is there.
        newest = (
            f"SELECT {names}, {_CHANGE} FROM table_changes('{self._name}', {after + 1}, {version}) "  # noqa: S608
            f"WHERE {_CHANGE} <> 'update_preimage' "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _commit_version DESC, "
            f"CASE WHEN {_CHANGE} = 'delete' THEN 1 ELSE 0 END) = 1"
        )
        pages = self._pages(newest, size)
        try:
            first = next(pages, [])
        except PipelineError as error:
            if any(name in str(error) for name in _NO_FEED):
                return None
            raise
        return self._changes(first, pages)

    def _changes(self, first: list[list[Any]], pages: Iterator[list[list[Any]]]) -> Iterator[list[Change]]:
        page: list[list[Any]] | None = first
        while page:
            changes = []
            for *values, kind in page:
                row = tuple(values)
                changes.append(Change(self.columns.key_of(row), None if kind == "delete" else row))
            yield changes
            page = next(pages, None)

    def _pages(self, query: str, size: int) -> Iterator[list[list[Any]]]:
        key = self.columns.key
        order = ", ".join(f"`{name}`" for name in key)
        last: Mapping[str, str] = {}
        while True:
            where = f"WHERE {self._after(key)} " if last else ""
            page = self._warehouse.run(
                f"SELECT * FROM ({query}) {where}ORDER BY {order} LIMIT {size}",  # noqa: S608 - names of the table
                last or None,
            ).rows
            if page:
                yield page
            if len(page) < size:
                return
            last = {f"after_{number}": _text(value) for number, value in enumerate(self.columns.key_of(page[-1]))}

    def _after(self, key: Sequence[str]) -> str:
        """Rows whose key comes after the one in the parameters: column by column, as keys are ordered."""
        markers = [f"CAST(:after_{place} AS {self.columns.types[name].upper()})" for place, name in enumerate(key)]
        alternatives = []
        for place, name in enumerate(key):
            same = [f"`{other}` = {markers[number]}" for number, other in enumerate(key[:place])]
            alternatives.append(f"({' AND '.join([*same, f'`{name}` > {markers[place]}'])})")
        return f"({' OR '.join(alternatives)})"


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
