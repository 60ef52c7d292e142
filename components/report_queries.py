"""What a report and a dashboard ask about a served model, as Databricks SQL: pure text, one function a question.

They read the inference table of AI Gateway, the metric tables of data profiling (`alert_queries.py` says which columns)
and, for names and money, system tables. Days and windows are in UTC. No rows mean that there is no data, never zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .alert_queries import NEWEST, WHOLE_TABLE, DriftType
from .names import ThreePartName

DRIFT_MEASURES = ("js_distance", "population_stability_index")
"""Of categorical and of numeric columns: both without a unit, so that columns can be compared."""
# Each column may be of a table with a name of its own, such as `d.drift_type`.
_ALERT_DRIFT = re.compile(
    r", (?:\w\.)?(?P<measure>[\w.]+) AS drift\b.*column_name IN \((?P<columns>[^)]*)\)"
    r" AND (?:\w\.)?drift_type = '(?P<kind>\w+)' AND (?:\w\.)?granularity = '(?P<granularity>[^']*)'"
    r".*?slice_key IS (?P<sliced>NOT )?NULL",
    re.DOTALL,
)
_ALERT_QUALITY = re.compile(
    r", (?:\w\.)?(?P<measure>[\w.]+) AS quality\b.*?granularity = '(?P<granularity>[^']*)'"
    r".*?slice_key IS (?P<sliced>NOT )?NULL",
    re.DOTALL,
)
_LEAST = re.compile(r"\bcount >= (\d+)")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What an alert of `components/alerts.py` looks at, read from its query again."""

    measure: str
    columns: tuple[str, ...]
    """Empty for a measure of the whole table."""
    drift_type: str
    """Empty for quality."""
    granularity: str
    sliced: bool
    min_rows: int = 1
    """Windows of fewer rows are no answer to it."""


def watched_by(query_text: str) -> Watched | None:
    """What a drift or quality alert watches; None for a query that asks something else."""
    for form in (_ALERT_DRIFT, _ALERT_QUALITY):
        found = form.search(query_text)
        if found is None:
            continue
        parts = found.groupdict()
        least = _LEAST.search(query_text)
        columns = tuple(re.findall(r"'([^']*)'", parts.get("columns") or ""))
        return Watched(
            measure=parts["measure"],
            columns=columns,
            drift_type=parts.get("kind") or "",
            granularity=parts["granularity"],
            sliced=parts["sliced"] is not None,
            min_rows=1 if least is None else int(least.group(1)),
        )
    return None


def traffic_by_day(payload_table: ThreePartName, *, days: int, by_entity: bool) -> str:
    """Requests, latency (average, median, 95th percentile), errors and tokens by day, the oldest first.

    Args:
        by_entity: a row a day and served entity (by its opaque id; `entity_names` has the names).
    """
    entity = "served_entity_id,\n  " if by_entity else ""
    tokens = "TRY_CAST(get_json_object(response, '$.usage.total_tokens') AS BIGINT)"
    return f"""SELECT
  date(request_time) AS date,
  {entity}count(*) AS request_count,
  avg(execution_duration_ms) AS avg_latency_ms,
  percentile(execution_duration_ms, 0.5) AS p50_latency_ms,
  percentile(execution_duration_ms, 0.95) AS p95_latency_ms,
  sum(CASE WHEN status_code <> 200 THEN 1 ELSE 0 END) AS error_count,
  sum({tokens}) AS total_tokens
FROM {payload_table.sql}
WHERE request_time >= current_date() - INTERVAL {days} DAYS
GROUP BY date(request_time){", served_entity_id" if by_entity else ""}
ORDER BY date"""


def entity_names(endpoint: str) -> str:
    """Opaque id, name and version of the endpoint's served entities, as the service's system table knows them."""
    return f"""SELECT DISTINCT served_entity_id, served_entity_name, entity_name, entity_version
FROM system.serving.served_entities
WHERE endpoint_name = '{_text(endpoint)}'
ORDER BY served_entity_name"""


def drift_by_window(
    table: ThreePartName, *, measures: Sequence[str], drift_type: DriftType, granularity: str, days: int
) -> str:
    """The drift of every column by window, the worst of the served models, whole table: a row a window and column."""
    worst = ",\n  ".join(f"max({_measure(name)}) AS {short_name(name)}" for name in measures)
    # A column of the other kind has none of them.
    measured = " OR ".join(f"max({name}) IS NOT NULL" for name in measures)
    return f"""SELECT
  window.start AS window_start,
  column_name,
  {worst}
FROM {table.sql}
WHERE drift_type = '{drift_type}' AND granularity = '{_text(granularity)}' AND slice_key IS NULL
  AND column_name <> '{WHOLE_TABLE}'
  AND window.start >= current_date() - INTERVAL {days} DAYS
GROUP BY window_start, column_name
HAVING {measured}
ORDER BY window_start, column_name"""


