"""The alerts of a stack file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from .fields import Cron, Email, Filled, Section
from .rules import rule

DriftKind = Literal["BASELINE", "CONSECUTIVE"]


class FreshnessConfig(Section):
    """How old a table's newest row may be."""

    table: Filled = Field(description="Table; in the stack's catalog and schema unless it has three parts.")
    column: Filled = Field(description="Its timestamp column.")
    max_age_minutes: float = Field(gt=0)


class DriftConfig(Section):
    """How far columns may drift, by the monitor's drift metrics table."""

    columns: list[Filled] = Field(min_length=1, description="The worst of them counts.")
    measure: Filled = Field(description="js_distance for categorical columns, wasserstein_distance for numeric ones.")
    limit: float = Field(description="The limit itself does not count.")
    drift_type: DriftKind = "CONSECUTIVE"
    granularity: str = "1 day"
    sliced: bool = Field(default=False, description="Each slice instead of the whole table.")
    min_rows: int = Field(default=1, ge=1, description="Windows, models and slices of fewer values are no answer.")


class QualityConfig(Section):
    """How good predictions must be, by the monitor's profile metrics table."""

    measure: Filled = Field(description="f1_score.macro, mean_squared_error, a custom metric ...")
    limit: float = Field(description="The limit itself does not count.")
    comparison: Literal["GREATER_THAN", "LESS_THAN"] = Field(description="When it fires: the measure is ... the limit.")
    granularity: str = "1 day"
    sliced: bool = Field(default=False, description="Each slice instead of the whole table.")
    needs_labels: bool = Field(default=True, description="Only windows whose labels have arrived are judged.")
    min_rows: int = Field(default=1, ge=1, description="Windows, models and slices of fewer rows are no answer.")


class AlertsConfig(Section):
    """Limits on what the endpoint does, its features and its monitor say, and who hears when one is passed."""

    emails: list[Email] = Field(default_factory=list)
    destinations: list[Filled] = Field(default_factory=list, description="Ids of notification destinations.")
    parent_path: str | None = Field(
        default=None, pattern="^/", description="Workspace folder of the alerts; monitor.assetsDir when left out."
    )
    max_error_share: float | None = Field(default=None, ge=0, lt=1, description="Requests not answered with 200.")
    max_p95_latency_ms: float | None = Field(default=None, gt=0)
    max_tokens: int | None = Field(default=None, ge=0, description="Tokens in a window, as answers name them.")
    window_minutes: int = Field(default=15, ge=1)
    delivery_lag_minutes: int = Field(default=60, ge=0, description="How late the inference table may be.")
    min_requests: int = Field(default=1, ge=1, description="Fewer requests in a window are no answer.")
    freshness: list[FreshnessConfig] = Field(default_factory=list)
    drift: dict[str, DriftConfig] = Field(default_factory=dict)
    quality: dict[str, QualityConfig] = Field(default_factory=dict)
    cron: Cron = Field(default="0 0/15 * * * ?", description="Quartz expression, UTC: when the alerts ask.")
    retrigger_seconds: int = Field(default=3600, ge=0)

    @property
    def asks_the_inference_table(self) -> bool:
        return any(limit is not None for limit in (self.max_error_share, self.max_p95_latency_ms, self.max_tokens))

    @property
    def asks_the_monitor(self) -> bool:
        return bool(self.drift or self.quality)

    @rule()
    def _worth_having(self) -> Iterator[str]:
        if not self.emails and not self.destinations:
            yield "tells nobody; add emails or destinations"
        if not (self.asks_the_inference_table or self.asks_the_monitor or self.freshness):
            yield "has no limit; add maxErrorShare, maxP95LatencyMs, maxTokens, freshness, drift or quality"
