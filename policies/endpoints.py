"""What a resource declares about an endpoint: its served entities and its traffic, wherever they stand.

Property names are the provider's own (camelCase), which is what the engine hands to policies also for Python programs;
a `TrafficRollout` is a dynamic resource, whose properties are named as the program names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.reading import Reader
from policies.subject import Stack, Subject

MODEL_SERVING = "databricks:index/modelServing:ModelServing"
PROVISIONED_THROUGHPUT = "databricks:index/modelServingProvisionedThroughput:ModelServingProvisionedThroughput"
TRAFFIC_ROLLOUT = "pulumi-python:dynamic/serving:TrafficRollout"
ENDPOINTS = (MODEL_SERVING, PROVISIONED_THROUGHPUT)
"""The types that are an endpoint."""
DECLARES_ENTITIES = frozenset({*ENDPOINTS, TRAFFIC_ROLLOUT})
"""The types that say which entities an endpoint serves and how traffic is split between them."""
FOUNDATION_MODELS = "system.ai."
"""What the full names of the foundation models in Unity Catalog begin with."""


@dataclass(frozen=True, kw_only=True)
class ServedEntity:
    """One served entity; `UNKNOWN` in a field for what is not known yet, None for what is absent."""

    path: str
    declared_name: Any = None
    model: Any = None
    version: Any = None
    size: Any = None
    kind: Any = None
    """The workload type: CPU, GPU_SMALL ..."""
    scale_to_zero: Any = None
    environment: Any = None
    concurrency: tuple[Any, Any] = (None, None)
    """Least and most provisioned concurrency."""
    throughput: tuple[Any, Any] = (None, None)
    """Least and most provisioned throughput, tokens a second."""
    external: Any = None
    """The block of an external model."""

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

    @property
    def is_custom(self) -> bool:
        """Whether it is a registered model of one's own: neither a foundation model, nor external, nor a "
        "feature spec."""
        own = isinstance(self.model, str) and not self.model.startswith(FOUNDATION_MODELS)
        return own and self.external is None and self.version not in (None, "")


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


def declared(subject: Subject) -> Declaration:
    """What the resource declares; empty for an endpoint whose configuration somebody else owns."""
    if subject.type == TRAFFIC_ROLLOUT:
        return Declaration([_released(subject)], None, complete=True)
    reader = subject.reader
    entities = subject.blocks("config", "servedEntities")
    models = subject.blocks("config", "servedModels")
    served = [_entity(f"config.servedEntities[{number}]", entity, reader) for number, entity in entities.known]
    served += [_entity(f"config.servedModels[{number}]", model, reader) for number, model in models.known]
    complete = entities.complete and models.complete
    traffic = subject.get("config", "trafficConfig")
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


def names_endpoint(subject: Subject, field: str, endpoint: Subject) -> bool:
    """Whether `field` of a resource is an endpoint's name: by value, or by being made of the endpoint's output."""
    given = Reader().get(subject.props, field)
    name = Reader().get(endpoint.props, "name")
    if isinstance(given, str) and isinstance(name, str):
        return given == name
    return subject.is_made_of(field, endpoint)


def declarations_of(stack: Stack, endpoint: Subject) -> list[tuple[Subject, Declaration]]:
    """Everything that declares entities of an endpoint: itself, and the rollouts that own its config."""
    rollouts = [one for one in stack.of(TRAFFIC_ROLLOUT) if names_endpoint(one, "endpoint_name", endpoint)]
    return [(one, declared(one)) for one in (endpoint, *rollouts)]


def as_text(value: str | float) -> str:
    """A value as the provider would send it: numbers reach a policy as floats."""
    return str(int(value)) if isinstance(value, int | float) and float(value).is_integer() else str(value)


def _entity(path: str, block: Mapping[str, Any], reader: Reader) -> ServedEntity:
    def get(name: str) -> Any:
        return reader.get(block, name)

    external = get("externalModel")
    old = "servedModels" in path
    return ServedEntity(
        path=path,
        declared_name=get("name"),
        model=_external_name(external, reader) or get("modelName" if old else "entityName"),
        version=get("modelVersion" if old else "entityVersion"),
        size=get("workloadSize"),
        kind=get("workloadType"),
        scale_to_zero=get("scaleToZeroEnabled"),
        environment=get("environmentVars"),
        concurrency=(get("minProvisionedConcurrency"), get("maxProvisionedConcurrency")),
        throughput=(get("minProvisionedThroughput"), get("maxProvisionedThroughput")),
        external=external,
    )


def _released(subject: Subject) -> ServedEntity:
    return ServedEntity(
        path="rollout",
        declared_name=subject.get("entity_name"),
        model=subject.get("model"),
        version=subject.get("version"),
        size=subject.get("workload_size"),
        kind=subject.get("workload_type"),
        scale_to_zero=subject.get("scale_to_zero_enabled"),
        environment=subject.get("environment_vars"),
    )


def _external_name(external: Any, reader: Reader) -> Any:
    name = reader.get(external, "name") if isinstance(external, Mapping) else None
    return name.replace(".", "-").replace(":", "-") if isinstance(name, str) else name
