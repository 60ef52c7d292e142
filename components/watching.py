"""The monitor and the alerts that a stack file describes, as the components take them."""

from __future__ import annotations

import pulumi

from .alerts import (
    DriftAlertArgs,
    FreshnessAlertArgs,
    QualityAlertArgs,
    ServingAlertsArgs,
    TrafficAlertArgs,
)
from .config import AlertsConfig, MonitorConfig, ServingConfig
from .monitor import CustomMetricArgs, InferenceMonitor, InferenceMonitorArgs
from .unpack import LabelSource


def monitor_args(
    config: ServingConfig,
    monitor: MonitorConfig,
    payload_table: str,
    *,
    output_schema_id: str | None = None,
) -> InferenceMonitorArgs:
    """The monitor of a stack.

    Args:
        payload_table: three-part name of the endpoint's inference table.
        output_schema_id: UUID of its schema, for the `data_quality` API.
    """
    labels = monitor.labels
    return InferenceMonitorArgs(
        payload_table=payload_table,
        unpacked_table=payload_table.removesuffix("_payload") + "_unpacked"
        if monitor.table is None
        else config.qualified(monitor.table),
        schema=monitor.unpacked,
        problem_type=monitor.problem_type,
        warehouse_id=config.warehouse_id,
        assets_dir=monitor.assets_dir,
        job_name=f"{config.endpoint.name}-unpack",
        granularities=monitor.granularities,
        slicing_exprs=monitor.slicing_exprs,
        baseline_table=monitor.baseline_table,
        unpack_cron=monitor.unpack_cron,
        monitor_cron=monitor.monitor_cron,
        custom_metrics=[
            CustomMetricArgs(
                name=metric.name,
                definition=metric.definition,
                type=metric.type,
                input_columns=metric.input_columns,
            )
            for metric in monitor.custom_metrics
        ],
        labels=None
        if labels is None
        else LabelSource(table=config.qualified(labels.table), column=labels.column, keys=labels.keys),
        notify_on_failure=monitor.notify_on_failure,
        api=monitor.api,
        output_schema_id=output_schema_id,
        keep_table=config.defaults.keeps_monitored_table,
        tags=config.endpoint.tags,
    )


def alert_args(
    config: ServingConfig, alerts: AlertsConfig, payload_table: str | None, monitor: InferenceMonitor | None
) -> ServingAlertsArgs:
    """The alerts of a stack. The schema has seen to it that what they ask is there.

    Args:
        payload_table: three-part name of the inference table; None where the endpoint has none.
        monitor: the stack's monitor; None where it has none.
    """
    assets_dir = config.monitor.assets_dir if config.monitor is not None else None
    return ServingAlertsArgs(
        prefix=config.endpoint.name,
        warehouse_id=config.warehouse_id,
        parent_path=alerts.parent_path or assets_dir or "/Workspace/Shared",
        traffic=None
        if payload_table is None or not alerts.asks_the_inference_table
        else TrafficAlertArgs(
            payload_table=payload_table,
            max_error_share=alerts.max_error_share,
            max_p95_latency_ms=alerts.max_p95_latency_ms,
            max_tokens=alerts.max_tokens,
            window_minutes=alerts.window_minutes,
            delivery_lag_minutes=alerts.delivery_lag_minutes,
            min_requests=alerts.min_requests,
        ),
        freshness=[
            FreshnessAlertArgs(
                table=config.qualified(one.table), column=one.column, max_age_minutes=one.max_age_minutes
            )
            for one in alerts.freshness
        ],
        drift={
            name: DriftAlertArgs(
                table=_metrics(monitor, drift=True),
                columns=one.columns,
                measure=one.measure,
                limit=one.limit,
                drift_type=one.drift_type,
                granularity=one.granularity,
                sliced=one.sliced,
                profile_table=_metrics(monitor, drift=False),
                min_rows=one.min_rows,
                model_id_column="served_entity_id" if config.monitor is None else config.monitor.model_id,
            )
            for name, one in alerts.drift.items()
        },
        quality={
            name: QualityAlertArgs(
                table=_metrics(monitor, drift=False),
                measure=one.measure,
                limit=one.limit,
                comparison=one.comparison,
                granularity=one.granularity,
                sliced=one.sliced,
                label_column=config.monitor.label_column if config.monitor is not None and one.needs_labels else None,
                min_rows=one.min_rows,
                model_id_column="served_entity_id" if config.monitor is None else config.monitor.model_id,
            )
            for name, one in alerts.quality.items()
        },
        emails=alerts.emails,
        destinations=alerts.destinations,
        cron=alerts.cron,
        retrigger_seconds=alerts.retrigger_seconds,
    )


def _metrics(monitor: InferenceMonitor | None, *, drift: bool) -> pulumi.Output[str]:
    if monitor is None:
        raise ValueError("drift and quality are read from a monitor's metric tables, and there is no monitor")
    return monitor.drift_metrics_table if drift else monitor.profile_metrics_table
