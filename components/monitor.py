"""`InferenceMonitor`: what an endpoint answered, as a typed table, with a quality monitor on it.

The inference table holds requests and responses as JSON texts, which no monitor can read. So the stack declares
an unpacked table (nothing has to wait for a first request), a scheduled job that fills it, and the monitor that
watches it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from components import databricks
from components.dependencies import dependencies
from components.names import ThreePartName
from components.unpack import MODEL_ID, PREDICTION, TIMESTAMP, UnpackedSchema, unpack_statement

TIMEZONE = "UTC"
UNPACK_TASK = "unpack"


@dataclass(frozen=True, kw_only=True)
class InferenceMonitorArgs:
    """What an `InferenceMonitor` is made of."""

    payload_table: str
    """Three-part name of the endpoint's inference table."""
    unpacked_table: str
    """Three-part name of the table to create and to watch."""
    schema: UnpackedSchema
    """Its declared columns."""
    problem_type: Literal["PROBLEM_TYPE_REGRESSION", "PROBLEM_TYPE_CLASSIFICATION"]
    """What a prediction is, which decides the quality metrics."""
    warehouse_id: str
    """SQL warehouse that creates the table and unpacks."""
    assets_dir: str
    """Workspace folder for the dashboard. A new folder is a new monitor: the update call does not carry it."""
    job_name: str
    """Name of the unpack job."""
    granularities: Sequence[str] = ("1 day",)
    """Windows of the metrics, such as `1 day` or `1 hour`."""
    slicing_exprs: Sequence[str] = ()
    """SQL expressions by which metrics are sliced."""
    baseline_table: str | None = None
    """Three-part name of the table that drift is measured against."""
    unpack_cron: str = "0 0 * * * ?"
    """Quartz expression (UTC): when new requests are unpacked."""
    monitor_cron: str | None = None
    """Quartz expression (UTC): when metrics are refreshed; on demand only when left out."""
    keep_table: bool = False
    """Whether the table stays when the component goes; labels filled in later are nowhere else."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the job."""


class InferenceMonitor(pulumi.ComponentResource):
    """The unpacked inference table of an endpoint, the job that fills it, and the monitor that watches it.

    Raises:
        ValueError: a name is not a three-part name; nothing has been registered then.
    """

    monitor_table: str
    profile_metrics_table: pulumi.Output[str]
    drift_metrics_table: pulumi.Output[str]
    dashboard_id: pulumi.Output[str]
    job_id: pulumi.Output[str]

    def __init__(self, name: str, args: InferenceMonitorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        unpacked = ThreePartName.parse(args.unpacked_table)
        payload = ThreePartName.parse(args.payload_table)
        super().__init__("databricks-serving:index:InferenceMonitor", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, depends_on=dependencies(opts))
        self.monitor_table = str(unpacked)
        self.table = _declared_table(name, args, unpacked, child)
        self.query = databricks.Query(
            f"{name}-unpack",
            display_name=f"{args.job_name}-statement",
            description=f"Unpacks {payload} into {unpacked}.",
            warehouse_id=args.warehouse_id,
            query_text=unpack_statement(payload.sql, unpacked.sql, args.schema),
            opts=child,
        )
        self.job = _unpack_job(name, args, self.query.id, self.table, child)
        self.monitor = _quality_monitor(name, args, unpacked, self.table, child)
        self.profile_metrics_table = self.monitor.profile_metrics_table_name
        self.drift_metrics_table = self.monitor.drift_metrics_table_name
        self.dashboard_id = self.monitor.dashboard_id
        self.job_id = self.job.id
        self.register_outputs(
            {
                "monitor_table": self.monitor_table,
                "profile_metrics_table": self.profile_metrics_table,
                "drift_metrics_table": self.drift_metrics_table,
                "dashboard_id": self.dashboard_id,
                "job_id": self.job_id,
            }
        )


def _declared_table(
    name: str, args: InferenceMonitorArgs, table: ThreePartName, opts: pulumi.ResourceOptions
) -> databricks.SqlTable:
    return databricks.SqlTable(
        f"{name}-table",
        catalog_name=table.catalog,
        schema_name=table.schema,
        name=table.name,
        table_type="MANAGED",
        data_source_format="DELTA",
        warehouse_id=args.warehouse_id,
        comment=f"Requests to the endpoint, one row a record, unpacked from {args.payload_table}.",
        properties={"delta.enableChangeDataFeed": "true"},
        columns=[
            databricks.SqlTableColumnArgs(name=column, type=kind, nullable=True)
            for column, kind in args.schema.columns().items()
        ],
        # The provider takes another name for a change in place, and then alters a table that is not there.
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(replace_on_changes=["name"], retain_on_delete=args.keep_table)
        ),
    )


def _unpack_job(
    name: str,
    args: InferenceMonitorArgs,
    query_id: pulumi.Output[str],
    table: databricks.SqlTable,
    opts: pulumi.ResourceOptions,
) -> databricks.Job:
    return databricks.Job(
        f"{name}-unpack",
        name=args.job_name,
        tasks=[
            databricks.JobTaskArgs(
                task_key=UNPACK_TASK,
                sql_task=databricks.JobTaskSqlTaskArgs(
                    warehouse_id=args.warehouse_id, query=databricks.JobTaskSqlTaskQueryArgs(query_id=query_id)
                ),
            )
        ],
        schedule=databricks.JobScheduleArgs(
            quartz_cron_expression=args.unpack_cron, timezone_id=TIMEZONE, pause_status="UNPAUSED"
        ),
        # Two runs at once would both find the same requests missing.
        max_concurrent_runs=1,
        queue=databricks.JobQueueArgs(enabled=True),
        tags=dict(args.tags),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[table])),
    )


def _quality_monitor(
    name: str,
    args: InferenceMonitorArgs,
    table: ThreePartName,
    declared: databricks.SqlTable,
    opts: pulumi.ResourceOptions,
) -> databricks.QualityMonitor:
    schedule = (
        None
        if args.monitor_cron is None
        else databricks.QualityMonitorScheduleArgs(quartz_cron_expression=args.monitor_cron, timezone_id=TIMEZONE)
    )
    return databricks.QualityMonitor(
        name,
        table_name=str(table),
        output_schema_name=f"{table.catalog}.{table.schema}",
        assets_dir=args.assets_dir,
        inference_log=databricks.QualityMonitorInferenceLogArgs(
            granularities=list(args.granularities),
            timestamp_col=TIMESTAMP,
            model_id_col=MODEL_ID,
            prediction_col=PREDICTION,
            label_col=args.schema.label_column,
            problem_type=args.problem_type,
        ),
        slicing_exprs=list(args.slicing_exprs) or None,
        baseline_table_name=args.baseline_table,
        schedule=schedule,
        # The provider marks neither as replacing, and its update call goes to the new name or leaves the folder out.
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                depends_on=[declared], replace_on_changes=["tableName", "assetsDir"], delete_before_replace=True
            ),
        ),
    )
