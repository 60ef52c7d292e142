"""A whole serving stack out of its stack file, in the order that a first `up` needs: plan, features, endpoint with its
proof and aliases, monitor and alerts, outputs.

A program calls these functions one after the other and puts what is its own between them:

    config = load_stack_config()
    plan = plan_serving(config, connect())
    features = online_features(config, plan)
    served = serve("taxi-fare", plan, features=features)
    watched = watch(plan, served)
    export_stack(plan, served, watched, features=features)

They are functions and no component: a component around everything would be a new parent, and so new URNs, for
whatever runs already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pulumi

from .alerts import ServingAlerts
from .alias_ladder import check_coherence, stack_aliases
from .config import ServingConfig, StackConfig
from .cost import Estimate, VectorSearchType, estimate
from .deployer import check_deployer
from .dynamic import ModelAlias, SmokeQuery, SmokeQueryArgs
from .dynamic.lookup_latency import LookupLatency
from .feature_latency import lookup_gate, lookup_output
from .inference_table import check_location, gateway_of, inference_table_of
from .model_files import check_files
from .monitor import InferenceMonitor
from .monitored_table import baseline_there, check_columns
from .online_store import FeatureOnlineStore, FeatureOnlineStoreArgs
from .online_table import FeatureOnlineTable, FeatureOnlineTableArgs
from .outputs import export_outputs
from .proof import (
    Proof,
    evidence_of,
    release_output,
    rollout_args,
    served_output,
    smoke_output,
    standby_of,
    state_output,
)
from .registry import check_documented, check_versions_exist, resolve_aliases, served_entities
from .serving_endpoint import EndpointPermission, ServingEndpoint, ServingEndpointArgs
from .smoke import check_suite, golden_queries, smoke_cases
from .stack import schema_id_of
from .standing_endpoint import check_route
from .unpack import FeatureSource
from .watching import alert_args, monitor_args

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

    from .ai_gateway import InferenceTableArgs
    from .served_entity import ServedEntityArgs


@dataclass(frozen=True, kw_only=True)
class ServingPlan:
    """What a stack file comes to in the workspace as it is: version numbers, entities, cost. Nothing is made yet."""

    config: ServingConfig
    client: WorkspaceClient
    versions: Mapping[str, str]
    """Alias to version number."""
    entities: Sequence[ServedEntityArgs]
    """As they are to be served."""
    inference_table: InferenceTableArgs | None
    cost: Estimate

    @property
    def resolved_version(self) -> str:
        """The version with the largest share of the traffic."""
        return max(self.entities, key=lambda entity: entity.traffic_percentage).version


@dataclass(frozen=True, kw_only=True)
class OnlineFeatures:
    """The online store and what is published to it."""

    store: FeatureOnlineStore
    tables: Sequence[FeatureOnlineTable]


@dataclass(frozen=True, kw_only=True)
class Served:
    """The endpoint, what proves it, and the aliases that follow the proof."""

    endpoint: ServingEndpoint
    proof: Proof
    lookups: LookupLatency | None
    """The measurement of feature lookups, where the stack file asks for one."""
    aliases: Mapping[str, ModelAlias]


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Who watches the endpoint; None for what the stack file leaves out."""

    monitor: InferenceMonitor | None = None
    alerts: ServingAlerts | None = None
    more_alerts: Sequence[ServingAlerts] = field(default=())
    """Alerts that a program adds of its own, for the outputs."""


