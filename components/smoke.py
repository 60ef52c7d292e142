"""The smoke suite of a stack file, in the terms of the provider that asks it."""

from __future__ import annotations

from components.config import SmokeConfig
from components.dynamic import SmokeCase, SmokeExpectation


def smoke_cases(config: SmokeConfig) -> list[SmokeCase]:
    """One case for every query of the stack file, in its order."""
    return [
        SmokeCase(
            name=query.name,
            payload=query.payload,
            expect=SmokeExpectation(
                status=query.expect.status,
                predictions_count=query.expect.predictions,
                required_fields=query.expect.required_fields,
                values=query.expect.values,
                absolute_tolerance=query.expect.tolerance,
                max_latency_ms=query.expect.max_latency_ms,
            ),
        )
        for query in config.queries
    ]
