"""Whether a version may take over from another one, by what both have answered at the same time. Pure.

Not worse has to be shown: a contender passes where, with the asked confidence, it makes at most so many more mistakes
and costs at most so much more than the incumbent (a test of non-inferiority). It fails where it is shown to be worse.
In between nobody knows yet, and the test goes on. Differences of means are taken for normal, which the least number
of rows is for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

Outcome = Literal["passed", "failed", "inconclusive", "no data"]

#: Fewer rows say nothing, and a mean of fewer is not normal.
FEWEST_ROWS: Final = 30


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What a version has answered: rows whose label is known, and the loss of each, which is 0 or more."""

    version: str
    rows: int = 0
    mistakes: int = 0
    loss: float = 0.0
    """Sum over the rows."""
    loss_squares: float = 0.0
    """Sum of the squares."""

    @property
    def error_rate(self) -> float:
        return self.mistakes / self.rows

    @property
    def mean_loss(self) -> float:
        return self.loss / self.rows

    @property
    def error_variance(self) -> float:
        """Of the mean. Of a share that is 0 or 1 too: half a mistake is added to each side (Agresti and Coull)."""
        rows = self.rows + 1
        share = (self.mistakes + 0.5) / rows
        return share * (1 - share) / rows

    @property
    def loss_variance(self) -> float:
        """Of the mean."""
        spread = max(self.loss_squares / self.rows - self.mean_loss**2, 0.0)
        return spread / (self.rows - 1)


@dataclass(frozen=True, kw_only=True)
class AbPolicy:
    """What is asked of a contender.

    Raises ValueError for a margin below 0, too few rows, or a confidence that is none.
    """

    error_margin: float = 0.02
    """How much larger its share of mistakes may be."""
    loss_margin: float = 2.0
    """How much larger its mean loss may be, in the unit of the loss."""
    minimum_rows: int = 200
    """Labelled rows that each version needs."""
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in ("error_margin", "loss_margin"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; a margin is 0 or more")
        if self.minimum_rows < FEWEST_ROWS:
            raise ValueError(f"minimum_rows is {self.minimum_rows}; judge by {FEWEST_ROWS} rows or more")
        if not 0.5 < self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence}; it is between 0.5 and 1, for example 0.95")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Contender minus incumbent: more is worse. Bounds are one-sided, each with the policy's confidence."""

    name: str
    value: float
    lower: float
    upper: float
    margin: float

    @property
    def is_harmless(self) -> bool:
        return self.upper <= self.margin

    @property
    def is_harm(self) -> bool:
        return self.lower > 0

    def __str__(self) -> str:
        return f"{self.name} {self.value:+.4g} (at most {self.upper:+.4g}, {self.margin:g} allowed)"


@dataclass(frozen=True, kw_only=True)
class AbVerdict:
    """The outcome, and what it rests on."""

    outcome: Outcome
    explanation: str
    incumbent: Arm
    contender: Arm
    differences: tuple[Difference, ...] = ()


def judge(incumbent: Arm, contender: Arm, policy: AbPolicy) -> AbVerdict:
    """The verdict on a contender."""
    few = [arm for arm in (incumbent, contender) if arm.rows < policy.minimum_rows]
    if few:
        told = " and ".join(f"version {arm.version} has {arm.rows}" for arm in few)
        explanation = f"{told} of {policy.minimum_rows} rows with a label that are needed"
        return AbVerdict(outcome="no data", explanation=explanation, incumbent=incumbent, contender=contender)
    differences = (
        _difference(
            "share of mistakes",
            contender.error_rate - incumbent.error_rate,
            contender.error_variance + incumbent.error_variance,
            policy.error_margin,
            policy.confidence,
        ),
        _difference(
            "mean loss",
            contender.mean_loss - incumbent.mean_loss,
            contender.loss_variance + incumbent.loss_variance,
            policy.loss_margin,
            policy.confidence,
        ),
    )
    outcome: Outcome = "inconclusive"
    if all(one.is_harmless for one in differences):
        outcome = "passed"
    elif any(one.is_harm for one in differences):
        outcome = "failed"
    explanation = (
        f"version {contender.version} against {incumbent.version}, {contender.rows} and {incumbent.rows} rows: "
        + ", ".join(map(str, differences))
    )
    return AbVerdict(
        outcome=outcome, explanation=explanation, incumbent=incumbent, contender=contender, differences=differences
    )


def _difference(name: str, value: float, variance: float, margin: float, confidence: float) -> Difference:
    reach = NormalDist().inv_cdf(confidence) * math.sqrt(variance)
    return Difference(name=name, value=value, lower=value - reach, upper=value + reach, margin=margin)
