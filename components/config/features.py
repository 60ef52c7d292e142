"""Online store and feature tables of a stack file."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from ..names import check_store_name
from .fields import (
    PublishMode,
    Section,
)
from .rules import rule


class OnlineStoreConfig(Section):
    """The online store that the feature tables are published to."""

    name: str = Field(description="Name of the store: letters, digits and hyphens, at most 63.")
    capacity: Literal["CU_1", "CU_2", "CU_4", "CU_8"] = "CU_1"
    read_replica_count: int = Field(default=0, ge=0)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_store_name(value)


class FeatureTableConfig(Section):
    """A feature table and its online copy."""

    source: str = Field(description="Table name; in the stack's catalog and schema unless it has three parts.")
    primary_keys: list[str] = Field(min_length=1, description="Key columns, in the order of the table's PRIMARY KEY.")
    timeseries_key: str | None = Field(default=None, description="TIMESERIES column of the key: the newest row wins.")
    publish_mode: PublishMode = "TRIGGERED"
    online_name: str | None = Field(
        default=None, description="Name of the online table; `<source>_online` when left out."
    )
    max_lag_seconds: float | None = Field(
        default=None,
        gt=0,
        description=(
            "How far the copy may be behind the source's newest commit: `up` waits for it, and fails when it does not "
            "come. Any lag when left out."
        ),
    )

    @field_validator("primary_keys")
    @classmethod
    def _unique(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError(f"names a column twice: {value}; a key column is named once")
        return value


class FeatureLatencyConfig(Section):
    """How long a feature lookup may take, measured in pairs of requests with and without it (docs/lookups.md)."""

    target_ms: float = Field(default=5, gt=0, description="Of the lookup alone, not of the whole answer.")
    percentile: Literal[50, 95, 99] = Field(
        default=95, description="p50 takes 5 pairs of requests to each served entity, p95 59, p99 299."
    )
    record: dict[str, Any] | None = Field(
        default=None,
        description="A request record with keys that are there; the first of the first smoke query when left out.",
    )
    features: dict[str, Any] = Field(
        min_length=1, description="A value for every feature that the model looks up; which one does not matter."
    )
    strict: bool = Field(
        default=False, description="Fail also where the target can neither be shown to be met nor to be missed."
    )

    @rule()
    def _told_apart(self) -> None:
        if both := sorted(set(self.record or {}) & set(self.features)):
            raise ValueError(
                f"has {', '.join(both)} in record and in features; a record of keys alone is what has to be looked up"
            )
