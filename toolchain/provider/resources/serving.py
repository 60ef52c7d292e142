"""Rows for model serving and its models."""

from typing import Final

from toolchain.provider.fields import block, blocks, boolean, integer, key_values, mapping, number, text, texts
from toolchain.provider.schema import Call, Family, Field, Resource, Wait
from toolchain.provider.strategies.model_serving import ModelServing, failed_deployments
from toolchain.provider.strategies.owned import Owned
from toolchain.provider.strategies.plain import Plain

_SERVING: Final = "/api/2.0/serving-endpoints"
_MODELS: Final = "/api/2.1/unity-catalog/models"

_ENTITY_SIZE: Final = (
    boolean("burst_scaling_enabled"),
    mapping("environment_vars"),
    text("instance_profile_arn"),
    integer("max_provisioned_concurrency"),
    integer("max_provisioned_throughput"),
    integer("min_provisioned_concurrency"),
    integer("min_provisioned_throughput"),
    text("name", computed=True),
    integer("provisioned_model_units"),
    boolean("scale_to_zero_enabled"),
    text("workload_size"),
    text("workload_type", computed=True),
)


def _key(name: str) -> tuple[Field, Field]:
    """A credential, by reference to a secret scope or (write-only) in plain text."""
    return text(name, keep=True), text(f"{name}_plaintext", keep=True, secret=True)


_EXTERNAL: Final = block(
    "external_model",
    text("name", required=True),
    text("provider", required=True),
    text("task", required=True),
    block("ai21labs_config", *_key("ai21labs_api_key")),
    block(
        "amazon_bedrock_config",
        text("aws_region", required=True),
        text("bedrock_provider", required=True),
        *_key("aws_access_key_id"),
        *_key("aws_secret_access_key"),
        text("instance_profile_arn"),
        text("uc_service_credential_name"),
    ),
    block("anthropic_config", *_key("anthropic_api_key")),
    block("cohere_config", text("cohere_api_base"), *_key("cohere_api_key")),
    block(
        "custom_provider_config",
        text("custom_provider_url", required=True),
        block("api_key_auth", text("key", required=True), *_key("value")),
        block("bearer_token_auth", *_key("token")),
    ),
    block(
        "databricks_model_serving_config",
        text("databricks_workspace_url", required=True),
        *_key("databricks_api_token"),
    ),
    block(
        "google_cloud_vertex_ai_config",
        text("project_id", required=True),
        text("region", required=True),
        *_key("private_key"),
    ),
    block(
        "openai_config",
        text("microsoft_entra_client_id"),
        *_key("microsoft_entra_client_secret"),
        text("microsoft_entra_tenant_id"),
        text("openai_api_base"),
        *_key("openai_api_key"),
        text("openai_api_type"),
        text("openai_api_version"),
        text("openai_deployment_name"),
        text("openai_organization"),
    ),
    block("palm_config", *_key("palm_api_key")),
)
_TRAFFIC: Final = block(
    "traffic_config",
    blocks(
        "routes",
        text("served_entity_name", twin="servedModelName"),
        text("served_model_name", twin="servedEntityName"),
        integer("traffic_percentage", required=True),
    ),
    computed=True,
)
_GUARDRAILS: Final = (
    texts("invalid_keywords"),
    block("pii", text("behavior")),
    boolean("safety"),
    texts("valid_topics"),
)
_GATEWAY: Final = block(
    "ai_gateway",
    block("fallback_config", boolean("enabled", required=True)),
    block("guardrails", block("input", *_GUARDRAILS), block("output", *_GUARDRAILS)),
    block(
        "inference_table_config",
        text("catalog_name"),
        boolean("enabled"),
        text("schema_name"),
        text("table_name_prefix"),
    ),
    blocks(
        "rate_limits",
        integer("calls"),
        text("key"),
        text("principal"),
        text("renewal_period", required=True),
        integer("tokens"),
    ),
    block("usage_tracking_config", boolean("enabled")),
)

MODEL_SERVING: Final = Resource(
    type="databricks:index/modelServing:ModelServing",
    family=Family.SDK,
    fields=(
        text("name", replaces=True),
        _GATEWAY,
        text("budget_policy_id"),
        block(
            "config",
            block(
                "auto_capture_config",
                text("catalog_name", replaces=True),
                boolean("enabled", computed=True),
                text("schema_name", replaces=True),
                text("table_name_prefix", computed=True, replaces=True),
            ),
            blocks(
                "served_entities", text("entity_name"), text("entity_version"), _EXTERNAL, *_ENTITY_SIZE, match="name"
            ),
            blocks(
                "served_models",
                text("model_name", required=True),
                text("model_version", required=True),
                *_ENTITY_SIZE,
                match="name",
            ),
            _TRAFFIC,
            computed=True,
        ),
        text("description"),
        block(
            "email_notifications",
            texts("on_update_failure", wire="onUpdateFailures"),
            texts("on_update_success", wire="onUpdateSuccesses"),
        ),
        blocks("rate_limits", integer("calls", required=True), text("key"), text("renewal_period", required=True)),
        boolean("route_optimized", replaces=True),
        key_values("tags", written=True),
        block(
            "telemetry_config",
            texts("enabled_telemetry_features"),
            block("inference_table_config", text("name"), number("sampling_fraction")),
            block(
                "table_names",
                text("annotations_table"),
                text("logs_table"),
                text("metrics_table"),
                text("traces_table"),
            ),
            text("telemetry_profile_id"),
        ),
        text("endpoint_url", output=True),
        text("serving_endpoint_id", reads="id", output=True),
    ),
    id="{+name}",
    import_id=("", "name"),
    create=Call(method="POST", path=_SERVING, sends=("*",)),
    read=Call(method="GET", path=f"{_SERVING}/{{id}}"),
    update=Call(method="PUT", path=f"{_SERVING}/{{id}}/config", sends=()),
    delete=Call(method="DELETE", path=f"{_SERVING}/{{id}}"),
    wait=Wait(
        path=("state", "config_update"),
        done=frozenset({"NOT_UPDATING"}),
        failed=frozenset({"UPDATE_FAILED", "UPDATE_CANCELED"}),
        seconds=45 * 60,
        why=failed_deployments,
    ),
    silent=frozenset({"description", "emailNotifications", "budgetPolicyId", "rateLimits", "telemetryConfig"}),
    warns={
        "rateLimits": "`rateLimits` is deprecated; use `aiGateway.rateLimits`",
    },
    strategy=ModelServing(),
)

