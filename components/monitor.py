"""`InferenceMonitor`: what an endpoint answered, as a typed table, with a quality monitor on it.

The inference table holds requests and responses as JSON texts, which no monitor can read. So the stack declares
an unpacked table (nothing has to wait for a first request), a scheduled job that fills it, and the monitor that
watches it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from . import databricks
from .arguments import Arguments
from .checks import check_cron, check_emails, check_folder, check_granularities
from .monitor_apis import (
    TIMEZONE,
    CustomMetricArgs,
    MonitorApi,
    MonitorSpec,
    ProblemType,
    Watching,
    data_quality_monitor,
    quality_monitor,
)
from .names import ThreePartName
from .options import child_options, main_options
from .unpack import (
    FeatureSource,
    LabelSource,
    ModelId,
    UnpackedSchema,
    feature_statement,
    label_statement,
    unpack_statement,
)

__all__ = ["CustomMetricArgs", "FeatureSource", "InferenceMonitor", "InferenceMonitorArgs", "LabelSource"]

UNPACK_TASK = "unpack"
FEATURE_TASK = "features"
LABEL_TASK = "labels"
# Of one run: later ones wait for it. The first over a long history takes longer than the hour between them.
UNPACK_TIMEOUT_SECONDS = 4 * 3_600


@dataclass(frozen=True, kw_only=True)
class InferenceMonitorArgs(Arguments):
    """What an `InferenceMonitor` is made of."""

    payload_table: str
    """Three-part name of the endpoint's inference table."""
    unpacked_table: str
    """Three-part name of the table to create and to watch."""
    schema: UnpackedSchema
    """Its declared columns."""
    problem_type: ProblemType
    """What a prediction is, which decides the quality metrics."""
    warehouse_id: pulumi.Input[str]
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
    custom_metrics: Sequence[CustomMetricArgs] = ()
    """Metrics of one's own, such as what a wrong prediction costs."""
    labels: LabelSource | None = None
    """Where the true values are found when they arrive, however late; without it somebody else fills the column."""
    features: FeatureSource | None = None
    """Where columns are found that requests leave out because the endpoint looks them up: without it they stay empty,
    and so do slices by them.
    """
    notify_on_failure: Sequence[str] = ()
    """E-mail addresses that hear when the monitor itself fails. Drift needs alerts (components/alerts.py)."""
    api: MonitorApi = "quality_monitors"
    """Which monitoring API: the stable one, or its successor in preview."""
    output_schema_id: pulumi.Input[str] | None = None
    """UUID of the table's schema; needed for `data_quality`."""
    keep_table: bool = False
    """Whether the table stays when the component goes; labels filled in later are nowhere else."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the job."""

    def check(self) -> None:
        """Raises ValueError for a schedule, a window, a folder or an address that is none."""
        check_cron("unpack_cron", self.unpack_cron)
        if self.monitor_cron is not None:
            check_cron("monitor_cron", self.monitor_cron)
        check_granularities("granularity", self.granularities)
        check_folder("assets_dir", self.assets_dir)
        check_emails("notify_on_failure", self.notify_on_failure)
        if not self.granularities:
            raise ValueError(f"monitor of {self.unpacked_table} has no windows; name a granularity, such as 1 day")
        if self.baseline_table is not None:
            ThreePartName.parse(self.baseline_table, what="baseline_table")


class InferenceMonitor(pulumi.ComponentResource):
    """The unpacked inference table of an endpoint, the job that fills it, and the monitor that watches it.

    Raises:
        ValueError: a name is not a three-part name, labels have no column to go to, or `data_quality` has no schema id;
            nothing has been registered then.
    """

    monitor_table: str
    model_id_column: ModelId
    """The column that tells models apart in the table and its metrics."""
    profile_metrics_table: pulumi.Output[str]
    drift_metrics_table: pulumi.Output[str]
    dashboard_id: pulumi.Output[str]
    job_id: pulumi.Output[str]

    def __init__(self, name: str, args: InferenceMonitorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        unpacked = ThreePartName.parse(args.unpacked_table)
        payload = ThreePartName.parse(args.payload_table)
        if args.labels is not None:
            args.labels.check_against(args.schema)
        if args.features is not None:
            args.features.check_against(args.schema)
        args.check()
        if args.api == "data_quality" and args.output_schema_id is None:
            raise ValueError("the data_quality API knows schemas by id; give output_schema_id, the UUID of the schema")
        super().__init__("databricks-serving:index:InferenceMonitor", name, None, opts)
        child = child_options(self, opts, has_main=True)
        self.monitor_table = str(unpacked)
        self.model_id_column = args.schema.model_id
        self.table = _declared_table(name, args, unpacked, child)
        self.query = databricks.Query(
            f"{name}-unpack",
            display_name=f"{args.job_name}-statement",
            description=f"Unpacks {payload} into {unpacked}.",
            warehouse_id=args.warehouse_id,
            query_text=unpack_statement(payload.sql, unpacked.sql, args.schema),
            opts=child,
        )
        self.feature_query = (
            None if args.features is None else _feature_query(name, args, unpacked, args.features, child)
        )
        self.label_query = None if args.labels is None else _label_query(name, args, unpacked, args.labels, child)
        queries = {UNPACK_TASK: self.query, FEATURE_TASK: self.feature_query, LABEL_TASK: self.label_query}
        self.job = _unpack_job(
            name, args, {key: query.id for key, query in queries.items() if query is not None}, self.table, child
        )
        watching = _watching(name, args, unpacked, self.table, main_options(self, opts))
        self.monitor = watching.resource
        self.profile_metrics_table = watching.profile_metrics_table
        self.drift_metrics_table = watching.drift_metrics_table
        self.dashboard_id = watching.dashboard_id
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
            opts, pulumi.ResourceOptions(replace_on_changes=["name"], retain_on_delete=args.keep_table or None)
        ),
    )


