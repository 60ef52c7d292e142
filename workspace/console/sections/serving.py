"""Serving endpoints: the config in force, the one that is coming, and how traffic is split.

Environment variables and external model settings are left out on purpose: they can hold credentials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workspace.console.reading import Workspace, gathered
from workspace.http import Json

PATH = "/api/2.0/serving-endpoints"


@dataclass(frozen=True)
class Share:
    """One route of a traffic split: `start` and `percentage` are percent of the bar."""

    name: str
    percentage: int
    start: int
    number: int


@dataclass(frozen=True)
class ServedEntity:
    name: str
    model: str
    version: str
    percentage: int
    number: int
    size: str
    scale_to_zero: bool
    state: str
    message: str


@dataclass(frozen=True)
class Config:
    version: int
    entities: Sequence[ServedEntity]
    shares: Sequence[Share]
    """Routes that get traffic, in the order of the entities."""
    since_ms: int | None


@dataclass(frozen=True)
class Endpoint:
    name: str
    ready: str
    update: str
    config: Config | None
    pending: Config | None
    inference_table: str | None
    tags: Sequence[tuple[str, str]]


async def endpoints(workspace: Workspace) -> list[Endpoint]:
    listed = await workspace.all(PATH, "endpoints")
    found = await gathered([workspace.get(f"{PATH}/{one['name']}") for one in listed])
    return sorted(map(_endpoint, found), key=lambda one: one.name)


def _endpoint(shown: Json) -> Endpoint:
    table = (shown.get("ai_gateway") or {}).get("inference_table_config") or {}
    on = table.get("enabled")
    return Endpoint(
        name=shown["name"],
        ready=shown["state"]["ready"],
        update=shown["state"]["config_update"],
        config=_config(shown.get("config")),
        pending=_config(shown.get("pending_config")),
        inference_table=f"{table['catalog_name']}.{table['schema_name']}.{table['table_name_prefix']}_payload"
        if on
        else None,
        tags=[(tag["key"], tag.get("value", "")) for tag in shown.get("tags", [])],
    )


def _config(shown: Json | None) -> Config | None:
    if not shown:
        return None
    routes = (shown.get("traffic_config") or {}).get("routes", [])
    percentages = {route["served_model_name"]: int(route["traffic_percentage"]) for route in routes}
    entities = [
        _entity(entity, percentages.get(entity["name"], 0), number)
        for number, entity in enumerate(shown.get("served_entities", []))
    ]
    shares, start = [], 0
    for entity in entities:
        if entity.percentage:
            shares.append(Share(entity.name, entity.percentage, start, entity.number))
            start += entity.percentage
    return Config(int(shown["config_version"]), entities, shares, shown.get("start_time"))


def _entity(shown: Json, percentage: int, number: int) -> ServedEntity:
    state = shown.get("state") or {}
    bounds = (shown.get("min_provisioned_concurrency"), shown.get("max_provisioned_concurrency"))
    size = shown.get("workload_size") or (f"concurrency {bounds[0] or 0} to {bounds[1]}" if bounds[1] else "")
    kind = shown.get("workload_type") or ""
    return ServedEntity(
        name=shown["name"],
        model=shown.get("entity_name") or (shown.get("external_model") or {}).get("name", ""),
        version=shown.get("entity_version") or "",
        percentage=percentage,
        number=number,
        size=" ".join(filter(None, (size, "" if kind == "CPU" else kind))),
        scale_to_zero=bool(shown.get("scale_to_zero_enabled")),
        state=state.get("deployment", "UNKNOWN"),
        message=state.get("deployment_state_message", ""),
    )
