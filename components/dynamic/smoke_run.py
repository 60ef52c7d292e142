"""One run of a smoke suite: the endpoint is ready, every served entity answers, then the endpoint itself."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from . import engine
from .errors import AbsentError, ProviderError, asking
from .smoke_ask import Answer, Asker, Patience
from .smoke_latency import CONFIDENCE, upper_bound
from .smoke_suite import SmokeCase, payload_text, verdict
from .waiting import Clock, wait_for

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.serving import ServingEndpointDetailed

_POLL_SECONDS = 5.0
_SAMPLES_A_LINE = 25
THROUGH_THE_ENDPOINT = "(through the endpoint)"
# Facts on ModelServing: a refused or failed update is saved in state as if it had been done.
_NOT_SENT = (
    "If an update of the endpoint failed before this one, Pulumi's state holds a config that never arrived: "
    "`pulumi up --refresh` sends it again"
)


@dataclass(frozen=True)
class Asked:
    """One question, its answer, and what is wrong with it."""

    entity: str | None
    case: SmokeCase
    answer: Answer
    cold: bool
    problems: list[str]

    @property
    def target(self) -> str:
        return self.entity or THROUGH_THE_ENDPOINT


@dataclass
class SmokeRun:
    """Everything that was asked, in order."""

    endpoint: str
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0
    sampled: dict[str, dict[str, float]] = field(default_factory=dict)
    """Query and served entity to the number of samples and, for each judged percentile, its upper bound in
    milliseconds."""

    @property
    def failures(self) -> list[Asked]:
        return [one for one in self.asked if one.problems]

    def latencies(self) -> dict[str, Any]:
        """Milliseconds: largest and median of the warm answers, the largest cold start, the largest of each query.

        Percentiles only where a query took the samples that they need: a handful of answers claims none.
        """
        warm = [one.answer.latency_ms for one in self.asked if not one.cold]
        cold = [one.answer.latency_ms for one in self.asked if one.cold]
        by_query: dict[str, float] = {}
        for one in self.asked:
            if not one.cold:
                by_query[one.case.name] = max(by_query.get(one.case.name, 0.0), one.answer.latency_ms)
        return {
            "max": _rounded(max(warm, default=0.0)),
            "median": _rounded(statistics.median(warm)) if warm else 0.0,
            "cold_start": _rounded(max(cold, default=0.0)),
            "queries": {name: _rounded(latency) for name, latency in by_query.items()},
            **({"percentiles": self.sampled} if self.sampled else {}),
        }


def require_ready(
    client: WorkspaceClient, endpoint: str, timeout_seconds: float, clock: Clock
) -> ServingEndpointDetailed:
    """Waits until no update is under way; then the endpoint has to be READY.

    Raises:
        ProviderError: there is no such endpoint, its update failed or was canceled (at once), it is not ready, or the
            update is still under way after `timeout_seconds`.
    """
    from databricks.sdk.service.serving import EndpointStateConfigUpdate, EndpointStateReady

    def probe() -> tuple[ServingEndpointDetailed | None, str]:
        found = endpoint_or_fail(client, endpoint)
        update = found.state.config_update if found.state else None
        ready = found.state.ready if found.state else None
        failed = (EndpointStateConfigUpdate.UPDATE_FAILED, EndpointStateConfigUpdate.UPDATE_CANCELED)
        if update in failed or (update == EndpointStateConfigUpdate.NOT_UPDATING and ready != EndpointStateReady.READY):
            raise ProviderError(
                f"endpoint {endpoint} is not ready or failed: "
                f"{_value(ready)}, {_value(update)}; expected READY, NOT_UPDATING",
                *_deployments(found),
                "Look at the served entity's build logs and logs, correct the config, then run `pulumi up` again",
            )
        done = update == EndpointStateConfigUpdate.NOT_UPDATING
        return (found if done else None), f"{_value(ready)}, {_value(update)}"

    return wait_for(
        probe,
        what=f"endpoint {endpoint}",
        poll_seconds=_POLL_SECONDS,
        timeout_seconds=timeout_seconds,
        clock=clock,
        remedy="Provisioning takes 5 to 10 minutes as a rule: look at the endpoint's state, then run `pulumi up` again",
    )


def endpoint_or_fail(client: WorkspaceClient, endpoint: str) -> ServingEndpointDetailed:
    """The endpoint. Raises AbsentError with the fix where there is none."""
    try:
        with asking(f"reading endpoint {endpoint}"):
            return client.serving_endpoints.get(endpoint)
    except AbsentError as error:
        raise AbsentError(
            str(error), f"Create endpoint {endpoint} first, or correct endpoint_name of this smoke query"
        ) from None


def require_coverage(found: ServingEndpointDetailed, endpoint: str, entities: Sequence[str]) -> None:
    """Every entity that is to be asked exists, and every entity that gets traffic is asked. Raises ProviderError."""
    config = found.config
    served = [entity.name for entity in (config.served_entities or []) if entity.name] if config else []
    routes = (config.traffic_config.routes or []) if config and config.traffic_config else []
    unknown = [entity for entity in entities if entity not in served]
    if unknown:
        raise ProviderError(
            f"endpoint {endpoint} serves no {', '.join(unknown)}; it serves {', '.join(served) or 'nothing'}",
            "Correct served_entities, or deploy the entity first",
            _NOT_SENT,
        )
    unasked = [
        f"{name} ({route.traffic_percentage} %)"
        for route in routes
        if route.traffic_percentage and (name := route.served_entity_name or route.served_model_name) not in entities
    ]
    if unasked:
        raise ProviderError(
            f"endpoint {endpoint} sends traffic to {', '.join(unasked)}, which this smoke query does not ask",
            "Add it to served_entities: every entity with traffic has to prove that it answers",
        )


def require_declared(
    found: ServingEndpointDetailed, endpoint: str, versions: Mapping[str, str], traffic: Mapping[str, float]
) -> None:
    """The endpoint runs the declared versions and split, and not those of an earlier config. Raises ProviderError."""
    config = found.config
    live_versions = {entity.name: entity.entity_version for entity in (config.served_entities or [])} if config else {}
    routes = (config.traffic_config.routes or []) if config and config.traffic_config else []
    live_traffic = {route.served_entity_name or route.served_model_name: route.traffic_percentage for route in routes}
    problems = [
        f"{entity} is version {live_versions.get(entity)}, expected {version}"
        for entity, version in versions.items()
        if live_versions.get(entity) != version
    ]
    problems += [
        f"{entity} gets {live_traffic.get(entity, 0)} % of the traffic, expected {share:g} %"
        for entity, share in traffic.items()
        if live_traffic.get(entity, 0) != share
    ]
    if problems:
        raise ProviderError(f"endpoint {endpoint} runs another config: {'; '.join(problems)}", _NOT_SENT)


def ask_everything(
    client: WorkspaceClient,
    endpoint: str,
    entities: Sequence[str],
    cases: Sequence[SmokeCase],
    *,
    patience: Patience,
    clock: Clock,
    through_endpoint: bool = True,
    versions: Mapping[str, str] | None = None,
) -> SmokeRun:
    """Asks every case of every entity directly, then once through the endpoint. Failures are in the run, not raised.

    One question at a time: the engine's server of dynamic providers has four threads, so it never asks more than four
    endpoints at once, and what is measured is not slowed by the measuring.

    Args:
        through_endpoint: False where other entities than these have the traffic.
        versions: served entity to model version, for cases that are for one version only.
    """
    asker, run = Asker(client, endpoint, patience, clock), SmokeRun(endpoint)
    for entity in (*entities, None) if through_endpoint else entities:
        cold = entity is not None
        fitting = [case for case in cases if _fits(case, [entity] if entity else entities, versions or {})]
        for number, case in enumerate(fitting, start=1):
            if not engine.is_waiting():
                raise ProviderError(f"endpoint {endpoint}: stopped asking, because the engine that asked is gone")
            engine.progress(f"smoke {entity or THROUGH_THE_ENDPOINT}: {case.name} ({number} of {len(fitting)})")
            asked = _ask(asker, entity, entities, case, cold=cold)
            run.asked.append(asked)
            if asked.answer.status is None:
                # A target that does not answer at all would let every further query run into its own time-out.
                break
            if cold and case.expect.max_latency_ms is not None and not asked.problems:
                run.asked.append(_ask(asker, entity, entities, case, cold=False))
            if entity is not None and case.expect.samples and not run.asked[-1].problems:
                _sample(asker, run, entity, case)
            cold = False
    run.sent = asker.sent
    return run


def _fits(case: SmokeCase, entities: Sequence[str], versions: Mapping[str, str]) -> bool:
    return case.version is None or all(versions.get(entity) == case.version for entity in entities)


def _sample(asker: Asker, run: SmokeRun, entity: str, case: SmokeCase) -> None:
    """Asks an entity as often as the case's percentiles need; only a failure becomes part of what was asked."""
    latencies: list[float] = []
    # Single answers may be slower than the limit for one: percentiles judge these.
    unhurried = replace(case, expect=replace(case.expect, max_latency_ms=None))
    while len(latencies) < case.expect.samples:
        if not engine.is_waiting():
            raise ProviderError(f"endpoint {run.endpoint}: stopped asking, because the engine that asked is gone")
        if len(latencies) % _SAMPLES_A_LINE == 0:
            engine.progress(f"smoke {entity}: {case.name}, {len(latencies)} of {case.expect.samples} samples")
        asked = _ask(asker, entity, [entity], unhurried, cold=False)
        if asked.problems:
            run.asked.append(asked)
            return
        latencies.append(asked.answer.latency_ms)
    bounds = {percentile: upper_bound(latencies, int(percentile)) for percentile in case.expect.max_percentile_ms}
    run.sampled[f"{case.name} ({entity})"] = {
        "samples": len(latencies),
        **{f"p{percentile}": _rounded(bound) for percentile, bound in bounds.items()},
    }
    problems = [
        f"p{percentile} is at most {bounds[percentile]:.0f} ms ({CONFIDENCE:.0%} sure, {len(latencies)} answers), "
        f"expected {limit:g} ms"
        for percentile, limit in case.expect.max_percentile_ms.items()
        if bounds[percentile] > limit
    ]
    if problems:
        run.asked.append(replace(asked, problems=problems))


def _ask(asker: Asker, entity: str | None, entities: Sequence[str], case: SmokeCase, *, cold: bool) -> Asked:
    answer = asker.ask(entity, payload_text(case.payload), expected_status=case.expect.status, cold=cold)
    if answer.status is None:
        return Asked(entity, case, answer, cold, [answer.body])
    problems = verdict(case, answer.status, answer.body, None if cold else answer.latency_ms)
    allowed = entities if entity is None else [entity]
    if answer.served_by is not None and answer.served_by not in allowed:
        problems.append(f"answered by {answer.served_by}, expected {' or '.join(allowed)}")
    return Asked(entity, case, answer, cold, problems)


def _deployments(found: ServingEndpointDetailed) -> list[str]:
    configs = [config for config in (found.pending_config, found.config) if config is not None]
    return [
        f"{entity.name}: {_value(entity.state.deployment)} {entity.state.deployment_state_message or ''}".rstrip()
        for config in configs
        for entity in config.served_entities or []
        if entity.state is not None
    ]


def _value(state: Any) -> str:
    return str(state.value) if state is not None else "unknown"


def _rounded(latency_ms: float) -> float:
    return round(latency_ms, 1)
