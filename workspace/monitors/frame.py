"""The rows that one refresh looks at: of the monitored table, of its baseline, of the snapshot before; side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from workspace.monitors.bench import Sheet, quoted
from workspace.monitors.groups import Axis, Codes
from workspace.monitors.windows import Micros

MOST_SLICES = 100
"""Of a column with many values, the most frequent ones (`slicing_exprs` of `catalog.MonitorInfo`)."""

_TIME, _MODEL, _SLICE = "__monitor_time", "__monitor_model", "__monitor_slice_{}"
_NO_TIME = np.iinfo(np.int64).min


class Origin(Enum):
    """Where a row is from."""

    INPUT = 0
    BASELINE = 1
    PREVIOUS = 2


class Kind(Enum):
    """Which metrics a column has."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    TIME = "time"
    ARRAY = "array"
    OTHER = "other"


_KINDS = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint", "float", "double", "decimal"), Kind.NUMERIC),
    **dict.fromkeys(("string", "boolean"), Kind.CATEGORICAL),
    **dict.fromkeys(("date", "timestamp", "timestamp_ntz"), Kind.TIME),
    "array": Kind.ARRAY,
}


@dataclass(frozen=True)
class Watched:
    """A column of the monitored table."""

    name: str
    type_text: str

    @property
    def kind(self) -> Kind:
        return _KINDS.get(self.type_text.partition("(")[0].partition("<")[0], Kind.OTHER)


@dataclass(frozen=True)
class Reading:
    """How rows are read: which expressions tell them apart."""

    time: str | None
    """The column with the time; None for a snapshot."""
    model: str | None
    """The column with the model's id; None for a monitor without models."""
    slices: Sequence[str]


@dataclass(frozen=True)
class Part:
    """The rows of one origin."""

    origin: Origin
    source: Any
    """An Arrow table or dataset."""
    columns: Sequence[str]
    """The columns that it has."""
    between: Sequence[tuple[int, int]] | None = None
    """Times from (included) and to (left out); None for all rows."""


@dataclass(frozen=True)
class Frame:
    """All parts below each other."""

    columns: Sequence[Watched]
    rows: pa.Table
    origins: npt.NDArray[np.int8]
    times: Micros
    models: Axis | None
    slices: Sequence[tuple[str, Axis]]
    missing: dict[Origin, frozenset[str]]
    """Columns that an origin does not have, or not in a type that becomes the monitored table's."""

    def values(self, name: str) -> pa.ChunkedArray:
        return self.rows.column(name)

    def of(self, origin: Origin) -> npt.NDArray[np.bool_]:
        return np.asarray(self.origins == origin.value)

    @property
    def timed(self) -> npt.NDArray[np.bool_]:
        """Rows whose time is known."""
        return np.asarray(self.times != _NO_TIME)


def source_of(delta: DeltaTable) -> Any:
    """What a query reads of a Delta table: a dataset, or the rows where the table's features forbid one."""
    return delta.to_pyarrow_table() if delta.protocol().reader_features else delta.to_pyarrow_dataset()


def load(sheet: Sheet, columns: Sequence[Watched], reading: Reading, parts: Sequence[Part]) -> Frame:
    """Read the parts. Raises SqlError where an expression cannot be computed."""
    tables, missing = [], {}
    schema: pa.Schema | None = None
    naive = any(column.type_text == "timestamp_ntz" for column in columns)
    for part in parts:
        rows = sheet.query(_statement(sheet.add(part.source), columns, reading, part), naive=naive)
        if schema is None:
            schema = rows.schema
        rows, lost = _fitted(rows, schema)
        missing[part.origin] = frozenset(lost)
        tables.append(rows)
    rows = pa.concat_tables(tables)
    origins = np.concatenate(
        [np.full(table.num_rows, part.origin.value, np.int8) for table, part in zip(tables, parts, strict=True)]
    )
    times = rows.column(_TIME).cast(pa.int64()).fill_null(_NO_TIME).to_numpy()
    slices = [
        (expression, _axis(rows.column(_SLICE.format(number)), MOST_SLICES))
        for number, expression in enumerate(reading.slices)
    ]
    models = None if reading.model is None else _axis(rows.column(_MODEL), None)
    return Frame(columns, rows.select([c.name for c in columns]), origins, times, models, slices, missing)


def moment_literal(micros: int) -> str:
    """A moment as a literal of SQL."""
    return f"TIMESTAMP'{np.datetime64(micros, 'us')}Z'"


def _statement(source: str, columns: Sequence[Watched], reading: Reading, part: Part) -> str:
    there = {name.casefold(): name for name in part.columns}
    wanted = [
        f"{quoted(there[column.name.casefold()])} AS {quoted(column.name)}"
        if column.name.casefold() in there
        else f"NULL AS {quoted(column.name)}"
        for column in columns
    ]
    timed = reading.time is not None and part.origin is Origin.INPUT
    moment = f"CAST({quoted(reading.time or '')} AS TIMESTAMP)"
    wanted.append(f"{f'unix_micros({moment})' if timed else 'CAST(NULL AS BIGINT)'} AS {_TIME}")
    if reading.model is not None:
        has = reading.model.casefold() in there
        wanted.append(f"{f'CAST({quoted(reading.model)} AS STRING)' if has else 'CAST(NULL AS STRING)'} AS {_MODEL}")
    for number, expression in enumerate(reading.slices):
        wanted.append(f"CAST(({expression}) AS STRING) AS {_SLICE.format(number)}")
    where = ""
    if timed and part.between is not None:
        ranges = [
            f"({moment} >= {moment_literal(start)} AND {moment} < {moment_literal(end)})" for start, end in part.between
        ]
        where = f" WHERE {' OR '.join(ranges) or '1 = 0'}"
    return f"SELECT {', '.join(wanted)} FROM {source}{where}"  # noqa: S608  # names are quoted, expressions are SQL


def _fitted(rows: pa.Table, schema: pa.Schema) -> tuple[pa.Table, list[str]]:
    """The rows in the types of the first part, and the columns that have no value in them."""
    arrays, lost = [], []
    for field in schema:
        array = rows.column(field.name)
        if pa.types.is_null(array.type) and not pa.types.is_null(field.type):
            lost.append(field.name)
        if array.type != field.type:
            try:
                array = array.cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                lost.append(field.name)
                array = pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
        arrays.append(array)
    return pa.table(arrays, schema=schema), lost


def _axis(values: pa.ChunkedArray, most: int | None) -> Axis:
    """Values as codes, in the order of the values; with `most`, the most frequent ones alone."""
    encoded = pc.dictionary_encode(values).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    codes: Codes = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    names = encoded.dictionary
    ranks = pc.array_sort_indices(names).to_numpy()
    if most is not None and len(names) > most:
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        # Of equally frequent values the first in order is taken.
        frequent = np.lexsort((np.argsort(ranks), -counts))[:most]
        kept = np.zeros(len(names), dtype=np.bool_)
        kept[frequent] = True
        ranks = ranks[kept[ranks]]
    places = np.full(len(names) + 1, -1, dtype=np.int64)
    places[ranks] = np.arange(len(ranks))
    return Axis(places[codes], names.take(pa.array(ranks)).to_pylist())
