"""The baseline of a monitor: rows that a model has not seen in training, with what it says of them and what was true.

A monitor compares each window of requests with it (page "Data profiling": baseline table). Its columns are those of the
table of unpacked requests, less what only a request has.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from pipelines.sql import SqlRunner

_NUMBERS: Final = ("tinyint", "smallint", "int", "bigint", "float", "double")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Far below the 16 MiB that a statement may have.
_BATCH: Final = 5_000


def replace_baseline(warehouse: SqlRunner, table: str, columns: Mapping[str, str], rows: pd.DataFrame) -> int:
    """Make the table where it is missing, and put these rows in place of what it holds; their number.

    Args:
        table: of the warehouse's schema.
        columns: names to Databricks SQL types in lower case: numbers, and timestamps, of which naive ones are UTC.
        rows: has the columns; what is missing there (NaN, NaT) is NULL.

    Raises ValueError for another type, or for a name that is none.
    """
    if wrong := {name: kind for name, kind in columns.items() if not _is_plain(name, kind)}:
        raise ValueError(f"columns of baseline {table} are no plain numbers or timestamps: {wrong}")
    declared = ", ".join(f"{name} {kind.upper()}" for name, kind in columns.items())
    warehouse.run(f"CREATE TABLE IF NOT EXISTS {table} ({declared})")
    warehouse.run(f"DELETE FROM {table}")  # noqa: S608 - a constant of the pipeline
    values = ", ".join(_read(number, name, kind) for number, (name, kind) in enumerate(columns.items(), start=1))
    insert = (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} "  # noqa: S608 - names were checked
        "FROM (SELECT explode(split(:rows, ';')) AS line)"
    )
    texts = [_texts(rows[name], kind) for name, kind in columns.items()]
    lines = [",".join(values) for values in zip(*texts, strict=True)]
    for first in range(0, len(lines), _BATCH):
        warehouse.run(insert, {"rows": ";".join(lines[first : first + _BATCH])})
    return len(lines)


def _is_plain(name: str, kind: str) -> bool:
    return bool(_NAME.fullmatch(name)) and kind in (*_NUMBERS, "timestamp")


def _read(number: int, name: str, kind: str) -> str:
    """The value of a line's field; an empty one is NULL."""
    field = f"nullif(split_part(line, ',', {number}), '')"
    if kind == "timestamp":
        return f"timestamp_micros(CAST({field} AS BIGINT)) AS {name}"
    return f"CAST({field} AS {kind.upper()}) AS {name}"


def _texts(column: "pd.Series[Any]", kind: str) -> list[str]:
    if kind == "timestamp":
        moments = pd.to_datetime(column, utc=True)
        return [
            "" if missing else str(moment.value // 1_000)
            for moment, missing in zip(moments, moments.isna(), strict=True)
        ]
    whole = kind not in ("float", "double")
    return ["" if pd.isna(value) else str(int(value)) if whole else repr(float(value)) for value in column]
