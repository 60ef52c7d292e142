"""Rows that are about to be written, made to fit a table or refused with the reason."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from deltalake import Schema

from workspace.errors import invalid
from workspace.unity_catalog.table import Column


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of a Delta schema, as pyarrow's."""
    return pa.schema(schema.to_arrow())


def conform(rows: pa.Table, columns: Sequence[Column], target: pa.Schema, full_name: str) -> pa.Table:
    """`rows` in the order and types of the table; columns that are not given become NULL.

    Types may widen (int to bigint, float to double) and change in ways that lose nothing; anything else, an unknown
    column, or a NULL where the table says NOT NULL is refused with 400.
    """
    given = {name.lower(): index for index, name in enumerate(rows.column_names)}
    unknown = sorted(set(given) - {column.name.lower() for column in columns})
    if unknown or len(given) != rows.num_columns:
        raise invalid(
            f"[DELTA_METADATA_MISMATCH] A schema mismatch was detected when writing to table '{full_name}': "
            f"columns {unknown or rows.column_names} are not columns of the table"
        )
    arrays = []
    for column, wanted in zip(columns, target, strict=True):
        if column.name.lower() in given:
            array = _cast(rows.column(given[column.name.lower()]), wanted, column, full_name)
        else:
            array = pa.chunked_array([pa.nulls(rows.num_rows, wanted.type)])
        if not column.nullable and array.null_count:
            raise invalid(
                f"[DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL constraint violated for column: {column.name} "
                f"of table '{full_name}' ({array.null_count} of {rows.num_rows} rows)"
            )
        arrays.append(array)
    return pa.table(arrays, schema=target)


def _cast(array: pa.ChunkedArray, wanted: pa.Field, column: Column, full_name: str) -> pa.ChunkedArray:
    if array.type == wanted.type:
        return array
    if _may_become(array.type, wanted.type):
        try:
            return array.cast(wanted.type, safe=True)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise invalid(
                f"[CAST_OVERFLOW_IN_TABLE_INSERT] column '{column.name}' of table '{full_name}' "
                f"({column.type_text}): {error}"
            ) from error
    raise invalid(
        f"[DELTA_FAILED_TO_MERGE_FIELDS] column '{column.name}' of table '{full_name}' is {column.type_text}; "
        f"values of type {array.type} cannot be written to it"
    )


def _may_become(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether the two are of one family: ANSI store assignment without its lossy part."""
    if pa.types.is_null(found):
        return True
    if pa.types.is_dictionary(found):
        return _may_become(found.value_type, wanted)
    families = (
        (pa.types.is_integer, (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)),
        (pa.types.is_floating, (pa.types.is_floating,)),
        (pa.types.is_decimal, (pa.types.is_decimal, pa.types.is_floating)),
        (_is_string, (_is_string,)),
        (_is_binary, (_is_binary,)),
        (pa.types.is_date, (pa.types.is_date, pa.types.is_timestamp)),
        (pa.types.is_timestamp, (pa.types.is_timestamp,)),
        (_is_list, (_is_list,)),
        (pa.types.is_map, (pa.types.is_map,)),
        (pa.types.is_struct, (pa.types.is_struct,)),
    )
    return any(is_found(found) and any(may(wanted) for may in become) for is_found, become in families)


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))
