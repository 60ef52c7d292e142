"""The churn stack: online features with a time key, two versions behind one endpoint, the queries that prove both, the
aliases that follow, the monitor, the alerts, and the job that answers drift.
"""

from __future__ import annotations

from dataclasses import replace

import pulumi

from components.alerts import ServingAlerts
from components.alias_ladder import check_coherence, stack_aliases
from components.cost import estimate
from components.dynamic import SmokeQuery, SmokeQueryArgs
from components.inference_table import check_location, gateway_of, inference_table_of
from components.monitor import FeatureSource, InferenceMonitor
from components.online_store import FeatureOnlineStore, FeatureOnlineStoreArgs
from components.online_table import FeatureOnlineTable, FeatureOnlineTableArgs
from components.outputs import export_outputs
from components.proof import evidence_of, release_output, rollout_args, served_output, smoke_output, standby_of
from components.registry import check_versions_exist, resolve_aliases, served_entities
from components.serving_endpoint import EndpointPermission, ServingEndpoint, ServingEndpointArgs
from components.smoke import check_suite, golden_queries, smoke_cases
from components.stack import connect, load_stack_config, schema_id_of
from components.watching import alert_args, monitor_args
from examples.churn.config import ChurnConfig
from examples.churn.drift import ROLE, make_workflow

config = load_stack_config(ChurnConfig)
check_suite(config)
client = connect()
versions = resolve_aliases(config.model, client)
entities = served_entities(config.endpoint, config.model, versions, scale_to_zero=config.scale_to_zero)
check_versions_exist(config.model.name, entities, versions, client)
check_coherence(config.model, versions, entities)
inference_table = inference_table_of(config)
check_location(config.endpoint.name, inference_table, client)

rollout = config.endpoint.rollout
cost = estimate(
    # Between releases the version before stands by, at its own cost.
    [*entities, *standby_of(entities, rollout)],
    capacity=config.online_store.capacity,
    read_replicas=config.online_store.read_replica_count,
    dbu_per_hour=config.endpoint.dbu_per_hour,
)
if pulumi.runtime.is_dry_run():
    pulumi.log.info(cost.text())

store = FeatureOnlineStore(
    "features",
    FeatureOnlineStoreArgs(
        name=config.online_store.name,
        capacity=config.online_store.capacity,
        read_replica_count=config.online_store.read_replica_count,
    ),
)
tables = [
    FeatureOnlineTable(
        table.source,
        FeatureOnlineTableArgs(
            source_table=config.qualified(table.source),
            online_store=store.store_name,
            primary_keys=table.primary_keys,
            timeseries_key=table.timeseries_key,
            publish_mode=table.publish_mode,
            online_table=None if table.online_name is None else config.qualified(table.online_name),
            readers=[config.serving_principal],
            # A version knows the features it was trained on: its online rows are in step before it is served.
            triggers={"versions": ",".join(sorted({entity.version for entity in entities}))},
            poll_seconds=config.defaults.publish_poll_seconds,
        ),
    )
    for table in config.feature_tables
]

endpoint = ServingEndpoint(
    "churn",
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
    pulumi.ResourceOptions(depends_on=tables),
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
            golden=golden_queries(config.smoke, config.warehouse_id),
            timeout_seconds=config.smoke.timeout_seconds,
            warm_up_seconds=config.smoke.warm_up_seconds,
            initial_delay_seconds=config.smoke.initial_delay_seconds,
            retries=config.smoke.retries,
            backoff_seconds=config.smoke.backoff_seconds,
            retry_statuses=config.smoke.retry_statuses,
            retry_seconds=config.smoke.retry_seconds,
            versions={entity.entity_name: entity.version for entity in entities},
            traffic={entity.entity_name: entity.traffic_percentage for entity in entities},
            triggers={"model": config.model.name},
        ),
        pulumi.ResourceOptions(depends_on=[endpoint, *tables]),
    )
)
aliases = stack_aliases(
    config.model,
    versions,
    evidence=evidence_of(proof),
    on_delete=config.defaults.alias_on_delete,
    depends_on=[proof],
)

features = config.feature_tables[0]
request_features = (
    FeatureSource(
        table=config.qualified(features.source),
        columns=config.monitored_features,
        keys={key: key for key in features.primary_keys},
        time=None if features.timeseries_key is None else (features.timeseries_key, features.timeseries_key),
    )
    if config.monitored_features
    else None
)
monitor = workflow = None
if config.monitor is not None and endpoint.payload_table is not None:
    monitor = InferenceMonitor(
        "monitor",
        replace(
            monitor_args(
                config,
                config.monitor,
                endpoint.payload_table,
                output_schema_id=schema_id_of(config, client) if config.monitor.api == "data_quality" else None,
            ),
            features=request_features,
        ),
        pulumi.ResourceOptions(depends_on=[endpoint]),
    )
    if config.drift is not None:
        workflow = make_workflow(config, config.drift, monitor)
alerts = None
if config.alerts is not None:
    alerts = ServingAlerts(
        "alerts",
        alert_args(config, config.alerts, endpoint.payload_table, monitor),
        pulumi.ResourceOptions(depends_on=[endpoint, *([] if monitor is None else [monitor])]),
    )

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
        "online_store_name": store.store_name,
        "online_table_names": [table.online_table for table in tables],
        "online_table_states": {table.online_name: table.state for table in tables},
        "smoke_result": smoke_output(proof),
        "release": None if endpoint.rollout is None else release_output(endpoint.rollout),
        "monitor_table": monitor and monitor.monitor_table,
        "profile_metrics_table": monitor and monitor.profile_metrics_table,
        "drift_metrics_table": monitor and monitor.drift_metrics_table,
        "dashboard_id": monitor and monitor.dashboard_id,
        "job_ids": {
            **({} if monitor is None else {"unpack": monitor.job_id}),
            **({} if workflow is None else {ROLE: workflow.job_ids[ROLE]}),
        },
        "cost": cost.output(),
        "alert_ids": {} if alerts is None else alerts.alert_ids,
    }
)