def plan_serving(
    config: ServingConfig,
    client: WorkspaceClient,
    *,
    environment_vars: Mapping[str, str] | None = None,
    also_served: Sequence[ServedEntityArgs] = (),
    vector_search: Sequence[VectorSearchType] = (),
) -> ServingPlan:
    """Reads the workspace, refuses what could not be served, and says at preview what it will cost.

    Args:
        config: the stack file.
        client: for reading; nothing is written.
        environment_vars: of every entity of the endpoint; secrets as `{{secrets/scope/key}}`.
        also_served: entities of other endpoints of the stack, for the cost.
        vector_search: type of each vector search endpoint of the stack, for the cost.

    Raises:
        pulumi.RunError: an alias, a version, its files or the inference table are not as the stack file needs them;
            each subclass (ModelVersionError, ModelFilesError, AliasLadderError, InferenceTableError,
            StandingEndpointError, SmokeSuiteError) says what to do.
    """
    check_suite(config)
    versions = resolve_aliases(config.model, client)
    entities = [
        replace(entity, environment_vars={**(environment_vars or {}), **entity.environment_vars})
        for entity in served_entities(config.endpoint, config.model, versions, scale_to_zero=config.scale_to_zero)
    ]
    check_versions_exist(config.model.name, entities, versions, client)
    check_documented(config.model.name, client, required=config.defaults.needs_model_comment)
    stated = config.model.feature_lookup
    check_files(
        config.model.name,
        sorted({entity.version for entity in entities}),
        client,
        needs_lookup=isinstance(config, StackConfig) if stated is None else stated,
        payloads=[query.payload for query in config.smoke.queries],
    )
    check_coherence(config.model, versions, entities)
    inference_table = inference_table_of(config)
    check_location(config.endpoint.name, inference_table, client)
    # On a laptop there is one user, and no principal of that name.
    if pulumi.runtime.is_dry_run() and not config.defaults.loopback_only:
        check_deployer(config.endpoint.name, config.serving_principal, client)
    check_route(config.endpoint.name, config.endpoint.route_optimized, client)
    store = config.online_store if isinstance(config, StackConfig) else None
    cost = estimate(
        # Between releases the version before stands by, at its own cost.
        [*entities, *standby_of(entities, config.endpoint.rollout), *also_served],
        capacity=None if store is None else store.capacity,
        read_replicas=0 if store is None else store.read_replica_count,
        vector_search=vector_search,
        dbu_per_hour=config.endpoint.dbu_per_hour,
    )
    if pulumi.runtime.is_dry_run():
        pulumi.log.info(cost.text())
    return ServingPlan(
        config=config, client=client, versions=versions, entities=entities, inference_table=inference_table, cost=cost
    )


def online_features(
    config: StackConfig, plan: ServingPlan | None = None, *, depends_on: Sequence[pulumi.Resource] = ()
) -> OnlineFeatures:
    """The online store and every feature table of the stack file.

    Args:
        plan: whose versions the online rows have to be in step with; None where nothing is served yet.
        depends_on: what fills the feature tables, where the stack does that itself.
    """
    versions = "" if plan is None else ",".join(sorted({entity.version for entity in plan.entities}))
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
                triggers={"versions": versions},
                poll_seconds=config.defaults.publish_poll_seconds,
                max_lag_seconds=table.max_lag_seconds,
                warehouse_id=None if table.max_lag_seconds is None else config.warehouse_id,
            ),
            pulumi.ResourceOptions(depends_on=[*depends_on]),
        )
        for table in config.feature_tables
    ]
    return OnlineFeatures(store=store, tables=tables)


def serve(
    name: str,
    plan: ServingPlan,
    *,
    features: OnlineFeatures | None = None,
    depends_on: Sequence[pulumi.Resource] = (),
    triggers: Mapping[str, str] | None = None,
) -> Served:
    """The endpoint, then what proves it (a release, or smoke queries; how fast its lookups are), then the aliases.

    Args:
        name: of the component.
        features: what the model looks up.
        depends_on: what else has to be there before the endpoint.
        triggers: what a change of asks the smoke queries again, besides versions, traffic and the queries themselves.
    """
    config, entities = plan.config, plan.entities
    tables = [] if features is None else features.tables
    endpoint = ServingEndpoint(name, _endpoint_args(plan), pulumi.ResourceOptions(depends_on=[*tables, *depends_on]))
    proof: Proof = endpoint.rollout or SmokeQuery(
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
            triggers={"model": config.model.name, **(triggers or {})},
        ),
        pulumi.ResourceOptions(depends_on=[endpoint, *tables]),
    )
    lookups = lookup_gate(config, endpoint, entities, [proof]) if isinstance(config, StackConfig) else None
    aliases = stack_aliases(
        config.model,
        plan.versions,
        evidence=evidence_of(proof),
        on_delete=config.defaults.alias_on_delete,
        depends_on=[proof, *([] if lookups is None else [lookups])],
    )
    return Served(endpoint=endpoint, proof=proof, lookups=lookups, aliases=aliases)


