"""Rows of a target table, numbered, and what a statement makes of them: kept, updated, deleted, inserted."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from workspace.sql.context import Context
from workspace.sql.engine import Result
from workspace.sql.errors import SqlError
from workspace.sql.sources import delta_rows
from workspace.sql.storing import assign, stored
from workspace.unity_catalog.table import MANAGED, Column, Table

# The number of a row of the target, in queries over it.
ROW = "__row"


def writable(context: Context, name: exp.Table, what: str) -> Table:
    """The target of a statement that writes rows; SqlError where it is missing or is no Delta table."""
    table = context.sources.known(context.session.full_name(name))
    if table.table_type != MANAGED:
        raise SqlError("UNSUPPORTED_FEATURE.TABLE_OPERATION", f"`{table.full_name}` is a {table.table_type}: no {what}")
    return table


@dataclass
class Changes:
    """What becomes of the rows of a table. Updates hold the new values of all columns, by row number."""

    table: Table
    before: pa.Table
    updated: list[tuple[pa.Array, pa.Table]] = field(default_factory=list)
    deleted: list[pa.Array] = field(default_factory=list)
    inserted: list[pa.Table] = field(default_factory=list)

    @classmethod
    def of(cls, context: Context, table: Table) -> Changes:
        """Begin with the rows as they are; the caller holds the table's lock."""
        return cls(table, delta_rows(context.tables.delta(table.full_name)))

    def numbered(self) -> pa.Table:
        """The rows with their numbers in column `__row`."""
        numbers = pa.array(range(self.before.num_rows), pa.int64())
        return self.before.append_column(ROW, numbers)

    def update(self, result: Result, columns: list[Column]) -> None:
        """A result of row numbers, then new values of `columns`; the other columns stay."""
        numbers = result.rows.column(0).combine_chunks()
        old = self.before.take(numbers)
        arrays = {name: old.column(name) for name in old.column_names}
        for index, column in enumerate(columns, start=1):
            values = result.rows.column(index)
            arrays[column.name] = assign(values, result.columns[index].type_text, column, self.table.full_name)
        self.updated.append((numbers, pa.table(arrays, schema=self.before.schema)))

    def delete(self, result: Result) -> None:
        """A result of row numbers."""
        self.deleted.append(result.rows.column(0).combine_chunks())

    def insert(self, result: Result, columns: list[Column]) -> None:
        """A result of values of `columns`; the other columns are NULL."""
        given = stored(result, columns, self.table.full_name)
        arrays = [
            given.column(name) if name in given.column_names else pa.nulls(given.num_rows, kind)
            for name, kind in zip(self.before.schema.names, self.before.schema.types, strict=True)
        ]
        self.inserted.append(pa.Table.from_arrays(arrays, schema=self.before.schema))

    def commit(self, context: Context, operation: str) -> dict[str, int]:
        """Write them in one commit, none where nothing changed; how many rows were updated, deleted and inserted."""
        counts = {
            "updated": sum(len(numbers) for numbers, _ in self.updated),
            "deleted": sum(len(numbers) for numbers in self.deleted),
            "inserted": sum(rows.num_rows for rows in self.inserted),
        }
        if any(counts.values()):
            context.tables.change_rows(self.table.full_name, operation, self._after(), self._feed())
        return counts

    def _after(self) -> pa.Table:
        touched = [*(numbers for numbers, _ in self.updated), *self.deleted]
        kept = self.before
        if touched:
            gone = pa.concat_arrays([numbers.cast(pa.int64()) for numbers in touched])
            all_numbers = pa.array(range(self.before.num_rows), pa.int64())
            kept = self.before.filter(pc.invert(pc.is_in(all_numbers, value_set=gone)))
        return pa.concat_tables([kept, *(rows for _, rows in self.updated), *self.inserted])

    def _feed(self) -> pa.Table:
        parts = [
            *(_typed(self.before.take(numbers), "delete") for numbers in self.deleted),
            *(
                part
                for numbers, rows in self.updated
                for part in (_typed(self.before.take(numbers), "update_preimage"), _typed(rows, "update_postimage"))
            ),
            *(_typed(rows, "insert") for rows in self.inserted),
        ]
        return pa.concat_tables(parts)


def _typed(rows: pa.Table, change: str) -> pa.Table:
    return rows.append_column("_change_type", pa.array([change] * rows.num_rows, pa.string()))
