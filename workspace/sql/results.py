"""Results as the statement execution API gives them: a manifest, and rows of texts (format JSON_ARRAY).

Source: https://docs.databricks.com/api/workspace/statementexecution/executestatement
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from workspace.http import Json
from workspace.sql.datatypes import ResultColumn
from workspace.sql.engine import Result
from workspace.unity_catalog import types

CHUNK_ROWS = 20_000


def manifest(result: Result, *, truncated: bool) -> Json:
    rows = result.rows.num_rows
    return {
        "format": "JSON_ARRAY",
        "schema": {
            "column_count": len(result.columns),
            "columns": [_column(column, position) for position, column in enumerate(result.columns)],
        },
        "total_chunk_count": _chunks(rows),
        "total_row_count": rows,
        "truncated": truncated,
        "chunks": [
            {
                "chunk_index": index,
                "row_offset": index * CHUNK_ROWS,
                "row_count": min(CHUNK_ROWS, rows - index * CHUNK_ROWS),
            }
            for index in range(_chunks(rows))
        ],
    }


def chunk(result: Result, index: int, statement_id: str) -> Json:
    """The rows of one chunk; empty where the result has none."""
    if not result.rows.num_rows:
        return {}
    start = index * CHUNK_ROWS
    rows = result.rows.slice(start, CHUNK_ROWS)
    writers = [_writer(column.type_text) for column in result.columns]
    columns = [
        [None if value is None else write(value) for value in rows.column(number).to_pylist()]
        for number, write in enumerate(writers)
    ]
    data: Json = {
        "chunk_index": index,
        "row_offset": start,
        "row_count": rows.num_rows,
        "data_array": [list(row) for row in zip(*columns, strict=True)],
    }
    if index + 1 < _chunks(result.rows.num_rows):
        data["next_chunk_index"] = index + 1
        data["next_chunk_internal_link"] = f"/api/2.0/sql/statements/{statement_id}/result/chunks/{index + 1}"
    return data


def arrow_chunk(result: Result, index: int) -> pa.Table:
    """The rows of one chunk in Arrow's types; intervals are texts there, too."""
    rows = result.rows.slice(index * CHUNK_ROWS, CHUNK_ROWS)
    for number, column in enumerate(result.columns):
        if column.type_text == "interval":
            texts = [None if value is None else _interval(value) for value in rows.column(number).to_pylist()]
            rows = rows.set_column(number, column.name, pa.array(texts, pa.string()))
    return rows


def chunk_count(result: Result) -> int:
    return _chunks(result.rows.num_rows)


def _chunks(rows: int) -> int:
    return math.ceil(rows / CHUNK_ROWS)


def _column(column: ResultColumn, position: int) -> Json:
    info: Json = {"name": column.name, "position": position, "type_text": column.type_text.upper()}
    if column.type_text == "void":
        return {**info, "type_name": "NULL"}
    if column.type_text == "interval":
        return {**info, "type_name": "INTERVAL"}
    delta = types.parse(column.type_text)
    info["type_name"] = types.type_name(delta).removesuffix("_NTZ")
    precision, scale = types.precision_and_scale(delta)
    return info | ({"type_precision": precision, "type_scale": scale} if precision else {})


def _writer(text: str) -> Callable[[Any], str]:
    kind = text.partition("<")[0].partition("(")[0]
    if kind in ("array", "map", "struct"):
        return lambda value: json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)
    return {
        "boolean": lambda value: "true" if value else "false",
        "double": java_number,
        "float": lambda value: java_number(_shortest(value)),
        "date": lambda value: value.isoformat(),
        "timestamp": instant,
        "timestamp_ntz": lambda value: value.isoformat(timespec=_precision(value)),
        "decimal": lambda value: format(value, "f"),
        "binary": lambda value: base64.b64encode(value).decode(),
        "interval": _interval,
    }.get(kind, str)


def instant(value: datetime) -> str:
    """`2024-05-01T12:00:00.000Z`; microseconds where there are any."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=_precision(value)) + "Z"


def _precision(value: datetime) -> str:
    return "microseconds" if value.microsecond % 1000 else "milliseconds"


def java_number(value: float) -> str:
    """A double as Java writes it: 1.0, 1.0E7, 1.0E-5, NaN, Infinity."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return format(Decimal(repr(value)), "f") if "e" in repr(value) else repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    mantissa = "".join(map(str, digits))
    power = len(digits) - 1 + int(exponent)
    return f"{'-' if sign else ''}{mantissa[0]}.{mantissa[1:] or '0'}E{power}"


def _shortest(value: float) -> float:
    """The double with the fewest digits that is this single-precision number."""
    for digits in range(1, 10):
        candidate = float(f"{value:.{digits}g}")
        if struct.unpack("f", struct.pack("f", candidate)) == (value,):
            return candidate
    return value


def _interval(value: pa.MonthDayNano) -> str:
    """DuckDB's months, days and nanoseconds, as Spark prints an interval of days to seconds."""
    months, days, nanoseconds = value.months, value.days, value.nanoseconds
    if months:
        return f"{months // 12}-{months % 12}"
    whole = timedelta(days=days, microseconds=nanoseconds // 1000)
    sign = "-" if whole < timedelta(0) else ""
    whole = abs(whole)
    hours, rest = divmod(whole.seconds, 3600)
    fraction = f"{whole.microseconds:06}000"
    return f"{sign}{whole.days} {hours:02}:{rest // 60:02}:{rest % 60:02}.{fraction}"


def _plain(value: object) -> object:
    """A nested value as JSON, its leaves as they are written on their own."""
    if isinstance(value, dict):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
            return {str(key): _plain(child) for key, child in value}
        return [_plain(child) for child in value]
    if isinstance(value, datetime):
        return instant(value) if value.tzinfo else value.isoformat(timespec=_precision(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, Decimal) else value
