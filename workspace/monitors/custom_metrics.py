"""Custom metrics: Jinja templates of SQL expressions, over rows (aggregate) or over metrics (derived, drift).

Source: "Use custom metrics with data profiling": the parameters of the templates, that a definition is one expression
without joins and subqueries, that the output type is a Spark type as JSON. What is asked of a definition beyond that
(that it parses, that its parameters are known) is refused at once instead of at the first refresh.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import sqlglot
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from sqlglot import exp
from sqlglot.errors import SqlglotError

from workspace.errors import invalid
from workspace.monitors.bench import Sheet
from workspace.monitors.groups import Groups
from workspace.unity_catalog import types

AGGREGATE, DERIVED, DRIFT = (f"CUSTOM_METRIC_TYPE_{kind}" for kind in ("AGGREGATE", "DERIVED", "DRIFT"))
WHOLE_TABLE = ":table"
"""What `input_columns` names when a metric is about more than one column."""

_JINJA = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)  # SQL, not HTML
_CURRENT, _BASE = "current_df", "base_df"
_GROUP = "__monitor_group"
_SPARK_TYPES = {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint"}


@dataclass(frozen=True)
class CustomMetric:
    """One metric of a monitor."""

    name: str
    kind: str
    inputs: Sequence[str]
    definition: str
    type_text: str
    """Databricks SQL type of the result."""

    def expression(self, column: str, parameters: Mapping[str, str]) -> str:
        """The SQL of the metric for one input column, of its output type."""
        return f"CAST(({render(self.definition, column, parameters)}) AS {self.type_text})"


def read(metrics: Sequence[Mapping[str, Any]]) -> list[CustomMetric]:
    """The metrics of a checked definition."""
    return [
        CustomMetric(
            one["name"], one["type"], one["input_columns"], one["definition"], type_of(one["output_data_type"])
        )
        for one in metrics
    ]


def parameters_of(inference_log: Mapping[str, Any] | None) -> dict[str, str]:
    """What the templates of a monitor may name, besides `input_column`."""
    named = {_CURRENT: _CURRENT, _BASE: _BASE}
    if inference_log:
        named["prediction_col"] = inference_log["prediction_col"]
        if inference_log.get("label_col"):
            named["label_col"] = inference_log["label_col"]
    return named


def render(definition: str, column: str, parameters: Mapping[str, str]) -> str:
    """The SQL of a template. Raises jinja2's TemplateError."""
    return _JINJA.from_string(definition).render(input_column=column, **parameters)


def check(field: str, metric: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    """ApiError 400 for a definition that is no SQL expression, or a type that is none of Spark's."""
    try:
        type_of(metric["output_data_type"])
    except types.TypeTextError as error:
        raise invalid(f"{field}.output_data_type: {error}") from error
    for column in metric["input_columns"]:
        try:
            text = render(metric["definition"], column, parameters)
        except TemplateError as error:
            named = ", ".join(["input_column", *parameters])
            raise invalid(f"{field}.definition: {error}; this monitor's templates know {named}") from error
        try:
            tree = sqlglot.parse_one(text, dialect="databricks")
        except SqlglotError as error:
            raise invalid(f"{field}.definition is no SQL expression: {str(error).splitlines()[0]}") from error
        if isinstance(tree, exp.Query) or tree.find(exp.Subquery, exp.Select, exp.Join):
            raise invalid(f"{field}.definition cannot contain joins or subqueries: '{text}'")


def type_of(output_data_type: str) -> str:
    """The Databricks SQL type in a Spark type's JSON, of a `StructField` or of its type alone; TypeTextError."""
    try:
        parsed = json.loads(output_data_type)
    except ValueError:
        parsed = output_data_type
    if isinstance(parsed, dict) and "name" in parsed and "type" in parsed:
        parsed = parsed["type"]
    if isinstance(parsed, dict):
        try:
            return types.normalised(types.text_of(parsed))
        except (KeyError, TypeError) as error:
            raise types.TypeTextError(f"'{output_data_type}' is not the JSON of a Spark type") from error
    return types.normalised(_SPARK_TYPES.get(str(parsed), str(parsed)))


def aggregates(
    sheet: Sheet, rows: pa.Table, groups: Groups, metrics: Sequence[CustomMetric], parameters: Mapping[str, str]
) -> dict[str, dict[str, Sequence[Any]]]:
    """Aggregate metrics by input column and name: a value for each group. Raises SqlError."""
    wanted = [(column, metric) for metric in metrics if metric.kind == AGGREGATE for column in metric.inputs]
    if not wanted or not groups.keys:
        return {}
    source = sheet.add(rows.append_column(_GROUP, pa.array(groups.codes)))
    selected = ", ".join(
        f"{metric.expression(column, parameters)} AS m{number}" for number, (column, metric) in enumerate(wanted)
    )
    answer = sheet.query(
        f"SELECT {_GROUP}, {selected} FROM {source} WHERE {_GROUP} >= 0 GROUP BY {_GROUP}"  # noqa: S608
    )
    order = np.argsort(answer.column(_GROUP).to_numpy())
    found: dict[str, dict[str, Sequence[Any]]] = {}
    for number, (column, metric) in enumerate(wanted):
        values = answer.column(f"m{number}").to_pylist()
        found.setdefault(column, {})[metric.name] = [values[index] for index in order]
    return found


def derived(
    sheet: Sheet, profile: pa.Table, metrics: Sequence[CustomMetric], parameters: Mapping[str, str]
) -> pa.Table:
    """The profile with its derived metrics, each from what is there before it. Raises SqlError."""
    for metric in metrics:
        if metric.kind != DERIVED:
            continue
        source = sheet.add(profile.append_column(_GROUP, pa.array(np.arange(profile.num_rows))))
        cases = _by_column(metric, parameters)
        answer = sheet.query(f"SELECT {_GROUP}, {cases} AS value FROM {source}").sort_by(_GROUP)  # noqa: S608
        profile = _set(profile, metric.name, answer.column("value"))
    return profile


def drifts(
    sheet: Sheet,
    drift: pa.Table,
    current: pa.Table,
    base: pa.Table,
    metrics: Sequence[CustomMetric],
    parameters: Mapping[str, str],
) -> pa.Table:
    """The drift table with its custom metrics; row by row, `current` and `base` are what it compares."""
    wanted = [metric for metric in metrics if metric.kind == DRIFT]
    if not wanted or not drift.num_rows:
        return drift
    numbers = pa.array(np.arange(drift.num_rows))
    here, there = (sheet.add(side.append_column(_GROUP, numbers)) for side in (current, base))
    selected = ", ".join(f"{_by_column(metric, parameters, _CURRENT)} AS m{n}" for n, metric in enumerate(wanted))
    answer = sheet.query(
        f"SELECT {_CURRENT}.{_GROUP} AS {_GROUP}, {selected} FROM {here} AS {_CURRENT} "  # noqa: S608
        f"JOIN {there} AS {_BASE} ON {_CURRENT}.{_GROUP} = {_BASE}.{_GROUP}"
    ).sort_by(_GROUP)
    for number, metric in enumerate(wanted):
        drift = _set(drift, metric.name, answer.column(f"m{number}"))
    return drift


def _by_column(metric: CustomMetric, parameters: Mapping[str, str], table: str | None = None) -> str:
    name = f"{table}.column_name" if table else "column_name"
    cases = " ".join(
        f"WHEN {name} = {exp.Literal.string(column).sql('databricks')} THEN {metric.expression(column, parameters)}"
        for column in metric.inputs
    )
    return f"CASE {cases} END"


def _set(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.set_column(index, name, values) if index >= 0 else table.append_column(name, values)
