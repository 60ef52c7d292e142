"""`LookupLatency`: how long an endpoint's feature lookups take, measured before anything that depends on it goes on.

Preview and refresh send no query. What was measured stays measured until an entity, a version, the record, the target
or a trigger changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, DiffResult

from ..arguments import Arguments
from . import engine
from .endpoint_proof import EndpointProofProvider
from .errors import ProviderError
from .explicit_provider import WorkspaceResource
from .lookup_figures import LookupFigures, lookup_figures
from .provider import Props, changed, guarded, is_unknown, known, without_provider
from .smoke_ask import Asker, Patience
from .smoke_diagnosis import diagnose
from .smoke_latency import CONFIDENCE, PERCENTILES, samples_needed
from .smoke_run import require_ready

PROVIDER_VERSION = "1"

_MEASURED = (
    "served_entities",
    "versions",
    "record",
    "features",
    "target_ms",
    "percentile",
    "strict",
    "triggers",
    "provider_version",
)
_ABOVE_ZERO = ("target_ms", "timeout_seconds", "ready_timeout_seconds")
_PAIRS_A_LINE = 25
_OK = 200


class LookupLatencyProvider(EndpointProofProvider):
    """Measures on create and on update."""

    @guarded
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """The measurement makes sense. Sends nothing."""
        inputs = without_provider(news)
        return CheckResult(inputs, [*self._form(inputs), *self._limits(inputs)])

    @guarded
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """Measures again when what is measured changed; for another endpoint anew."""
        replaces = changed(_olds, _news, ["endpoint_name"])
        return DiffResult(
            changes=bool(replaces or changed(_olds, _news, _MEASURED)), replaces=replaces, delete_before_replace=False
        )

    def prove(self, inputs: Props) -> Props:
        """Measures; raises where even the typical lookup takes longer than the target."""
        endpoint = inputs["endpoint_name"]
        require_ready(self.client, endpoint, inputs["ready_timeout_seconds"], self.clock)
        found = {entity: self._of_entity(inputs, entity) for entity in inputs["served_entities"]}
        self._judge(inputs, found)
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        measured = {entity: _told(figures, inputs["target_ms"], moment) for entity, figures in found.items()}
        return {**inputs, "measured": measured}

    def _of_entity(self, inputs: Props, entity: str) -> LookupFigures:
        patience = Patience(
            timeout_seconds=inputs["timeout_seconds"],
            warm_up_seconds=inputs["warm_up_seconds"],
            retries=2,
            backoff_seconds=1.0,
        )
        asker = Asker(self.client, inputs["endpoint_name"], patience, self.clock)
        record, features = json.loads(inputs["record"]), json.loads(inputs["features"])
        bodies = {
            kind: json.dumps({"dataframe_records": [fields]})
            for kind, fields in (("looked up", record), ("given", {**record, **features}))
        }
        # Both kinds once, unmeasured: the first answer starts the entity, the second fills its caches.
        for kind, body in bodies.items():
            self._ask(asker, entity, kind, body, cold=True)
        pairs, times = samples_needed(int(inputs["percentile"])), {kind: list[float]() for kind in bodies}
        for number in range(pairs):
            if not engine.is_waiting():
                raise ProviderError(f"{entity}: stopped measuring, because the engine that asked is gone")
            if number % _PAIRS_A_LINE == 0:
                engine.progress(f"feature lookups of {entity}: {number} of {pairs} pairs of requests")
            # Turn about, so that neither kind always follows the other.
            for kind in list(bodies)[:: 1 if number % 2 else -1]:
                times[kind].append(self._ask(asker, entity, kind, bodies[kind], cold=False))
        return lookup_figures(times["looked up"], times["given"], int(inputs["percentile"]))

    def _ask(self, asker: Asker, entity: str, kind: str, body: str, *, cold: bool) -> float:
        answer = asker.ask(entity, body, expected_status=_OK, cold=cold)
        if answer.status != _OK:
            what = "its keys" if kind == "looked up" else "its keys and every feature"
            advice = diagnose(answer.status, answer.body)
            raise ProviderError(
                f"feature lookups of {entity} cannot be measured: a record with {what} was answered "
                f"{answer.status or 'with nothing'}",
                self.redact(answer.body[:500]),
                *([advice] if advice else []),
            )
        return answer.latency_ms

    def _judge(self, inputs: Props, found: Mapping[str, LookupFigures]) -> None:
        target = inputs["target_ms"]
        for entity, figures in found.items():
            verdict = figures.verdict(target)
            told = (
                f"feature lookups of {entity}: typically {figures.typical_ms:.1f} ms, p{figures.percentile} at most "
                f"{figures.bound_ms:.1f} ms ({CONFIDENCE:.0%} sure, {figures.pairs} pairs of requests), target "
                f"{target:g} ms: {verdict}"
            )
            if verdict == "missed" or (verdict == "unproven" and inputs["strict"]):
                raise ProviderError(
                    told,
                    "Give the online store more capacity or a read replica, look features up in fewer tables, or "
                    "raise the target"
                    if verdict == "missed"
                    else "Requests from here vary by more than the target: measure from nearer to the workspace, or "
                    "set strict to false to be warned only",
                )
            if verdict == "unproven":
                engine.warn(told)
            else:
                engine.progress(told)

    def _form(self, inputs: Props) -> list[CheckFailure]:
        failures = [*self.name_failures(inputs)]
        if not is_unknown(inputs["served_entities"]) and not inputs["served_entities"]:
            failures.append(self.failure("served_entities", "names nobody to ask; name a served entity"))
        record, features = json.loads(inputs["record"]), json.loads(inputs["features"])
        for what, fields in (("record", record), ("features", features)):
            if not fields:
                failures.append(self.failure(what, "is empty; a lookup is told by what it is asked for and brings"))
        if both := sorted(set(record) & set(features)):
            failures.append(
                self.failure(
                    "features", f"{', '.join(both)} stands in the record too, so that it is never looked up there"
                )
            )
        if inputs["percentile"] not in PERCENTILES:
            allowed = ", ".join(map(str, PERCENTILES))
            failures.append(self.failure("percentile", f"is {inputs['percentile']}; use one of {allowed}"))
        return failures

    def _limits(self, inputs: Props) -> list[CheckFailure]:
        return [
            self.failure(name, f"is {value:g}, expected more than 0")
            for name in _ABOVE_ZERO
            if (value := known(inputs, name)) is not None and not value > 0
        ]


def _told(figures: LookupFigures, target_ms: float, moment: str) -> Props:
    return {
        "verdict": figures.verdict(target_ms),
        "percentile": figures.percentile,
        "pairs": figures.pairs,
        "bound_ms": round(figures.bound_ms, 2),
        "typical_ms": round(figures.typical_ms, 2),
        "rest_ms": round(figures.rest_ms, 2),
        "target_ms": target_ms,
        "measured_at": moment,
    }


@dataclass(frozen=True, kw_only=True)
class LookupLatencyArgs(Arguments):
    """What a `LookupLatency` is made of."""

    endpoint_name: pulumi.Input[str]
    """Serving endpoint of a model that looks features up. Another one replaces the resource."""
    served_entities: pulumi.Input[Sequence[str]]
    """Served entities that are measured, one after the other."""
    record: Mapping[str, Any]
    """One request record without any feature that is looked up: keys that are there, and the model's other inputs."""
    features: Mapping[str, Any]
    """A value for every feature that the model looks up; which one does not matter. A missing one is still looked up,
    and makes the lookup look shorter than it is."""
    target_ms: float = 5.0
    """Milliseconds that the percentile of the lookup alone may take; not of the whole answer."""
    percentile: Literal[50, 95, 99] = 95
    """p50 takes 5 pairs of requests, p95 59, p99 299."""
    strict: bool = False
    """Whether a target that could neither be shown to be met nor to be missed fails the update, or is a warning."""
    versions: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Served entity to model version: a new one is measured again."""
    timeout_seconds: float = 60.0
    """For one answer of a warm entity."""
    warm_up_seconds: float = 300.0
    """For the first answer of an entity that is scaled to zero."""
    ready_timeout_seconds: float = 1200.0
    """For an update of the endpoint that is still under way."""
    triggers: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Whatever else makes a new measurement necessary. Text, by name."""
    provider_version: str = PROVIDER_VERSION
    """Version of the provider's behaviour; a new one measures again."""


