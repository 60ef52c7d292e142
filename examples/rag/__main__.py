"""The chatbot's stack: what it asks, the secret that it asks with, the endpoint, its proof, its alias, who watches."""

from __future__ import annotations

from dataclasses import replace

import pulumi

from components import databricks
from components.alert_queries import daily_summary
from components.alerts import ServingAlerts, ServingAlertsArgs, TrafficAlertArgs
from components.alias_ladder import check_coherence, stack_aliases
from components.cost import estimate
from components.dynamic import SmokeQuery, SmokeQueryArgs
from components.inference_table import check_location, gateway_of, inference_table_of
from components.names import ThreePartName
from components.outputs import export_outputs
from components.proof import evidence_of, release_output, rollout_args, served_output, smoke_output, standby_of
from components.registry import check_versions_exist, resolve_aliases, served_entities
from components.serving_endpoint import EndpointPermission, ServingEndpoint, ServingEndpointArgs
from components.smoke import smoke_cases
from components.stack import connect, load_stack_config, workspace_host
from components.watching import alert_args
from examples.rag.behind import entity_of, make_endpoint, table_of, token_of
from examples.rag.config import RagConfig

TOKEN_KEY = "token"  # noqa: S105 - the name of a key, not a secret

config = load_stack_config(RagConfig)
client = connect()
retrieval = config.retrieval
versions = resolve_aliases(config.model, client)
entities = [
    replace(
        entity,
        environment_vars={
            "DATABRICKS_HOST": workspace_host() or "",
            "DATABRICKS_TOKEN": f"{{{{secrets/{retrieval.secret_scope}/{TOKEN_KEY}}}}}",
            "RAG_INDEX": retrieval.index,
            "RAG_EMBEDDING_MODEL": retrieval.embedding.endpoint,
            "RAG_LLM_ENDPOINT": retrieval.llm.endpoint,
            "RAG_TOP_K": str(retrieval.top_k),
            **entity.environment_vars,
        },
    )
    for entity in served_entities(config.endpoint, config.model, versions, scale_to_zero=config.scale_to_zero)
]
check_versions_exist(config.model.name, entities, versions, client)
check_coherence(config.model, versions, entities)
inference_table = inference_table_of(config)
check_location(config.endpoint.name, inference_table, client)
asked = {
    name: entity_of(one, config, client) for name, one in (("embedding", retrieval.embedding), ("llm", retrieval.llm))
}

rollout = config.endpoint.rollout
cost = estimate(
    [*entities, *standby_of(entities, rollout), *filter(None, asked.values())],
    dbu_per_hour=config.endpoint.dbu_per_hour,
)
if pulumi.runtime.is_dry_run():
    pulumi.log.info(cost.text())

behind = [
    make_endpoint(one, entity, config)
    for one, entity in ((retrieval.embedding, asked["embedding"]), (retrieval.llm, asked["llm"]))
    if entity is not None
]

scope = databricks.SecretScope("rag", name=retrieval.secret_scope)
token = databricks.Secret(
    "rag-token",
    scope=scope.name,
    key=TOKEN_KEY,
    string_value=token_of(config, client),
    opts=pulumi.ResourceOptions(delete_before_replace=True),
)
reader = databricks.SecretAcl(
    "rag-reader",
    scope=scope.name,
    principal=config.serving_principal,
    permission="READ",
    opts=pulumi.ResourceOptions(delete_before_replace=True),
)

