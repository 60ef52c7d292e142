"""`SmokeQuery` as a program declares it: what it takes, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pulumi

from ..arguments import Arguments
from .explicit_provider import WorkspaceResource
from .provider import Props
from .smoke_ask import RETRIED_STATUSES
from .smoke_golden import TOLERANCE
from .smoke_query import PROVIDER_VERSION, SmokeQueryProvider
from .smoke_suite import SmokeCase, expectation_text, payload_text


@dataclass(frozen=True, kw_only=True)
class GoldenQuery(Arguments):
    """Golden rows from a table: read when the suite runs."""

    name: str
    """Name, unique in the suite."""
    sql: str
    """Statement whose columns are the model's inputs and the prediction of batch scoring; at most 1,000 rows. Order it:
    the rows are part of the evidence."""
    warehouse_id: str
    """SQL warehouse that runs it."""
    expected: str = "prediction"
    """Column with the prediction."""
    tolerance: float = TOLERANCE
    """Largest accepted difference of a number."""
    version: str | None = None
    """Model version that made the predictions; only its entities are asked. All when left out."""


@dataclass(frozen=True, kw_only=True)
class SmokeQueryArgs(Arguments):
    """What a `SmokeQuery` is made of."""

    endpoint_name: pulumi.Input[str]
    """Serving endpoint. Another one replaces the resource."""
    served_entities: pulumi.Input[Sequence[str]]
    """Every served entity that has to prove itself: all that get traffic, and those that are to get some."""
    queries: Sequence[SmokeCase]
    """The questions, and what must come back."""
    golden: Sequence[GoldenQuery] = ()
    """Rows of batch scoring that the endpoint has to answer alike."""
    versions: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Served entity to the model version that it has to be: an entity can keep its name while its version changes. A
    new one asks again."""
    traffic: Mapping[str, pulumi.Input[int]] = field(default_factory=dict)
    """Served entity to the percentage that has to be live. A new one asks again. An update of an endpoint that failed
    can look done to the engine's next run, which then sends nothing: only the endpoint itself knows."""
    timeout_seconds: float = 60.0
    """For one answer of a warm entity."""
    warm_up_seconds: float = 300.0
    """For the first answer of each entity: one that is scaled to zero starts first. Its latency is not judged."""
    ready_timeout_seconds: float = 1200.0
    """For an update of the endpoint that is still under way."""
    retries: int = 2
    """How often an answer of `retry_statuses`, or a broken connection, is asked again. Nothing else is."""
    retry_statuses: Sequence[int] = tuple(sorted(RETRIED_STATUSES))
    """Statuses that may pass: some of 408, 425, 429, 500, 502, 503, 504."""
    retry_seconds: float | None = None
    """No retry starts later than this after its question was first asked; `retries` alone decides when left out."""
    backoff_seconds: float = 5.0
    """Before the first retry; twice as long before each further one."""
    initial_delay_seconds: float = 0.0
    """Between readiness and the first query."""
    triggers: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Whatever else makes a new proof necessary, for example a date. Text, by name."""
    report_folder: str | None = None
    """Where a failed run leaves its report; the environment's SMOKE_REPORT_DIR when left out, nowhere without that."""
    provider_version: str = PROVIDER_VERSION
    """Version of the provider's behaviour; a new one asks again."""


class SmokeQuery(WorkspaceResource, module="serving", name="SmokeQuery"):
    """Queries that prove an endpoint. Depend on it with whatever may only happen after the proof."""

    endpoint_name: pulumi.Output[str]
    served_entities: pulumi.Output[list[str]]
    digest: pulumi.Output[str]
    """sha256 over endpoint, suite, triggers and verdicts: the evidence. The same suite passed again gives the same
    one."""
    suite_digest: pulumi.Output[str]
    """sha256 over what was asked and expected; another one makes the suite run again."""
    status: pulumi.Output[str]
    """`passed`: a run that does not pass leaves no resource."""
    endpoint_state: pulumi.Output[str]
    """Readiness of the endpoint when it was asked: READY."""
    passed_at: pulumi.Output[str]
    """When the last run passed (ISO 8601, UTC)."""
    queries_sent: pulumi.Output[int]
    """Requests of the last run, retries included."""
    latency_ms: pulumi.Output[dict[str, Any]]
    """Of the last run: max and median of the warm answers, the longest cold start, the longest of each query, and the
    percentiles of queries that took samples."""
    answered_by: pulumi.Output[dict[str, str]]
    """Served entity to `ok`."""
    golden_difference: pulumi.Output[dict[str, float]]
    """Query to the largest difference from its expected values, of all entities; where a tolerance was given."""

    def __init__(self, name: str, args: SmokeQueryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: Props = {
            "endpoint_name": args.endpoint_name,
            "served_entities": args.served_entities,
            "queries": [
                {
                    "name": case.name,
                    "payload": pulumi.Output.from_input(case.payload).apply(payload_text),
                    "expect": expectation_text(case.expect),
                    **({} if case.version is None else {"version": case.version}),
                }
                for case in args.queries
            ],
            "golden": [
                {name: value for name, value in asdict(one).items() if value is not None} for one in args.golden
            ],
            "versions": dict(args.versions),
            "traffic": dict(args.traffic),
            "timeout_seconds": args.timeout_seconds,
            "warm_up_seconds": args.warm_up_seconds,
            "ready_timeout_seconds": args.ready_timeout_seconds,
            "retries": args.retries,
            "retry_statuses": list(args.retry_statuses),
            "retry_seconds": args.retry_seconds,
            "backoff_seconds": args.backoff_seconds,
            "initial_delay_seconds": args.initial_delay_seconds,
            "triggers": dict(args.triggers),
            "report_folder": args.report_folder,
            "provider_version": args.provider_version,
            "digest": None,
            "suite_digest": None,
            "status": None,
            "endpoint_state": None,
            "passed_at": None,
            "queries_sent": None,
            "latency_ms": None,
            "answered_by": None,
            "golden_difference": None,
        }
        super().__init__(SmokeQueryProvider(), name, props, opts)
