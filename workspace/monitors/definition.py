"""What a monitor may say about the table it watches: the checks, without any storage.

Source: the QualityMonitors API of databricks-sdk 0.156 (`catalog.MonitorInfo` and its parts). Every message names the
field, the value received and what would be accepted; the service's own texts are not documented.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from workspace.errors import invalid
from workspace.monitors import custom_metrics
from workspace.monitors.custom_metrics import WHOLE_TABLE
from workspace.monitors.metric_tables import RESERVED
from workspace.schedules import check_schedule

PROFILES = ("inference_log", "time_series", "snapshot")
PROBLEM_TYPES = ("PROBLEM_TYPE_CLASSIFICATION", "PROBLEM_TYPE_REGRESSION")
METRIC_TYPES = (custom_metrics.AGGREGATE, custom_metrics.DERIVED, custom_metrics.DRIFT)

_GRANULARITY = re.compile(r"5 minutes|30 minutes|1 hour|1 day|[1-9]\d* weeks?|1 month|1 year")
_GRANULARITIES = '"5 minutes", "30 minutes", "1 hour", "1 day", "<n> week(s)", "1 month", "1 year"'
_NOT_A_TIME = ("boolean", "binary", "array", "map", "struct", "variant")
_UNITY_CATALOG_NAME = re.compile(r"[^.\s/]+")

# What create and update may set; everything else in a monitor is the service's own.
SETTABLE = (
    "baseline_table_name",
    "custom_metrics",
    "data_classification_config",
    "inference_log",
    "notifications",
    "output_schema_name",
    "schedule",
    "slicing_exprs",
    "snapshot",
    "time_series",
)


def check(body: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """The settable part of a request, with the service's defaults; ApiError 400 for the first thing that is wrong.

    `columns` are the watched table's columns: name to Databricks SQL type, lower case.
    """
    wanted = {name: body[name] for name in SETTABLE if body.get(name) is not None}
    _check_kinds(wanted)
    _check_profile(wanted, columns)
    if "schedule" in wanted:
        wanted["schedule"] = check_schedule(wanted["schedule"])
    _check_slices(wanted.get("slicing_exprs", []), columns)
    parameters = custom_metrics.parameters_of(wanted.get("inference_log"))
    _check_metrics(wanted.get("custom_metrics", []), columns, parameters)
    return wanted


def split_schema_name(output_schema_name: object) -> tuple[str, str]:
    """Catalog and schema of `output_schema_name`; ApiError 400 where it does not have these two levels."""
    parts = str(output_schema_name or "").split(".")
    if len(parts) != 2 or not all(_UNITY_CATALOG_NAME.fullmatch(part) for part in parts):
        raise invalid(f"output_schema_name must have the form catalog.schema, received '{output_schema_name}'")
    return parts[0], parts[1]


def _check_kinds(wanted: Mapping[str, Any]) -> None:
    """Lists, objects and texts where they are expected."""
    for name in ("custom_metrics", "slicing_exprs"):
        if not isinstance(wanted.get(name, []), list):
            raise invalid(f"{name} must be a list, received {wanted[name]!r}")
    if not isinstance(wanted.get("baseline_table_name", ""), str):
        raise invalid(f"baseline_table_name must be a text, received {wanted['baseline_table_name']!r}")
    notifications = wanted.get("notifications", {})
    if not isinstance(notifications, dict):
        raise invalid(f"notifications must be an object, received {notifications!r}")
    for name, destination in notifications.items():
        addresses = destination.get("email_addresses") or [] if isinstance(destination, dict) else destination
        if not isinstance(addresses, list) or not all(isinstance(one, str) for one in addresses):
            raise invalid(f"notifications.{name}.email_addresses must be a list of addresses, received {addresses!r}")


def _check_profile(wanted: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    chosen = [name for name in PROFILES if name in wanted]
    if len(chosen) != 1:
        raise invalid(f"A monitor needs exactly one of {', '.join(PROFILES)}; received {', '.join(chosen) or 'none'}")
    profile = wanted[chosen[0]]
    if not isinstance(profile, dict):
        raise invalid(f"{chosen[0]} must be an object, received {profile!r}")
    if chosen[0] == "snapshot":
        return
    _check_granularities(chosen[0], profile.get("granularities"))
    _check_time_column(chosen[0], _required(chosen[0], profile, "timestamp_col"), columns)
    if chosen[0] == "inference_log":
        _check_inference_log(profile, columns)


def _check_inference_log(profile: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    for name in ("prediction_col", "model_id_col"):
        _check_column(f"inference_log.{name}", _required("inference_log", profile, name), columns)
    for name in ("label_col", "prediction_proba_col"):
        if profile.get(name) is not None:
            _check_column(f"inference_log.{name}", _required("inference_log", profile, name), columns)
    if profile.get("problem_type") not in PROBLEM_TYPES:
        raise invalid(
            f"inference_log.problem_type must be one of {', '.join(PROBLEM_TYPES)}; "
            f"received '{profile.get('problem_type')}'"
        )


def _check_granularities(profile: str, granularities: object) -> None:
    if not isinstance(granularities, list) or not granularities:
        raise invalid(f"{profile}.granularities must name at least one of {_GRANULARITIES}; received {granularities!r}")
    for granularity in granularities:
        if not isinstance(granularity, str) or not _GRANULARITY.fullmatch(granularity):
            raise invalid(f"{profile}.granularities: '{granularity}' is not one of {_GRANULARITIES}")


def _check_time_column(profile: str, name: str, columns: Mapping[str, str]) -> None:
    kind = _check_column(f"{profile}.timestamp_col", name, columns)
    if kind.startswith(_NOT_A_TIME):
        raise invalid(f"{profile}.timestamp_col: column '{name}' is of type {kind}, which cannot be read as a time")


def _check_column(field: str, name: str, columns: Mapping[str, str]) -> str:
    """The type of the column; names compare without regard to case, as in Unity Catalog."""
    for column, kind in columns.items():
        if column.casefold() == name.casefold():
            return kind
    raise invalid(f"{field}: the table has no column '{name}'; it has {', '.join(columns) or 'no columns at all'}")


def _required(field: str, part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"{field}.{name} is required and must be a text; received {value!r}")
    return value


def _check_slices(expressions: Iterable[object], columns: Mapping[str, str]) -> None:
    for expression in expressions:
        field = f"slicing_exprs: '{expression}'"
        if not isinstance(expression, str) or not expression.strip():
            raise invalid(f"{field} is not a column expression")
        try:
            parsed = sqlglot.parse_one(expression, dialect="databricks")
        except SqlglotError as error:
            raise invalid(f"{field} is not a column expression: {str(error).splitlines()[0]}") from error
        if isinstance(parsed, exp.Query) or parsed.find(exp.Subquery, exp.Select):
            raise invalid(f"{field} cannot contain subqueries")
        named = [column.name for column in parsed.find_all(exp.Column)]
        if not named:
            raise invalid(f"{field} names no column of the table")
        for name in named:
            _check_column(field, name, columns)


def _check_metrics(metrics: Iterable[object], columns: Mapping[str, str], parameters: Mapping[str, str]) -> None:
    seen: set[str] = set()
    for number, metric in enumerate(metrics):
        field = f"custom_metrics[{number}]"
        if not isinstance(metric, dict):
            raise invalid(f"{field} must be an object, received {metric!r}")
        name = _required(field, metric, "name")
        if name in seen:
            raise invalid(f"{field}: a metric named '{name}' is defined twice")
        seen.add(name)
        if name.casefold() in RESERVED or not _UNITY_CATALOG_NAME.fullmatch(name):
            raise invalid(
                f"{field}: the metric tables cannot have another column '{name}'; give the metric another name"
            )
        if metric.get("type") not in METRIC_TYPES:
            raise invalid(f"{field}.type must be one of {', '.join(METRIC_TYPES)}; received '{metric.get('type')}'")
        _required(field, metric, "definition")
        _required(field, metric, "output_data_type")
        inputs = metric.get("input_columns")
        if not isinstance(inputs, list) or not inputs:
            raise invalid(f"{field}.input_columns must name columns, or '{WHOLE_TABLE}'; received {inputs!r}")
        for column in inputs:
            if not isinstance(column, str):
                raise invalid(f"{field}.input_columns must name columns, received {column!r}")
            if column != WHOLE_TABLE:
                _check_column(f"{field}.input_columns", str(column), columns)
        custom_metrics.check(field, metric, parameters)
