"""The questions that drift detection asks of a monitor's metric tables: Databricks SQL, pure text."""

import re
from typing import Final

from pipelines.errors import PipelineError

GRANULARITY: Final = "1 day"
# The monitor's rows over all models together; each model is judged by itself.
_ALL_MODELS: Final = "*"
_MEASURE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_TABLE: Final = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){2}")
_WHOLE_TABLE: Final = "\n  AND slice_key IS NULL\n  AND slice_value IS NULL"


def performance_query(table: str, metric: str, model_column: str, *, slices: bool = False) -> str:
    """The profile table's windows from `:since` on, whole table, in order; unsliced unless `slices`."""
    _check_names(table, model_column, metric=metric)
    return f"""SELECT
  window.start AS time,
  {metric} AS performance_metric,
  expected_loss,
  {model_column} AS `Model Id`,
  slice_key,
  slice_value,
  count AS rows
FROM {table}
WHERE window.start >= CAST(:since AS TIMESTAMP)
  AND granularity = '{GRANULARITY}'
  AND log_type = 'INPUT'
  AND column_name = ':table'{"" if slices else _WHOLE_TABLE}
  AND {model_column} <> '{_ALL_MODELS}'
ORDER BY window.start"""  # noqa: S608 - every name is checked above


def labels_query(table: str, label: str, model_column: str, *, slices: bool = False) -> str:
    """How many labels each of those windows has: the profile counts the values that are there."""
    _check_names(table, model_column, label=label)
    return f"""SELECT
  window.start AS time,
  {model_column} AS `Model Id`,
  slice_key,
  slice_value,
  count AS labelled
FROM {table}
WHERE window.start >= CAST(:since AS TIMESTAMP)
  AND granularity = '{GRANULARITY}'
  AND log_type = 'INPUT'
  AND column_name = '{label}'{"" if slices else _WHOLE_TABLE}
  AND {model_column} <> '{_ALL_MODELS}'"""  # noqa: S608 - every name is checked above


def drift_query(table: str, metric: str, model_column: str, columns: tuple[str, ...], *, slices: bool = False) -> str:
    """The drift table's windows from `:since` on, each column against the window before, in order; unsliced unless
    `slices`.
    """
    _check_names(table, model_column, metric=metric, **{f"column {name}": name for name in columns})
    names = ", ".join(f"'{column}'" for column in columns)
    return f"""SELECT
  window.start AS time,
  window_cmp.start AS compared_with,
  column_name,
  {metric} AS drift_metric,
  {model_column} AS `Model Id`,
  slice_key,
  slice_value
FROM {table}
WHERE column_name IN ({names})
  AND window.start >= CAST(:since AS TIMESTAMP)
  AND granularity = '{GRANULARITY}'{"" if slices else _WHOLE_TABLE}
  AND drift_type = 'CONSECUTIVE'
  AND {model_column} <> '{_ALL_MODELS}'
ORDER BY window.start"""  # noqa: S608 - every name is checked above


def _check_names(table: str, model_column: str, **names: str) -> None:
    _check(_TABLE, "metrics table", table)
    for what, name in {"model id column": model_column, **names}.items():
        _check(_MEASURE, what, name)


def _check(form: re.Pattern[str], what: str, value: str) -> None:
    if not form.fullmatch(value):
        raise PipelineError(f"The {what} is {value!r}, which cannot be written into a statement.")
