"""The smoke queries of a stack file."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from components.config.fields import (
    Section,
)


class SmokeExpectationConfig(Section):
    """What a smoke query's answer must look like."""

    status: int = 200
    predictions: int | None = Field(
        default=None,
        ge=0,
        description="Number of predictions; one for each record when left out.",
    )
    required_fields: list[str] = Field(default_factory=list, description="Fields that every prediction has.")
    values: list[Any] | None = Field(default=None, description="The predictions themselves, in order.")
    tolerance: float = Field(default=0.0, ge=0, description="Largest allowed difference of a number in `values`.")
    max_latency_ms: float | None = Field(default=None, gt=0)


class SmokeQueryConfig(Section):
    """One named question to the endpoint and to each of its served entities."""

    name: str
    payload: dict[str, Any] = Field(description="Body of the request, for example `{dataframe_records: [...]}`.")
    expect: SmokeExpectationConfig = SmokeExpectationConfig()


class SmokeConfig(Section):
    """The queries that prove a deployment before the alias moves."""

    queries: list[SmokeQueryConfig] = Field(min_length=1)
    timeout_seconds: float = Field(default=60, gt=0, description="For one query.")
    warm_up_seconds: float = Field(default=300, ge=0, description="For the first answer of a cold endpoint.")
    initial_delay_seconds: float = Field(default=0, ge=0)

    @field_validator("queries")
    @classmethod
    def _names(cls, value: list[SmokeQueryConfig]) -> list[SmokeQueryConfig]:
        names = [query.name for query in value]
        if len(set(names)) != len(names):
            raise ValueError(f"names a query twice: {names}; give every query a name of its own")
        return value