class LookupLatency(WorkspaceResource, module="serving", name="LookupLatency"):
    """A measurement of feature lookups. Depend on it with whatever may only happen when they are fast enough."""

    endpoint_name: pulumi.Output[str]
    measured: pulumi.Output[dict[str, Any]]
    """Served entity to verdict (`met`, `unproven`), percentile, pairs, bound_ms, typical_ms, rest_ms, target_ms and
    measured_at (ISO 8601, UTC)."""

    def __init__(self, name: str, args: LookupLatencyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: Props = {
            "endpoint_name": args.endpoint_name,
            "served_entities": args.served_entities,
            # As text: the engine would turn every whole number into a float, which a model's signature may refuse.
            "record": json.dumps(dict(args.record), sort_keys=True),
            "features": json.dumps(dict(args.features), sort_keys=True),
            "target_ms": args.target_ms,
            "percentile": args.percentile,
            "strict": args.strict,
            "versions": dict(args.versions),
            "timeout_seconds": args.timeout_seconds,
            "warm_up_seconds": args.warm_up_seconds,
            "ready_timeout_seconds": args.ready_timeout_seconds,
            "triggers": dict(args.triggers),
            "provider_version": args.provider_version,
            "measured": None,
        }
        super().__init__(LookupLatencyProvider(), name, props, opts)
