"""The smoke suite of a stack file, in the terms of the provider that asks it."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
from pydantic import TypeAdapter, ValidationError

from .config import GoldenConfig, ServingConfig, SmokeConfig, SmokeExpectationConfig, SmokeQueryConfig
from .dynamic import GoldenQuery, SmokeCase, SmokeExpectation
from .dynamic.smoke_golden import golden_case, rows_of_file
from .dynamic.smoke_suite import SuiteError

_QUERIES = TypeAdapter(list[SmokeQueryConfig])


class SmokeSuiteError(pulumi.RunError):
    """The suite cannot be made: which file or setting, what is wrong, what to write. Shown without a traceback."""


def smoke_cases(config: SmokeConfig) -> list[SmokeCase]:
    """One case for every query: of the stack file, then of its files, then the golden rows that stand in files.

    Raises:
        SmokeSuiteError: a file is missing or holds no queries.
    """
    queries = [*config.queries, *(query for file in config.files for query in _queries_of(file))]
    return [
        *(SmokeCase(name=query.name, payload=query.payload, expect=_expectation(query.expect)) for query in queries),
        *(_golden_of(golden, golden.file) for golden in config.golden if golden.file is not None),
    ]


def golden_queries(config: SmokeConfig, warehouse_id: str) -> list[GoldenQuery]:
    """The golden rows that are read from tables, when the suite runs."""
    return [
        GoldenQuery(
            name=golden.name,
            sql=golden.sql,
            warehouse_id=warehouse_id,
            expected=golden.expected,
            tolerance=golden.tolerance,
            version=golden.version,
        )
        for golden in config.golden
        if golden.sql is not None
    ]


def check_suite(config: ServingConfig) -> None:
    """Raises SmokeSuiteError for what a release cannot ask: it asks the new version only, before any of its rows."""
    if config.endpoint.rollout is None:
        return
    for golden in config.smoke.golden:
        if golden.sql is not None or golden.version is not None:
            raise SmokeSuiteError(
                f"smoke.golden {golden.name!r}: with endpoint.rollout, golden rows come from a file and are for "
                "whatever version is released; write the rows to a file and remove `sql` and `version`, or the rollout"
            )


def _expectation(expect: SmokeExpectationConfig) -> SmokeExpectation:
    return SmokeExpectation(
        status=expect.status,
        predictions_count=expect.predictions,
        required_fields=expect.required_fields,
        field_types=expect.field_types,
        values=expect.values,
        absolute_tolerance=expect.tolerance,
        relative_tolerance=expect.relative_tolerance,
        max_latency_ms=expect.max_latency_ms,
        max_percentile_ms={} if expect.latency is None else expect.latency.limits,
        samples=0 if expect.latency is None else expect.latency.samples,
    )


def _queries_of(file: str) -> list[SmokeQueryConfig]:
    try:
        queries = _QUERIES.validate_python(json.loads(Path(file).read_text(encoding="utf-8")))
    except (OSError, ValidationError, ValueError) as error:
        raise SmokeSuiteError(
            f"smoke.files: {file} holds no queries: {error}. Write a JSON list of objects with name, payload and expect"
        ) from None
    if not queries:
        raise SmokeSuiteError(f"smoke.files: {file} holds an empty list; write a query or remove the file")
    return queries


def _golden_of(golden: GoldenConfig, file: str) -> SmokeCase:
    try:
        return golden_case(
            golden.name,
            rows_of_file(file),
            expected=golden.expected,
            tolerance=golden.tolerance,
            version=golden.version,
        )
    except SuiteError as error:
        raise SmokeSuiteError(f"smoke.golden: {error}") from None
