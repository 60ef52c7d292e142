"""Makes the tables that a statement names known to its cursor: Delta tables as datasets, views as subqueries."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from sqlglot import exp

from workspace.sql.engine import Cursor
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.names import Session, table_not_found, tables_of
from workspace.sql.parsing import parse
from workspace.sql.translate import TABLE_CHANGES
from workspace.unity_catalog.table import FOREIGN, VIEW, Table
from workspace.unity_catalog.tables import Tables

_DEEPEST_VIEW = 20


class Sources:
    """Binds names to what DuckDB reads. One for a statement."""

    def __init__(self, tables: Tables, session: Session, cursor: Cursor) -> None:
        self._tables = tables
        self._session = session
        self._cursor = cursor
        self._registered: dict[tuple[str, object], str] = {}
        self.has_naive_columns = False
        """Whether a table of the statement has TIMESTAMP_NTZ columns."""

    def bind(self, tree: exp.Expression, depth: int = 0) -> exp.Expression:
        """The tree with every table replaced; raises SqlError where one is missing or cannot be read."""
        if depth > _DEEPEST_VIEW:
            raise SqlError("VIEW_EXCEED_MAX_NESTED_DEPTH", f"views are nested more than {_DEEPEST_VIEW} deep")
        holder = exp.Paren(this=tree)
        bound: set[str] = set()
        for node in list(tree.find_all(exp.Table)):
            if isinstance(node.this, exp.Anonymous) and node.this.name.lower() == TABLE_CHANGES:
                self._bind_changes(node)
        for node in tables_of(tree):
            if node.name.startswith("__source_"):
                continue
            bound.add(self._bind_table(node, depth))
        for column in tree.find_all(exp.Column):
            self._strip(column, bound)
        result: exp.Expression = holder.this
        return result

    def known(self, full_name: str) -> Table:
        """The table; SqlError TABLE_OR_VIEW_NOT_FOUND where there is none."""
        table = self._tables.find(full_name)
        if table is None:
            raise table_not_found(full_name)
        return table

    def _bind_table(self, node: exp.Table, depth: int) -> str:
        full_name = self._session.full_name(node)
        table = self.known(full_name)
        alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name, quoted=True))
        version = node.args.get("version")
        if table.table_type == VIEW:
            if version is not None:
                raise unsupported("time travel on a view")
            definition = self.bind(parse(table.view_definition or ""), depth + 1)
            node.replace(exp.Subquery(this=definition, alias=alias, joins=node.args.get("joins")))
            return full_name
        if table.table_type == FOREIGN:
            raise unsupported(f"reading {full_name}, an online table, in SQL", "read its source table")
        if any(column.type_text == "timestamp_ntz" for column in table.columns):
            self.has_naive_columns = True
        name = self._register(full_name, _version(version))
        node.set("this", exp.to_identifier(name, quoted=True))
        node.set("alias", alias)
        for part in ("db", "catalog", "version"):
            node.set(part, None)
        return full_name

    def _register(self, full_name: str, version: int | str | None) -> str:
        key = (full_name, version)
        if key not in self._registered:
            delta = self._tables.delta(full_name)
            try:
                if version is not None:
                    delta.load_as_version(version)
            except (DeltaError, ValueError) as error:
                raise SqlError("DELTA_VERSION_NOT_FOUND", f"{full_name} has no version {version}: {error}") from error
            self._registered[key] = self._cursor.register(_readable(delta))
        return self._registered[key]

    def _bind_changes(self, node: exp.Table) -> None:
        """table_changes('name', first version[, last version])."""
        arguments = node.this.expressions
        if not 2 <= len(arguments) <= 3 or not all(isinstance(argument, exp.Literal) for argument in arguments):
            raise unsupported("table_changes() with anything but constants", "give a name and one or two versions")
        name, *limits = (argument.name for argument in arguments)
        if not all(limit.isdigit() for limit in limits):
            raise unsupported("table_changes() from a point in time", "give versions")
        parsed = exp.to_table(name, dialect="databricks")
        full_name = self._session.full_name(parsed)
        if not self.known(full_name).change_data_feed:
            raise SqlError(
                "DELTA_MISSING_CHANGE_DATA",
                f"Error getting change data for {full_name}: change data feed is not enabled on the table. "
                f"ALTER TABLE {full_name} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
            )
        first, last = int(limits[0]), int(limits[1]) if len(limits) == 2 else None
        try:
            changes = pa.table(self._tables.delta(full_name).load_cdf(starting_version=first, ending_version=last))
        except DeltaError as error:
            raise SqlError(
                "DELTA_INVALID_CDC_RANGE", f"CDC range from {first} to {last} of {full_name}: {error}"
            ) from error
        node.set("this", exp.to_identifier(self._cursor.register(_in_utc(changes)), quoted=True))
        if node.args.get("alias") is None:
            node.set("alias", exp.TableAlias(this=exp.to_identifier("table_changes")))

    def _strip(self, column: exp.Column, bound: set[str]) -> None:
        """`catalog.schema.table.column` says no more than `table.column` once the table is known by its alias."""
        if not column.args.get("db"):
            return
        named = exp.Table(this=column.args["table"], db=column.args.get("db"), catalog=column.args.get("catalog"))
        if self._session.full_name(named.copy()) in bound:
            column.set("db", None)
            column.set("catalog", None)


def delta_rows(delta: DeltaTable) -> pa.Table:
    """All rows, in the Arrow types of the table."""
    return delta.to_pyarrow_table()


def _readable(delta: DeltaTable) -> Any:
    """A dataset, of which a query reads what it needs; the rows themselves where the table's features forbid it."""
    if delta.protocol().reader_features:
        return delta_rows(delta)
    return delta.to_pyarrow_dataset()


def _in_utc(changes: pa.Table) -> pa.Table:
    """The commit's timestamp with its zone, as Databricks gives it."""
    index = changes.schema.get_field_index("_commit_timestamp")
    moments = changes.column(index).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    return changes.set_column(index, "_commit_timestamp", moments)


def _version(version: exp.Version | None) -> int | str | None:
    if version is None:
        return None
    value = version.expression
    if version.name.upper() == "VERSION" and isinstance(value, exp.Literal) and value.name.isdigit():
        return int(value.name)
    raise unsupported(f"time travel with {version.sql('databricks')}", "VERSION AS OF a number is there")
