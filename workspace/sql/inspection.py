"""DESCRIBE, SHOW and USE."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from sqlglot import Token, exp

from workspace.identity.caller import current_caller
from workspace.sql.authorization import require_table
from workspace.sql.context import Context, nothing, only, rows_of
from workspace.sql.engine import Result
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.names import schema_not_found
from workspace.unity_catalog.securables import CATALOG, SCHEMA, TABLE
from workspace.unity_catalog.table import MANAGED, VIEW

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
        return _properties(context, rest)
    if kind in ("TABLES", "VIEWS"):
        return _tables(context, kind, rest)
    if kind == "CREATE" and rest[:1] and rest[0].upper() == "TABLE":
        return _create_statement(context, _readable(context, "".join(rest[1:])))
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
    """Lasts as long as the session: to the end of a script; a statement that is sent alone has one of its own."""
    kind = str(tree.args.get("kind") or "").upper()
    name = tree.this
    if kind == "CATALOG":
        context.catalog.containers.catalog(name.name)
        context.session.catalog, context.session.schema = name.name.lower(), "default"
        return nothing()
    catalog, schema = (name.db or context.session.catalog).lower(), name.name.lower()
    if not context.catalog.containers.has_schema(catalog, schema):
        raise schema_not_found(catalog, schema)
    context.session.catalog, context.session.schema = catalog, schema
    return nothing()


def detail(context: Context, name: exp.Table) -> Result:
    """DESCRIBE DETAIL: one row on a Delta table."""
    full_name = context.session.full_name(name)
    require_table(context.catalog, full_name, "READ")
    table = context.sources.known(full_name)
    if table.table_type != MANAGED:
        raise SqlError("DELTA_TABLE_ONLY_OPERATION", f"{full_name} is not a Delta table. DESCRIBE DETAIL needs one.")
    delta = context.tables.delta(full_name)
    files, protocol = delta.get_add_actions(flatten=True), delta.protocol()
    features = sorted({*(protocol.reader_features or ()), *(protocol.writer_features or ())})
    columns = {
        "format": "string", "id": "string", "name": "string", "description": "string", "location": "string",
        "createdAt": "timestamp", "lastModified": "timestamp", "partitionColumns": "array<string>",
        "clusteringColumns": "array<string>", "numFiles": "bigint", "sizeInBytes": "bigint",
        "properties": "map<string,string>", "minReaderVersion": "int", "minWriterVersion": "int",
        "tableFeatures": "array<string>",
    }  # fmt: skip
    row: tuple[object, ...] = (
        "delta", str(delta.metadata().id), full_name, table.comment, table.storage_location,
        _moment(table.created_at), _moment(int(delta.history(1)[0]["timestamp"])), table.partitions, [],
        files.num_rows,
        sum(files.column("size_bytes").to_pylist()), list(table.properties.items()), protocol.min_reader_version,
        protocol.min_writer_version, features,
    )  # fmt: skip
    return rows_of(columns, row)


def describe_container(context: Context, kind: str, name: str) -> Result:
    """DESCRIBE CATALOG and DESCRIBE SCHEMA."""
    plain = name.replace("`", "").lower()
    containers, privileges = context.catalog.containers, context.catalog.privileges
    if kind == "CATALOG":
        privileges.require_read(current_caller(), CATALOG, plain)
        found = containers.catalog(plain)
        rows = [("Catalog Name", found["name"])]
    else:
        parts = plain.split(".")
        catalog, schema = parts if len(parts) == 2 else (context.session.catalog, plain)
        if not containers.has_schema(catalog, schema):
            raise schema_not_found(catalog, schema)
        privileges.require_read(current_caller(), SCHEMA, f"{catalog}.{schema}")
        found = containers.schema(catalog, schema)
        rows = [("Catalog Name", catalog), ("Namespace Name", schema)]
    rows += [("Comment", found.get("comment") or ""), ("Owner", str(found.get("owner") or ""))]
    what = "info" if kind == "CATALOG" else "database_description"
    names = (f"{what}_name", f"{what}_value") if kind == "CATALOG" else (f"{what}_item", f"{what}_value")
    return rows_of(dict.fromkeys(names, "string"), *rows)


def _properties(context: Context, rest: list[str]) -> Result:
    """SHOW TBLPROPERTIES name [(key)]."""
    end = rest.index("(") if "(" in rest else len(rest)
    table = context.sources.known(_readable(context, "".join(rest[:end])))
    columns = {"key": "string", "value": "string"}
    if end == len(rest):
        return rows_of(columns, *sorted(table.properties.items()))
    key = "".join(rest[end + 1 : -1])
    missing = f"Table {table.full_name} does not have property: {key}"
    return rows_of(columns, (key, table.properties.get(key, missing)))


def _tables(context: Context, kind: str, rest: list[str]) -> Result:
    """SHOW TABLES | VIEWS [IN schema] [[LIKE] 'pattern'], temporary views among them."""
    words = [word.upper() for word in rest]
    in_schema = words[:1] in (["IN"], ["FROM"])
    end = next((index for index in range(len(rest)) if words[index] == "LIKE"), len(rest))
    if end == len(rest) and rest and len(rest) != (2 if in_schema else 0) and (not in_schema or "." not in rest):
        end = len(rest) - 1
    pattern = rest[-1] if end < len(rest) else "*"
    catalog, schema = _schema(context, rest[:end])
    context.catalog.privileges.require_read(current_caller(), SCHEMA, f"{catalog}.{schema}")
    tables = [table for table in context.tables.list(catalog, schema) if kind == "TABLES" or table.table_type == VIEW]
    rows = [(schema, table.name, False) for table in tables if _seen(context, TABLE, table.full_name)]
    rows += [("", name, True) for name in sorted(context.session.views)]
    kept = [row for row in rows if any(fnmatchcase(row[1], part.lower()) for part in pattern.split("|"))]
    name = "tableName" if kind == "TABLES" else "viewName"
    place = "database" if kind == "TABLES" else "namespace"
    return rows_of({place: "string", name: "string", "isTemporary": "boolean"}, *kept)


def _create_statement(context: Context, full_name: str) -> Result:
    """SHOW CREATE TABLE: a statement that makes an empty table or view like it."""
    table = context.sources.known(full_name)
    if table.table_type == VIEW:
        text = f"CREATE VIEW {table.full_name} AS {table.view_definition}"
        return rows_of({"createtab_stmt": "string"}, (text,))
    lines = [
        f"  {column.name} {column.type_text.upper()}"
        + ("" if column.nullable else " NOT NULL")
        + (f" COMMENT {_text(column.comment)}" if column.comment else "")
        for column in table.columns
    ]
    if table.primary_key:
        key = ", ".join(f"{name} TIMESERIES" if name == table.timeseries else name for name in table.primary_key)
        lines.append(f"  CONSTRAINT {table.primary_key_name} PRIMARY KEY ({key})")
    body = ",\n".join(lines)
    text = f"CREATE TABLE {table.full_name} (\n{body})\nUSING delta\n"
    text += f"COMMENT {_text(table.comment)}\n" if table.comment else ""
    if table.properties:
        pairs = ",\n".join(f"  {_text(key)} = {_text(value)}" for key, value in sorted(table.properties.items()))
        text += f"TBLPROPERTIES (\n{pairs})\n"
    return rows_of({"createtab_stmt": "string"}, (text,))


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _history(context: Context, full_name: str) -> Result:
    """What the log keeps; the columns about jobs, notebooks and clusters have no values here and are left out."""
    columns = {
        "version": "bigint", "timestamp": "timestamp", "userId": "string", "userName": "string",
        "operation": "string", "operationParameters": "map<string,string>", "readVersion": "bigint",
        "isolationLevel": "string", "isBlindAppend": "boolean", "operationMetrics": "map<string,string>",
        "userMetadata": "string", "engineInfo": "string",
    }  # fmt: skip
    rows = [
        (
            entry["version"], _moment(entry["timestamp"]), None, None, entry["operation"],
            _texts(entry.get("operationParameters")), entry.get("readVersion"), entry.get("isolationLevel"),
            entry.get("isBlindAppend"), _texts(entry.get("operationMetrics")), entry.get("userMetadata"),
            entry.get("engineInfo"),
        )
        for entry in context.tables.delta(full_name).history()
    ]  # fmt: skip
    return rows_of(columns, *rows)


def _texts(values: object) -> list[tuple[str, str]]:
    pairs = values.items() if isinstance(values, dict) else ()
    return [(str(key), value if isinstance(value, str) else json.dumps(value)) for key, value in pairs]


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
