"""How a release goes: steps, bakes, gates, budget; read from the inputs of a `TrafficRollout`, checked. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from ..traffic import WHOLE

Standby = Literal["keep", "drop"]
Versus = Literal["none", "difference", "ratio"]

EXPORTED = ("error_rate", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms")
DRIFT = "prediction_drift"
SQL = "sql"
# A percentile is claimed from as many requests as give a 95 % chance that one of them lies beyond it.
LEAST_REQUESTS = {"latency_p50_ms": 5, "latency_p95_ms": 59, "latency_p99_ms": 299}


class PlanError(ValueError):
    """A plan that cannot be followed; the message lists every reason, each with what to write."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One condition on the candidate's figures."""

    metric: str
    """`error_rate` (share of answers with a status from 400), `latency_p50_ms`, `latency_p95_ms`, `latency_p99_ms`
    (of the endpoint's metrics export), `prediction_drift` (of the inference table), or `sql`."""
    pass_at_most: float
    """The gate passes up to this figure."""
    fail_above: float | None = None
    """It fails above this one, and holds the release in between; `pass_at_most` when left out."""
    versus: Versus = "none"
    """What the figure is: the candidate's own, or its difference from (or ratio to) that of the version that runs
    at the same time."""
    min_requests: int = 59
    """Fewer requests of the candidate than this decide nothing."""
    dry_run: bool = False
    """Only reported."""
    name: str = ""
    """For messages; the metric when left out."""
    statement: str = ""
    """With `sql`: a SELECT of one row with a column `value`, and perhaps `requests`. Parameters: `:since`, `:until`
    (timestamps), `:candidate`, `:stable` (served_entity_id in the inference table)."""

    @property
    def label(self) -> str:
        return self.name or self.metric

    @property
    def limit(self) -> float:
        """Above this the gate fails."""
        return self.pass_at_most if self.fail_above is None else self.fail_above

    @property
    def reads_table(self) -> bool:
        """Whether it waits for the inference table, which is delivered late."""
        return self.metric in (DRIFT, SQL)


DEFAULT_GATES = (
    Gate(metric="error_rate", pass_at_most=0.01, fail_above=0.02, versus="difference"),
    Gate(metric="latency_p95_ms", pass_at_most=1.5, fail_above=2.0, versus="ratio"),
)


