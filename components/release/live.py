"""What an endpoint serves now, and the one call that changes it.

Source: databricks-sdk 0.156.0 `serving_endpoints.get` and `update_config` (PUT of the whole config: what is left out of
it is gone). Entities that stay are sent back with every field that the service showed and takes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..dynamic.errors import asking
from .split import Split

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.serving import (
        EndpointCoreConfigOutput,
        EndpointPendingConfig,
        ServedEntityOutput,
        ServingEndpointDetailed,
    )


@dataclass(frozen=True)
class Entity:
    """One served entity, as it is or as it is to be."""

    name: str
    model: str
    version: str
    fields: Mapping[str, Any]
    """Everything that the config call takes, the three above included."""

    @classmethod
    def wanted(cls, name: str, model: str, version: str, settings: Mapping[str, Any]) -> Entity:
        fields = {"name": name, "entity_name": model, "entity_version": version, **settings}
        return cls(name, model, version, fields)

    @property
    def settings(self) -> dict[str, Any]:
        """In a form that compares: what is not said is what the service takes for it."""
        return normal_settings(self.fields)


@dataclass(frozen=True)
class Endpoint:
    """One reading of an endpoint."""

    id: str
    entities: Mapping[str, Entity] = field(default_factory=dict)
    split: Split = ()
    """In force; empty where nothing is."""
    updating: bool = False
    failed: bool = False
    """Whether the last update failed or was canceled."""
    messages: tuple[str, ...] = ()
    """Of entities that are not ready."""
    newest: int = 0
    """Number of the newest config, in force or not."""
    newest_split: Split = ()
    tags: Mapping[str, str] = field(default_factory=dict)


def normal_settings(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two entities of one version the same, with the service's own defaults filled in."""
    sized = fields.get("min_provisioned_concurrency") is not None
    return {
        "workload_size": None if sized else fields.get("workload_size") or "Small",
        "min_provisioned_concurrency": fields.get("min_provisioned_concurrency"),
        "max_provisioned_concurrency": fields.get("max_provisioned_concurrency"),
        "workload_type": fields.get("workload_type") or "CPU",
        "scale_to_zero_enabled": bool(fields.get("scale_to_zero_enabled")),
        "environment_vars": dict(fields.get("environment_vars") or {}),
        "instance_profile_arn": fields.get("instance_profile_arn"),
    }


def read_endpoint(client: WorkspaceClient, name: str) -> Endpoint:
    """Raises AbsentError where there is none, WorkspaceError where nobody says."""
    with asking(f"reading endpoint {name}"):
        return _endpoint(client.serving_endpoints.get(name))


def put_config(client: WorkspaceClient, name: str, entities: Mapping[str, Entity], split: Split) -> None:
    """Sends a config; does not wait for it. Raises WorkspaceError.

    Args:
        entities: by name; those of the split are sent.
    """
    from databricks.sdk.service.serving import Route, ServedEntityInput, TrafficConfig

    with asking(f"updating the config of endpoint {name}"):
        client.serving_endpoints.update_config(
            name,
            served_entities=[ServedEntityInput.from_dict(dict(entities[one].fields)) for one, _ in split],
            traffic_config=TrafficConfig(
                routes=[
                    Route(traffic_percentage=share, served_entity_name=one, served_model_name=one)
                    for one, share in split
                ]
            ),
        )


def patch_tags(client: WorkspaceClient, name: str, add: Mapping[str, str], delete: Iterable[str]) -> None:
    """Adds and removes tags of an endpoint in one call. Raises WorkspaceError."""
    from databricks.sdk.service.serving import EndpointTag

    with asking(f"tagging endpoint {name}"):
        client.serving_endpoints.patch(
            name,
            add_tags=[EndpointTag(key=key, value=value) for key, value in add.items()],
            delete_tags=list(delete),
        )


def _endpoint(found: ServingEndpointDetailed) -> Endpoint:
    from databricks.sdk.service.serving import EndpointStateConfigUpdate

    config, pending = found.config, found.pending_config
    update = found.state.config_update if found.state else None
    newest = max((config, pending), key=lambda one: (one.config_version or 0) if one else -1)
    return Endpoint(
        id=found.id or "",
        entities={} if config is None else {one.name: _entity(one) for one in config.served_entities or [] if one.name},
        split=_split(config),
        updating=update == EndpointStateConfigUpdate.IN_PROGRESS,
        failed=update in (EndpointStateConfigUpdate.UPDATE_FAILED, EndpointStateConfigUpdate.UPDATE_CANCELED),
        messages=_messages(pending or config),
        newest=(newest.config_version or 0) if newest else 0,
        newest_split=_split(newest),
        tags={tag.key: tag.value or "" for tag in found.tags or []},
    )


def _entity(shown: ServedEntityOutput) -> Entity:
    from databricks.sdk.service.serving import ServedEntityInput

    taken = {one.name for one in dataclasses.fields(ServedEntityInput)}
    fields = {key: value for key, value in shown.as_dict().items() if key in taken}
    return Entity(shown.name or "", shown.entity_name or "", str(shown.entity_version or ""), fields)


def _split(config: EndpointCoreConfigOutput | EndpointPendingConfig | None) -> Split:
    if config is None:
        return ()
    routes = (config.traffic_config.routes or []) if config.traffic_config else []
    shares = {route.served_entity_name or route.served_model_name or "": route.traffic_percentage for route in routes}
    return tuple((one.name, shares.get(one.name, 0)) for one in config.served_entities or [] if one.name)


def _messages(config: EndpointCoreConfigOutput | EndpointPendingConfig | None) -> tuple[str, ...]:
    entities = (config.served_entities or []) if config else []
    return tuple(
        f"{one.name}: {one.state.deployment.value} {one.state.deployment_state_message or ''}".rstrip()
        for one in entities
        if one.state is not None and one.state.deployment is not None and one.state.deployment.value.endswith("FAILED")
    )