REGISTERED_MODEL: Final = Resource(
    type="databricks:index/registeredModel:RegisteredModel",
    family=Family.SDK,
    fields=(
        text("name", replaces=True, any_case=True),
        text("catalog_name", replaces=True, any_case=True),
        text("schema_name", replaces=True, any_case=True),
        text("storage_location", replaces=True, computed=True),
        text("comment", clears=True),
        text("owner", computed=True),
        blocks(
            "aliases",
            text("alias_name"),
            text("catalog_name"),
            text("id"),
            text("model_name"),
            text("schema_name"),
            integer("version_num"),
        ),
        boolean("browse_only", computed=True),
        integer("created_at", computed=True),
        text("created_by", computed=True),
        text("full_name", computed=True),
        text("metastore_id", computed=True),
        integer("updated_at", computed=True),
        text("updated_by", computed=True),
    ),
    id="{+catalog_name}.{+schema_name}.{+name}",
    import_id=(".", "catalog_name schema_name name"),
    create=Call(method="POST", path=_MODELS, sends=("*",)),
    read=Call(method="GET", path=f"{_MODELS}/{{id}}"),
    update=Call(method="PATCH", path=f"{_MODELS}/{{id}}", sends=("*",), omits=("owner", "full_name", "browse_only")),
    delete=Call(method="DELETE", path=f"{_MODELS}/{{id}}"),
    warns={
        "aliases": (
            "RegisteredModel.aliases has no effect: Databricks ignores it; move aliases with a ModelAlias resource"
        )
    },
    strategy=Owned(times=2, whole_after_create=True),
)

MLFLOW_EXPERIMENT: Final = Resource(
    type="databricks:index/mlflowExperiment:MlflowExperiment",
    family=Family.SDK,
    fields=(
        text("name"),
        text("artifact_location", replaces=True, computed=True),
        blocks("tags", text("key"), text("value"), computed=True),
        text("description"),
        integer("creation_time", computed=True),
        text("experiment_id", computed=True),
        integer("last_update_time", computed=True),
        text("lifecycle_stage", computed=True),
        block(
            "trace_location",
            block(
                "uc_trace_location",
                text("catalog", required=True),
                text("schema", required=True),
                text("table_prefix"),
                text("effective_table_prefix", computed=True),
            ),
            replaces=True,
        ),
    ),
    id="{+experiment_id}",
    import_id=("", "experiment_id"),
    create=Call(
        method="POST",
        path="/api/2.0/mlflow/experiments/create",
        sends=("name", "artifact_location", "tags", "trace_location"),
    ),
    read=Call(
        method="GET", path="/api/2.0/mlflow/experiments/get", query={"experiment_id": "{+id}"}, answer="experiment"
    ),
    update=Call(
        method="POST",
        path="/api/2.0/mlflow/experiments/update",
        sends=("experiment_id", "name"),
        renames={"name": "new_name"},
    ),
    delete=Call(method="POST", path="/api/2.0/mlflow/experiments/delete", sends=("experiment_id",)),
    warns={
        "tags": (
            "MlflowExperiment.tags are sent at creation only, and show as a difference ever after because the "
            "server adds its own (as with the official plugin); set tags with MLflow instead"
        ),
        "description": "MlflowExperiment.description is deprecated and not sent; use the tag `mlflow.note.content`",
    },
    strategy=Plain(),
)

MLFLOW_MODEL: Final = Resource(
    type="databricks:index/mlflowModel:MlflowModel",
    family=Family.SDK,
    fields=(
        text("name", replaces=True),
        text("description"),
        blocks("tags", text("key"), text("value")),
        text("registered_model_id", reads="id", output=True),
    ),
    id="{+name}",
    import_id=("", "name"),
    create=Call(method="POST", path="/api/2.0/mlflow/registered-models/create", sends=("name", "description", "tags")),
    read=Call(
        method="GET",
        path="/api/2.0/mlflow/databricks/registered-models/get",
        query={"name": "{+id}"},
        answer="registered_model_databricks",
    ),
    update=Call(method="PATCH", path="/api/2.0/mlflow/registered-models/update", sends=("name", "description")),
    delete=Call(method="DELETE", path="/api/2.0/mlflow/registered-models/delete", query={"name": "{+id}"}),
    strategy=Plain(),
)

ROWS: Final = (MODEL_SERVING, REGISTERED_MODEL, MLFLOW_EXPERIMENT, MLFLOW_MODEL)
