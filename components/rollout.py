"""Releases of an endpoint's only entity, as `ServingEndpoint` takes and makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi

from .arguments import Arguments
from .dynamic import SmokeCase
from .dynamic.rollout_resource import TrafficRollout, TrafficRolloutArgs
from .names import ThreePartName, check_version
from .release.plan import Plan
from .served_entity import AnyServedEntity, ServedEntityArgs
from .traffic import WHOLE


@dataclass(frozen=True, kw_only=True)
class RolloutArgs(Arguments):
    """How new versions are released."""

    queries: Sequence[SmokeCase]
    """What a new version has to answer before it gets traffic."""
    plan: Plan = field(default_factory=Plan)
    """Steps, bakes, gates, budget, rollback window."""
    warehouse_id: str | None = None
    """SQL warehouse, where a gate reads the inference table."""
    timeout_seconds: float = 60.0
    """For one answer of a smoke query."""
    warm_up_seconds: float = 300.0
    """For the first answer of a new entity."""
    report_folder: str | None = None
    """Where transcripts go; the environment's RELEASE_REPORT_DIR when left out."""


def released_entity(entities: Sequence[AnyServedEntity]) -> ServedEntityArgs:
    """The one entity of a stack with releases.

    Raises:
        ValueError: there are several, it is no registered model, or it has not all of the traffic.
    """
    if len(entities) != 1 or entities[0].traffic_percentage != WHOLE:
        shares = ", ".join(f"{one.entity_name} {one.traffic_percentage} %" for one in entities)
        raise ValueError(
            f"a rollout releases one served entity with {WHOLE} % of the traffic, received {shares}: name the version "
            "that is to serve in the end and nothing else; for a standing split remove the rollout"
        )
    (entity,) = entities
    if not isinstance(entity, ServedEntityArgs):
        raise ValueError(
            f"{entity.entity_name} is no version of a registered model, so there is nothing to release: remove the "
            "rollout"
        )
    return entity


def make_rollout(
    name: str,
    args: RolloutArgs,
    entity: ServedEntityArgs,
    *,
    endpoint_name: pulumi.Input[str],
    endpoint_id: pulumi.Input[str],
    payload_table: str | None,
    opts: pulumi.ResourceOptions,
) -> TrafficRollout:
    """The resource that owns the endpoint's config."""
    return TrafficRollout(
        name,
        TrafficRolloutArgs(
            endpoint_name=endpoint_name,
            endpoint_id=endpoint_id,
            model=str(ThreePartName.parse(entity.model)),
            version=check_version(entity.version),
            entity_name=entity.entity_name,
            queries=args.queries,
            plan=args.plan,
            workload_size=entity.workload_size,
            min_provisioned_concurrency=entity.min_provisioned_concurrency,
            max_provisioned_concurrency=entity.max_provisioned_concurrency,
            workload_type=entity.workload_type,
            scale_to_zero_enabled=entity.scale_to_zero_enabled,
            environment_vars=entity.checked_variables,
            instance_profile_arn=entity.instance_profile_arn,
            timeout_seconds=args.timeout_seconds,
            warm_up_seconds=args.warm_up_seconds,
            payload_table=payload_table,
            warehouse_id=args.warehouse_id,
            report_folder=args.report_folder,
        ),
        opts,
    )
