"""The smoke queries of a stack file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from ..dynamic.smoke_golden import TOLERANCE
from ..names import check_version
from .fields import (
    Filled,
    Section,
    Version,
)
from .rules import rule


class SmokeLatencyConfig(Section):
    """Limits of percentiles, judged for each served entity once it is warm."""

    samples: int = Field(
        ge=1,
        description="Answers to judge from: 5 or more for p50Ms, 59 for p95Ms, 299 for p99Ms; fewer claim nothing.",
    )
    p50_ms: float | None = Field(default=None, gt=0)
    p95_ms: float | None = Field(default=None, gt=0)
    p99_ms: float | None = Field(default=None, gt=0)

    @property
    def limits(self) -> dict[str, float]:
        """Percentile to its limit in milliseconds."""
        stated = {"50": self.p50_ms, "95": self.p95_ms, "99": self.p99_ms}
        return {percentile: limit for percentile, limit in stated.items() if limit is not None}


class SmokeExpectationConfig(Section):
    """What a smoke query's answer must look like."""

    status: int = 200
    predictions: int | None = Field(
        default=None,
        ge=0,
        description="Number of predictions; one for each record when left out.",
    )
    required_fields: list[str] = Field(
        default_factory=list,
        description="Fields that every prediction has; of the answer itself where it has no predictions (chat).",
    )
    field_types: dict[str, str] = Field(
        default_factory=dict,
        alias="schema",
        description=(
            "Field to JSON type: number, integer, string, boolean, array, object; `?` behind it allows null. The field "
            "`.` is the prediction itself, `choices.0.message.content` a place in a list."
        ),
    )
    values: list[Any] | None = Field(default=None, description="The predictions themselves, in order.")
    tolerance: float = Field(default=0.0, ge=0, description="Largest allowed difference of a number in `values`.")
    relative_tolerance: float = Field(default=0.0, ge=0, description="The same, as a share of the larger number.")
    max_latency_ms: float | None = Field(default=None, gt=0, description="Of a single answer of a warm entity.")
    latency: SmokeLatencyConfig | None = None


class SmokeQueryConfig(Section):
    """One named question to the endpoint and to each of its served entities."""

    name: str
    payload: dict[str, Any] = Field(description="Body of the request, for example `{dataframe_records: [...]}`.")
    expect: SmokeExpectationConfig = SmokeExpectationConfig()


class GoldenConfig(Section):
    """Rows that batch scoring has answered, which the endpoint has to answer alike."""

    name: Filled
    file: Filled | None = Field(
        default=None, description="JSON list of rows, or one JSON object a line; relative to the project's folder."
    )
    sql: Filled | None = Field(
        default=None, description="Or a statement for the warehouse, with an ORDER BY; at most 1,000 rows."
    )
    expected: Filled = Field(default="prediction", description="Column with the prediction; the others are inputs.")
    tolerance: float = Field(default=TOLERANCE, ge=0, description="Largest allowed difference of a number.")
    version: Version | None = Field(
        default=None, description="Model version that made the predictions; only its entities are asked."
    )

    @rule()
    def _one_source(self) -> None:
        if (self.file is None) == (self.sql is None):
            raise ValueError("takes exactly one of `file` and `sql`; say where the rows come from")
        if self.version is not None:
            check_version(self.version)


class SmokeConfig(Section):
    """The queries that prove a deployment before the alias moves."""

    queries: list[SmokeQueryConfig] = Field(default_factory=list)
    files: list[Filled] = Field(
        default_factory=list,
        description="JSON files with more queries: lists of what stands under `queries`; relative to the project.",
    )
    golden: list[GoldenConfig] = Field(default_factory=list)
    timeout_seconds: float = Field(default=60, gt=0, description="For one query.")
    warm_up_seconds: float = Field(default=300, ge=0, description="For the first answer of a cold endpoint.")
    initial_delay_seconds: float = Field(default=0, ge=0)
    retries: int = Field(default=2, ge=0, description="How often a query is asked again that may pass.")
    backoff_seconds: float = Field(default=5, ge=0, description="Before the first retry; doubled before each further.")
    retry_statuses: list[int] = Field(
        default=[429, 503], min_length=1, description="What may pass: some of 408, 425, 429, 500, 502, 503, 504."
    )
    retry_seconds: float | None = Field(
        default=None, gt=0, description="No retry starts later than this after its query; no limit when left out."
    )

    @rule("queries")
    def _names(self) -> Iterator[str]:
        names = [query.name for query in self.queries]
        if len(set(names)) != len(names):
            yield f"names a query twice: {names}; give every query a name of its own"

    @rule()
    def _asks_something(self) -> None:
        if not (self.queries or self.files or self.golden):
            raise ValueError("asks nothing; name at least one of queries, files and golden")
