"""Rows for what watches a service: quality monitors, alerts."""

from typing import Final

from toolchain.provider.fields import block, blocks, boolean, integer, number, text, texts
from toolchain.provider.schema import Call, Family, Field, Resource, Wait
from toolchain.provider.strategies.plain import Plain

_MONITOR: Final = "/api/2.1/unity-catalog/tables/{table_name}/monitor"
_DATA_QUALITY: Final = "/api/data-quality/v1/monitors"
_ALERTS: Final = "/api/2.0/alerts"

_ACTIVE: Final = Wait(
    path=("status",),
    done=frozenset({"MONITOR_STATUS_ACTIVE"}),
    failed=frozenset({"MONITOR_STATUS_ERROR", "MONITOR_STATUS_FAILED"}),
    seconds=15 * 60,
    why=lambda monitor: str(monitor.get("latest_monitor_failure_msg") or ""),
)


def _monitor_fields(*, framework: bool) -> tuple[Field, ...]:
    """QualityMonitor and LakehouseMonitor speak to the same API."""
    return (
        text("table_name", required=True),
        text("assets_dir", required=True),
        text("output_schema_name", required=True),
        text("baseline_table_name"),
        blocks(
            "custom_metrics",
            text("definition", required=True),
            texts("input_columns", required=True),
            text("name", required=True),
            text("output_data_type", required=True),
            text("type", required=True),
        ),
        block("data_classification_config", boolean("enabled")),
        block(
            "inference_log",
            texts("granularities", required=True),
            text("label_col"),
            text("model_id_col", required=True),
            text("prediction_col", required=True),
            text("prediction_proba_col"),
            text("problem_type", required=True),
            text("timestamp_col", required=True),
        ),
        text("latest_monitor_failure_msg", stable=True),
        block(
            "notifications",
            block("on_failure", texts("email_addresses")),
            block("on_new_classification_tag_detected", texts("email_addresses")),
        ),
        block(
            "schedule",
            text("pause_status", computed=framework, output=not framework),
            text("quartz_cron_expression", required=True),
            text("timezone_id", required=True),
        ),
        boolean("skip_builtin_dashboard", keep=True),
        texts("slicing_exprs"),
        block("snapshot"),
        block("time_series", texts("granularities", required=True), text("timestamp_col", required=True)),
        text("warehouse_id", keep=True),
        text("dashboard_id", output=True),
        text("drift_metrics_table_name", output=True),
        integer("monitor_version", output=True),
        text("profile_metrics_table_name", output=True),
        text("status", output=True),
    )


_CHANGES: Final = Call(
    method="PUT",
    path=_MONITOR,
    sends=("*",),
    omits=("table_name", "assets_dir", "skip_builtin_dashboard", "warehouse_id"),
    carries=("dashboard_id",),
)

QUALITY_MONITOR: Final = Resource(
    type="databricks:index/qualityMonitor:QualityMonitor",
    family=Family.FRAMEWORK,
    fields=(*_monitor_fields(framework=True), text("monitor_id", computed=True, local=True, formula="{+table_name}")),
    id="{+table_name}",
    import_id=("", "table_name"),
    create=Call(method="POST", path=_MONITOR, sends=("*",), omits=("table_name",)),
    read=Call(method="GET", path=_MONITOR),
    update=_CHANGES,
    delete=Call(method="DELETE", path=_MONITOR),
    wait=_ACTIVE,
    id_in_state=False,
    workspace_in_state=False,
    strategy=Plain(),
)

LAKEHOUSE_MONITOR: Final = Resource(
    type="databricks:index/lakehouseMonitor:LakehouseMonitor",
    family=Family.SDK,
    fields=_monitor_fields(framework=False),
    id="{+table_name}",
    import_id=("", "table_name"),
    create=Call(method="POST", path=_MONITOR, sends=("*",), omits=("table_name",)),
    read=Call(method="GET", path=_MONITOR),
    update=_CHANGES,
    delete=Call(method="DELETE", path=_MONITOR),
    wait=_ACTIVE,
    deprecated="Use QualityMonitor instead.",
    strategy=Plain(),
)

