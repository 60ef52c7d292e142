"""Store assignment: which value may be written to which column, and what becomes of it (ANSI).

Source: https://docs.databricks.com/sql/language-manual/sql-ref-ansi-compliance.html#store-assignment
Where a text would have to be read as something else, the statement says so with a CAST.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from workspace.sql.datatypes import arrow_type
from workspace.sql.engine import Result
from workspace.sql.errors import SqlError
from workspace.unity_catalog.table import Column

_WHOLE = {"tinyint", "smallint", "int", "bigint"}
_FRACTIONS = {"float", "double"}


def stored(result: Result, columns: Sequence[Column], full_name: str) -> pa.Table:
    """The rows of a query, by position, as values of the columns. Raises SqlError where one may not be."""
    arrays = [
        assign(result.rows.column(index), source.type_text, column, full_name)
        for index, (source, column) in enumerate(zip(result.columns, columns, strict=True))
    ]
    return pa.Table.from_arrays(arrays, names=[column.name for column in columns])


def assign(values: pa.ChunkedArray, source: str, column: Column, full_name: str) -> pa.ChunkedArray:
    """Values of the Databricks type `source` in the type of a column."""
    target = column.type_text
    wanted = arrow_type(target)
    if source == target:
        return values
    if source == "void":
        return pa.chunked_array([pa.nulls(len(values), wanted)])
    if not _assignable(source, target):
        raise SqlError(
            "INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_SAFELY_CAST",
            f"Cannot write incompatible data for the table `{full_name}`: Cannot safely cast `{column.name}` "
            f'"{source.upper()}" to "{target.upper()}". Say what is meant: CAST(... AS {target.upper()}).',
            sql_state="KD000",
        )
    try:
        return _cast(values, source, target, wanted)
    except pa.ArrowInvalid as error:
        raise SqlError(
            "CAST_OVERFLOW_IN_TABLE_INSERT",
            f'Fail to assign a value of "{source.upper()}" type to the "{target.upper()}" type column `{column.name}` '
            f"due to an overflow: {error}",
            sql_state="22003",
        ) from error


def _assignable(source: str, target: str) -> bool:
    if _number(source) and _number(target):
        return True
    if target == "string":
        return source in _WHOLE | {"boolean", "date"} or source.startswith("decimal")
    moments = {"date", "timestamp", "timestamp_ntz"}
    if source in moments and target in moments:
        return True
    kind = source.partition("<")[0]
    return kind in ("array", "map", "struct") and kind == target.partition("<")[0]


def _number(text: str) -> bool:
    return text in _WHOLE | _FRACTIONS or text.startswith("decimal")


def _cast(values: pa.ChunkedArray, source: str, target: str, wanted: pa.DataType) -> pa.ChunkedArray:
    if target in _WHOLE and source not in _WHOLE:
        # Fractions are cut off.
        whole = pc.trunc(values if source in _FRACTIONS else values.cast(pa.float64()))
        return whole.cast(wanted, safe=True)
    if target.startswith("decimal") and _number(source):
        if source in _FRACTIONS:
            return values.cast(pa.float64()).cast(wanted)
        if source in _WHOLE:
            return decimals(values, wanted)
        rounded = pc.round(values.cast(pa.decimal128(38, 18)), ndigits=wanted.scale, round_mode="half_up")
        return rounded.cast(wanted)
    if target in _FRACTIONS:
        return values.cast(wanted, safe=False)
    if target == "date":
        return pc.floor_temporal(values, unit="day").cast(wanted)
    return values.cast(wanted)


def decimals(values: pa.ChunkedArray, wanted: pa.Decimal128Type) -> pa.ChunkedArray:
    """Whole numbers as decimals, by what they are: Arrow goes by what their type could hold, unless it is widened."""
    return values.cast(pa.decimal128(38, min(wanted.scale, 18))).cast(wanted)
