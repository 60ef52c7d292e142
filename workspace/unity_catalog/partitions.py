"""Tables whose files are kept apart by the values of columns.

Source: the Delta protocol, "Partition Value Serialization" and "Add File and Remove File"; the page "CREATE TABLE
[USING]" (PARTITIONED BY).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from workspace.errors import invalid
from workspace.unity_catalog.table import Column

_KEPT_APART = ("date", "string", "boolean", "tinyint", "smallint", "int", "bigint")
"""Types whose values have one text; Delta takes more of them (timestamps, decimals), which are refused here."""


def checked(columns: Sequence[Column], partitions: Sequence[str]) -> list[str]:
    """Names of the partition columns as they are declared. ApiError 400 for one that cannot be."""
    found = {column.name.lower(): column for column in columns}
    names = []
    for name in partitions:
        column = found.get(name.lower())
        if column is None:
            raise invalid(
                f"[COLUMN_NOT_DEFINED_IN_TABLE] The partition column `{name}` is not defined in the table; it has "
                f"{', '.join(one.name for one in columns)}"
            )
        if column.type_text.lower() not in _KEPT_APART:
            raise invalid(
                f"column `{name}` is a {column.type_text}: here tables are partitioned by {', '.join(_KEPT_APART)}"
            )
        names.append(column.name)
    if len(names) == len(columns):
        raise invalid("[ALL_PARTITION_COLUMNS_NOT_ALLOWED] Cannot use all columns for partition columns.")
    return names


def values_of(row: dict[str, object]) -> dict[str, str | None]:
    """Partition values as the log has them: texts, NULL for NULL and for the empty text."""
    return {name: _text(value) for name, value in row.items()}


def parts(rows: pa.Table, partitions: Sequence[str]) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
    """Rows by their partition values, without the partition columns; all of them at once where there are none."""
    if not partitions:
        yield {}, rows
        return
    seen = rows.select(partitions).group_by(list(partitions)).aggregate([]).to_pylist()
    for row in seen:
        chosen = None
        for name, value in row.items():
            column = rows.column(name)
            same = pc.is_null(column) if value is None else pc.fill_null(pc.equal(column, value), fill_value=False)
            chosen = same if chosen is None else pc.and_(chosen, same)
        yield values_of(row), rows.filter(chosen).drop_columns(list(partitions))


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime.date) else str(value)
