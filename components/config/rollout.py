"""How a new version is released: the part of a stack file under `endpoint.rollout`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..release.plan import DEFAULT_GATES, LEAST_REQUESTS, ErrorBudget, Gate, Plan, problems_of
from .fields import Filled, Section
from .rules import rule

_FEWEST = Gate.min_requests


class GateConfig(Section):
    """One condition on the new version's figures."""

    metric: Literal["error_rate", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "prediction_drift", "sql"]
    pass_at_most: float = Field(description="The gate passes up to this figure.")
    fail_above: float | None = Field(
        default=None, description="It fails above this one and holds in between; `passAtMost` when left out."
    )
    versus: Literal["none", "difference", "ratio"] = Field(
        default="none", description="Compare with the version that runs at the same time."
    )
    min_requests: int | None = Field(default=None, ge=1, description="Fewer requests decide nothing.")
    dry_run: bool = Field(default=False, description="Only reported.")
    name: str = Field(default="", description="For messages; needed for a statement.")
    statement: str = Field(
        default="",
        description="With metric sql: one row with `value`, and perhaps `requests`; may use :since, :until, "
        ":candidate, :stable.",
    )

    @property
    def gate(self) -> Gate:
        """In the terms of a release."""
        least = max(_FEWEST, LEAST_REQUESTS.get(self.metric, 1))
        return Gate(
            metric=self.metric,
            pass_at_most=self.pass_at_most,
            fail_above=self.fail_above,
            versus=self.versus,
            min_requests=least if self.min_requests is None else self.min_requests,
            dry_run=self.dry_run,
            name=self.name,
            statement=self.statement,
        )


class ErrorBudgetConfig(Section):
    """What a defect of the new version may cost in one step; more is refused at preview."""

    seconds: float = Field(gt=0, description="Seconds of full outage.")
    assumed_defect: float = Field(default=1.0, gt=0, le=1, description="Share of its answers that are taken to fail.")


class RolloutConfig(Section):
    """Releases by steps, that prove themselves or revert. Without it the percentages in the stack file run at once."""

    steps: list[int] = Field(
        default_factory=lambda: list(Plan.steps), description="Percent of the traffic, ascending, ending in 100."
    )
    bake_seconds: float = Field(default=Plan.bake_seconds, ge=0, description="How long each step is watched.")
    poll_seconds: float = Field(default=Plan.poll_seconds, gt=0, description="Between two looks.")
    bake_cap_seconds: float = Field(default=Plan.bake_cap_seconds, gt=0, description="All bakes of one `pulumi up`.")
    delivery_lag_seconds: float = Field(
        default=Plan.delivery_lag_seconds, ge=0, description="How late the inference table may be, for gates on it."
    )
    gates: list[GateConfig] | None = Field(
        default=None, description="Errors and latency against the version before when left out; an empty list is none."
    )
    error_limit: int = Field(default=Plan.error_limit, ge=0, description="Consecutive errors that are borne.")
    error_budget: ErrorBudgetConfig | None = None
    approval_before: int | None = Field(default=None, description="The step that a person allows by a tag.")
    approval_tag: Filled = Field(default=Plan.approval_tag, description="Tag of the model version: `true` allows.")
    standby: Literal["keep", "drop"] = Field(
        default="keep", description="Whether the version before stays at 0 % for the rollback window, at its cost."
    )
    rollback_window_seconds: float = Field(default=Plan.rollback_window_seconds, ge=0)
    lease_seconds: float = Field(
        default=Plan.lease_seconds, gt=0, description="How long a driver that has died keeps others away."
    )
    retry: str = Field(default="", description="What a failed release gave as its retry value: it is tried once more.")

    @property
    def plan(self) -> Plan:
        """In the terms of a release."""
        budget = self.error_budget
        return Plan(
            steps=tuple(self.steps),
            bake_seconds=self.bake_seconds,
            poll_seconds=self.poll_seconds,
            bake_cap_seconds=self.bake_cap_seconds,
            delivery_lag_seconds=self.delivery_lag_seconds,
            gates=DEFAULT_GATES if self.gates is None else tuple(one.gate for one in self.gates),
            error_limit=self.error_limit,
            error_budget=None
            if budget is None
            else ErrorBudget(seconds=budget.seconds, assumed_defect=budget.assumed_defect),
            approval_before=self.approval_before,
            approval_tag=self.approval_tag,
            standby=self.standby,
            rollback_window_seconds=self.rollback_window_seconds,
            lease_seconds=self.lease_seconds,
            retry=self.retry,
        )

    @rule()
    def _can_be_followed(self) -> None:
        if problems := list(problems_of(self.plan)):
            raise ValueError("\n".join(problems))
