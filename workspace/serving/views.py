"""How a stored endpoint is shown: detailed and in summary (databricks-sdk `serving.ServingEndpointDetailed`).

What is left out on purpose, because the service leaves it out: budget_policy_id, top-level rate_limits, telemetry.
"""

from __future__ import annotations

from collections.abc import Callable

from workspace.http import Json
from workspace.serving.config import IDENTITY
from workspace.serving.external import shown as external_model

ENTITY_FIELDS = (*IDENTITY, "creator", "creation_timestamp")
LiveState = Callable[[str], Json | None]


def detailed(endpoint: Json, live_state: LiveState, host: str) -> Json:
    """The endpoint as GET shows it. `live_state` tells a running entity's state by uid, None for any other."""
    shown = {
        "id": endpoint["id"],
        "name": endpoint["name"],
        "creator": endpoint["creator"],
        "creation_timestamp": endpoint["creation_timestamp"],
        "last_updated_timestamp": endpoint["last_updated_timestamp"],
        "state": state(endpoint),
        "description": endpoint["description"],
        "route_optimized": endpoint["route_optimized"],
        "endpoint_url": f"http://{host}/serving-endpoints/{endpoint['name']}/invocations",
        "permission_level": "CAN_MANAGE",
        "tags": endpoint["tags"],
    }
    for field in ("ai_gateway", "email_notifications"):
        if endpoint.get(field):
            shown[field] = endpoint[field]
    if (shared := task(endpoint)) is not None:
        shown["task"] = shared
    if endpoint.get("config"):
        shown["config"] = config(endpoint["config"], live_state)
    if endpoint.get("pending_config"):
        shown["pending_config"] = config(endpoint["pending_config"], live_state)
    return shown


def summary(endpoint: Json) -> Json:
    names = ("id", "name", "creator", "creation_timestamp", "last_updated_timestamp", "tags", "description")
    shown = {name: endpoint[name] for name in names}
    shown["state"] = state(endpoint)
    if endpoint.get("ai_gateway"):
        shown["ai_gateway"] = endpoint["ai_gateway"]
    if (shared := task(endpoint)) is not None:
        shown["task"] = shared
    if endpoint.get("config"):
        shown["config"] = {"served_entities": [_brief(entity) for entity in endpoint["config"]["served_entities"]]}
    return shown


def task(endpoint: Json) -> str | None:
    """The task of an endpoint whose entities all have the same; None for models that have none."""
    entities = (endpoint.get("config") or endpoint.get("pending_config") or {}).get("served_entities", [])
    tasks = {entity.get("task") for entity in entities}
    return str(tasks.pop()) if len(tasks) == 1 and None not in tasks else None


def _brief(entity: Json) -> Json:
    if entity.get("external_model"):
        return {"name": entity["name"], "external_model": external_model(entity["external_model"])}
    return {field: entity[field] for field in ("name", "entity_name", "entity_version")}


def state(endpoint: Json) -> Json:
    """Ready once a config has been served, also while, and after, a later one fails."""
    ready = "READY" if endpoint.get("config") else "NOT_READY"
    return {"ready": ready, "config_update": endpoint["config_update"]}


def config(stored: Json, live_state: LiveState) -> Json:
    """A config in both its shapes: served entities, and the served models they were called before."""
    entities = [_entity(entity, live_state) for entity in stored["served_entities"]]
    shown: Json = {
        "config_version": stored["config_version"],
        "served_entities": entities,
        "served_models": [_as_served_model(entity) for entity in entities],
        "traffic_config": {
            "routes": [
                {
                    "served_model_name": route["name"],
                    "served_entity_name": route["name"],
                    "traffic_percentage": route["percentage"],
                }
                for route in stored["routes"]
            ]
        },
    }
    if "start_time" in stored:
        shown["start_time"] = stored["start_time"]
    return shown


def _entity(stored: Json, live_state: LiveState) -> Json:
    shown = {field: stored[field] for field in ENTITY_FIELDS if stored.get(field) not in (None, {})}
    if "external_model" in shown:
        shown["external_model"] = external_model(shown["external_model"])
    shown["state"] = live_state(stored["uid"]) or stored.get("state") or creating()
    return shown


def _as_served_model(entity: Json) -> Json:
    renamed = {"entity_name": "model_name", "entity_version": "model_version"}
    return {renamed.get(field, field): value for field, value in entity.items()}


def creating() -> Json:
    return {"deployment": "DEPLOYMENT_CREATING", "deployment_state_message": "Creating resources for served entity."}
