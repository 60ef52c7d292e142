"""DESCRIBE, SHOW and USE."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sqlglot import Token, exp

from workspace.identity.caller import current_caller
from workspace.sql.authorization import require_table
from workspace.sql.context import Context, nothing, only, rows_of
from workspace.sql.engine import Result
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.names import schema_not_found
from workspace.unity_catalog.securables import CATALOG, SCHEMA, TABLE

_COLUMN = {"col_name": "string", "data_type": "string", "comment": "string"}


def describe(context: Context, tree: exp.Describe) -> Result:
    only(tree, ("this", "kind", "style"), "DESCRIBE")
    if str(tree.args.get("kind") or "TABLE").upper() != "TABLE":
        raise unsupported(f"DESCRIBE {tree.args['kind']}")
    table = context.sources.known(context.session.full_name(tree.this))
    style = str(tree.args.get("style") or "").upper()
    if style == "HISTORY":
        return _history(context, table.full_name)
    rows: list[tuple[object, ...]] = [(column.name, column.type_text, column.comment) for column in table.columns]
    if style == "EXTENDED":
        rows += [
            ("", "", ""),
            ("# Detailed Table Information", "", ""),
            ("Catalog", table.catalog_name, ""),
            ("Database", table.schema_name, ""),
            ("Table", table.name, ""),
            ("Type", table.table_type, ""),
            ("Comment", table.comment or "", ""),
            ("Owner", table.owner, ""),
            ("Location", table.storage_location or "", ""),
            ("Table Properties", "[" + ",".join(f"{k}={v}" for k, v in sorted(table.properties.items())) + "]", ""),
        ]
    elif style:
        raise unsupported(f"DESCRIBE {style}")
    return rows_of(_COLUMN, *rows)


def show(context: Context, words: list[Token]) -> Result:
    """`SHOW ...`, from the word after SHOW on."""
    texts = [word.text for word in words]
    kind = texts[0].upper() if texts else ""
    rest = texts[1:]
    if kind == "TBLPROPERTIES":
        table = context.sources.known(_readable(context, "".join(rest)))
        return rows_of({"key": "string", "value": "string"}, *sorted(table.properties.items()))
    if kind == "TABLES":
        catalog, schema = _schema(context, rest)
        context.catalog.privileges.require_read(current_caller(), SCHEMA, f"{catalog}.{schema}")
        tables = context.tables.list(catalog, schema)
        names = [table.name for table in tables if _seen(context, TABLE, table.full_name)]
        columns = {"database": "string", "tableName": "string", "isTemporary": "boolean"}
        return rows_of(columns, *((schema, name, False) for name in names))
    if kind in ("SCHEMAS", "DATABASES"):
        catalog = (
            "".join(rest[1:]).strip("`") if rest and rest[0].upper() in ("IN", "FROM") else context.session.catalog
        )
        if rest and not catalog:
            raise unsupported(f"SHOW {' '.join(texts)}")
        found = context.catalog.containers.schemas(catalog)
        shown = [schema["name"] for schema in found if _seen(context, SCHEMA, schema["full_name"])]
        return rows_of({"databaseName": "string"}, *((name,) for name in shown))
    if kind == "CATALOGS" and not rest:
        catalogs = [
            one["name"] for one in context.catalog.containers.catalogs() if _seen(context, CATALOG, one["name"])
        ]
        return rows_of({"catalog": "string"}, *((name,) for name in catalogs))
    if kind == "COLUMNS" and rest and rest[0].upper() in ("IN", "FROM"):
        table = context.sources.known(_readable(context, "".join(rest[1:])))
        return rows_of({"col_name": "string"}, *((column.name,) for column in table.columns))
    raise unsupported(f"SHOW {' '.join(texts)}")


def use(context: Context, tree: exp.Use) -> Result:
    """Each statement has a session of its own, so what is used lasts no longer: the names are checked, that is all."""
    kind = str(tree.args.get("kind") or "").upper()
    name = tree.this
    if kind == "CATALOG":
        context.catalog.containers.catalog(name.name)
        return nothing()
    catalog, schema = (name.db or context.session.catalog).lower(), name.name.lower()
    if not context.catalog.containers.has_schema(catalog, schema):
        raise schema_not_found(catalog, schema)
    return nothing()


def _history(context: Context, full_name: str) -> Result:
    columns = {"version": "bigint", "timestamp": "timestamp", "operation": "string", "operationParameters": "string"}
    rows = [
        (
            entry["version"],
            datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
            entry["operation"],
            json.dumps(entry.get("operationParameters", {})),
        )
        for entry in context.tables.delta(full_name).history()
    ]
    return rows_of(columns, *rows)


def _schema(context: Context, rest: list[str]) -> tuple[str, str]:
    if not rest:
        return context.session.catalog, context.session.schema
    if rest[0].upper() not in ("IN", "FROM"):
        raise unsupported(f"SHOW TABLES {' '.join(rest)}")
    parts = [part.strip("`") for part in "".join(rest[1:]).lower().split(".")]
    catalog, schema = parts if len(parts) == 2 else (context.session.catalog, parts[0])
    if not context.catalog.containers.has_schema(catalog, schema):
        raise schema_not_found(catalog, schema)
    return catalog, schema


def _readable(context: Context, text: str) -> str:
    """The full name of a table that the caller may read about. Raises ApiError 403."""
    full_name = context.session.full_name(_table(text))
    require_table(context.catalog, full_name, "READ")
    return full_name


def _seen(context: Context, kind: str, full_name: str) -> bool:
    return context.catalog.privileges.sees(current_caller(), kind, full_name)


def _table(text: str) -> exp.Table:
    if not text:
        raise SqlError("PARSE_SYNTAX_ERROR", "Syntax error: a table's name is missing.")
    return exp.to_table(text, dialect="databricks")
