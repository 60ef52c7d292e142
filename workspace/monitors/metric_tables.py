"""The two tables that a monitor writes: their columns, and how a refresh takes the place of what was there.

Source: "Data profiling metric tables" (columns and structs); order and SQL types as in tables of a live workspace. The
model's id stands under the name of the monitored table's own column. Assumption: `count` of a column is of values that
are not NULL, as that page says, and `:table` counts rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workspace.errors import bad_request
from workspace.monitors.custom_metrics import DRIFT, CustomMetric
from workspace.sql.datatypes import arrow_type
from workspace.unity_catalog.table import Column
from workspace.unity_catalog.tables import Tables

INPUT, BASELINE = "INPUT", "BASELINE"
CONSECUTIVE = "CONSECUTIVE"
WHOLE_TABLE = ":table"
ALL_MODELS = "*"

_WINDOW = "struct<start:timestamp,end:timestamp>"
_TEST = "struct<statistic:double,pvalue:double>"
_AVERAGED = "struct<one_vs_all:map<string,double>,macro:double,weighted:double>"
_FAIRNESS = "struct<difference:map<string,double>,ratio:map<string,double>>"

_SLICE = {"slice_key": "string", "slice_value": "string"}
_PROFILE_HEAD = {
    "window": _WINDOW,
    "log_type": "string",
    "logging_table_commit_version": "int",
    "monitor_version": "bigint",
    "granularity": "string",
    **_SLICE,
}
_PROFILE_BODY = {
    "column_name": "string",
    "count": "bigint",
    "data_type": "string",
    "num_nulls": "bigint",
    "avg": "double",
    "quantiles": "array<double>",
    "min": "double",
    "max": "double",
    "stddev": "double",
    "num_zeros": "bigint",
    "num_nan": "bigint",
    "min_length": "double",
    "max_length": "double",
    "avg_length": "double",
    "non_null_columns": "array<string>",
    "frequent_items": "array<struct<item:string,count:bigint>>",
    "median": "double",
    "distinct_count": "bigint",
    "percent_nan": "double",
    "percent_null": "double",
    "percent_zeros": "double",
    "percent_distinct": "double",
}
_CLASSIFICATION = {
    "accuracy_score": "double",
    "confusion_matrix": "array<struct<prediction:string,label:string,count:bigint>>",
    "precision": _AVERAGED,
    "recall": _AVERAGED,
    "f1_score": _AVERAGED,
    "predictive_parity": _FAIRNESS,
    "predictive_equality": _FAIRNESS,
    "equal_opportunity": _FAIRNESS,
    "statistical_parity": _FAIRNESS,
}
_REGRESSION = {
    "mean_squared_error": "double",
    "root_mean_squared_error": "double",
    "mean_average_error": "double",
    "mean_absolute_percentage_error": "double",
    "r2_score": "double",
}
_DRIFT_HEAD = {"window": _WINDOW, "granularity": "string", "monitor_version": "bigint", **_SLICE}
_DRIFT_BODY = {
    "column_name": "string",
    "data_type": "string",
    "window_cmp": _WINDOW,
    "drift_type": "string",
    "count_delta": "bigint",
    "avg_delta": "double",
    "percent_null_delta": "double",
    "percent_zeros_delta": "double",
    "percent_distinct_delta": "double",
    "non_null_columns_delta": "struct<added:int,missing:int>",
    "js_distance": "double",
    "ks_test": _TEST,
    "wasserstein_distance": "double",
    "population_stability_index": "double",
    "chi_squared_test": _TEST,
    "tv_distance": "double",
    "l_infinity_distance": "double",
}
RESERVED = frozenset(_PROFILE_HEAD | _PROFILE_BODY | _CLASSIFICATION | _REGRESSION | _DRIFT_HEAD | _DRIFT_BODY)
"""Names that a custom metric cannot have."""

Types = dict[str, str]
"""Names of columns to their Databricks SQL types."""


def profile_types(model: str | None, problem: str | None, metrics: Sequence[CustomMetric]) -> Types:
    """Of the profile metrics table.

    Args:
        model: the column with the model's id, of an inference log.
        problem: `classification` or `regression`, where there are labels.
    """
    quality = {"classification": _CLASSIFICATION, "regression": _REGRESSION}.get(problem or "", {})
    custom = {metric.name: metric.type_text for metric in metrics if metric.kind != DRIFT}
    return {**_PROFILE_HEAD, **_model(model), **_PROFILE_BODY, **quality, **custom}


def drift_types(model: str | None, metrics: Sequence[CustomMetric]) -> Types:
    """Of the drift metrics table."""
    custom = {metric.name: metric.type_text for metric in metrics if metric.kind == DRIFT}
    return {**_DRIFT_HEAD, **_model(model), **_DRIFT_BODY, **custom}


def rows_of(types: Types, cells: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows in the Arrow types of the table; what a row does not have is NULL."""
    return pa.table(
        {name: pa.array([row.get(name) for row in cells], arrow_type(kind)) for name, kind in types.items()}
    )


