"""`ServingDashboard`: an AI/BI dashboard of an endpoint and its monitor, with the questions that reports ask.

The provider publishes it after each change, with the deployer's credentials or the viewer's. A draft that people change
in the workspace is written over by the next `up` after a refresh; it is a conflict before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi

from . import databricks, report_queries
from .alert_queries import DriftType, daily_summary
from .arguments import Arguments
from .columns import SERVED_ENTITY_ID
from .dashboard_content import DashboardError, DatasetArgs, WidgetArgs, serialized
from .names import ThreePartName
from .options import child_options
from .permissions import access_controls
from .unpack import ModelId

__all__ = ["DashboardDriftArgs", "DashboardError", "DashboardPermission", "ServingDashboard", "ServingDashboardArgs"]

_LEVELS = ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")


@dataclass(frozen=True, kw_only=True)
class DashboardDriftArgs(Arguments):
    """The monitor that a dashboard shows beside the traffic."""

    drift_metrics_table: pulumi.Input[str]
    """As the monitor names it."""
    profile_metrics_table: pulumi.Input[str]
    """As the monitor names it."""
    measures: Sequence[str] = ("js_distance",)
    """Of the drift metrics table; `js_distance` for categorical columns, `population_stability_index` for numeric
    ones.
    """
    quality: Sequence[str] = ()
    """Of the profile metrics table, such as `f1_score.macro`, or custom metrics."""
    drift_type: DriftType = "CONSECUTIVE"
    """Against the window before, or against the baseline table."""
    granularity: str = "1 day"
    """Which windows."""
    model_id_column: ModelId = SERVED_ENTITY_ID
    """The monitor's column that tells models apart."""


@dataclass(frozen=True, kw_only=True)
class DashboardPermission(Arguments):
    """Who may do what with the dashboard: one of group, user and service principal."""

    level: str
    """CAN_READ, CAN_RUN, CAN_EDIT or CAN_MANAGE."""
    group: str | None = None
    """Name of a group."""
    user: str | None = None
    """Name of a user."""
    service_principal: str | None = None
    """Application id of a service principal."""


@dataclass(frozen=True, kw_only=True)
class ServingDashboardArgs(Arguments):
    """What a `ServingDashboard` is made of."""

    title: str
    """Its name, and that of its file."""
    payload_table: str
    """Three-part name of the inference table."""
    warehouse_id: pulumi.Input[str]
    """SQL warehouse that its queries run on."""
    parent_path: str
    """Workspace folder, from the root; made when it is missing. Another folder is another dashboard."""
    days: int = 7
    """How far back it looks."""
    drift: DashboardDriftArgs | None = None
    """The monitor, where there is one."""
    embed_credentials: bool = False
    """Whether viewers see it with the deployer's rights; with their own when False, which need SELECT."""
    permissions: Sequence[DashboardPermission] = field(default=())
    """Its access control list."""


