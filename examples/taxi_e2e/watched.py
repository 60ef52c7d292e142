"""What is watched beside the endpoint: the distributions of its features, and who hears when they move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pulumi

from components.alerts import DriftAlertArgs, ServingAlerts, ServingAlertsArgs
from components.serving_stack import Watched
from components.table_monitor import TableMonitor, TableMonitorArgs
from examples.taxi_e2e.config import FeatureMonitorConfig, TaxiE2eConfig


def watch_features(
    config: TaxiE2eConfig, features: FeatureMonitorConfig, depends_on: Sequence[pulumi.Resource]
) -> tuple[TableMonitor, ServingAlerts | None]:
    """The monitor on a feature table, and its alerts where the stack file has people for them.

    Args:
        depends_on: what shows that the table is there.
    """
    monitor = TableMonitor(
        "feature-monitor",
        TableMonitorArgs(
            table=config.qualified(features.table),
            assets_dir=features.assets_dir,
            timestamp_column=features.timestamp_column,
            granularities=features.granularities,
            cron=features.cron,
            notify_on_failure=config.jobs.notify_on_failure,
        ),
        pulumi.ResourceOptions(depends_on=[*depends_on]),
    )
    if config.alerts is None or not features.drift:
        return monitor, None
    alerts = ServingAlerts(
        "feature-alerts",
        ServingAlertsArgs(
            prefix=f"{config.endpoint.name}-features",
            warehouse_id=config.warehouse_id,
            parent_path=config.alerts.parent_path or features.assets_dir,
            drift={
                f"features-{name}": DriftAlertArgs(
                    table=monitor.drift_metrics_table,
                    columns=one.columns,
                    measure=one.measure,
                    limit=one.limit,
                    drift_type=one.drift_type,
                    granularity=one.granularity,
                    sliced=one.sliced,
                )
                for name, one in features.drift.items()
            },
            emails=config.alerts.emails,
            destinations=config.alerts.destinations,
            cron=config.alerts.cron,
            retrigger_seconds=config.alerts.retrigger_seconds,
        ),
        pulumi.ResourceOptions(depends_on=[monitor]),
    )
    return monitor, alerts


def with_features(watched: Watched, alerts: ServingAlerts | None) -> Watched:
    """What watches the endpoint, and the alerts on its features."""
    return watched if alerts is None else replace(watched, more_alerts=[*watched.more_alerts, alerts])