def window(start: int | None, end: int | None) -> dict[str, Any] | None:
    """The struct of a window, from microseconds since the epoch."""
    return None if start is None or end is None else {"start": _moment(start), "end": _moment(end)}


class MetricTable:
    """One metric table of one monitor."""

    def __init__(self, tables: Tables, full_name: str) -> None:
        self._tables = tables
        self.full_name = full_name

    def ensure(self, types: Types) -> None:
        """Have the table there. ApiError 400 where the name is taken by a table that no monitor wrote."""
        if self._found() is None:
            self._tables.create(self.full_name, _columns(types))

    def rows(self) -> pa.Table | None:
        """What is there; None where there is no table."""
        return None if self._found() is None else self._tables.delta(self.full_name).to_pyarrow_table()

    def put(self, types: Types, rows: pa.Table, kept: pa.Table | None) -> None:
        """Make `kept` and `rows` the contents, in one commit; columns that the monitor has no more are gone."""
        whole = rows if kept is None or not kept.num_rows else pa.concat_tables([_fitted(kept, rows.schema), rows])
        found = self._found()
        if found is not None and [(c.name, c.type_text) for c in found] == [*types.items()]:
            self._tables.overwrite(self.full_name, whole)
        else:
            self._tables.create(self.full_name, _columns(types), rows=whole, replace=True)

    def _found(self) -> Sequence[Column] | None:
        table = self._tables.find(self.full_name)
        if table is None:
            return None
        if not {"window", "granularity", "monitor_version", "column_name"} <= {column.name for column in table.columns}:
            raise bad_request(
                f"Table '{self.full_name}' is not a metric table: a monitor would write over it. Rename it, or give "
                "the monitor another output schema."
            )
        return table.columns


def without(rows: pa.Table, windows: Mapping[str, Collection[int]], *, baseline: bool) -> pa.Table:
    """The rows whose windows are not among these, by granularity; with `baseline`, without BASELINE rows too."""
    gone = np.zeros(rows.num_rows, dtype=np.bool_)
    starts = _starts(rows)
    granularities = np.asarray(rows.column("granularity").fill_null("").to_numpy(zero_copy_only=False))
    for granularity, these in windows.items():
        gone |= (granularities == granularity) & np.isin(starts, np.fromiter(these, np.int64, len(these)))
    if baseline and "log_type" in rows.column_names:
        gone |= pc.equal(rows.column("log_type"), BASELINE).fill_null(False).to_numpy()
    return rows.filter(pa.array(~gone))


def windows_of(rows: pa.Table) -> dict[str, set[int]]:
    """The windows that there are rows of, by granularity."""
    found: dict[str, set[int]] = {}
    named = zip(rows.column("granularity").to_pylist(), _starts(rows).tolist(), strict=True)
    for granularity, start in set(named):
        if granularity is not None:
            found.setdefault(granularity, set()).add(start)
    return found


def _starts(rows: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The beginnings of the rows' windows; of rows without a window a number that is none."""
    starts = pc.struct_field(rows.column("window"), "start").cast(pa.int64())
    return np.asarray(starts.fill_null(np.iinfo(np.int64).min).to_numpy())


def _fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    arrays = []
    for field in schema:
        there = rows.schema.get_field_index(field.name)
        array = rows.column(there) if there >= 0 else None
        if array is None or (array.type != field.type and not _casts(array.type, field.type)):
            array = pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
        arrays.append(array.cast(field.type))
    return pa.table(arrays, schema=schema)


def _casts(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_nested(found) or pa.types.is_nested(wanted):
        return bool(pa.types.is_nested(found) and pa.types.is_nested(wanted))
    return bool(pa.types.is_string(found)) == bool(pa.types.is_string(wanted))


def _columns(types: Types) -> list[Column]:
    return [Column(name, kind) for name, kind in types.items()]


def _model(model: str | None) -> Types:
    return {} if model is None else {model: "string"}


def _moment(micros: int) -> Any:
    return np.datetime64(micros, "us").astype(object).replace(tzinfo=UTC)