@dataclass(frozen=True, kw_only=True)
class ErrorBudget:
    """What a defect of the new version may cost, at most, in one step."""

    seconds: float
    """Seconds of full outage: percent of traffic x share of failing answers x time."""
    assumed_defect: float = 1.0
    """Share of the candidate's answers that are taken to fail, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a release goes."""

    steps: tuple[int, ...] = (5, 20, 50, 100)
    """Percent of the traffic, ascending, ending in 100."""
    bake_seconds: float = 300.0
    """How long every step is watched."""
    poll_seconds: float = 15.0
    """Between two looks; an abort is obeyed within one."""
    bake_cap_seconds: float = 1800.0
    """All bakes of one `pulumi up` together: the stack is locked meanwhile. What is left goes on in the next one."""
    delivery_lag_seconds: float = 3600.0
    """How late the inference table may be; added to the bake where a gate reads it."""
    gates: tuple[Gate, ...] = DEFAULT_GATES
    error_limit: int = 4
    """More consecutive questions without a usable answer than this end the release."""
    error_budget: ErrorBudget | None = None
    approval_before: int | None = None
    """The step that a person has to allow, by a tag of the model version."""
    approval_tag: str = "release_approved"
    standby: Standby = "keep"
    """Whether the version before stays at 0 % for the rollback window. It costs what it cost before."""
    rollback_window_seconds: float = 86400.0
    """How long a version that was good is taken back without steps."""
    lease_seconds: float = 120.0
    """How long a driver that has died keeps others away."""
    retry: str = ""
    """Digest of a failed release that may be tried again."""

    @property
    def lag_seconds(self) -> float:
        """What the gates of this plan add to every bake."""
        return self.delivery_lag_seconds if any(gate.reads_table for gate in self.gates) else 0.0

    def cost_of(self, percent: int) -> float | None:
        """Seconds of full outage that the assumed defect costs in a step of `percent`; None without a budget."""
        if self.error_budget is None:
            return None
        return percent / WHOLE * self.error_budget.assumed_defect * (self.bake_seconds + self.lag_seconds)

    def told(self) -> str:
        """For people, at preview: the steps, how long each is watched, what it may cost, who has to allow what."""
        steps = ", ".join(
            f"{percent} %" + ("" if (cost := self.cost_of(percent)) is None else f" (may cost {cost:.0f} s of outage)")
            for percent in self.steps
        )
        late = f" and {self.lag_seconds:g} s for the inference table" if self.lag_seconds else ""
        gates = ", ".join(gate.label + (" (dry run)" if gate.dry_run else "") for gate in self.gates) or "none"
        parts = [
            f"0 % with smoke queries, then {steps}",
            f"each watched for {self.bake_seconds:g} s{late}",
            f"gates: {gates}",
        ]
        if self.error_budget is not None:
            parts.append(f"error budget {self.error_budget.seconds:g} s a step")
        if self.approval_before is not None:
            parts.append(f"{self.approval_before} % waits for tag {self.approval_tag}")
        after = f"stands by for {self.rollback_window_seconds:g} s" if self.standby == "keep" else "is dropped"
        return "; ".join([*parts, f"the version before {after}"])

    def text(self) -> str:
        """As JSON text: numbers keep their kind when they cross the engine as text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


def parse_plan(text: str) -> Plan:
    """A plan from its JSON text, checked.

    Raises:
        PlanError: naming everything that is wrong.
    """
    values: dict[str, Any] = json.loads(text)
    gates = tuple(Gate(**gate) for gate in values.pop("gates", [asdict(gate) for gate in DEFAULT_GATES]))
    budget = values.pop("error_budget", None)
    plan = Plan(
        **{**values, "steps": tuple(values.get("steps", Plan.steps))},
        gates=gates,
        error_budget=None if budget is None else ErrorBudget(**budget),
    )
    if problems := list(problems_of(plan)):
        raise PlanError("\n".join(problems))
    return plan


def problems_of(plan: Plan) -> Iterator[str]:
    """Everything about a plan that cannot work, as `field: what, value, fix`."""
    yield from _step_problems(plan)
    for name in ("bake_seconds", "delivery_lag_seconds", "rollback_window_seconds"):
        if not getattr(plan, name) >= 0:
            yield f"{name}: is {getattr(plan, name):g}; it is 0 or more"
    for name in ("poll_seconds", "bake_cap_seconds", "lease_seconds"):
        if not getattr(plan, name) > 0:
            yield f"{name}: is {getattr(plan, name):g}; it is more than 0"
    if plan.poll_seconds * 2 > plan.lease_seconds:
        yield (
            f"lease_seconds: {plan.lease_seconds:g} is less than two polls of {plan.poll_seconds:g} s: "
            "the lease would end between two looks; make it longer"
        )
    if plan.error_limit < 0:
        yield f"error_limit: is {plan.error_limit}; it is 0 or more"
    if plan.approval_before is not None and plan.approval_before not in plan.steps:
        yield f"approval_before: there is no step of {plan.approval_before} %; use one of {list(plan.steps)}"
    if plan.standby not in get_args(Standby):
        yield f"standby: {plan.standby!r} is unknown; use one of {', '.join(get_args(Standby))}"
    yield from _gate_problems(plan)
    yield from _budget_problems(plan)


def _step_problems(plan: Plan) -> Iterator[str]:
    steps = plan.steps
    whole = all(type(step) is int and 0 < step <= WHOLE for step in steps)
    if not steps or not whole or list(steps) != sorted(set(steps)) or steps[-1] != WHOLE:
        yield (
            f"steps: {list(steps)} are no ascending whole percentages that end in {WHOLE}; "
            "write for example [5, 20, 50, 100]. The dark stage at 0 % comes before them by itself"
        )


def _gate_problems(plan: Plan) -> Iterator[str]:
    labels = [gate.label for gate in plan.gates]
    for number, gate in enumerate(plan.gates):
        path = f"gates[{number}] ({gate.label})"
        if gate.metric not in (*EXPORTED, DRIFT, SQL):
            yield f"{path}: unknown metric {gate.metric!r}; use one of {', '.join((*EXPORTED, DRIFT, SQL))}"
        if (gate.metric == SQL) != bool(gate.statement.strip()):
            yield f"{path}: a statement belongs to the metric sql and to no other; add or remove it"
        if gate.metric == SQL and not gate.name:
            yield f"{path}: has no name; give a gate of your own one"
        if gate.versus not in get_args(Versus):
            yield f"{path}: versus is {gate.versus!r}; use one of {', '.join(get_args(Versus))}"
        if gate.versus != "none" and gate.reads_table:
            yield f"{path}: compares in its statement already; remove versus"
        if gate.fail_above is not None and gate.fail_above < gate.pass_at_most:
            yield (
                f"{path}: fails above {gate.fail_above:g}, which is less than what passes ({gate.pass_at_most:g}); "
                "make fail_above the larger one"
            )
        least = LEAST_REQUESTS.get(gate.metric, 1)
        if gate.min_requests < least:
            yield f"{path}: min_requests is {gate.min_requests}; {gate.metric} is claimed from {least} or more"
        if labels.count(gate.label) > 1 and labels.index(gate.label) == number:
            yield f"{path}: two gates have this name; give one of them another"


def _budget_problems(plan: Plan) -> Iterator[str]:
    budget = plan.error_budget
    if budget is None:
        return
    if not 0 < budget.assumed_defect <= 1:
        yield f"error_budget.assumed_defect: is {budget.assumed_defect:g}; it is a share, more than 0 and at most 1"
        return
    time = plan.bake_seconds + plan.lag_seconds
    for percent in plan.steps:
        cost = plan.cost_of(percent)
        if cost is not None and cost > budget.seconds:
            yield (
                f"error_budget: the step of {percent} % may cost {cost:.0f} s of full outage ({percent} % of the "
                f"traffic x {budget.assumed_defect:g} of it failing x {time:g} s), and the budget is "
                f"{budget.seconds:g} s: "
                "bake for a shorter time, or raise the budget"
            )


def gate_of(values: Mapping[str, Any]) -> Gate:
    """A gate from plain values, with the least number of requests that its metric allows as the default."""
    least = LEAST_REQUESTS.get(str(values.get("metric")), Gate.min_requests)
    return Gate(**{"min_requests": max(least, 1), **values})
