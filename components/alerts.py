"""`ServingAlerts`: who hears when an endpoint errs, slows down, drifts, or its features go stale.

Alerts are `AlertV2`: a query on a schedule, compared with a limit. Built-in notifications of a monitor fire on failures
of the monitor only, so drift and quality need alerts of their own (documentation "Monitor alerts").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from . import alert_queries, databricks
from .alert_queries import DriftType, Traffic
from .arguments import Arguments
from .checks import check_cron, check_emails, check_folder
from .columns import SERVED_ENTITY_ID
from .names import ThreePartName
from .options import child_options
from .unpack import ModelId

Comparison = Literal["GREATER_THAN", "LESS_THAN"]
EmptyState = Literal["UNKNOWN", "OK", "TRIGGERED"]
TIMEZONE = "UTC"
_MEASURE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_GRANULARITY = re.compile(r"[0-9a-z ]+")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class AlertError(ValueError):
    """An alert cannot be made as it is described: which, the value received, the fix."""


@dataclass(frozen=True, kw_only=True)
class TrafficAlertArgs(Arguments):
    """A limit on what an endpoint does, read from its inference table."""

    payload_table: str
    """Three-part name of the inference table."""
    max_error_share: float | None = None
    """Alert on availability: share of requests not answered with 200, 0 to 1."""
    max_p95_latency_ms: float | None = None
    """Alert on latency: 95th percentile of the execution time in milliseconds."""
    max_tokens: int | None = None
    """Alert on token usage: tokens in the window, as the answers name them."""
    window_minutes: int = 15
    """Length of the window."""
    delivery_lag_minutes: int = 60
    """How late requests may arrive in the table."""
    min_requests: int = 1
    """Fewer requests in the window are no answer."""


@dataclass(frozen=True, kw_only=True)
class FreshnessAlertArgs(Arguments):
    """A limit on the age of a table's newest row."""

    table: str
    """Three-part name, for example of a feature table's source."""
    column: str
    """Its timestamp column."""
    max_age_minutes: float
    """How old the newest value may be."""


@dataclass(frozen=True, kw_only=True)
class DriftAlertArgs(Arguments):
    """A limit on the drift of columns, read from a monitor's drift metrics table."""

    table: pulumi.Input[str]
    """The drift metrics table, as the monitor names it."""
    columns: Sequence[str]
    """Which columns; the worst of them counts."""
    measure: str
    """`js_distance` or `chi_squared_test.statistic` for categorical columns; `wasserstein_distance` or
    `population_stability_index` for numeric ones.
    """
    limit: float
    """Above it the alert fires; the limit itself does not count."""
    drift_type: DriftType = "CONSECUTIVE"
    """Against the window before, or against the baseline table."""
    granularity: str = "1 day"
    """Which windows."""
    sliced: bool = False
    """Whether each slice is judged instead of the whole table."""
    profile_table: pulumi.Input[str] | None = None
    """The profile metrics table, as the monitor names it; needed for `min_rows`."""
    min_rows: int = 1
    """Windows, models and slices with fewer values of a column are no answer: a few rows always look like drift."""
    model_id_column: ModelId = SERVED_ENTITY_ID
    """The monitor's column that tells models apart."""


@dataclass(frozen=True, kw_only=True)
class QualityAlertArgs(Arguments):
    """A limit on the quality of predictions, read from a monitor's profile metrics table."""

    table: pulumi.Input[str]
    """The profile metrics table, as the monitor names it."""
    measure: str
    """Such as `f1_score.macro`, `accuracy_score`, `mean_squared_error`, or a custom metric."""
    limit: float
    """Beyond it the alert fires; the limit itself does not count."""
    comparison: Comparison
    """`LESS_THAN` where more is better, `GREATER_THAN` where less is."""
    granularity: str = "1 day"
    """Which windows."""
    sliced: bool = False
    """Whether each slice is judged instead of the whole table."""
    label_column: str | None = None
    """The monitored table's label column: only windows whose labels have arrived are judged. Without it a measure that
    is a number without labels too, as a custom metric is, says that all is well before anybody knows.
    """
    min_rows: int = 1
    """Windows, models and slices of fewer rows (of fewer labels, where they are needed) are no answer."""
    model_id_column: ModelId = SERVED_ENTITY_ID
    """The monitor's column that tells models apart."""


@dataclass(frozen=True, kw_only=True)
class ServingAlertsArgs(Arguments):
    """What a `ServingAlerts` is made of."""

    prefix: str
    """What the names of the alerts begin with; names are unique in a folder."""
    warehouse_id: pulumi.Input[str]
    """SQL warehouse that asks."""
    parent_path: str
    """Workspace folder of the alerts, from the root. Stated, because the provider never settles on the service's
    default.
    """
    traffic: TrafficAlertArgs | None = None
    """Availability, latency and token usage."""
    freshness: Sequence[FreshnessAlertArgs] = ()
    """Ages of tables."""
    drift: Mapping[str, DriftAlertArgs] = field(default_factory=dict)
    """Drift, by a short name."""
    quality: Mapping[str, QualityAlertArgs] = field(default_factory=dict)
    """Quality of predictions, by a short name."""
    emails: Sequence[str] = ()
    """Who hears of it, by e-mail."""
    destinations: Sequence[pulumi.Input[str]] = ()
    """Ids of notification destinations that hear of it."""
    cron: str = "0 0/15 * * * ?"
    """Quartz expression (UTC): when the alerts ask."""
    retrigger_seconds: int = 3600
    """How long an alert that goes on stays silent; 0 tells once."""
    notify_on_ok: bool = True
    """Whether it tells when all is well again."""
    empty_state: EmptyState = "UNKNOWN"
    """State where there is too little to judge by."""