def _feature_query(
    name: str, args: InferenceMonitorArgs, table: ThreePartName, features: FeatureSource, opts: pulumi.ResourceOptions
) -> databricks.Query:
    return databricks.Query(
        f"{name}-features",
        display_name=f"{args.job_name}-features",
        description=f"Brings features from {features.table} to {table} where requests left them out.",
        warehouse_id=args.warehouse_id,
        query_text=feature_statement(table.sql, features),
        opts=opts,
    )


def _label_query(
    name: str, args: InferenceMonitorArgs, table: ThreePartName, labels: LabelSource, opts: pulumi.ResourceOptions
) -> databricks.Query:
    return databricks.Query(
        f"{name}-labels",
        display_name=f"{args.job_name}-labels",
        description=f"Brings labels from {labels.table} to {table} as they arrive.",
        warehouse_id=args.warehouse_id,
        query_text=label_statement(table.sql, args.schema, labels),
        opts=opts,
    )


def _unpack_job(
    name: str,
    args: InferenceMonitorArgs,
    query_ids: Mapping[str, pulumi.Output[str]],
    table: databricks.SqlTable,
    opts: pulumi.ResourceOptions,
) -> databricks.Job:
    # One after the other: two MERGEs of one table at a time would be a conflict.
    order = list(query_ids)
    before = dict(zip(order[1:], order, strict=False))
    # In the order of their keys, as the provider keeps them.
    tasks = [_sql_task(key, args, query_ids[key], after=before.get(key)) for key in sorted(order)]
    return databricks.Job(
        f"{name}-unpack",
        name=args.job_name,
        tasks=tasks,
        schedule=databricks.JobScheduleArgs(
            quartz_cron_expression=args.unpack_cron, timezone_id=TIMEZONE, pause_status="UNPAUSED"
        ),
        # Two runs at once would both find the same requests missing.
        max_concurrent_runs=1,
        queue=databricks.JobQueueArgs(enabled=True),
        timeout_seconds=UNPACK_TIMEOUT_SECONDS,
        tags=dict(args.tags),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[table])),
    )


def _sql_task(
    key: str, args: InferenceMonitorArgs, query_id: pulumi.Output[str], *, after: str | None = None
) -> databricks.JobTaskArgs:
    return databricks.JobTaskArgs(
        task_key=key,
        depends_ons=None if after is None else [databricks.JobTaskDependsOnArgs(task_key=after)],
        sql_task=databricks.JobTaskSqlTaskArgs(
            warehouse_id=args.warehouse_id, query=databricks.JobTaskSqlTaskQueryArgs(query_id=query_id)
        ),
    )


def _watching(
    name: str,
    args: InferenceMonitorArgs,
    table: ThreePartName,
    declared: databricks.SqlTable,
    opts: pulumi.ResourceOptions,
) -> Watching:
    spec = MonitorSpec(
        table=table,
        problem_type=args.problem_type,
        model_id_column=args.schema.model_id,
        label_column=args.schema.label_column,
        assets_dir=args.assets_dir,
        granularities=args.granularities,
        slicing_exprs=args.slicing_exprs,
        baseline_table=args.baseline_table,
        cron=args.monitor_cron,
        custom_metrics=args.custom_metrics,
        notify_on_failure=args.notify_on_failure,
    )
    after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[declared]))
    if args.output_schema_id is not None and args.api == "data_quality":
        return data_quality_monitor(name, spec, declared.table_id, args.output_schema_id, after)
    return quality_monitor(name, spec, after)
