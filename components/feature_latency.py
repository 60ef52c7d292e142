"""The gate on feature lookups that a stack file describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from .config import StackConfig
from .dynamic.lookup_latency import LookupLatency, LookupLatencyArgs
from .served_entity import ServedEntityArgs
from .serving_endpoint import ServingEndpoint

#: Key of the output and of the stored figures, one by one: the contract is in camelCase.
_KEYS = {
    "verdict": "verdict",
    "percentile": "percentile",
    "bound_ms": "boundMs",
    "typical_ms": "typicalMs",
    "target_ms": "targetMs",
    "measured_at": "measuredAt",
}


def lookup_gate(
    config: StackConfig,
    endpoint: ServingEndpoint,
    entities: Sequence[ServedEntityArgs],
    depends_on: Sequence[pulumi.Resource],
) -> LookupLatency | None:
    """Measures every served entity that gets traffic; None where the stack file asks for no measurement.

    Args:
        entities: as declared; with releases the one that serves in the end.
        depends_on: what has to be over before anything is measured, for example the smoke queries.
    """
    wanted, record = config.feature_latency, config.lookup_record
    if wanted is None or record is None:
        return None
    with_traffic = [entity.entity_name for entity in entities if entity.traffic_percentage > 0]
    names: pulumi.Input[Sequence[str]] = (
        with_traffic if endpoint.rollout is None else endpoint.rollout.serving.apply(lambda name: [name])
    )
    store = config.online_store
    return LookupLatency(
        "lookups",
        LookupLatencyArgs(
            endpoint_name=endpoint.endpoint_name,
            served_entities=names,
            record=record,
            features=wanted.features,
            target_ms=wanted.target_ms,
            percentile=wanted.percentile,
            strict=wanted.strict,
            versions={entity.entity_name: entity.version for entity in entities},
            timeout_seconds=config.smoke.timeout_seconds,
            warm_up_seconds=config.smoke.warm_up_seconds,
            # Another size of the store is another time.
            triggers={"store": f"{store.name} {store.capacity} {store.read_replica_count}"},
        ),
        pulumi.ResourceOptions(depends_on=[endpoint, *depends_on]),
    )


def lookup_output(gate: LookupLatency | None) -> pulumi.Output[dict[str, Any]] | dict[str, Any]:
    """The stack output `featureLatency`; empty where nothing was measured."""
    if gate is None:
        return {}
    return gate.measured.apply(
        lambda found: {
            entity: {key: figures[stored] for stored, key in _KEYS.items()} for entity, figures in found.items()
        }
    )
