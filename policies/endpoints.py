"""What a resource declares about an endpoint: its served entities and its traffic, wherever they stand.

Property names are the provider's own (camelCase), which is what the engine hands to policies also for Python programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.reading import Reader

MODEL_SERVING = "databricks:index/modelServing:ModelServing"
PROVISIONED_THROUGHPUT = "databricks:index/modelServingProvisionedThroughput:ModelServingProvisionedThroughput"
DECLARES_ENTITIES = frozenset({MODEL_SERVING, PROVISIONED_THROUGHPUT})
"""The types that say which entities an endpoint serves and how traffic is split between them."""


@dataclass(frozen=True)
class ServedEntity:
    """One served entity; `UNKNOWN` in a field for what is not known yet, None for what is absent."""

    path: str
    declared_name: Any
    model: Any
    version: Any

    @property
    def name(self) -> Any:
        """The declared name, else the one that the service gives: `<model>-<version>` (Model Serving API)."""
        if self.declared_name is not None or not isinstance(self.model, str):
            return self.declared_name
        if isinstance(self.version, str | int | float):
            return f"{self.model.rpartition('.')[2]}-{as_text(self.version)}"
        return None

    @property
    def label(self) -> str:
        return f"{self.path} ({self.name})" if isinstance(self.name, str) else self.path


@dataclass(frozen=True)
class Route:
    """One traffic route; it may name its entity by either of two fields."""

    path: str
    model_name: Any
    entity_name: Any
    percentage: Any

    @property
    def target(self) -> Any:
        return self.model_name if self.entity_name is None else self.entity_name


@dataclass(frozen=True)
class Declaration:
    """The entities and routes of one resource. `routes` is None where no traffic is declared at all."""

    entities: list[ServedEntity]
    routes: list[Route] | None
    complete: bool
    """Whether all entities and routes are here; before the update, some may not be known yet."""


def declared(properties: Mapping[str, Any], reader: Reader) -> Declaration:
    """What the resource declares; empty for an endpoint whose configuration somebody else owns."""
    config = reader.block(properties, "config")
    entities = reader.blocks(config, "servedEntities")
    models = reader.blocks(config, "servedModels")
    served = [
        ServedEntity(
            path=f"config.servedEntities[{number}]",
            declared_name=reader.get(entity, "name"),
            model=_external_name(entity, reader) or reader.get(entity, "entityName"),
            version=reader.get(entity, "entityVersion"),
        )
        for number, entity in entities.known
    ]
    served += [
        ServedEntity(
            path=f"config.servedModels[{number}]",
            declared_name=reader.get(model, "name"),
            model=reader.get(model, "modelName"),
            version=reader.get(model, "modelVersion"),
        )
        for number, model in models.known
    ]
    complete = entities.complete and models.complete
    traffic = reader.get(config, "trafficConfig")
    if not isinstance(traffic, Mapping):
        return Declaration(served, None, complete and traffic is None)
    routes = reader.blocks(traffic, "routes")
    shares = [
        Route(
            path=f"config.trafficConfig.routes[{number}]",
            model_name=reader.get(route, "servedModelName"),
            entity_name=reader.get(route, "servedEntityName"),
            percentage=reader.get(route, "trafficPercentage"),
        )
        for number, route in routes.known
    ]
    return Declaration(served, shares, complete and routes.complete)


def as_text(value: str | float) -> str:
    """A value as the provider would send it: numbers reach a policy as floats."""
    return str(int(value)) if isinstance(value, int | float) and float(value).is_integer() else str(value)


def _external_name(entity: Mapping[str, Any], reader: Reader) -> Any:
    external = reader.get(reader.block(entity, "externalModel"), "name")
    return external.replace(".", "-").replace(":", "-") if isinstance(external, str) else external