endpoint = ServingEndpoint(
    "rag-chatbot",
    ServingEndpointArgs(
        name=config.endpoint.name,
        served_entities=entities,
        rollout=rollout_args(config),
        inference_table=inference_table,
        gateway=gateway_of(config.endpoint),
        tags=config.endpoint.tags,
        permissions=[
            EndpointPermission(
                level=entry.level, group=entry.group, user=entry.user, service_principal=entry.service_principal
            )
            for entry in config.endpoint.permissions
        ],
        run_as=config.serving_principal,
        timeout=config.defaults.endpoint_timeout,
        route_optimized=config.endpoint.route_optimized,
        description=config.endpoint.description,
        budget_policy_id=config.endpoint.budget_policy_id,
        notify_on_success=config.endpoint.notifications.on_success,
        notify_on_failure=config.endpoint.notifications.on_failure,
    ),
    pulumi.ResourceOptions(depends_on=[token, reader, *behind]),
)
proof = (
    endpoint.rollout
    if endpoint.rollout is not None
    else SmokeQuery(
        "smoke",
        SmokeQueryArgs(
            endpoint_name=endpoint.endpoint_name,
            served_entities=endpoint.served_entity_names,
            queries=smoke_cases(config.smoke),
            timeout_seconds=config.smoke.timeout_seconds,
            warm_up_seconds=config.smoke.warm_up_seconds,
            initial_delay_seconds=config.smoke.initial_delay_seconds,
            versions={entity.entity_name: entity.version for entity in entities},
            traffic={entity.entity_name: entity.traffic_percentage for entity in entities},
            # An answer depends on all of them.
            triggers={
                "model": config.model.name,
                **{name: entity.entity_name for name, entity in asked.items() if entity is not None},
            },
        ),
        pulumi.ResourceOptions(depends_on=[endpoint]),
    )
)
aliases = stack_aliases(
    config.model,
    versions,
    evidence=evidence_of(proof),
    on_delete=config.defaults.alias_on_delete,
    depends_on=[proof],
)

query = None
if endpoint.payload_table is not None:
    query = databricks.Query(
        "rag-daily",
        display_name=f"{config.endpoint.name}: last 7 days",
        description="Requests, latency and errors by day, newest first, from the inference table.",
        query_text=daily_summary(ThreePartName.parse(endpoint.payload_table), days=7),
        warehouse_id=config.warehouse_id,
        parent_path=config.assets_dir,
        opts=pulumi.ResourceOptions(depends_on=[endpoint]),
    )
alerts: dict[str, pulumi.Output[dict[str, str]]] = {}
if config.alerts is not None:
    alerts["endpoint"] = ServingAlerts(
        "alerts",
        alert_args(config, config.alerts, endpoint.payload_table, None),
        pulumi.ResourceOptions(depends_on=[endpoint]),
    ).alert_ids
    own_table = table_of(retrieval.llm, config)
    llm_table = own_table.table if own_table is not None else retrieval.llm.payload_table
    if retrieval.max_tokens is not None and llm_table is not None:
        # The chatbot's own answers name no tokens; the language model's do.
        alerts["llm"] = ServingAlerts(
            "llm-alerts",
            ServingAlertsArgs(
                prefix=f"{config.endpoint.name}-llm",
                warehouse_id=config.warehouse_id,
                parent_path=config.alerts.parent_path or "/Workspace/Shared",
                traffic=TrafficAlertArgs(
                    payload_table=llm_table,
                    max_tokens=retrieval.max_tokens,
                    window_minutes=config.alerts.window_minutes,
                    delivery_lag_minutes=config.alerts.delivery_lag_minutes,
                ),
                emails=config.alerts.emails,
                destinations=config.alerts.destinations,
                cron=config.alerts.cron,
                retrigger_seconds=config.alerts.retrigger_seconds,
            ),
            pulumi.ResourceOptions(depends_on=[endpoint, *behind]),
        ).alert_ids

by_name = {entity.entity_name: entity for entity in entities}
export_outputs(
    {
        "environment": config.environment,
        "endpoint_name": endpoint.endpoint_name,
        "endpoint_url": endpoint.endpoint_url,
        "served_entities": served_output(endpoint, entities),
        "model_name": config.model.name,
        "aliases": versions,
        "resolved_version": by_name[endpoint.traffic.majority()].version,
        "previous_versions": {alias: resource.previous_version for alias, resource in aliases.items()},
        "payload_table": endpoint.payload_table,
        # A chatbot looks up no features, and text has no monitor of its columns.
        "online_store_name": "",
        "online_table_names": [],
        "online_table_states": {},
        "smoke_result": smoke_output(proof),
        "release": None if endpoint.rollout is None else release_output(endpoint.rollout),
        "monitor_table": None,
        "profile_metrics_table": None,
        "drift_metrics_table": None,
        "dashboard_id": None,
        "job_ids": {},
        "cost": cost.output(),
        "alert_ids": pulumi.Output.all(*alerts.values()).apply(
            lambda found: {short: id_ for ids in found for short, id_ in ids.items()}
        ),
    }
)
pulumi.export("monitoringQueryId", None if query is None else query.id)
pulumi.export("searchIndex", retrieval.index)
pulumi.export("asks", {"embeddingModel": retrieval.embedding.endpoint, "llmEndpoint": retrieval.llm.endpoint})