DATA_QUALITY_MONITOR: Final = Resource(
    type="databricks:index/dataQualityMonitor:DataQualityMonitor",
    family=Family.FRAMEWORK,
    fields=(
        text("object_type", required=True),
        text("object_id", required=True),
        block("anomaly_detection_config", texts("excluded_table_full_names")),
        block(
            "data_profiling_config",
            text("output_schema_id", required=True),
            text("assets_dir"),
            text("baseline_table_name"),
            blocks(
                "custom_metrics",
                text("definition", required=True),
                texts("input_columns", required=True),
                text("name", required=True),
                text("output_data_type", required=True),
                text("type", required=True),
            ),
            text("dashboard_id", output=True),
            text("drift_metrics_table_name", output=True),
            text("effective_warehouse_id", output=True),
            block(
                "inference_log",
                texts("granularities", required=True),
                text("label_column"),
                text("model_id_column", required=True),
                text("prediction_column", required=True),
                text("problem_type", required=True),
                text("timestamp_column", required=True),
            ),
            text("latest_monitor_failure_message", output=True),
            integer("monitor_version", output=True),
            text("monitored_table_name", output=True),
            block("notification_settings", block("on_failure", texts("email_addresses"))),
            text("profile_metrics_table_name", output=True),
            block(
                "schedule",
                text("pause_status", computed=True),
                text("quartz_cron_expression", required=True),
                text("timezone_id", required=True),
            ),
            boolean("skip_builtin_dashboard"),
            texts("slicing_exprs"),
            block("snapshot"),
            text("status", output=True),
            block("time_series", texts("granularities", required=True), text("timestamp_column", required=True)),
            text("warehouse_id"),
        ),
    ),
    id="missing ID",
    create=Call(method="POST", path=_DATA_QUALITY, sends=("*",)),
    read=Call(method="GET", path=f"{_DATA_QUALITY}/{{object_type}}/{{object_id}}"),
    update=Call(
        method="PATCH",
        path=f"{_DATA_QUALITY}/{{object_type}}/{{object_id}}",
        sends=("*",),
        query={"update_mask": "anomaly_detection_config,data_profiling_config"},
    ),
    delete=Call(method="DELETE", path=f"{_DATA_QUALITY}/{{object_type}}/{{object_id}}"),
    id_in_state=False,
    strategy=Plain(),
)

_COLUMN: Final = (text("aggregation"), text("display"), text("name", required=True))

ALERT_V2: Final = Resource(
    type="databricks:index/alertV2:AlertV2",
    family=Family.FRAMEWORK,
    fields=(
        text("display_name", required=True),
        text("query_text", required=True),
        text("warehouse_id", required=True),
        block(
            "evaluation",
            text("comparison_operator", required=True),
            text("empty_result_state"),
            text("last_evaluated_at", output=True),
            block(
                "notification",
                boolean("effective_notify_on_ok", output=True),
                integer("effective_retrigger_seconds", output=True),
                boolean("notify_on_ok"),
                integer("retrigger_seconds"),
                blocks("subscriptions", text("destination_id"), text("user_email")),
            ),
            block("source", *_COLUMN, required=True),
            text("state", output=True),
            block(
                "threshold",
                block("column", *_COLUMN),
                block("value", boolean("bool_value"), number("double_value"), text("string_value")),
            ),
            required=True,
        ),
        block(
            "schedule",
            text("pause_status"),
            text("quartz_cron_schedule", required=True),
            text("timezone_id", required=True),
            required=True,
        ),
        text("custom_description"),
        text("custom_summary"),
        text("custom_template_format"),
        blocks("parameters", text("name", required=True), text("type"), text("value")),
        text("parent_path"),
        boolean("purge_on_delete", local=True),
        block("run_as", text("service_principal_name"), text("user_name")),
        text("run_as_user_name"),
        text("create_time", output=True),
        block("effective_run_as", text("service_principal_name"), text("user_name"), output=True),
        text("lifecycle_state", output=True),
        text("owner_user_name", output=True),
        text("update_time", output=True),
    ),
    id="{+answer_id}",
    create=Call(method="POST", path=_ALERTS, sends=("*",)),
    read=Call(method="GET", path=f"{_ALERTS}/{{id}}"),
    update=Call(
        method="PATCH",
        path=f"{_ALERTS}/{{id}}",
        sends=("*",),
        carries=("id",),
        query={
            "update_mask": "custom_description,custom_summary,display_name,evaluation,parameters,parent_path,"
            "query_text,run_as,run_as_user_name,schedule,warehouse_id"
        },
    ),
    delete=Call(method="DELETE", path=f"{_ALERTS}/{{id}}", query={"purge": "{+purge_on_delete}"}),
    strategy=Plain(),
)

ROWS: Final = (QUALITY_MONITOR, LAKEHOUSE_MONITOR, DATA_QUALITY_MONITOR, ALERT_V2)