def quality_by_window(
    table: ThreePartName, *, measures: Sequence[str], model_column: str, granularity: str, days: int
) -> str:
    """Measures of the predictions by window and model, whole table, with the number of rows that they are of."""
    asked = ",\n  ".join(f"{_measure(name)} AS {short_name(name)}" for name in measures)
    return f"""SELECT
  window.start AS window_start,
  {_measure(model_column)} AS model_id,
  count AS rows,
  {asked}
FROM {table.sql}
WHERE column_name = '{WHOLE_TABLE}' AND log_type = 'INPUT' AND granularity = '{_text(granularity)}'
  AND slice_key IS NULL
  AND window.start >= current_date() - INTERVAL {days} DAYS
ORDER BY window_start, model_id"""


def identifiers(table: ThreePartName, *, model_column: str, granularity: str, days: int) -> str:
    """Columns of texts in which most values are their own, such as keys: their distributions say nothing.

    Args:
        table: the profile metrics table.
    """
    return f"""SELECT column_name
FROM {table.sql}
WHERE log_type = 'INPUT' AND granularity = '{_text(granularity)}' AND slice_key IS NULL
  AND column_name <> '{WHOLE_TABLE}' AND data_type = 'string' AND {_measure(model_column)} <> '*'
  AND window.start >= current_date() - INTERVAL {days} DAYS
GROUP BY column_name
HAVING sum(distinct_count) > 0.5 * sum(count)"""


def decisions(journal: ThreePartName, *, days: int) -> str:
    """What drift detection decided and what training gave, the newest first (docs/loop.md)."""
    return f"""SELECT
  decided_at, event, outcome, reasons, explanation, retrain, all_violations_count, violations_found, windows,
  version, compared_with, violating
FROM {journal.sql}
WHERE decided_at >= current_timestamp() - INTERVAL {days} DAYS
ORDER BY decided_at DESC"""


def billed_by_day(endpoint: str, *, days: int) -> str:
    """DBU of an endpoint by day and unit of billing, as billed, and in USD at the list price of their time
    (`system.billing.usage`, `system.billing.list_prices`).
    """
    return f"""SELECT
  u.usage_date AS date,
  u.sku_name,
  sum(u.usage_quantity) AS dbu,
  sum(u.usage_quantity * p.pricing.effective_list.default) AS usd
FROM system.billing.usage AS u
LEFT JOIN system.billing.list_prices AS p
  ON p.sku_name = u.sku_name AND p.cloud = u.cloud AND p.usage_unit = u.usage_unit
  AND u.usage_end_time >= p.price_start_time
  AND (p.price_end_time IS NULL OR u.usage_end_time < p.price_end_time)
WHERE u.usage_metadata.endpoint_name = '{_text(endpoint)}'
  AND u.usage_date >= current_date() - INTERVAL {days} DAYS
GROUP BY u.usage_date, u.sku_name
ORDER BY date, u.sku_name"""


def value_now(query_text: str, column: str, aggregation: str) -> str:
    """The number that an alert would compare now: its own query, its own aggregation."""
    return f"SELECT {aggregation}({column}) AS value FROM (\n{query_text.rstrip().rstrip(';')}\n) AS asked"


def judged_by(query_text: str, *, days: int) -> str | None:
    """What a drift or quality alert would have compared in every window of the last days: its own query, with its own
    conditions, without the one that takes the newest window. None for a query that asks something else.
    """
    text = query_text.rstrip().rstrip(";").rstrip()
    if watched_by(text) is None or not text.endswith(NEWEST):
        return None
    return (
        f"{text.removesuffix(NEWEST)}WHERE window_start >= current_date() - INTERVAL {days} DAYS\nORDER BY window_start"
    )


def short_name(measure: str) -> str:
    """The column that a measure has in an answer: `f1_score.macro` is `f1_score_macro` there."""
    return measure.replace(".", "_")


def _measure(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?", name):
        raise ValueError(f"{name!r} is no measure; use a column of the metric tables, such as f1_score.macro")
    return name


def _text(value: str) -> str:
    if "'" in value or "\\" in value:
        raise ValueError(f"{value!r} cannot be written into a statement; it has a quote or a backslash")
    return value
