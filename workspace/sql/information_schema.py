"""INFORMATION_SCHEMA of a catalog, and of all of them under `system`: what Unity Catalog knows, as tables.

Source: https://docs.databricks.com/sql/language-manual/sql-ref-information-schema.html. A caller sees the objects that
the caller may know of.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa

from workspace.identity.caller import current_caller
from workspace.sql.datatypes import arrow_type
from workspace.sql.errors import unsupported
from workspace.sql.names import table_not_found
from workspace.unity_catalog import types
from workspace.unity_catalog.securables import CATALOG, SCHEMA, TABLE
from workspace.unity_catalog.service import UnityCatalog
from workspace.unity_catalog.table import VIEW, Table

SCHEMA_NAME = "information_schema"
SYSTEM = "system"

Row = tuple[object, ...]

_PLACE = {"table_catalog": "string", "table_schema": "string", "table_name": "string"}
_CONSTRAINT = {"constraint_catalog": "string", "constraint_schema": "string", "constraint_name": "string"}
COLUMNS: dict[str, dict[str, str]] = {
    "catalogs": {"catalog_name": "string", "catalog_owner": "string", "comment": "string"},
    "schemata": {"catalog_name": "string", "schema_name": "string", "schema_owner": "string", "comment": "string"},
    "tables": _PLACE
    | {"table_type": "string", "is_insertable_into": "string", "commit_action": "string", "table_owner": "string"}
    | {"comment": "string", "created": "timestamp", "last_altered": "timestamp", "data_source_format": "string"}
    | {"storage_path": "string"},
    "columns": _PLACE
    | {"column_name": "string", "ordinal_position": "int", "column_default": "string", "is_nullable": "string"}
    | {"full_data_type": "string", "data_type": "string", "numeric_precision": "int", "numeric_scale": "int"}
    | {"comment": "string"},
    "views": _PLACE | {"view_definition": "string", "check_option": "string", "is_updatable": "string"},
    "table_constraints": _CONSTRAINT
    | _PLACE
    | {"constraint_type": "string", "is_deferrable": "string", "initially_deferred": "string", "enforced": "string"},
    "key_column_usage": _CONSTRAINT
    | _PLACE
    | {"column_name": "string", "ordinal_position": "int", "position_in_unique_constraint": "int"},
    "constraint_column_usage": _PLACE | {"column_name": "string"} | _CONSTRAINT,
}


def rows(catalog: UnityCatalog, catalog_name: str, name: str) -> pa.Table:
    """The table `<catalog>.information_schema.<name>`. Raises SqlError for one that is not carried out."""
    if name not in COLUMNS:
        if name.isidentifier():
            raise unsupported(f"information_schema.{name}", f"{', '.join(COLUMNS)} are there")
        raise table_not_found(f"{catalog_name}.{SCHEMA_NAME}.{name}")
    reader = _Reader(catalog, None if catalog_name == SYSTEM else catalog_name)
    found = list(getattr(reader, name)())
    kinds = COLUMNS[name]
    return pa.table(
        [pa.array([row[index] for row in found], arrow_type(kind)) for index, kind in enumerate(kinds.values())],
        names=list(kinds),
    )


class _Reader:
    def __init__(self, catalog: UnityCatalog, only: str | None) -> None:
        self._catalog = catalog
        self._only = only
        self._caller = current_caller()

    def catalogs(self) -> Iterator[Row]:
        for one in self._catalog.containers.catalogs():
            if self._only in (None, one["name"]) and self._sees(CATALOG, one["name"]):
                yield one["name"], one.get("owner"), one.get("comment")

    def schemata(self) -> Iterator[Row]:
        for catalog, _, _ in self.catalogs():
            for one in self._catalog.containers.schemas(str(catalog)):
                if self._sees(SCHEMA, f"{catalog}.{one['name']}"):
                    yield catalog, one["name"], one.get("owner"), one.get("comment")

    def tables(self) -> Iterator[Row]:
        for table in self._tables():
            is_view = table.table_type == VIEW
            yield (
                *_place(table),
                table.table_type,
                "NO" if is_view else "YES",
                "PRESERVE",
                table.owner,
                table.comment,
                _moment(table.created_at),
                _moment(table.updated_at),
                "UNKNOWN_DATA_SOURCE_FORMAT" if is_view else "DELTA",
                table.storage_location,
            )

    def columns(self) -> Iterator[Row]:
        for table in self._tables():
            for position, column in enumerate(table.columns):
                delta = types.parse(column.type_text)
                precision, scale = types.precision_and_scale(delta)
                numbers = (precision, scale) if precision else (None, None)
                nullable = "YES" if column.nullable else "NO"
                type_name = types.type_name(delta)
                yield (
                    *_place(table), column.name, position, None, nullable, column.type_text, type_name, *numbers,
                    column.comment,
                )  # fmt: skip

    def views(self) -> Iterator[Row]:
        for table in self._tables():
            if table.table_type == VIEW:
                yield *_place(table), table.view_definition, "NONE", "NO"

    def table_constraints(self) -> Iterator[Row]:
        for table in self._tables():
            if table.primary_key:
                yield *_key(table), *_place(table), "PRIMARY KEY", "NO", "NO", "NO"
            for key in table.foreign_keys:
                yield *_place(table)[:2], key.name, *_place(table), "FOREIGN KEY", "NO", "NO", "NO"

    def key_column_usage(self) -> Iterator[Row]:
        for table in self._tables():
            for position, column in enumerate(table.primary_key, start=1):
                yield *_key(table), *_place(table), column, position, None
            for key in table.foreign_keys:
                for position, column in enumerate(key.columns, start=1):
                    yield *_place(table)[:2], key.name, *_place(table), column, position, position

    def constraint_column_usage(self) -> Iterator[Row]:
        for table in self._tables():
            for column in table.primary_key:
                yield *_place(table), column, *_key(table)

    def _tables(self) -> Iterator[Table]:
        for catalog, schema, _, _ in self.schemata():
            for table in self._catalog.tables.list(str(catalog), str(schema)):
                if self._sees(TABLE, table.full_name):
                    yield table

    def _sees(self, kind: str, full_name: str) -> bool:
        return self._catalog.privileges.sees(self._caller, kind, full_name)


def _place(table: Table) -> Row:
    return table.catalog_name, table.schema_name, table.name


def _key(table: Table) -> Row:
    return table.catalog_name, table.schema_name, table.primary_key_name


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
