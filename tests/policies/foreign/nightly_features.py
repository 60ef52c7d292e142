"""A nightly feature job, its online table, its monitor and an alert, in functions as larger programs have them."""

import pulumi
import pulumi_databricks as databricks

stack = pulumi.get_stack()
CATALOG, SCHEMA = "shop", "features"


def table(name: str) -> str:
    return f"{CATALOG}.{SCHEMA}.{name}"


def nightly_job(name: str) -> databricks.Job:
    return databricks.Job(
        name,
        name=f"{name}-{stack}",
        schedule=databricks.JobScheduleArgs(quartz_cron_expression="0 0 2 * * ?", timezone_id="UTC"),
        job_clusters=[
            databricks.JobJobClusterArgs(
                job_cluster_key="main",
                new_cluster=databricks.JobJobClusterNewClusterArgs(
                    spark_version="13.0.x-cpu-ml-scala2.12", node_type_id="i3.xlarge", num_workers=2
                ),
            )
        ],
        tasks=[
            databricks.JobTaskArgs(
                task_key="compute",
                job_cluster_key="main",
                notebook_task=databricks.JobTaskNotebookTaskArgs(notebook_path="/Shared/features"),
            )
        ],
        tags={"owner": "shop"},
    )


job = nightly_job("nightly-features")

online = databricks.OnlineTable(
    "customers-online",
    name=table("customers_online"),
    spec=databricks.OnlineTableSpecArgs(
        source_table_full_name=table("customers"),
        primary_key_columns=["customer_id"],
        run_triggered=databricks.OnlineTableSpecRunTriggeredArgs(),  # type: ignore[no-untyped-call]
    ),
    opts=pulumi.ResourceOptions(depends_on=[job]),
)

databricks.LakehouseMonitor(
    "customers-monitor",
    table_name=table("customers"),
    assets_dir="/Shared/monitors/customers",
    output_schema_name=f"{CATALOG}.{SCHEMA}",
    snapshot={},
)

warehouse = databricks.SqlEndpoint("reports", name=f"reports-{stack}", cluster_size="Small", auto_stop_mins=0)

databricks.AlertV2(
    "late-features",
    display_name="late features",
    warehouse_id=warehouse.id,
    query_text=f"SELECT count(*) AS late FROM {table('customers')} WHERE updated_at < now() - INTERVAL 1 DAY",
    schedule=databricks.AlertV2ScheduleArgs(
        quartz_cron_schedule="0 0 * * * ?", timezone_id="UTC", pause_status="PAUSED"
    ),
    evaluation=databricks.AlertV2EvaluationArgs(
        comparison_operator="GREATER_THAN", source=databricks.AlertV2EvaluationSourceArgs(name="late")
    ),
)
