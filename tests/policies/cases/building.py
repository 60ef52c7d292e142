"""Resources of made-up stacks, each of which keeps the rules unless a field says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from policies import features, jobs, monitoring, registry, security
from policies.endpoints import MODEL_SERVING, TRAFFIC_ROLLOUT
from policies.rule import Rule
from tests.policies.judging import Declared

Stack = Sequence[Declared]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule with what it has to let pass and to refuse."""

    rule: Rule
    passes: Sequence[Stack]
    refuses: Sequence[tuple[Stack, str]]
    """Stacks, with a piece of the violation's text."""
    unknown: Sequence[tuple[Stack, str]] = ()
    """Stacks that cannot be judged wholly, with the value that is not known."""
    options: Mapping[str, Any] = field(default_factory=dict)
    stack: str = "prod"


def entity(**fields: Any) -> dict[str, Any]:
    """A served entity that every rule lets pass; None takes a field away."""
    whole = {
        "name": "m-1",
        "entityName": "c.s.m",
        "entityVersion": "1",
        "workloadSize": "Small",
        "scaleToZeroEnabled": False,
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def endpoint(*entities: Mapping[str, Any], name: str = "endpoint", **properties: Any) -> Declared:
    served = list(entities) or [entity()]
    config = {
        "servedEntities": served,
        "trafficConfig": {"routes": [{"servedEntityName": "m-1", "trafficPercentage": 100}]},
    }
    return Declared(MODEL_SERVING, {"name": "fares-prod", "config": config, **properties}, name=name)


def rollout(name: str = "rollout", **properties: Any) -> Declared:
    released: dict[str, Any] = {"endpoint_name": "fares-prod", "model": "c.s.m", "version": "1", "entity_name": "m-1"}
    released |= {"workload_size": "Small", "scale_to_zero_enabled": False}
    return Declared(TRAFFIC_ROLLOUT, {**released, **properties}, name=name)


def external(**fields: Any) -> dict[str, Any]:
    return {"name": "gpt", "externalModel": {"name": "gpt-4", "provider": "openai", "task": "llm/v1/chat", **fields}}


TABLE_ON = {"enabled": True, "catalogName": "c", "schemaName": "s", "tableNamePrefix": "fares"}
LOGGED = endpoint(aiGateway={"inferenceTableConfig": TABLE_ON})
MONITOR = {
    "tableName": "c.s.fares_unpacked",
    "inferenceLog": {"predictionCol": "p"},
    "customMetrics": [{"name": "loss"}],
    "baselineTableName": "c.s.fares_baseline",
}
SUBSCRIBED = {"evaluation": {"notification": {"subscriptions": [{"userEmail": "a@example.com"}]}}}


def monitor(**properties: Any) -> Declared:
    return Declared(monitoring.QUALITY_MONITOR, {**MONITOR, **properties}, name="monitor")


def alert(
    name: str = "alert", query: str = "SELECT count_if(status_code > 499) FROM c.s.fares_payload", **more: Any
) -> Declared:
    return Declared(monitoring.ALERT, {"displayName": name, "queryText": query, **SUBSCRIBED, **more}, name=name)


LATENCY_ALERT = alert("latency", "SELECT avg(execution_duration_ms) FROM c.s.fares_payload")


def alias(resource: str = "alias", **properties: Any) -> Declared:
    moved = {"model": "c.s.m", "alias": "champion", "version": "1", "evidence": "abc", "requires": {"approved_by": ""}}
    return Declared(registry.MODEL_ALIAS, {**moved, **properties}, name=resource)


def job(**properties: Any) -> Declared:
    return Declared(jobs.JOB, {"name": "nightly", **properties}, name="job")


def cluster(runtime: Any) -> dict[str, Any]:
    return {"jobClusterKey": "main", "newCluster": {"sparkVersion": runtime}}


def drift(*parameters: str, condition: Any = "{{tasks.drift.values.all_violations_count}}") -> Declared:
    tasks = [{"taskKey": "decide", "conditionTask": {"left": condition, "op": "GREATER_THAN", "right": "0"}}]
    return job(name="drift-response", parameters=[{"name": name, "default": "1"} for name in parameters], tasks=tasks)


THRESHOLDS = ("performance_threshold", "expected_loss_threshold", "drift_threshold")


def permissions(endpoint_id: Any = "made", *entries: Mapping[str, Any], made_of: str | None = "endpoint") -> Declared:
    sources = {"servingEndpointId": made_of} if made_of else {}
    lists = {"servingEndpointId": endpoint_id, "accessControls": list(entries)}
    return Declared(security.PERMISSIONS, lists, name="permissions", sources=sources)


def grants(principal: str, *privileges: str, table: str = "c.s.people") -> Declared:
    given = {"table": table, "grants": [{"principal": principal, "privileges": list(privileges)}]}
    return Declared(security.GRANTS, given, name="grants")


def grant(principal: str, *privileges: str, table: str = "c.s.people") -> Declared:
    return Declared(
        security.GRANT, {"table": table, "principal": principal, "privileges": list(privileges)}, name="grant"
    )


def tag(name: str = "c.s.people", kind: str = "tables", key: str = "pii") -> Declared:
    return Declared(features.TAG_ASSIGNMENT, {"entityName": name, "entityType": kind, "tagKey": key}, name="tag")


def published(**properties: Any) -> Declared:
    table = {
        "source_table": "c.s.f",
        "online_table": "c.s.f_online",
        "primary_keys": ["k"],
        "publish_mode": "TRIGGERED",
    }
    return Declared(features.PUBLISHED_TABLE, {**table, **properties}, name="published")


def of_type(kind: str, **properties: Any) -> Declared:
    return Declared(kind, properties, name="thing")
