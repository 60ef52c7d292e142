"""Drift detection on a workspace: a monitor's metric tables, read with SQL and judged."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.churn.drift_detection import Drift, Performance, Policy, Verdict, as_utc, judge
from pipelines.errors import PipelineError
from pipelines.sql import SqlRunner, Value, Warehouse, find_warehouse

GRANULARITY: Final = "1 day"
# The monitor's rows over all models together; each model is judged by itself.
_ALL_MODELS: Final = "*"
_MEASURE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_TABLE: Final = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){2}")


def performance_query(table: str, metric: str, model_column: str) -> str:
    """The profile table's windows from `:since` on, whole table, unsliced, in order."""
    _check(_TABLE, "profile metrics table", table)
    _check(_MEASURE, "performance metric", metric)
    _check(_MEASURE, "model id column", model_column)
    return f"""SELECT
  window.start AS time,
  {metric} AS performance_metric,
  expected_loss,
  {model_column} AS `Model Id`,
  count AS rows
FROM {table}
WHERE window.start >= CAST(:since AS TIMESTAMP)
  AND granularity = '{GRANULARITY}'
  AND log_type = 'INPUT'
  AND column_name = ':table'
  AND slice_key IS NULL
  AND slice_value IS NULL
  AND {model_column} <> '{_ALL_MODELS}'
ORDER BY window.start"""  # noqa: S608 - every name is checked above


def drift_query(table: str, metric: str, model_column: str, columns: tuple[str, ...]) -> str:
    """The drift table's windows from `:since` on, each column against the window before, unsliced, in order."""
    _check(_TABLE, "drift metrics table", table)
    _check(_MEASURE, "drift metric", metric)
    for column in (*columns, model_column):
        _check(_MEASURE, "column", column)
    names = ", ".join(f"'{column}'" for column in columns)
    return f"""SELECT
  window.start AS time,
  column_name,
  {metric} AS drift_metric,
  {model_column} AS `Model Id`
FROM {table}
WHERE column_name IN ({names})
  AND window.start >= CAST(:since AS TIMESTAMP)
  AND granularity = '{GRANULARITY}'
  AND slice_key IS NULL
  AND slice_value IS NULL
  AND drift_type = 'CONSECUTIVE'
  AND {model_column} <> '{_ALL_MODELS}'
ORDER BY window.start"""  # noqa: S608 - every name is checked above


def detect(parameters: Mapping[str, str], workspace: WorkspaceClient | None = None) -> Verdict:
    """The verdict on a monitor, as job parameters describe it.

    Args:
        parameters: texts, by the names in examples/churn: `profile_metrics_table`, `drift_metrics_table`, `model`,
            thresholds and the rest of `Policy`. `start_date` is a date (UTC); windows before the last training do not
            count either, unless `since_training` is `false`.

    Raises PipelineError for a parameter that is missing or is none.
    """
    client = workspace or WorkspaceClient()
    profile, drift = parameters["profile_metrics_table"], parameters["drift_metrics_table"]
    since = _since(client, parameters)
    policy = policy_of(parameters, since)
    catalog, schema, _ = profile.split(".")
    warehouse = Warehouse(client, find_warehouse(client, parameters.get("warehouse_id")), catalog, schema)
    model_column = parameters.get("model_id_column", "served_entity_id")
    after = {"since": f"{since:%Y-%m-%d %H:%M:%S}"}
    performance_text = performance_query(profile, parameters["performance_metric"], model_column)
    drift_text = drift_query(drift, parameters["drift_metric"], model_column, tuple(policy.columns))
    return judge(
        [_performance(row) for row in _rows(client, warehouse, profile, performance_text, after)],
        [_drift(row) for row in _rows(client, warehouse, drift, drift_text, after)],
        policy,
    )


def policy_of(parameters: Mapping[str, str], since: datetime) -> Policy:
    """The policy that job parameters describe; what they leave out is as `Policy` says. Raises PipelineError."""
    numbers = {"performance_threshold", "expected_loss_threshold", "drift_threshold"}
    counts = {"last_windows", "needed_windows", "minimum_rows"}
    read: dict[str, object] = {}
    for name in sorted(numbers | counts):
        if name in parameters:
            try:
                read[name] = float(parameters[name]) if name in numbers else int(parameters[name])
            except ValueError as error:
                raise PipelineError(f"Job parameter {name} is {parameters[name]!r}, not a number.") from error
    for name in ("performance_needs", "drift_needs"):
        if name in parameters:
            if parameters[name] not in ("all", "any"):
                raise PipelineError(f"Job parameter {name} is {parameters[name]!r}; use all or any.")
            read[name] = parameters[name]
    return Policy(**read, strict=_flag(parameters, "strict", default=False), since=since)  # type: ignore[arg-type]


def last_training(workspace: WorkspaceClient, model: str) -> datetime | None:
    """When the newest version of a model was made (aware, UTC); None where there is none."""
    try:
        made = [version.created_at for version in workspace.model_versions.list(model) if version.created_at]
    except NotFound:
        return None
    return datetime.fromtimestamp(max(made) / 1_000, UTC) if made else None


def _since(workspace: WorkspaceClient, parameters: Mapping[str, str]) -> datetime:
    try:
        start = as_utc(datetime.fromisoformat(parameters["start_date"]))
    except ValueError as error:
        raise PipelineError(
            f"Job parameter start_date is {parameters['start_date']!r}, not a date; write it as 2024-06-01."
        ) from error
    trained = None
    if _flag(parameters, "since_training", default=True):
        trained = last_training(workspace, parameters["model"])
    if trained is None:
        return start
    # The window that the training fell into holds what was before it: the next one is the first that counts.
    midnight = trained.replace(hour=0, minute=0, second=0, microsecond=0)
    return max(start, midnight if midnight == trained else midnight + timedelta(days=1))


def _flag(parameters: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = parameters.get(name, str(default)).lower()
    if text not in ("true", "false"):
        raise PipelineError(f"Job parameter {name} is {parameters[name]!r}; use true or false.")
    return text == "true"


def _rows(
    workspace: WorkspaceClient, warehouse: SqlRunner, table: str, query: str, parameters: Mapping[str, str]
) -> list[dict[str, Value]]:
    # A monitor makes its tables at its first refresh: before that there is no window, and no error.
    if not workspace.tables.exists(table).table_exists:
        return []
    result = warehouse.run(query, parameters)
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def _performance(row: Mapping[str, Value]) -> Performance:
    return Performance(
        time=_moment(row["time"]),
        model_id=str(row["Model Id"]),
        rows=int(str(row["rows"] or 0)),
        performance_metric=_number(row["performance_metric"]),
        expected_loss=_number(row["expected_loss"]),
    )


def _drift(row: Mapping[str, Value]) -> Drift:
    return Drift(
        time=_moment(row["time"]),
        model_id=str(row["Model Id"]),
        column_name=str(row["column_name"]),
        drift_metric=_number(row["drift_metric"]),
    )


def _moment(value: Value) -> datetime:
    if not isinstance(value, datetime):
        raise PipelineError(f"The start of a monitor's window is {value!r}, not a timestamp.")
    return value


def _number(value: Value) -> float | None:
    return None if value is None else float(str(value))


def _check(form: re.Pattern[str], what: str, value: str) -> None:
    if not form.fullmatch(value):
        raise PipelineError(f"The {what} is {value!r}, which cannot be written into a statement.")
