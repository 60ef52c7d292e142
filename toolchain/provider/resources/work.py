"""The row for jobs: the task types that a serving project uses."""

from typing import Final

from toolchain.provider.fields import block, blocks, boolean, integer, mapping, text, texts
from toolchain.provider.schema import Call, Family, Field, Resource
from toolchain.provider.strategies.jobs import Job

_EVENTS: Final = (
    ("on_duration_warning_threshold_exceeded", "onDurationWarningThresholdExceededs"),
    ("on_failure", "onFailures"),
    ("on_start", "onStarts"),
    ("on_streaming_backlog_exceeded", "onStreamingBacklogExceededs"),
    ("on_success", "onSuccesses"),
)


def _emails(*, computed: bool) -> Field:
    addresses = (texts(api, wire=wire) for api, wire in _EVENTS)
    return block("email_notifications", boolean("no_alert_for_skipped_runs"), *addresses, computed=computed)


def _webhooks(*, computed: bool) -> Field:
    hooks = (blocks(api, text("id", required=True), wire=wire) for api, wire in _EVENTS)
    return block("webhook_notifications", *hooks, computed=computed)


_SETTINGS: Final = block(
    "notification_settings",
    boolean("no_alert_for_canceled_runs"),
    boolean("no_alert_for_skipped_runs"),
    boolean("alert_on_last_attempt"),
)
_HEALTH: Final = block(
    "health", blocks("rules", text("metric", required=True), text("op", required=True), integer("value", required=True))
)
_LIBRARIES: Final = blocks(
    "libraries",
    text("egg"),
    text("jar"),
    text("requirements"),
    text("whl"),
    block("maven", text("coordinates", required=True), texts("exclusions"), text("repo")),
    block("pypi", text("package", required=True), text("repo")),
)
_CLUSTER: Final = block(
    "new_cluster",
    block("autoscale", integer("max_workers"), integer("min_workers")),
    mapping("custom_tags"),
    text("data_security_mode"),
    text("driver_node_type_id"),
    text("instance_pool_id"),
    text("node_type_id"),
    integer("num_workers"),
    text("policy_id"),
    text("runtime_engine"),
    text("single_user_name"),
    mapping("spark_conf"),
    mapping("spark_env_vars"),
    text("spark_version", required=True),
)
_TASK_KINDS: Final = (
    block(
        "alert_task",
        text("alert_id"),
        mapping("parameters"),
        blocks("subscribers", text("destination_id"), text("user_name")),
        text("warehouse_id"),
        text("workspace_path"),
    ),
    block("condition_task", text("left", required=True), text("op", required=True), text("right", required=True)),
    block(
        "notebook_task",
        mapping("base_parameters"),
        text("notebook_path", required=True),
        text("source", computed=True),
        text("warehouse_id"),
    ),
    block("pipeline_task", boolean("full_refresh"), text("pipeline_id", required=True)),
    block(
        "python_wheel_task", text("entry_point"), mapping("named_parameters"), text("package_name"), texts("parameters")
    ),
    block(
        "run_job_task",
        texts("dbt_commands"),
        texts("jar_params"),
        integer("job_id", required=True),
        mapping("job_parameters"),
        mapping("notebook_params"),
        mapping("python_named_params"),
        texts("python_params"),
        texts("spark_submit_params"),
        mapping("sql_params"),
    ),
    block("spark_python_task", texts("parameters"), text("python_file", required=True), text("source", computed=True)),
    block(
        "sql_task",
        block(
            "alert",
            text("alert_id", required=True),
            boolean("pause_subscriptions"),
            blocks("subscriptions", text("destination_id"), text("user_name")),
        ),
        block("file", text("path", required=True), text("source", computed=True)),
        mapping("parameters"),
        block("query", text("query_id", required=True)),
        text("warehouse_id"),
    ),
)
_TASK_COMMON: Final = (
    blocks("depends_on", text("outcome"), text("task_key", required=True), wire="dependsOns"),
    text("description"),
    boolean("disable_auto_optimization"),
    boolean("disabled"),
    _emails(computed=True),
    text("environment_key"),
    text("existing_cluster_id"),
    _HEALTH,
    text("job_cluster_key"),
    _LIBRARIES,
    integer("max_retries"),
    integer("min_retry_interval_millis"),
    _CLUSTER,
    _SETTINGS,
    boolean("retry_on_timeout", computed=True),
    text("run_if", computed=True),
    text("task_key", required=True),
    integer("timeout_seconds"),
    _webhooks(computed=True),
)
_FOR_EACH: Final = block(
    "for_each_task",
    integer("concurrency"),
    text("inputs", required=True),
    block("task", *_TASK_COMMON, *_TASK_KINDS, required=True),
)
_MODEL_TRIGGER: Final = block(
    "model",
    texts("aliases"),
    text("condition", required=True),
    integer("min_time_between_triggers_seconds"),
    text("securable_name"),
    integer("wait_after_last_change_seconds"),
)

JOB: Final = Resource(
    type="databricks:index/job:Job",
    family=Family.SDK,
    fields=(
        text("name"),
        boolean("always_running", local=True),
        text("budget_policy_id"),
        block("continuous", text("pause_status")),
        boolean("control_run_state", local=True),
        text("description"),
        text("edit_mode"),
        _emails(computed=True),
        blocks(
            "environments",
            text("environment_key", required=True),
            block(
                "spec",
                text("base_environment"),
                text("client"),
                texts("dependencies"),
                text("environment_version"),
                texts("java_dependencies"),
            ),
        ),
        _HEALTH,
        blocks("job_clusters", text("job_cluster_key", required=True), _CLUSTER),
        _LIBRARIES,
        integer("max_concurrent_runs", default=1),
        integer("max_retries"),
        integer("min_retry_interval_millis"),
        _SETTINGS,
        blocks("parameters", text("default", required=True), text("name", required=True)),
        text("performance_target"),
        block("queue", boolean("enabled", required=True), send_default={"enabled": False}),
        boolean("retry_on_timeout"),
        block("run_as", text("group_name"), text("service_principal_name"), text("user_name"), computed=True),
        block(
            "schedule",
            text("pause_status", default="UNPAUSED"),
            text("quartz_cron_expression", required=True),
            text("timezone_id", required=True),
        ),
        mapping("tags"),
        blocks("tasks", *_TASK_COMMON, _FOR_EACH, *_TASK_KINDS, match="taskKey"),
        integer("timeout_seconds"),
        block(
            "trigger",
            block(
                "file_arrival",
                integer("min_time_between_triggers_seconds"),
                text("url", required=True),
                integer("wait_after_last_change_seconds"),
            ),
            _MODEL_TRIGGER,
            text("pause_status", default="UNPAUSED"),
            block("periodic", integer("interval", required=True), text("unit", required=True)),
            block(
                "table_update",
                text("condition"),
                integer("min_time_between_triggers_seconds"),
                texts("table_names", required=True),
                integer("wait_after_last_change_seconds"),
            ),
        ),
        text("usage_policy_id"),
        _webhooks(computed=True),
        text("url", formula="{+host}/#job/{+id}", output=True),
    ),
    id="{+answer_job_id}",
    create=Call(method="POST", path="/api/2.2/jobs/create", sends=("*",)),
    read=Call(method="GET", path="/api/2.2/jobs/get", query={"job_id": "{+id}"}),
    update=Call(method="POST", path="/api/2.2/jobs/reset"),
    delete=Call(method="POST", path="/api/2.2/jobs/delete"),
    strategy=Job(),
)

ROWS: Final = (JOB,)
