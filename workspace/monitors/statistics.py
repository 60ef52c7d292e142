"""How far two distributions are apart: the measures of the drift metrics table, from samples and from counts.

Source: "Data profiling metric tables" names the measures and which columns have them; it gives no formulas. Here each
is the textbook's (and scipy's, where scipy has it), over all values; the service works on sketches of them.
Assumptions: natural logarithms, deciles of the comparison as bins of the stability index, the chi-squared test of two
samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STABILITY_BINS = 10
EMPTY_SHARE = 1e-4
"""What an empty bin counts as in the population stability index, which has no value for a share of nothing."""

_DECILES = np.arange(1, STABILITY_BINS) / STABILITY_BINS


@dataclass(frozen=True)
class NumericDrift:
    ks_statistic: float
    effective: int
    """The size that the p-value of the Kolmogorov-Smirnov test goes by; see `ks_pvalues`."""
    wasserstein_distance: float
    population_stability_index: float


@dataclass(frozen=True)
class CategoricalDrift:
    chi_squared: tuple[float, float] | None
    """Statistic and p-value; None where both sides have one and the same value only: there is nothing to test."""
    tv_distance: float
    l_infinity_distance: float
    js_distance: float


class Sample:
    """Numbers, sorted, without NaN; what is computed of them once serves every comparison."""

    def __init__(self, ascending: Floats) -> None:
        self.values = ascending

    def __len__(self) -> int:
        return len(self.values)

    def levels(self, levels: Floats) -> Floats:
        """Quantiles, between neighbours where a level falls between two."""
        values = self.values
        places = levels * (len(values) - 1)
        below = places.astype(np.int64)
        above = np.minimum(below + 1, len(values) - 1)
        low, high = values[below], values[above]
        with np.errstate(invalid="ignore"):
            between = low + (places - below) * (high - low)
        return np.where(low == high, low, between)

    @cached_property
    def sums(self) -> Floats:
        """The sum of the first k values, from k = 0 on, each counted from the least."""
        return np.concatenate([[0.0], np.cumsum(self.values - self.values[0])])

    @cached_property
    def bins(self) -> Floats:
        """The deciles between the least and the greatest."""
        return np.unique(self.levels(_DECILES))

    def shares(self, bins: Floats) -> Floats:
        """How much of the sample is in each bin; a value on the edge is in the lower one."""
        ranks = np.searchsorted(self.values, bins, "right")
        counts = np.diff(np.concatenate([[0], ranks, [len(self.values)]]))
        return np.maximum(counts / len(self.values), EMPTY_SHARE)

    def area(self, points: Floats, ranks: Ints) -> Floats:
        """The integral of the distribution function up to each point, of which `ranks` values are not greater."""
        return np.asarray((ranks * (points - self.values[0]) - self.sums[ranks]) / len(self.values))


def numeric_drift(current: Sample, base: Sample) -> NumericDrift | None:
    """None where a side is empty. With infinite values the Wasserstein distance is infinite or NaN."""
    if not len(current) or not len(base):
        return None
    few, many = (current, base) if len(current) <= len(base) else (base, current)
    points = few.values
    # Between two neighbours of the smaller sample its distribution function is level, and the other one rises.
    at = np.searchsorted(many.values, points, "right")
    tied = bool(np.any(many.values[np.maximum(at - 1, 0)] == points))
    before = np.searchsorted(many.values, points, "left") if tied else at
    height = np.arange(len(points) + 1) / len(points)
    rank_at, rank_before = at / len(many), before / len(many)
    # Of equal points the function steps over all at once.
    changes = points[1:] != points[:-1]
    above = np.abs(height[1:] - rank_at)[np.concatenate([changes, [True]])]
    below = np.abs(height[:-1] - rank_before)[np.concatenate([[True], changes])]
    statistic = max(float(above.max()), float(below.max()))
    shares, others = current.shares(base.bins), base.shares(base.bins)
    return NumericDrift(
        ks_statistic=statistic,
        effective=max(1, round(len(current) * len(base) / (len(current) + len(base)))),
        wasserstein_distance=_earth_moved(few, many, at, height),
        population_stability_index=float(np.sum((shares - others) * np.log(shares / others))),
    )


def ks_pvalues(statistics: Sequence[float], effective: Sequence[int]) -> list[float]:
    """Of two-sided Kolmogorov-Smirnov tests of two samples, as `scipy.stats.ks_2samp(method="asymp")`; many at once."""
    if not statistics:
        return []
    # Half a second to import, which a server's start does not have to spare.
    from scipy import stats

    found = stats.kstwo.sf(np.asarray(statistics), np.asarray(effective))
    return [float(value) for value in np.clip(found, 0.0, 1.0)]


def categorical_drift(current: Ints, base: Ints) -> CategoricalDrift | None:
    """Between the counts of the same values on both sides; None where one side has none at all."""
    from scipy import special

    here_all, there_all = int(current.sum()), int(base.sum())
    if not here_all or not there_all:
        return None
    seen = (current + base) > 0
    current, base = current[seen], base[seen]
    here, there = current / here_all, base / there_all
    apart = np.abs(here - there)
    middle = (here + there) / 2
    # x log(x / y), and 0 of nothing.
    divergence = float(special.rel_entr(here, middle).sum() + special.rel_entr(there, middle).sum()) / 2
    return CategoricalDrift(
        chi_squared=_chi_squared(current, base),
        tv_distance=float(apart.sum() / 2),
        l_infinity_distance=float(apart.max()),
        js_distance=math.sqrt(max(divergence, 0.0)),
    )


def _earth_moved(few: Sample, many: Sample, at: Ints, height: Floats) -> float:
    """The area between the two distribution functions: piece by piece between the points of the smaller sample.

    On a piece one function is level and the other rises through it once at most: the area is that of the rising one
    less the level on one side of the crossing, and the other way round on the other side.
    """
    points = few.values
    size = len(many)
    level = height[1:-1]
    start, end = points[:-1], points[1:]
    # The first value of the larger sample at which its function is above the level, moved into the piece.
    ranks = np.minimum((level * size + 1e-9).astype(np.int64), size - 1)
    crossing = np.clip(many.values[ranks], start, end)
    # Of values equal to the point any number may be counted: they add nothing to the area before it.
    crossed = np.clip(ranks + 1, at[:-1], at[1:])
    with np.errstate(invalid="ignore"):
        area = many.area(points, at)
        middle = many.area(crossing, crossed)
        below = level * (crossing - start) - (middle - area[:-1])
        above = (area[1:] - middle) - level * (end - crossing)
        first = area[0]
        end_area = many.area(many.values[-1:], np.array([size]))[0]
        last = (many.values[-1] - points[-1]) - (end_area - area[-1])
        return float(np.abs(below).sum() + np.abs(above).sum() + first + max(float(last), 0.0))


def _chi_squared(current: Ints, base: Ints) -> tuple[float, float] | None:
    from scipy import special

    if len(current) < 2:
        return None
    table = np.stack([current, base]).astype(np.float64)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    statistic = float(np.sum((table - expected) ** 2 / expected))
    return statistic, float(special.chdtrc(len(current) - 1, statistic))
