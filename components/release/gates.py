"""From figures to a verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .exposition import Figures
from .machine import Verdict
from .plan import Gate

_QUANTILES = {"latency_p50_ms": 0.50, "latency_p95_ms": 0.95, "latency_p99_ms": 0.99}


@dataclass(frozen=True)
class Reading:
    """One gate's figure, and what it was made of."""

    value: float | None
    """None where there is nothing to say yet."""
    requests: float
    """Answers of the candidate behind it."""
    comparable: bool = True
    """False where the gate compares and the other version has no traffic: it decides nothing then."""


@dataclass(frozen=True)
class Judged:
    """A gate with its reading and verdict."""

    gate: Gate
    reading: Reading
    verdict: Verdict

    def text(self) -> str:
        """For people, for example `error_rate 0.4 % of 412 (passes up to 1 %)`."""
        gate, reading = self.gate, self.reading
        if not reading.comparable:
            return f"{gate.label}: nothing to compare with"
        shown = "no figure" if reading.value is None else _shown(gate, reading.value)
        wanted = f"passes up to {_shown(gate, gate.pass_at_most)}"
        if gate.fail_above is not None and gate.fail_above != gate.pass_at_most:
            wanted += f", fails above {_shown(gate, gate.fail_above)}"
        few = f", at least {gate.min_requests} needed" if reading.requests < gate.min_requests else ""
        dry = ", only reported" if gate.dry_run else ""
        return f"{gate.label} {shown} from {reading.requests:.0f} requests ({wanted}{few}{dry})"


def read_export(gate: Gate, candidate: Figures, stable: Figures | None) -> Reading:
    """A gate's figure from what the two versions did in the same time.

    Args:
        stable: None where the version before has no traffic in this step.
    """
    own = _figure(gate.metric, candidate)
    if gate.versus == "none":
        return Reading(own, candidate.requests)
    if stable is None:
        return Reading(None, candidate.requests, comparable=False)
    other = _figure(gate.metric, stable)
    if own is None or other is None:
        return Reading(None, candidate.requests)
    if gate.versus == "difference":
        return Reading(own - other, candidate.requests)
    return Reading(own / other if other > 0 else None, candidate.requests)


def judge(gate: Gate, reading: Reading) -> Judged:
    """Pass, fail or neither. Too few requests decide nothing, either way."""
    if not reading.comparable:
        return Judged(gate, reading, Verdict.PASS)
    if reading.value is None or reading.requests < gate.min_requests:
        return Judged(gate, reading, Verdict.INCONCLUSIVE)
    if reading.value > gate.limit:
        return Judged(gate, reading, Verdict.FAIL)
    return Judged(gate, reading, Verdict.PASS if reading.value <= gate.pass_at_most else Verdict.INCONCLUSIVE)


def together(judged: Iterable[Judged]) -> tuple[Verdict, str]:
    """The verdict of all gates, and in words which of them decided it. A dry run decides nothing."""
    binding = [one for one in judged if not one.gate.dry_run]
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        found = [one.text() for one in binding if one.verdict is verdict]
        if found:
            return verdict, "; ".join(found)
    return Verdict.PASS, "; ".join(one.text() for one in binding)


def stable_figures(figures: Mapping[str, Figures], names: Iterable[str]) -> Figures:
    """What all entities of the config before did together."""
    total = Figures()
    for name in names:
        one = figures.get(name, Figures())
        total.requests += one.requests
        total.errors += one.errors
        for bound, count in one.buckets.items():
            total.buckets[bound] = total.buckets.get(bound, 0.0) + count
    return total


def _figure(metric: str, figures: Figures) -> float | None:
    if metric == "error_rate":
        return figures.error_rate
    return figures.latency_ms(_QUANTILES[metric])


def _shown(gate: Gate, value: float) -> str:
    if gate.metric == "error_rate":
        return f"{value * 100:.2g} %" if gate.versus != "ratio" else f"{value:.3g} x"
    if gate.metric.startswith("latency"):
        return f"{value:.3g} x" if gate.versus == "ratio" else f"{value:.0f} ms"
    return f"{value:.4g}"