def watch(plan: ServingPlan, served: Served, *, features: FeatureSource | None = None) -> Watched:
    """The monitor and the alerts of the stack file, as far as it has them.

    Args:
        features: what the monitored table takes from a feature table, because requests leave it out.
    """
    config, endpoint = plan.config, served.endpoint
    monitor = None
    if config.monitor is not None and endpoint.payload_table is not None:
        schema_id = schema_id_of(config, plan.client) if config.monitor.api == "data_quality" else None
        args = monitor_args(config, config.monitor, endpoint.payload_table, output_schema_id=schema_id)
        check_columns(args.unpacked_table, args.schema, plan.client)
        baseline = baseline_there(args.baseline_table, plan.client)
        monitor = InferenceMonitor(
            "monitor",
            replace(args, features=features, baseline_table=baseline),
            pulumi.ResourceOptions(depends_on=[endpoint]),
        )
    alerts = None
    if config.alerts is not None:
        alerts = ServingAlerts(
            "alerts",
            alert_args(config, config.alerts, endpoint.payload_table, monitor),
            pulumi.ResourceOptions(depends_on=[endpoint, *([] if monitor is None else [monitor])]),
        )
    return Watched(monitor=monitor, alerts=alerts)


def export_stack(
    plan: ServingPlan,
    served: Served,
    watched: Watched,
    *,
    features: OnlineFeatures | None = None,
    job_ids: Mapping[str, pulumi.Input[str]] | None = None,
    also: Mapping[str, Any] | None = None,
) -> None:
    """The outputs of the contract.

    Args:
        job_ids: of jobs that are the program's own, by role.
        also: outputs that the program alone knows, by the field names of `StackOutputs`.
    """
    endpoint, monitor = served.endpoint, watched.monitor
    tables = [] if features is None else features.tables
    alerts = [one.alert_ids for one in (watched.alerts, *watched.more_alerts) if one is not None]
    export_outputs(
        {
            "environment": plan.config.environment,
            "endpoint_name": endpoint.endpoint_name,
            "endpoint_url": endpoint.endpoint_url,
            "served_entities": served_output(endpoint, plan.entities),
            "model_name": plan.config.model.name,
            "aliases": plan.versions,
            "resolved_version": plan.resolved_version,
            "previous_versions": {alias: resource.previous_version for alias, resource in served.aliases.items()},
            "payload_table": endpoint.payload_table,
            "online_store_name": "" if features is None else features.store.store_name,
            "online_table_names": [table.online_table for table in tables],
            "online_table_states": {table.online_name: table.state for table in tables},
            "smoke_result": smoke_output(served.proof),
            "endpoint_state": state_output(served.proof),
            "feature_latency": lookup_output(served.lookups),
            "consumers": {
                who: {"alias": alias, "version": plan.versions[alias]}
                for who, alias in plan.config.model.consumers.items()
            },
            "release": None if endpoint.rollout is None else release_output(endpoint.rollout),
            "monitor_table": monitor and monitor.monitor_table,
            "profile_metrics_table": monitor and monitor.profile_metrics_table,
            "drift_metrics_table": monitor and monitor.drift_metrics_table,
            "dashboard_id": monitor and monitor.dashboard_id,
            "job_ids": {**({} if monitor is None else {"unpack": monitor.job_id}), **(job_ids or {})},
            "cost": plan.cost.output(),
            "alert_ids": pulumi.Output.all(*alerts).apply(
                lambda found: {short: id_ for ids in found for short, id_ in ids.items()}
            ),
            "secret_prefixes": None,
            **(also or {}),
        }
    )


def endpoint_permissions(config: ServingConfig) -> list[EndpointPermission]:
    """The access control list of the stack file's endpoint."""
    return [
        EndpointPermission(
            level=entry.level, group=entry.group, user=entry.user, service_principal=entry.service_principal
        )
        for entry in config.endpoint.permissions
    ]


def _endpoint_args(plan: ServingPlan) -> ServingEndpointArgs:
    config, endpoint = plan.config, plan.config.endpoint
    return ServingEndpointArgs(
        name=endpoint.name,
        served_entities=plan.entities,
        rollout=rollout_args(config),
        inference_table=plan.inference_table,
        gateway=gateway_of(endpoint),
        tags=endpoint.tags,
        permissions=endpoint_permissions(config),
        run_as=config.serving_principal,
        functions=config.model.functions,
        timeout=config.defaults.endpoint_timeout,
        route_optimized=endpoint.route_optimized,
        description=endpoint.description,
        budget_policy_id=endpoint.budget_policy_id,
        notify_on_success=endpoint.notifications.on_success,
        notify_on_failure=endpoint.notifications.on_failure,
    )
