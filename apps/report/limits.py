"""The stack's alerts: what each watches, its limit, its state, and the number that it would compare now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from databricks.sdk.service.sql import AlertV2, ComparisonOperator

from apps.report.source import Reading, Source, moment
from components.report_queries import Watched, value_now, watched_by

_SIGNS = {
    ComparisonOperator.GREATER_THAN: ">",
    ComparisonOperator.GREATER_THAN_OR_EQUAL: "≥",
    ComparisonOperator.LESS_THAN: "<",
    ComparisonOperator.LESS_THAN_OR_EQUAL: "≤",
}


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert."""

    name: str
    says: str
    state: str
    evaluated_at: datetime | None
    sign: str
    """How the number is compared with the limit when it fires: `>` or `<`."""
    limit: float | None
    column: str
    """The column of the alert's query that is compared."""
    value: float | None
    """What it would compare now; None where its query gives no row, or fails."""
    watches: Watched | None
    """What of a monitor it watches; None for an alert on traffic or freshness."""
    schedule: str
    query: str = ""
    """Its statement."""

    def is_beyond(self, value: float) -> bool:
        """Whether a number is one that this alert fires for."""
        if self.limit is None:
            return False
        return {
            ">": value > self.limit,
            "≥": value >= self.limit,
            "<": value < self.limit,
            "≤": value <= self.limit,
        }.get(self.sign, False)


def read_alerts(source: Source, ids: Mapping[str, str]) -> Reading[list[Alert]]:
    """The alerts of a stack's outputs.

    Args:
        ids: short name of an alert to its id.
    """
    if not ids:
        return Reading([], "the stack has no alerts")
    found: list[Alert] = []
    problems: list[str] = []
    for short, alert_id in sorted(ids.items()):
        one = _ask(source, short, alert_id)
        if one.value is None:
            problems.append(one.missing)
        else:
            found.append(_alert(source, short, one.value))
    return Reading(found, "; ".join(problems))


def limit_of(alerts: Sequence[Alert], measure: str, *, column: str = "", drift_type: str = "") -> Alert | None:
    """The alert on a measure of the whole table (of a column, for drift); the first by name where there are several."""
    for alert in alerts:
        watched = alert.watches
        if watched is None or watched.sliced or watched.measure != measure or watched.drift_type != drift_type:
            continue
        if not column or column in watched.columns:
            return alert
    return None


def _ask(source: Source, short: str, alert_id: str) -> Reading[AlertV2 | None]:
    return source.one(f"alert {short}", lambda: source.client.alerts_v2.get_alert(alert_id))


def _alert(source: Source, short: str, alert: AlertV2) -> Alert:
    evaluation, column = alert.evaluation, alert.evaluation.source.name
    threshold = evaluation.threshold.value if evaluation.threshold else None
    value: float | None = None
    if alert.query_text and column:
        aggregation = evaluation.source.aggregation.value if evaluation.source.aggregation else "MAX"
        rows = source.rows(f"value of alert {short} now", value_now(alert.query_text, column, aggregation)).value
        value = rows[0]["value"] if rows else None
    operator = evaluation.comparison_operator
    return Alert(
        name=short,
        says=alert.custom_description or "",
        state=evaluation.state.value if evaluation.state else "UNKNOWN",
        evaluated_at=moment(evaluation.last_evaluated_at) if evaluation.last_evaluated_at else None,
        sign=_SIGNS.get(operator, operator.value),
        limit=threshold.double_value if threshold else None,
        column=column,
        value=None if value is None else float(value),
        watches=watched_by(alert.query_text or ""),
        schedule=alert.schedule.quartz_cron_schedule or "",
        query=alert.query_text or "",
    )
