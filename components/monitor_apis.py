"""One monitor, two monitoring APIs: `QualityMonitor` (stable, by name) and `DataQualityMonitor` (its successor, by id).

Both are described in the words of the first; the second's own words are made from them here, in one place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi

from . import databricks
from .arguments import Arguments
from .names import ThreePartName
from .unpack import PREDICTION, TIMESTAMP

MonitorApi = Literal["quality_monitors", "data_quality"]
MetricType = Literal["AGGREGATE", "DERIVED", "DRIFT"]
ProblemType = Literal["PROBLEM_TYPE_REGRESSION", "PROBLEM_TYPE_CLASSIFICATION"]
TIMEZONE = "UTC"
WHOLE_TABLE = ":table"
_METRIC_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def double_output(name: str = "output") -> str:
    """The type of a metric's value as the service wants it: a serialised Spark field of double."""
    return json.dumps(
        {"metadata": {}, "name": name, "nullable": True, "type": "double"}, separators=(",", ":"), sort_keys=True
    )


@dataclass(frozen=True, kw_only=True)
class CustomMetricArgs(Arguments):
    """A metric of one's own, computed for each window and slice (documentation "Use custom metrics")."""

    name: str
    """Column of the metric tables that it becomes."""
    definition: str
    """SQL with Jinja names: `{{input_column}}`, `{{prediction_col}}`, `{{label_col}}`, `{{timestamp_col}}`; for DRIFT
    `{{current_df}}` and `{{base_df}}`.
    """
    type: MetricType = "AGGREGATE"
    """Over rows, over other metrics, or between two windows."""
    input_columns: Sequence[str] = (WHOLE_TABLE,)
    """Which columns it is computed for; `:table` for one that takes several."""
    output_data_type: str | None = None
    """Serialised Spark field; one of double when left out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _METRIC_NAME.fullmatch(self.name):
            raise ValueError(f"custom metric {self.name!r} becomes a column; use letters, digits and underscores")
        if not self.input_columns:
            raise ValueError(f"custom metric {self.name} has no input columns; use [':table'] for the whole table")
        if self.type == "DRIFT" and not ("{{current_df}}" in self.definition and "{{base_df}}" in self.definition):
            raise ValueError(
                f"custom metric {self.name} is of type DRIFT; its definition compares {{{{current_df}}}} and "
                f"{{{{base_df}}}}, received {self.definition!r}"
            )

    @property
    def output(self) -> str:
        return self.output_data_type or double_output()


@dataclass(frozen=True, kw_only=True)
class MonitorSpec:
    """What is watched, and how."""

    table: ThreePartName
    problem_type: ProblemType
    model_id_column: str
    label_column: str | None
    assets_dir: str
    granularities: Sequence[str]
    slicing_exprs: Sequence[str]
    baseline_table: str | None
    cron: str | None
    custom_metrics: Sequence[CustomMetricArgs]
    notify_on_failure: Sequence[str]


@dataclass(frozen=True)
class Watching:
    """The monitor that was made, and the tables it writes."""

    resource: pulumi.CustomResource
    profile_metrics_table: pulumi.Output[str]
    drift_metrics_table: pulumi.Output[str]
    dashboard_id: pulumi.Output[str]


def quality_monitor(name: str, spec: MonitorSpec, opts: pulumi.ResourceOptions) -> Watching:
    """A `QualityMonitor` of the table's name, with its metric tables in the table's schema."""
    monitor = databricks.QualityMonitor(
        name,
        table_name=str(spec.table),
        output_schema_name=f"{spec.table.catalog}.{spec.table.schema}",
        assets_dir=spec.assets_dir,
        inference_log=databricks.QualityMonitorInferenceLogArgs(
            granularities=list(spec.granularities),
            timestamp_col=TIMESTAMP,
            model_id_col=spec.model_id_column,
            prediction_col=PREDICTION,
            label_col=spec.label_column,
            problem_type=spec.problem_type,
        ),
        slicing_exprs=list(spec.slicing_exprs) or None,
        baseline_table_name=spec.baseline_table,
        schedule=None
        if spec.cron is None
        else databricks.QualityMonitorScheduleArgs(quartz_cron_expression=spec.cron, timezone_id=TIMEZONE),
        custom_metrics=[
            databricks.QualityMonitorCustomMetricArgs(
                name=metric.name,
                type=f"CUSTOM_METRIC_TYPE_{metric.type}",
                definition=metric.definition,
                input_columns=list(metric.input_columns),
                output_data_type=metric.output,
            )
            for metric in spec.custom_metrics
        ]
        or None,
        notifications=databricks.QualityMonitorNotificationsArgs(
            on_failure=databricks.QualityMonitorNotificationsOnFailureArgs(email_addresses=list(spec.notify_on_failure))
        )
        if spec.notify_on_failure
        else None,
        # The provider marks neither as replacing, and its update call goes to the new name or leaves the folder out.
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(replace_on_changes=["tableName", "assetsDir"], delete_before_replace=True),
        ),
    )
    return Watching(monitor, monitor.profile_metrics_table_name, monitor.drift_metrics_table_name, monitor.dashboard_id)


def data_quality_monitor(
    name: str,
    spec: MonitorSpec,
    table_id: pulumi.Input[str],
    output_schema_id: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> Watching:
    """A `DataQualityMonitor` of the table's id.

    Args:
        table_id: UUID of the table.
        output_schema_id: UUID of the schema that gets the metric tables.
    """
    inference_log = databricks.DataQualityMonitorDataProfilingConfigInferenceLogArgs(
        granularities=[granularity_constant(window) for window in spec.granularities],
        timestamp_column=TIMESTAMP,
        model_id_column=spec.model_id_column,
        prediction_column=PREDICTION,
        label_column=spec.label_column,
        problem_type=f"INFERENCE_{spec.problem_type}",
    )
    notified = databricks.DataQualityMonitorDataProfilingConfigNotificationSettingsOnFailureArgs
    monitor = databricks.DataQualityMonitor(
        name,
        object_type="table",
        object_id=table_id,
        data_profiling_config=databricks.DataQualityMonitorDataProfilingConfigArgs(
            output_schema_id=output_schema_id,
            assets_dir=spec.assets_dir,
            inference_log=inference_log,
            slicing_exprs=list(spec.slicing_exprs) or None,
            baseline_table_name=spec.baseline_table,
            schedule=None
            if spec.cron is None
            else databricks.DataQualityMonitorDataProfilingConfigScheduleArgs(
                quartz_cron_expression=spec.cron, timezone_id=TIMEZONE
            ),
            custom_metrics=[
                databricks.DataQualityMonitorDataProfilingConfigCustomMetricArgs(
                    name=metric.name,
                    type=f"DATA_PROFILING_CUSTOM_METRIC_TYPE_{metric.type}",
                    definition=metric.definition,
                    input_columns=list(metric.input_columns),
                    output_data_type=metric.output,
                )
                for metric in spec.custom_metrics
            ]
            or None,
            notification_settings=databricks.DataQualityMonitorDataProfilingConfigNotificationSettingsArgs(
                on_failure=notified(email_addresses=list(spec.notify_on_failure))
            )
            if spec.notify_on_failure
            else None,
        ),
        # Another table is another monitor; the provider would patch one that is not there.
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(replace_on_changes=["objectId"], delete_before_replace=True)
        ),
    )
    config = monitor.data_profiling_config
    return Watching(
        monitor,
        config.apply(lambda found: found.profile_metrics_table_name or "" if found else ""),
        config.apply(lambda found: found.drift_metrics_table_name or "" if found else ""),
        config.apply(lambda found: found.dashboard_id or "" if found else ""),
    )


def granularity_constant(window: str) -> str:
    """`1 day` as the newer API calls it: `AGGREGATION_GRANULARITY_1_DAY`."""
    return f"AGGREGATION_GRANULARITY_{window.upper().replace(' ', '_')}"
