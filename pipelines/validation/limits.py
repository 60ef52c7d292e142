"""What a model must do: limits on metrics, absolute, against the champion, and in slices. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from pipelines.errors import PipelineError

Kind = Literal["accuracy", "business"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What is asked of one metric. A value at the limit itself is good enough.

    Raises PipelineError where nothing is asked, or a number is none.
    """

    metric: str
    """Its name among the measures."""
    kind: Kind
    """How good the model's answers are, or what they are worth."""
    at_least: float | None = None
    """The smallest value that is good enough."""
    at_most: float | None = None
    """The largest value that is good enough."""
    higher_is_better: bool = True
    """Which way is worse, for the comparison with the champion."""
    may_lose: float | None = None
    """How much worse than the champion it may be, in the metric's own unit; not compared when left out."""
    in_slices: bool = True
    """Whether it holds in every slice too, absolutely and against the champion there."""

    def __post_init__(self) -> None:
        numbers = {"at_least": self.at_least, "at_most": self.at_most, "may_lose": self.may_lose}
        given = {name: value for name, value in numbers.items() if value is not None}
        if not given:
            raise PipelineError(f"The limit on {self.metric} asks for nothing: set at_least, at_most or may_lose.")
        for name, value in given.items():
            if not math.isfinite(value) or (name == "may_lose" and value < 0):
                raise PipelineError(f"The limit on {self.metric} has {name} {value}: use a finite number, 0 or more.")
        if self.kind not in KINDS:
            raise PipelineError(f"The limit on {self.metric} is of kind {self.kind!r}: use {' or '.join(KINDS)}.")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Metrics of one version, on all rows and in slices."""

    rows: int
    metrics: Mapping[str, float]
    slices: Mapping[str, Measured] = field(default_factory=dict)
    """By name, such as `contract = 'Two year'`; slices have no slices."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of the checks."""

    failed: Mapping[Kind, tuple[str, ...]]
    """Failed checks in words, by the kind of their limit; kinds without a limit are left out."""
    measured: Measured
    against: str | None = None
    """Number of the champion that it was compared with."""
    skipped: tuple[str, ...] = ()
    """Slices that are too small to say anything."""

    @property
    def passed(self) -> bool:
        return not any(self.failed.values())

    @property
    def failures(self) -> list[str]:
        return [text for texts in self.failed.values() for text in texts]

    def passed_in(self, kind: Kind) -> bool | None:
        """Whether all limits of a kind hold; None where there are none."""
        return None if kind not in self.failed else not self.failed[kind]


def judge(
    measured: Measured,
    limits: Sequence[Limit],
    champion: Measured | None = None,
    *,
    against: str | None = None,
    minimum_rows: int = 1,
    minimum_slice_rows: int = 30,
) -> Verdict:
    """Apply limits to what was measured.

    Args:
        champion: measured on the same rows; None where there is none, and only absolute limits count.
        against: number of the champion's version.
        minimum_rows: fewer rows than that are no proof, and fail.
        minimum_slice_rows: slices of fewer rows are left out, and named in the verdict.

    Raises PipelineError where there is no limit: a validation that asks for nothing proves nothing.
    """
    if not limits:
        raise PipelineError("There are no limits to validate against: give one at least.")
    failed: dict[Kind, list[str]] = {kind: [] for kind in KINDS if any(limit.kind == kind for limit in limits)}
    if measured.rows < minimum_rows:
        for texts in failed.values():
            texts.append(f"{measured.rows} rows are too few to judge on: {minimum_rows} at least")
    large = {name: part for name, part in measured.slices.items() if part.rows >= minimum_slice_rows}
    for limit in limits:
        failed[limit.kind] += _broken(limit, "all rows", measured, champion)
        if limit.in_slices:
            for name, part in large.items():
                failed[limit.kind] += _broken(limit, name, part, champion and champion.slices.get(name))
    return Verdict(
        failed={kind: tuple(texts) for kind, texts in failed.items()},
        measured=measured,
        against=against,
        skipped=tuple(name for name in measured.slices if name not in large),
    )


def _broken(limit: Limit, where: str, measured: Measured, champion: Measured | None) -> Iterator[str]:
    value = measured.metrics.get(limit.metric, math.nan)
    said = f"{limit.metric} on {where}"
    if math.isnan(value):
        yield f"{said} was not measured or is no number (measured: {', '.join(sorted(measured.metrics)) or 'nothing'})"
        return
    if limit.at_least is not None and value < limit.at_least:
        yield f"{said} is {value:.6g}, at least {limit.at_least:g} is asked"
    if limit.at_most is not None and value > limit.at_most:
        yield f"{said} is {value:.6g}, at most {limit.at_most:g} is asked"
    if limit.may_lose is None or champion is None:
        return
    before = champion.metrics.get(limit.metric, math.nan)
    # A champion that cannot be measured here is no reason against its successor.
    lost = before - value if limit.higher_is_better else value - before
    if lost > limit.may_lose and not math.isclose(lost, limit.may_lose, rel_tol=1e-9):
        yield f"{said} is {value:.6g}, the champion's is {before:.6g}: worse by more than {limit.may_lose:g}"
