"""`SmokeQuery`: proof that an endpoint answers correctly, as a resource that whatever depends on it waits for.

Every served entity is asked directly and the endpoint once more, so that an entity without traffic is proven as
well. A wrong answer fails the update; nothing that depends on the query is done then. What passed is remembered as
a digest: an unchanged suite is not asked again, and refresh asks nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    DiffResult,
)

from ..names import InvalidNameError, check_served_entity_name
from .endpoint_proof import EndpointProofProvider
from .errors import ProviderError
from .provider import Props, guarded, is_unknown, known, without_provider
from .smoke_ask import RETRIED_STATUSES, Patience
from .smoke_golden import golden_case, largest_difference, rows_by_sql
from .smoke_report import failure_lines, report_folder, write_report
from .smoke_run import (
    SmokeRun,
    ask_everything,
    require_coverage,
    require_declared,
    require_ready,
)
from .smoke_suite import (
    SmokeCase,
    SmokeExpectation,
    SuiteError,
    expectation_text,
    parse_case,
    suite_digest,
)

PROVIDER_VERSION = "1"
PASSED = "passed"

# What a suite is. Everything else (time-outs, retries, folders) changes how it is asked and not what was proven.
_SUITE = ("served_entities", "versions", "traffic", "queries", "golden", "triggers", "provider_version")
_SECONDS = ("timeout_seconds", "ready_timeout_seconds")
_AT_LEAST_ZERO = ("warm_up_seconds", "retries", "backoff_seconds", "initial_delay_seconds", "retry_seconds")
# Of a query that was not answered well; what the caller did wrong does not get better.
_MAY_PASS = (408, 425, 429, 500, 502, 503, 504)


class SmokeQueryProvider(EndpointProofProvider):
    """Asks the suite on create and on update."""

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

    def prove(self, inputs: Props) -> Props:
        """Asks; raises where anything is not as expected."""
        endpoint, entities = inputs["endpoint_name"], inputs["served_entities"]
        cases = [_parsed(query) for query in inputs["queries"]]
        found = require_ready(self.client, endpoint, inputs["ready_timeout_seconds"], self.clock)
        require_coverage(found, endpoint, entities)
        require_declared(found, endpoint, inputs.get("versions") or {}, inputs.get("traffic") or {})
        self.clock.sleep(inputs["initial_delay_seconds"])
        patience = Patience(
            timeout_seconds=inputs["timeout_seconds"],
            warm_up_seconds=inputs["warm_up_seconds"],
            retries=int(inputs["retries"]),
            backoff_seconds=inputs["backoff_seconds"],
            retry_statuses=frozenset(int(status) for status in inputs.get("retry_statuses") or RETRIED_STATUSES),
            retry_seconds=inputs.get("retry_seconds"),
        )
        golden = [self._golden_case(one) for one in inputs.get("golden") or []]
        run = ask_everything(
            self.client,
            endpoint,
            entities,
            [*cases, *golden],
            patience=patience,
            clock=self.clock,
            versions=inputs.get("versions") or {},
        )
        suite = _digest_of(inputs)
        if run.failures:
            self._fail(run, inputs, suite)
        verdicts = [[one.target, one.case.name, one.answer.status, PASSED] for one in run.asked]
        return {
            "endpoint_name": endpoint,
            "served_entities": entities,
            "triggers": inputs.get("triggers", {}),
            "suite_digest": suite,
            "digest": suite_digest({"endpoint": endpoint, "suite": suite, "verdicts": verdicts, **_rows_of(golden)}),
            "status": PASSED,
            "endpoint_state": str(found.state.ready.value) if found.state and found.state.ready else "",
            "passed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "queries_sent": run.sent,
            "latency_ms": run.latencies(),
            "answered_by": dict.fromkeys(entities, "ok"),
            "golden_difference": _differences(run, [*cases, *golden]),
        }

    def _golden_case(self, spec: Props) -> SmokeCase:
        rows = rows_by_sql(self.client, spec["warehouse_id"], spec["sql"])
        try:
            return golden_case(
                spec["name"],
                rows,
                expected=spec["expected"],
                tolerance=spec["tolerance"],
                version=spec.get("version"),
            )
        except SuiteError as error:
            raise ProviderError(str(error), f"Statement: {spec['sql']}") from None

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
        failures = [*self.name_failures(inputs)]
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
        if not queries and not inputs.get("golden"):
            return [self.failure("queries", "there is no query; ask at least one")]
        golden = [] if is_unknown(inputs.get("golden")) else inputs.get("golden") or []
        failures, names = [], [query.get("name") for query in (*queries, *golden)]
        if len(set(names)) != len(names):
            failures.append(self.failure("queries", f"two queries have one name: {names}; give every query its own"))
        for query in queries:
            try:
                _parsed(query)
            except SuiteError as error:
                failures.append(self.failure("queries", error))
        if not is_unknown([inputs.get("versions"), inputs.get("served_entities"), inputs.get("golden")]):
            failures.extend(self.failure("queries", problem) for problem in _unproven(inputs))
        return failures

    def _limits(self, inputs: Props) -> list[CheckFailure]:
        values = {name: known(inputs, name) for name in (*_SECONDS, *_AT_LEAST_ZERO)}
        too_small = [(name, "more than 0") for name in _SECONDS if values[name] is not None and not values[name] > 0]
        negative = [
            (name, "0 or more") for name in _AT_LEAST_ZERO if values[name] is not None and not values[name] >= 0
        ]
        statuses = known(inputs, "retry_statuses") or []
        return [
            *(
                self.failure(name, f"is {values[name]:g}, expected {wanted}")
                for name, wanted in (*too_small, *negative)
            ),
            *(
                self.failure(
                    "retry_statuses", f"{status:g} does not pass by itself; use {', '.join(map(str, _MAY_PASS))}"
                )
                for status in statuses
                if status not in _MAY_PASS
            ),
        ]


def _digest_of(inputs: Mapping[str, Any]) -> str:
    """The digest of what decides whether the suite runs again, in a form that formatting and order do not touch."""
    queries = [
        {
            "name": query["name"],
            "payload": json.loads(query["payload"]),
            "expect": _beyond_defaults(json.loads(query["expect"])),
            **({"version": query["version"]} if query.get("version") else {}),
        }
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
            **({"golden": inputs["golden"]} if inputs.get("golden") else {}),
        }
    )


def _unproven(inputs: Mapping[str, Any]) -> Iterator[str]:
    """Queries that no entity would be asked, and entities that would be asked nothing."""
    versions = inputs.get("versions") or {}
    asked = [*inputs["queries"], *(inputs.get("golden") or [])]
    for query in asked:
        if query.get("version") and query["version"] not in versions.values():
            named = ", ".join(sorted(set(versions.values()))) or "none named"
            yield (
                f"{query['name']!r} is for version {query['version']}, and no entity is of it (versions: {named}): it "
                "would prove nothing"
            )
    for entity in inputs.get("served_entities") or []:
        if all(query.get("version") and query["version"] != versions.get(entity) for query in asked):
            yield f"{entity} would be asked nothing: every query is for another version; add one that is for all"


def _beyond_defaults(expect: Mapping[str, Any]) -> Props:
    """A newer version of this code, with more to expect, makes no new suite."""
    defaults = json.loads(expectation_text(SmokeExpectation()))
    return {name: value for name, value in expect.items() if value != defaults.get(name)}


def _parsed(query: Mapping[str, Any]) -> SmokeCase:
    return parse_case(query.get("name"), query.get("payload"), query.get("expect"), query.get("version"))


def _rows_of(golden: Sequence[SmokeCase]) -> Props:
    """What the table said: part of the evidence, and not of what makes the suite run again."""
    if not golden:
        return {}
    return {"golden": [[case.name, case.payload, case.expect.values] for case in golden]}


def _differences(run: SmokeRun, cases: Sequence[SmokeCase]) -> dict[str, float]:
    """The largest difference of every query whose values were compared with a tolerance."""
    compared = {case.name for case in cases if case.expect.values is not None and case.expect.absolute_tolerance}
    found: dict[str, float] = {}
    for one in run.asked:
        if one.case.name in compared and (difference := largest_difference(one.case, one.answer.body)) is not None:
            found[one.case.name] = max(found.get(one.case.name, 0.0), difference)
    return found
