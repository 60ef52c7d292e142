"""`SmokeQuery`: proof that an endpoint answers correctly, as a resource that whatever depends on it waits for.

Every served entity is asked directly and the endpoint once more, so that an entity without traffic is proven as
well. A wrong answer fails the update; nothing that depends on the query is done then. What passed is remembered as
a digest: an unchanged suite is not asked again, and refresh asks nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    UpdateResult,
)

from components.dynamic.errors import AbsentError, ProviderError
from components.dynamic.provider import Props, WorkspaceProvider, guarded, is_unknown, known, without_provider
from components.dynamic.smoke_ask import Patience
from components.dynamic.smoke_report import failure_lines, report_folder, write_report
from components.dynamic.smoke_run import (
    SmokeRun,
    ask_everything,
    endpoint_or_fail,
    require_coverage,
    require_declared,
    require_ready,
)
from components.dynamic.smoke_suite import (
    SmokeCase,
    SuiteError,
    expectation_text,
    parse_case,
    payload_text,
    suite_digest,
)
from components.names import InvalidNameError, check_endpoint_name, check_served_entity_name

PROVIDER_VERSION = "1"
PASSED = "passed"

# What a suite is. Everything else (time-outs, retries, folders) changes how it is asked and not what was proven.
_SUITE = ("served_entities", "versions", "traffic", "queries", "triggers", "provider_version")
_SECONDS = ("timeout_seconds", "ready_timeout_seconds")
_AT_LEAST_ZERO = ("warm_up_seconds", "retries", "backoff_seconds", "initial_delay_seconds")


class SmokeQueryProvider(WorkspaceProvider):
    """Asks on create and on update; deletes nothing, because it made nothing."""

    @guarded
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """The suite makes sense. Sends nothing: a query in preview would wake the endpoint."""
        inputs = without_provider(news)
        return CheckResult(inputs, [*self._name_failures(inputs), *self._suite_failures(inputs), *self._limits(inputs)])

    @guarded
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """Asks again when the suite changed: entities, queries, expectations, triggers; for another endpoint anew."""
        endpoint_changed = is_unknown(_news["endpoint_name"]) or _news["endpoint_name"] != _olds["endpoint_name"]
        suite = {name: _news.get(name) for name in _SUITE}
        suite_changed = is_unknown(suite) or _digest_of(_news) != _olds.get("suite_digest")
        return DiffResult(
            changes=endpoint_changed or suite_changed,
            replaces=["endpoint_name"] if endpoint_changed else [],
            delete_before_replace=False,
        )

    @guarded
    def create(self, props: Props) -> CreateResult:
        """Asks; raises where anything is not as expected."""
        inputs = without_provider(props)
        return CreateResult(id_=inputs["endpoint_name"], outs=self._prove(inputs))

    @guarded
    def read(self, id_: str, props: Props) -> ReadResult:
        """Gone with the endpoint; otherwise as it was proven. Asks no query."""
        try:
            endpoint_or_fail(self.client, props["endpoint_name"])
        except AbsentError:
            return ReadResult(id_="", outs={})
        return ReadResult(id_=id_, outs=without_provider(props))

    @guarded
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        """Asks the changed suite; a failure leaves the old proof in state and is asked again by the next `up`."""
        return UpdateResult(outs=self._prove(without_provider(_news)))

    @guarded
    def delete(self, _id: str, _props: Props) -> None:
        """There is nothing to take back."""

    def _prove(self, inputs: Props) -> Props:
        endpoint, entities = inputs["endpoint_name"], inputs["served_entities"]
        cases = [parse_case(query["name"], query["payload"], query["expect"]) for query in inputs["queries"]]
        found = require_ready(self.client, endpoint, inputs["ready_timeout_seconds"], self.clock)
        require_coverage(found, endpoint, entities)
        require_declared(found, endpoint, inputs.get("versions") or {}, inputs.get("traffic") or {})
        self.clock.sleep(inputs["initial_delay_seconds"])
        patience = Patience(
            timeout_seconds=inputs["timeout_seconds"],
            warm_up_seconds=inputs["warm_up_seconds"],
            retries=int(inputs["retries"]),
            backoff_seconds=inputs["backoff_seconds"],
        )
        run = ask_everything(self.client, endpoint, entities, cases, patience=patience, clock=self.clock)
        suite = _digest_of(inputs)
        if run.failures:
            self._fail(run, inputs, suite)
        verdicts = [[one.target, one.case.name, one.answer.status, PASSED] for one in run.asked]
        return {
            "endpoint_name": endpoint,
            "served_entities": entities,
            "triggers": inputs.get("triggers", {}),
            "suite_digest": suite,
            "digest": suite_digest({"endpoint": endpoint, "suite": suite, "verdicts": verdicts}),
            "status": PASSED,
            "passed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "queries_sent": run.sent,
            "latency_ms": run.latencies(),
            "answered_by": dict.fromkeys(entities, "ok"),
        }

    def _fail(self, run: SmokeRun, inputs: Props, suite: str) -> None:
        headline, *details = failure_lines(run)
        folder = report_folder(inputs.get("report_folder"))
        if folder is not None:
            context = {
                "suite_digest": suite,
                "served_entities": inputs["served_entities"],
                "triggers": inputs.get("triggers"),
            }
            try:
                details.append(f"report: {write_report(folder, run, context, self.redact)}")
            except OSError as error:
                details.append(f"the report could not be written to {folder}: {error}")
        raise ProviderError(headline, *details)

    def _name_failures(self, inputs: Props) -> list[CheckFailure]:
        failures = []
        if (endpoint := known(inputs, "endpoint_name")) is not None:
            try:
                check_endpoint_name(endpoint)
            except InvalidNameError as error:
                failures.append(self.failure("endpoint_name", error))
        if is_unknown(inputs.get("served_entities")):
            return failures
        entities = inputs.get("served_entities", [])
        if not entities:
            failures.append(
                self.failure("served_entities", "names no served entity; name every entity that gets traffic")
            )
        if len(set(entities)) != len(entities):
            failures.append(self.failure("served_entities", f"names an entity twice: {entities}; name each once"))
        for entity in entities:
            try:
                check_served_entity_name(entity)
            except InvalidNameError as error:
                failures.append(self.failure("served_entities", error))
        return failures

    def _suite_failures(self, inputs: Props) -> list[CheckFailure]:
        queries = inputs.get("queries", [])
        if is_unknown(queries):
            return []
        if not queries:
            return [self.failure("queries", "there is no query; ask at least one")]
        failures, names = [], [query.get("name") for query in queries]
        if len(set(names)) != len(names):
            failures.append(self.failure("queries", f"two queries have one name: {names}; give every query its own"))
        for query in queries:
            try:
                parse_case(query.get("name"), query.get("payload"), query.get("expect"))
            except SuiteError as error:
                failures.append(self.failure("queries", error))
        return failures

    def _limits(self, inputs: Props) -> list[CheckFailure]:
        values = {name: known(inputs, name) for name in (*_SECONDS, *_AT_LEAST_ZERO)}
        too_small = [(name, "more than 0") for name in _SECONDS if values[name] is not None and not values[name] > 0]
        negative = [
            (name, "0 or more") for name in _AT_LEAST_ZERO if values[name] is not None and not values[name] >= 0
        ]
        return [
            self.failure(name, f"is {values[name]:g}, expected {wanted}") for name, wanted in (*too_small, *negative)
        ]


def _digest_of(inputs: Mapping[str, Any]) -> str:
    """The digest of what decides whether the suite runs again, in a form that formatting and order do not touch."""
    queries = [
        {"name": query["name"], "payload": json.loads(query["payload"]), "expect": json.loads(query["expect"])}
        for query in inputs["queries"]
    ]
    return suite_digest(
        {
            "served_entities": sorted(inputs["served_entities"]),
            "versions": inputs.get("versions") or {},
            "traffic": inputs.get("traffic") or {},
            "queries": sorted(queries, key=lambda query: str(query["name"])),
            "triggers": inputs.get("triggers") or {},
            "provider_version": inputs["provider_version"],
        }
    )


@dataclass(frozen=True, kw_only=True)
class SmokeQueryArgs:
    """What a `SmokeQuery` is made of."""

    endpoint_name: pulumi.Input[str]
    """Serving endpoint. Another one replaces the resource."""
    served_entities: pulumi.Input[Sequence[str]]
    """Every served entity that has to prove itself: all that get traffic, and those that are to get some."""
    queries: Sequence[SmokeCase]
    """The questions, and what must come back."""
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
    """How often an answer of 429 or 503, or a broken connection, is asked again. Nothing else is."""
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


class SmokeQuery(Resource, module="serving", name="SmokeQuery"):
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
    passed_at: pulumi.Output[str]
    """When the last run passed (ISO 8601, UTC)."""
    queries_sent: pulumi.Output[int]
    """Requests of the last run, retries included."""
    latency_ms: pulumi.Output[dict[str, Any]]
    """Of the last run: max and median of the warm answers, the longest cold start, the longest of each query."""
    answered_by: pulumi.Output[dict[str, str]]
    """Served entity to `ok`."""

    def __init__(self, name: str, args: SmokeQueryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: Props = {
            "endpoint_name": args.endpoint_name,
            "served_entities": args.served_entities,
            "queries": [
                {
                    "name": case.name,
                    "payload": pulumi.Output.from_input(case.payload).apply(payload_text),
                    "expect": expectation_text(case.expect),
                }
                for case in args.queries
            ],
            "versions": dict(args.versions),
            "traffic": dict(args.traffic),
            "timeout_seconds": args.timeout_seconds,
            "warm_up_seconds": args.warm_up_seconds,
            "ready_timeout_seconds": args.ready_timeout_seconds,
            "retries": args.retries,
            "backoff_seconds": args.backoff_seconds,
            "initial_delay_seconds": args.initial_delay_seconds,
            "triggers": dict(args.triggers),
            "report_folder": args.report_folder,
            "provider_version": args.provider_version,
            "digest": None,
            "suite_digest": None,
            "status": None,
            "passed_at": None,
            "queries_sent": None,
            "latency_ms": None,
            "answered_by": None,
        }
        super().__init__(SmokeQueryProvider(), name, props, opts)
