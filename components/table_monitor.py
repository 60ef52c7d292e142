"""`TableMonitor`: a quality monitor on a table of one's own, such as features: its profile and its drift over time.

An endpoint's requests have `InferenceMonitor`; this one knows no predictions. Source: API "Quality monitors",
`time_series` and `snapshot`; provider `databricks:index/qualityMonitor:QualityMonitor`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from . import databricks
from .arguments import Arguments
from .checks import check_cron, check_emails, check_folder, check_granularities
from .monitor_apis import TIMEZONE
from .names import ThreePartName
from .options import main_options


@dataclass(frozen=True, kw_only=True)
class TableMonitorArgs(Arguments):
    """What a `TableMonitor` is made of."""

    table: str
    """Three-part name of a table that is there."""
    assets_dir: str
    """Workspace folder for the dashboard. A new folder is a new monitor: the update call does not carry it."""
    timestamp_column: str | None = None
    """Column that parts rows into windows; the table as a whole, at each refresh, when left out."""
    granularities: Sequence[str] = ("1 day",)
    """Windows of the metrics; only with a timestamp column."""
    slicing_exprs: Sequence[str] = ()
    """SQL expressions by which metrics are sliced."""
    baseline_table: str | None = None
    """Three-part name of the table that drift is measured against."""
    cron: str | None = None
    """Quartz expression (UTC): when metrics are refreshed; on demand only when left out."""
    notify_on_failure: Sequence[str] = ()
    """E-mail addresses that hear when the monitor itself fails. Drift needs alerts (components/alerts.py)."""


class TableMonitor(pulumi.ComponentResource):
    """A monitor of a table.

    Raises:
        ValueError: the table's name has not three parts, or there are no windows for a timestamp column; nothing has
            been registered then.
    """

    table: str
    profile_metrics_table: pulumi.Output[str]
    drift_metrics_table: pulumi.Output[str]
    dashboard_id: pulumi.Output[str]

    def __init__(self, name: str, args: TableMonitorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        table = ThreePartName.parse(args.table, what="monitored table")
        if args.timestamp_column is not None and not args.granularities:
            raise ValueError(f"monitor of {table} has a timestamp column and no windows; name a granularity, as 1 day")
        if args.cron is not None:
            check_cron("cron", args.cron)
        check_granularities("granularity", args.granularities)
        check_folder("assets_dir", args.assets_dir)
        check_emails("notify_on_failure", args.notify_on_failure)
        if args.baseline_table is not None:
            ThreePartName.parse(args.baseline_table, what="baseline_table")
        super().__init__("databricks-serving:index:TableMonitor", name, None, opts)
        timed = args.timestamp_column is not None
        self.monitor = databricks.QualityMonitor(
            name,
            table_name=str(table),
            output_schema_name=f"{table.catalog}.{table.schema}",
            assets_dir=args.assets_dir,
            time_series=databricks.QualityMonitorTimeSeriesArgs(
                granularities=list(args.granularities), timestamp_col=args.timestamp_column
            )
            if args.timestamp_column is not None
            else None,
            snapshot=None if timed else databricks.QualityMonitorSnapshotArgs(),  # type: ignore[no-untyped-call]
            slicing_exprs=list(args.slicing_exprs) or None,
            baseline_table_name=args.baseline_table,
            schedule=None
            if args.cron is None
            else databricks.QualityMonitorScheduleArgs(quartz_cron_expression=args.cron, timezone_id=TIMEZONE),
            notifications=databricks.QualityMonitorNotificationsArgs(
                on_failure=databricks.QualityMonitorNotificationsOnFailureArgs(
                    email_addresses=list(args.notify_on_failure)
                )
            )
            if args.notify_on_failure
            else None,
            # The provider marks neither as replacing; its update call goes to the new name or leaves the folder out.
            opts=pulumi.ResourceOptions.merge(
                main_options(self, opts),
                pulumi.ResourceOptions(replace_on_changes=["tableName", "assetsDir"], delete_before_replace=True),
            ),
        )
        self.table = str(table)
        self.profile_metrics_table = self.monitor.profile_metrics_table_name
        self.drift_metrics_table = self.monitor.drift_metrics_table_name
        self.dashboard_id = self.monitor.dashboard_id
        self.register_outputs(
            {
                "table": self.table,
                "profile_metrics_table": self.profile_metrics_table,
                "drift_metrics_table": self.drift_metrics_table,
                "dashboard_id": self.dashboard_id,
            }
        )