class ServingDashboard(pulumi.ComponentResource):
    """A published dashboard: requests, latency and errors by day; drift and quality where there is a monitor.

    Raises:
        DashboardError: no title, a folder that begins at no root, days below 1, or an unknown permission level;
            nothing has been registered then.
        InvalidNameError: the inference table's name has not three parts.
    """

    dashboard: databricks.Dashboard
    dashboard_id: pulumi.Output[str]
    path: pulumi.Output[str]

    def __init__(self, name: str, args: ServingDashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        _check(args)
        content = _content(args)
        super().__init__("databricks-serving:index:ServingDashboard", name, None, opts)
        child = child_options(self, opts)
        self.dashboard = databricks.Dashboard(
            name,
            display_name=args.title,
            parent_path=args.parent_path,
            warehouse_id=args.warehouse_id,
            serialized_dashboard=content,
            embed_credentials=args.embed_credentials,
            opts=child,
        )
        self.dashboard_id = self.dashboard.id
        self.path = self.dashboard.path
        self.permissions = _permissions(name, args.permissions, self.dashboard, child)
        self.register_outputs({"dashboard_id": self.dashboard_id, "path": self.path})


def _check(args: ServingDashboardArgs) -> None:
    if not args.parent_path.startswith("/"):
        raise DashboardError(f"parent_path {args.parent_path!r} begins at no root; write /Workspace/... or /Shared/...")
    if not args.title or "/" in args.title:
        raise DashboardError(f"title {args.title!r} is no name of a file; use one without a slash")
    if args.days < 1:
        raise DashboardError(f"days is {args.days}; use 1 or more")
    for entry in args.permissions:
        if entry.level not in _LEVELS:
            raise DashboardError(f"permission level {entry.level!r} is none of a dashboard; use {', '.join(_LEVELS)}")
        if sum(one is not None for one in (entry.group, entry.user, entry.service_principal)) != 1:
            raise DashboardError(f"a permission of {entry.level} names nobody or several; name one principal each")


def _content(args: ServingDashboardArgs) -> pulumi.Output[str]:
    payload = ThreePartName.parse(args.payload_table, what="payload_table")
    traffic = DatasetArgs(
        name="traffic", title=f"Last {args.days} days by date", query=daily_summary(payload, days=args.days)
    )
    drift = args.drift
    if drift is None:
        # Refused now, not when the engine resolves it.
        return pulumi.Output.from_input(serialized(args.title, [traffic], _traffic_widgets()))
    tables = pulumi.Output.all(drift.drift_metrics_table, drift.profile_metrics_table)
    return tables.apply(
        lambda names: serialized(
            args.title,
            [traffic, *_monitor_datasets(drift, str(names[0]), str(names[1]), args.days)],
            [*_traffic_widgets(), *_monitor_widgets(drift)],
        )
    )


def _traffic_widgets() -> list[WidgetArgs]:
    return [
        WidgetArgs(title="Requests by day", dataset="traffic", kind="bar", x="date", y={"request_count": "Requests"}),
        WidgetArgs(title="Errors by day", dataset="traffic", kind="bar", x="date", y={"error_count": "Errors"}),
        WidgetArgs(
            title="Latency by day (ms)",
            dataset="traffic",
            kind="line",
            x="date",
            y={"avg_latency_ms": "Average", "p95_latency_ms": "95th percentile"},
            width=6,
        ),
        WidgetArgs(
            title="By day, newest first",
            dataset="traffic",
            kind="table",
            y={
                "date": "Day",
                "request_count": "Requests",
                "avg_latency_ms": "Average (ms)",
                "p95_latency_ms": "95th percentile (ms)",
                "error_count": "Errors",
            },
            width=6,
        ),
    ]


def _monitor_datasets(drift: DashboardDriftArgs, drift_table: str, profile_table: str, days: int) -> list[DatasetArgs]:
    found = [
        DatasetArgs(
            name="drift",
            title="Drift by window",
            query=report_queries.drift_by_window(
                ThreePartName.parse(drift_table),
                measures=drift.measures,
                drift_type=drift.drift_type,
                granularity=drift.granularity,
                days=days,
            ),
        )
    ]
    if drift.quality:
        query = report_queries.quality_by_window(
            ThreePartName.parse(profile_table),
            measures=drift.quality,
            model_column=drift.model_id_column,
            granularity=drift.granularity,
            days=days,
        )
        found.append(DatasetArgs(name="quality", title="Quality by window", query=query))
    return found


def _monitor_widgets(drift: DashboardDriftArgs) -> list[WidgetArgs]:
    parts = (("drift", drift.measures, "column_name"), ("quality", drift.quality, "model_id"))
    return [
        WidgetArgs(
            title=f"{measure} by window",
            dataset=dataset,
            kind="line",
            x="window_start",
            y={report_queries.short_name(measure): measure},
            color=color,
            width=6,
        )
        for dataset, measures, color in parts
        for measure in measures
    ]


def _permissions(
    name: str,
    entries: Sequence[DashboardPermission],
    dashboard: databricks.Dashboard,
    opts: pulumi.ResourceOptions,
) -> databricks.Permissions | None:
    if not entries:
        return None
    return databricks.Permissions(
        f"{name}-permissions",
        dashboard_id=dashboard.id,
        access_controls=access_controls(entries),
        opts=opts,
    )
