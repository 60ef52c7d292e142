"""What proves a stack's endpoint before its aliases move: smoke queries at a standing split, or a release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pulumi

from .config import RolloutConfig, ServingConfig
from .dynamic import SmokeQuery
from .dynamic.rollout_resource import TrafficRollout
from .rollout import RolloutArgs
from .served_entity import ServedEntityArgs
from .serving_endpoint import ServingEndpoint
from .smoke import smoke_cases

Proof = SmokeQuery | TrafficRollout


def rollout_args(config: ServingConfig) -> RolloutArgs | None:
    """How the stack file wants new versions released; None where it has a standing split."""
    rollout = config.endpoint.rollout
    if rollout is None:
        return None
    return RolloutArgs(
        queries=smoke_cases(config.smoke),
        plan=rollout.plan,
        warehouse_id=config.warehouse_id,
        timeout_seconds=config.smoke.timeout_seconds,
        warm_up_seconds=config.smoke.warm_up_seconds,
    )


def standby_of(entities: Sequence[ServedEntityArgs], rollout: RolloutConfig | None) -> list[ServedEntityArgs]:
    """What runs beside the declared entity for the rollback window after a release: another one like it."""
    if rollout is None or rollout.standby == "drop":
        return []
    return [
        replace(entity, name=f"{entity.entity_name}-standby-for-rollback", traffic_percentage=0) for entity in entities
    ]


def evidence_of(proof: Proof) -> pulumi.Output[str]:
    """The digest that an alias carries."""
    return proof.evidence if isinstance(proof, TrafficRollout) else proof.digest


def smoke_output(proof: Proof) -> dict[str, Any]:
    """The stack output `smokeResult`."""
    released = isinstance(proof, TrafficRollout)
    return {
        "status": "passed" if released else proof.status,
        "digest": evidence_of(proof),
        "passedAt": proof.released_at if isinstance(proof, TrafficRollout) else proof.passed_at,
        "queriesSent": proof.queries_sent,
        "answeredBy": proof.answered_by,
        "latencyMs": {} if isinstance(proof, TrafficRollout) else proof.latency_ms.apply(_latency),
    }


def state_output(proof: Proof) -> pulumi.Output[str] | None:
    """The stack output `endpointState`: as the smoke queries found it; a release has no one moment of its own."""
    return None if isinstance(proof, TrafficRollout) else proof.endpoint_state


def release_output(rollout: TrafficRollout) -> dict[str, Any]:
    """The stack output `release`."""
    return {
        "id": rollout.release,
        "version": rollout.version,
        "previousVersion": rollout.previous_version,
        "digest": rollout.digest,
        "releasedAt": rollout.released_at,
        "split": rollout.split.apply(lambda split: {name: int(share) for name, share in split.items()}),
        "standby": rollout.standby,
        "history": rollout.history,
    }


def served_output(endpoint: ServingEndpoint, entities: Sequence[ServedEntityArgs]) -> Any:
    """The stack output `servedEntities`: what is declared, and with releases what runs, standby entities too."""
    if endpoint.rollout is None:
        return [
            {"name": entity.entity_name, "version": entity.version, "trafficPercentage": entity.traffic_percentage}
            for entity in entities
        ]
    rollout = endpoint.rollout
    return pulumi.Output.all(rollout.split, rollout.serving, rollout.version, rollout.standby_versions).apply(_running)


def _latency(found: dict[str, Any] | None) -> dict[str, float]:
    return {name: found[name] for name in ("max", "median", "cold_start") if name in found} if found else {}


def _running(known: list[Any]) -> list[dict[str, Any]]:
    split, serving, version, standby_versions = known
    versions = {**standby_versions, serving: version}
    # Every number crosses the engine as a float.
    return [
        {"name": name, "version": versions.get(name, ""), "trafficPercentage": int(share)}
        for name, share in split.items()
    ]
