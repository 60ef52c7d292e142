"""The questions that alerts ask, as Databricks SQL: pure text, one function a question.

Each statement returns rows with one number to compare, and no row at all where there is too little to judge by: an
alert then has the state that it declares for an empty result (UNKNOWN), never a false OK.

Two tables are asked. The inference table has the documented columns of AI Gateway (`request_time`, `status_code`,
`execution_duration_ms`, `response`) and is delivered late, so a window ends at the newest row that is there, not now; a
table whose newest row is older than window and delivery lag together says nothing. Metric tables are those of data
profiling (`window`, `column_name`, `slice_key`, `drift_type` ...).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .columns import SERVED_ENTITY_ID
from .names import ThreePartName

DriftType = Literal["BASELINE", "CONSECUTIVE"]
WHOLE_TABLE = ":table"
NEWEST = "WHERE window_start = (SELECT max(window_start) FROM judged)"
"""How questions about metric tables end: they look at the newest window that says anything."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The part of an inference table that a question is about."""

    payload_table: ThreePartName
    window_minutes: int
    """Length of the window that ends at the newest request."""
    delivery_lag_minutes: int
    """How late requests may arrive in the table; Databricks names an hour."""
    min_requests: int
    """Fewer requests in the window are no answer."""

    def measured(self, measure: str, name: str) -> str:
        """`measure` over the requests of the window, as a column `name`."""
        table = self.payload_table.sql
        return f"""SELECT {measure} AS {name}, count(*) AS requests
FROM {table}
WHERE request_time > (SELECT max(request_time) FROM {table}) - INTERVAL {self.window_minutes} MINUTES
  AND request_time > current_timestamp() - INTERVAL {self.window_minutes + self.delivery_lag_minutes} MINUTES
HAVING count(*) >= {self.min_requests}"""


def error_share(traffic: Traffic) -> str:
    """Share of requests that were not answered with 200, as `error_share` (0 to 1)."""
    return traffic.measured("avg(CASE WHEN status_code = 200 THEN 0.0 ELSE 1.0 END)", "error_share")


def latency_p95(traffic: Traffic) -> str:
    """95th percentile of the execution time, as `p95_latency_ms`."""
    return traffic.measured("percentile(execution_duration_ms, 0.95)", "p95_latency_ms")


def tokens(traffic: Traffic) -> str:
    """Tokens that the answers of the window name under `usage.total_tokens`, as `total_tokens`."""
    value = "TRY_CAST(get_json_object(response, '$.usage.total_tokens') AS BIGINT)"
    return traffic.measured(f"coalesce(sum({value}), 0)", "total_tokens")


def age_minutes(table: ThreePartName, column: str) -> str:
    """Minutes since the newest value of a timestamp column, as `age_minutes`; no row for an empty table."""
    return f"""SELECT (unix_seconds(current_timestamp()) - unix_seconds(max({column}))) / 60.0 AS age_minutes
FROM {table.sql}
HAVING max({column}) IS NOT NULL"""


def drift(
    table: ThreePartName,
    measure: str,
    *,
    columns: Sequence[str],
    drift_type: DriftType,
    granularity: str,
    sliced: bool,
    profile_table: ThreePartName | None = None,
    min_rows: int = 1,
    model_id_column: str = SERVED_ENTITY_ID,
) -> str:
    """`measure` of the newest window, as `drift`: one row a column, or a column and slice.

    Args:
        table: the drift metrics table.
        measure: such as `js_distance` (categorical columns) or `wasserstein_distance` (numeric ones).
        sliced: ask about every slice instead of the whole table.
        profile_table: the profile metrics table, which knows how many values each window has.
        min_rows: windows, models or slices with fewer values of the column are no answer, nor are those that are
            compared with such a window; needs the profile.
        model_id_column: the monitor's.
    """
    which = "d.slice_key IS NOT NULL" if sliced else "d.slice_key IS NULL"
    listed = ", ".join(f"'{column}'" for column in columns)
    enough = ""
    if profile_table is not None:
        enough = f"""
    AND EXISTS (
      SELECT 1 FROM {profile_table.sql} AS p
      WHERE p.column_name = d.column_name AND p.log_type = 'INPUT' AND p.granularity = d.granularity
        AND p.window.start = d.window.start AND p.{model_id_column} = d.{model_id_column}
        AND p.slice_key <=> d.slice_key AND p.slice_value <=> d.slice_value AND p.count >= {min_rows}
    )"""
        if drift_type == "CONSECUTIVE":
            # A window of many rows is far from one of a few, whatever they are.
            enough += enough.replace("p.window.start = d.window.start", "p.window.start = d.window_cmp.start")
    return f"""WITH judged AS (
  SELECT d.window.start AS window_start, d.column_name, d.slice_key, d.slice_value, d.{measure} AS drift
  FROM {table.sql} AS d
  WHERE d.column_name IN ({listed}) AND d.drift_type = '{drift_type}' AND d.granularity = '{granularity}'
    AND {which} AND d.{measure} IS NOT NULL{enough}
)
SELECT drift, column_name, slice_key, slice_value, window_start
FROM judged
{NEWEST}"""


def quality(
    table: ThreePartName,
    measure: str,
    *,
    granularity: str,
    sliced: bool,
    label_column: str | None = None,
    min_rows: int = 1,
    model_id_column: str = SERVED_ENTITY_ID,
) -> str:
    """A measure of the whole table in the newest window, as `quality`: one row a model, or a model and slice.

    Args:
        table: the profile metrics table.
        measure: such as `f1_score.macro`, `mean_squared_error` or a custom metric.
        label_column: count only windows in which `min_rows` labels have arrived. A custom metric is a number without
            labels too, and then says that all is well.
        min_rows: windows, models or slices of fewer rows are no answer.
        model_id_column: the monitor's.
    """
    which = "p.slice_key IS NOT NULL" if sliced else "p.slice_key IS NULL"
    enough = f" AND p.count >= {min_rows}" if min_rows > 1 else ""
    if label_column is not None:
        enough += f"""
    AND EXISTS (
      SELECT 1 FROM {table.sql} AS l
      WHERE l.column_name = '{label_column}' AND l.log_type = 'INPUT' AND l.granularity = p.granularity
        AND l.window.start = p.window.start AND l.{model_id_column} = p.{model_id_column}
        AND l.slice_key <=> p.slice_key AND l.slice_value <=> p.slice_value AND l.count >= {min_rows}
    )"""
    return f"""WITH judged AS (
  SELECT p.window.start AS window_start, p.slice_key, p.slice_value, p.{measure} AS quality
  FROM {table.sql} AS p
  WHERE p.column_name = '{WHOLE_TABLE}' AND p.log_type = 'INPUT' AND p.granularity = '{granularity}'
    AND {which} AND p.{measure} IS NOT NULL{enough}
)
SELECT quality, slice_key, slice_value, window_start
FROM judged
{NEWEST}"""


def daily_summary(payload_table: ThreePartName, *, days: int = 7) -> str:
    """Requests, latency and errors by day, newest first: what a dashboard of an endpoint shows."""
    return f"""SELECT
  date(request_time) AS date,
  count(*) AS request_count,
  avg(execution_duration_ms) AS avg_latency_ms,
  percentile(execution_duration_ms, 0.95) AS p95_latency_ms,
  sum(CASE WHEN status_code <> 200 THEN 1 ELSE 0 END) AS error_count
FROM {payload_table.sql}
WHERE request_time >= current_date() - INTERVAL {days} DAYS
GROUP BY date(request_time)
ORDER BY date DESC"""
