"""Makes the tables that a statement names known to its cursor: Delta tables as datasets, views as subqueries."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from sqlglot import exp

from workspace.sql import information_schema, versions
from workspace.sql.engine import Cursor
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.external import ExternalFiles
from workspace.sql.names import Session, table_not_found, tables_of
from workspace.sql.parsing import parse
from workspace.sql.translate import READ_FILES, TABLE_CHANGES
from workspace.sql.udfs import Functions
from workspace.unity_catalog.service import UnityCatalog
from workspace.unity_catalog.table import FOREIGN, VIEW, Table

_DEEPEST_VIEW = 20


class Sources:
    """Binds names to what DuckDB reads. One for a statement."""

    def __init__(
        self,
        catalog: UnityCatalog,
        session: Session,
        cursor: Cursor,
        external: ExternalFiles,
        functions: Functions,
    ) -> None:
        self._functions = functions
        self._catalog = catalog
        self._tables = catalog.tables
        self._external = external
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
            elif isinstance(node.this, exp.Anonymous) and node.this.name.lower() == READ_FILES:
                self._bind_files(node)
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
        alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name, quoted=True))
        version = node.args.get("version")
        if (definition := self._session.temporary_view(node)) is not None:
            self._bind_view(node, node.name.lower(), definition, alias, depth)
            return node.name.lower()
        if isinstance(alias.this, exp.Parameter):
            version, alias = _at_version(node, alias)
        catalog, schema, name = self._session.parts(node)
        full_name = f"{catalog}.{schema}.{name}"
        if schema == information_schema.SCHEMA_NAME:
            self._replace(node, self._cursor.register(information_schema.rows(self._catalog, catalog, name)), alias)
            return full_name
        table = self.known(full_name)
        if table.table_type == VIEW:
            self._bind_view(node, full_name, table.view_definition or "", alias, depth)
            return full_name
        if table.table_type == FOREIGN:
            raise unsupported(f"reading {full_name}, an online table, in SQL", "read its source table")
        if any(column.type_text == "timestamp_ntz" for column in table.columns):
            self.has_naive_columns = True
        self._replace(node, self._register(full_name, self._version(version, full_name)), alias)
        return full_name

    def _bind_view(self, node: exp.Table, full_name: str, definition: str, alias: exp.TableAlias, depth: int) -> None:
        if node.args.get("version") is not None:
            raise unsupported("time travel on a view")
        body = self.bind(self._functions.inline(parse(definition), self._session), depth + 1)
        rest = {part: node.args.get(part) for part in ("joins", "pivots", "laterals")}
        node.replace(exp.Subquery(this=body, alias=alias, **rest))

    def _replace(self, node: exp.Table, name: str, alias: exp.TableAlias) -> None:
        node.set("this", exp.to_identifier(name, quoted=True))
        node.set("alias", alias)
        for part in ("db", "catalog", "version"):
            node.set(part, None)

    def _version(self, version: exp.Version | None, full_name: str) -> int | None:
        if version is None:
            return None
        value = version.expression
        if version.name.upper() == "VERSION":
            if isinstance(value, exp.Literal) and value.name.isdigit():
                return int(value.name)
            raise unsupported(f"time travel with {version.sql('databricks')}", "VERSION AS OF takes a number")
        if version.name.upper() != "TIMESTAMP":
            raise unsupported(f"time travel with {version.sql('databricks')}")
        moment = versions.moment_of(value, self._cursor, self._session)
        return versions.at_moment(self._tables.delta(full_name), moment, full_name)

    def _register(self, full_name: str, version: int | None) -> str:
        key = (full_name, version)
        if key not in self._registered:
            delta = versions.load(self._tables.delta(full_name), version, full_name)
            self._registered[key] = self._cursor.register(_readable(delta))
        return self._registered[key]

    def _bind_files(self, node: exp.Table) -> None:
        """read_files('path', option => value, ...)."""
        arguments = node.this.expressions
        if not arguments or not isinstance(arguments[0], exp.Literal):
            raise unsupported("read_files() without a constant path first")
        options = {}
        for argument in arguments[1:]:
            if not isinstance(argument, exp.Kwarg) or not isinstance(argument.expression, exp.Literal | exp.Boolean):
                raise unsupported(f"{argument.sql('databricks')} in read_files()", "write option => constant")
            value = argument.expression
            text = str(value.this).lower() if isinstance(value, exp.Boolean) else value.name
            options[argument.this.name.lower()] = text
        pattern = options.pop("pathglobfilter", None) or options.pop("filenamepattern", None)
        rows = self._external.read(self._external.files(arguments[0].name, pattern), options, rescued=True)
        node.set("this", exp.to_identifier(self._cursor.register(rows), quoted=True))
        if node.args.get("alias") is None:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(READ_FILES)))

    def _bind_changes(self, node: exp.Table) -> None:
        """table_changes('name', first version[, last version])."""
        arguments = node.this.expressions
        if not 2 <= len(arguments) <= 3 or not all(isinstance(argument, exp.Literal) for argument in arguments):
            raise unsupported("table_changes() with anything but constants", "give a name and one or two versions")
        name = arguments[0].name
        parsed = exp.to_table(name, dialect="databricks")
        full_name = self._session.full_name(parsed)
        if not self.known(full_name).change_data_feed:
            raise SqlError(
                "DELTA_MISSING_CHANGE_DATA",
                f"Error getting change data for {full_name}: change data feed is not enabled on the table. "
                f"ALTER TABLE {full_name} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
            )
        delta = self._tables.delta(full_name)
        first = self._limit(arguments[1], delta, full_name, first=True)
        last = self._limit(arguments[2], delta, full_name, first=False) if len(arguments) == 3 else None
        if first > int(delta.version()) or (last is not None and last < first):
            raise SqlError(
                "DELTA_INVALID_CDC_RANGE",
                f"CDC range from start {first} to end {last} was invalid. End cannot be before start, and {full_name} "
                f"has versions up to {delta.version()}.",
                sql_state="22003",
            )
        try:
            changes = pa.table(delta.load_cdf(starting_version=first, ending_version=last))
        except DeltaError as error:
            raise SqlError(
                "DELTA_INVALID_CDC_RANGE", f"CDC range from {first} to {last} of {full_name}: {error}"
            ) from error
        node.set("this", exp.to_identifier(self._cursor.register(_in_utc(changes)), quoted=True))
        if node.args.get("alias") is None:
            node.set("alias", exp.TableAlias(this=exp.to_identifier("table_changes")))

    def _limit(self, value: exp.Expression, delta: DeltaTable, full_name: str, *, first: bool) -> int:
        """A version, or the one that a moment stands for."""
        if value.name.isdigit() and len(value.name) < 19:
            return int(value.name)
        moment = versions.moment_of(value, self._cursor, self._session)
        find = versions.first_since if first else versions.at_moment
        return find(delta, moment, full_name)

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
    """The commit's number and moment in the types that Databricks gives them."""
    index = changes.schema.get_field_index("_commit_timestamp")
    moments = changes.column(index).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    changes = changes.set_column(index, "_commit_timestamp", moments)
    index = changes.schema.get_field_index("_commit_version")
    return changes.set_column(index, "_commit_version", changes.column(index).cast(pa.int64()))


def _at_version(node: exp.Table, alias: exp.TableAlias) -> tuple[exp.Version, exp.TableAlias]:
    """`name@v3`, which is read as an alias."""
    text = alias.this.this.name if isinstance(alias.this.this, exp.Var) else ""
    if not (text[:1].lower() == "v" and text[1:].isdigit()):
        raise unsupported(f"{node.sql('databricks')}", "name@v<version> and VERSION AS OF are there")
    version = exp.Version(this="VERSION", expression=exp.Literal.number(int(text[1:])), kind="AS OF")
    return version, exp.TableAlias(this=exp.to_identifier(node.name, quoted=True))