@dataclass(frozen=True)
class _Alert:
    query: pulumi.Input[str]
    column: str
    comparison: Comparison
    limit: float
    says: str


class ServingAlerts(pulumi.ComponentResource):
    """The alerts of an endpoint, its monitor and its features.

    Raises:
        AlertError: nobody hears of it, nothing is watched, or a name or limit is none; nothing has been registered
        then.
    """

    alerts: dict[str, databricks.AlertV2]
    """By short name: `availability`, `latency`, `tokens`, `freshness-<table>`, `drift-<name>`, `quality-<name>`."""
    alert_ids: pulumi.Output[dict[str, str]]

    def __init__(self, name: str, args: ServingAlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_cron("cron", args.cron)
        check_folder("parent_path", args.parent_path)
        check_emails("emails", args.emails)
        if args.retrigger_seconds < 0:
            raise AlertError(f"retrigger_seconds is {args.retrigger_seconds}; use 0, which tells once, or more")
        wanted = dict(_wanted(args))
        if not wanted:
            raise AlertError("no alert is described; give traffic limits, freshness, drift or quality")
        if not args.emails and not args.destinations:
            raise AlertError(f"alerts of {args.prefix} tell nobody; give emails or destinations")
        super().__init__("databricks-serving:index:ServingAlerts", name, None, opts)
        child = child_options(self, opts)
        self.alerts = {short: _alert(f"{name}-{short}", short, args, alert, child) for short, alert in wanted.items()}
        self.alert_ids = pulumi.Output.all(**{short: alert.id for short, alert in self.alerts.items()})
        self.register_outputs({"alert_ids": self.alert_ids})


def _wanted(args: ServingAlertsArgs) -> list[tuple[str, _Alert]]:
    return [
        *(_traffic(args.traffic) if args.traffic is not None else []),
        *_freshness_alerts(args.freshness),
        *((f"drift-{name}", _drift(one)) for name, one in sorted(args.drift.items())),
        *((f"quality-{name}", _quality(one)) for name, one in sorted(args.quality.items())),
    ]


def _traffic(args: TrafficAlertArgs) -> list[tuple[str, _Alert]]:
    for what, number, least in (
        ("window_minutes", args.window_minutes, 1),
        ("delivery_lag_minutes", args.delivery_lag_minutes, 0),
        ("min_requests", args.min_requests, 1),
    ):
        if number < least:
            raise AlertError(f"traffic alerts have {what} {number}; use {least} or more")
    traffic = Traffic(
        payload_table=ThreePartName.parse(args.payload_table, what="payload_table"),
        window_minutes=args.window_minutes,
        delivery_lag_minutes=args.delivery_lag_minutes,
        min_requests=args.min_requests,
    )
    alerts: list[tuple[str, _Alert]] = []
    if (share := args.max_error_share) is not None:
        if not 0 <= share < 1:
            raise AlertError(f"max_error_share is {share}; use a share from 0 to below 1")
        says = f"More than {share:.2%} of the requests failed within {args.window_minutes} minutes."
        query = alert_queries.error_share(traffic)
        alerts.append(("availability", _Alert(query, "error_share", "GREATER_THAN", share, says)))
    if (milliseconds := args.max_p95_latency_ms) is not None:
        says = f"95 % of the requests should take at most {milliseconds:g} ms; they take longer."
        query = alert_queries.latency_p95(traffic)
        alerts.append(("latency", _Alert(query, "p95_latency_ms", "GREATER_THAN", _limit(milliseconds), says)))
    if (count := args.max_tokens) is not None:
        says = f"More than {count} tokens were used within {args.window_minutes} minutes."
        query = alert_queries.tokens(traffic)
        alerts.append(("tokens", _Alert(query, "total_tokens", "GREATER_THAN", _limit(count), says)))
    return alerts


def _freshness_alerts(wanted: Sequence[FreshnessAlertArgs]) -> list[tuple[str, _Alert]]:
    """By the table's last name; a further one of that name, or a further column, by all that tells it apart."""
    alerts: dict[str, _Alert] = {}
    watched: set[tuple[str, str]] = set()
    for one in wanted:
        table, alert = _freshness(one)
        if (found := (str(table).lower(), one.column.lower())) in watched:
            raise AlertError(f"the freshness of {one.column} of {table} is watched twice; name each column once")
        watched.add(found)
        short = f"freshness-{table.name}"
        if short in alerts:
            short = f"freshness-{table.catalog}-{table.schema}-{table.name}-{one.column}"
        alerts[short] = alert
    return list(alerts.items())


def _freshness(args: FreshnessAlertArgs) -> tuple[ThreePartName, _Alert]:
    table = ThreePartName.parse(args.table, what="freshness table")
    _check(_COLUMN, "freshness column", args.column)
    says = f"The newest {args.column} of {table} is older than {args.max_age_minutes:g} minutes."
    query = alert_queries.age_minutes(table, args.column)
    return table, _Alert(query, "age_minutes", "GREATER_THAN", _limit(args.max_age_minutes), says)


def _drift(args: DriftAlertArgs) -> _Alert:
    if not args.columns:
        raise AlertError(f"drift by {args.measure} names no column; name one or more")
    for column in args.columns:
        _check(_COLUMN, "drift column", column)
    _check(_MEASURE, "drift measure", args.measure)
    _check(_GRANULARITY, "granularity", args.granularity)
    if args.min_rows < 1 or (args.min_rows > 1 and args.profile_table is None):
        raise AlertError(
            f"drift by {args.measure} has min_rows {args.min_rows}; use 1 or more, and give profile_table, which has "
            "the numbers of rows"
        )
    profile = args.profile_table if args.min_rows > 1 else None
    query = pulumi.Output.all(args.table, profile).apply(
        lambda tables: alert_queries.drift(
            ThreePartName.parse(tables[0]),
            args.measure,
            columns=args.columns,
            drift_type=args.drift_type,
            granularity=args.granularity,
            sliced=args.sliced,
            profile_table=None if tables[1] is None else ThreePartName.parse(tables[1]),
            min_rows=args.min_rows,
            model_id_column=args.model_id_column,
        )
    )
    where = "a slice of " if args.sliced else ""
    says = f"{args.measure} of {where}{', '.join(args.columns)} is above {args.limit:g}."
    return _Alert(query, "drift", "GREATER_THAN", args.limit, says)


def _quality(args: QualityAlertArgs) -> _Alert:
    _check(_MEASURE, "quality measure", args.measure)
    _check(_GRANULARITY, "granularity", args.granularity)
    if args.label_column is not None:
        _check(_COLUMN, "label column", args.label_column)
    if args.min_rows < 1:
        raise AlertError(f"quality by {args.measure} has min_rows {args.min_rows}; use 1 or more")
    query = pulumi.Output.from_input(args.table).apply(
        lambda table: alert_queries.quality(
            ThreePartName.parse(table),
            args.measure,
            granularity=args.granularity,
            sliced=args.sliced,
            label_column=args.label_column,
            min_rows=args.min_rows,
            model_id_column=args.model_id_column,
        )
    )
    beyond = "below" if args.comparison == "LESS_THAN" else "above"
    where = " of a slice" if args.sliced else ""
    return _Alert(query, "quality", args.comparison, args.limit, f"{args.measure}{where} is {beyond} {args.limit:g}.")


def _alert(
    resource: str, short: str, args: ServingAlertsArgs, alert: _Alert, opts: pulumi.ResourceOptions
) -> databricks.AlertV2:
    # The worst of several rows counts.
    worst = "MAX" if alert.comparison == "GREATER_THAN" else "MIN"
    subscriptions = [
        *(databricks.AlertV2EvaluationNotificationSubscriptionArgs(user_email=email) for email in args.emails),
        *(databricks.AlertV2EvaluationNotificationSubscriptionArgs(destination_id=one) for one in args.destinations),
    ]
    return databricks.AlertV2(
        resource,
        display_name=f"{args.prefix}-{short}",
        parent_path=args.parent_path,
        warehouse_id=args.warehouse_id,
        query_text=alert.query,
        custom_summary=f"{args.prefix}: {short}",
        custom_description=alert.says,
        evaluation=databricks.AlertV2EvaluationArgs(
            source=databricks.AlertV2EvaluationSourceArgs(name=alert.column, aggregation=worst),
            comparison_operator=alert.comparison,
            threshold=databricks.AlertV2EvaluationThresholdArgs(
                value=databricks.AlertV2EvaluationThresholdValueArgs(double_value=alert.limit)
            ),
            empty_result_state=args.empty_state,
            notification=databricks.AlertV2EvaluationNotificationArgs(
                notify_on_ok=args.notify_on_ok,
                retrigger_seconds=args.retrigger_seconds,
                subscriptions=subscriptions,
            ),
        ),
        schedule=databricks.AlertV2ScheduleArgs(
            quartz_cron_schedule=args.cron, timezone_id=TIMEZONE, pause_status="UNPAUSED"
        ),
        opts=opts,
    )


def _check(form: re.Pattern[str], what: str, value: str) -> None:
    if not form.fullmatch(value):
        raise AlertError(f"{what} {value!r} cannot be written into a statement; use letters, digits and underscores")


def _limit(value: float) -> float:
    if value < 0:
        raise AlertError(f"a limit of {value:g} can never be kept; use 0 or more")
    return float(value)
