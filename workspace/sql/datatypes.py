"""Types of query results: DuckDB's, as Databricks SQL types and as the Arrow types that Delta tables have."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pyarrow as pa
from deltalake import Schema
from duckdb.sqltypes import DuckDBPyType

from workspace.sql.errors import SqlError
from workspace.unity_catalog import types
from workspace.unity_catalog.conform import arrow_schema

_SIMPLE = {
    "boolean": "boolean",
    "tinyint": "tinyint",
    "smallint": "smallint",
    "integer": "int",
    "bigint": "bigint",
    # Sums of whole numbers; Databricks has BIGINT there.
    "hugeint": "bigint",
    "utinyint": "smallint",
    "usmallint": "int",
    "uinteger": "bigint",
    "ubigint": "decimal(20,0)",
    "float": "float",
    "double": "double",
    "varchar": "string",
    "json": "string",
    "uuid": "string",
    "blob": "binary",
    "date": "date",
    "timestamp with time zone": "timestamp",
    "interval": "interval",
    '"null"': "void",
    "null": "void",
}
_NAIVE = {"timestamp", "timestamp_ns", "timestamp_ms", "timestamp_s"}


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result."""

    name: str
    type_text: str
    """Databricks SQL type, lower case; `void` for a NULL without type, `interval` for a difference of moments."""


def type_text(kind: DuckDBPyType, *, naive_is: str = "timestamp") -> str:
    """The Databricks SQL type of a DuckDB type.

    Args:
        naive_is: what a timestamp without zone is: `timestamp_ntz`; or, where DuckDB made it of a date and an interval,
            what Databricks makes of them: a `date`, or a `timestamp` in the session's zone, which is UTC here.
    """
    if kind.id == "list":
        return f"array<{type_text(_child(kind, 0), naive_is=naive_is)}>"
    if kind.id == "struct":
        names = [name for name, _ in kind.children]
        fields = [type_text(_child(kind, index), naive_is=naive_is) for index in range(len(names))]
        return "struct<" + ",".join(f"{_quoted(name)}:{text}" for name, text in zip(names, fields, strict=True)) + ">"
    if kind.id == "map":
        key, value = (type_text(_child(kind, index), naive_is=naive_is) for index in (0, 1))
        return f"map<{key},{value}>"
    text = str(kind).lower()
    if text in _NAIVE:
        return naive_is
    if text.startswith("decimal"):
        return text.replace(" ", "")
    if text not in _SIMPLE:
        raise SqlError("UNSUPPORTED_DATATYPE", f"a result of type {kind} has no Databricks SQL type here")
    return _SIMPLE[text]


def arrow_type(text: str) -> pa.DataType:
    """The Arrow type of a Databricks SQL type, as `deltalake` has it."""
    if text == "void":
        return pa.null()
    field = {"name": "v", "type": types.parse(text), "nullable": True, "metadata": {}}
    schema = Schema.from_json(json.dumps({"type": "struct", "fields": [field]}))
    return arrow_schema(schema).field(0).type


def _child(kind: DuckDBPyType, index: int) -> DuckDBPyType:
    child = kind.children[index][1]
    if not isinstance(child, DuckDBPyType):
        raise TypeError(f"{kind} has no type at {index}")
    return child


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else "`" + name.replace("`", "``") + "`"
