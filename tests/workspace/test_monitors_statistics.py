"""The measures of drift equal scipy's for samples of every shape: ties, one value, far apart, very different sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from workspace.monitors.statistics import Sample, categorical_drift, ks_pvalues, numeric_drift

NUMBERS = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-1e3, 1e3).map(lambda value: round(value, 2)),
    st.floats(1e6, 1e6 + 1).map(lambda value: round(value, 4)),
)
SAMPLES = st.lists(NUMBERS, min_size=1, max_size=60).map(lambda values: np.sort(np.array(values)))


@settings(max_examples=300, deadline=None)
@given(SAMPLES, SAMPLES)
def test_numbers(current: np.ndarray, base: np.ndarray) -> None:
    found = numeric_drift(Sample(current), Sample(base))
    assert found is not None
    test = stats.ks_2samp(current, base, method="asymp") if len(current) * len(base) > 1 else None
    if test is not None:
        assert found.ks_statistic == pytest.approx(test.statistic, abs=1e-12)
        (pvalue,) = ks_pvalues([found.ks_statistic], [found.effective])
        assert pvalue == pytest.approx(test.pvalue, abs=1e-9)
    span = max(current[-1], base[-1]) - min(current[0], base[0])
    assert found.wasserstein_distance == pytest.approx(stats.wasserstein_distance(current, base), abs=1e-9 * (1 + span))
    assert found.population_stability_index >= 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8))
def test_categories(pairs: list[tuple[int, int]]) -> None:
    current, base = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    found = categorical_drift(current, base)
    if not current.sum() or not base.sum():
        assert found is None
        return
    assert found is not None
    p, q = current / current.sum(), base / base.sum()
    assert found.js_distance == pytest.approx(jensenshannon(p, q), abs=1e-7)
    assert found.tv_distance == pytest.approx(np.abs(p - q).sum() / 2)
    assert found.l_infinity_distance == pytest.approx(np.abs(p - q).max())
    seen = (current + base) > 0
    if seen.sum() < 2:
        assert found.chi_squared is None
    else:
        test = stats.chi2_contingency(np.stack([current[seen], base[seen]]), correction=False)
        assert found.chi_squared == pytest.approx((test.statistic, test.pvalue), abs=1e-9)


def test_distributions_without_a_value_in_common_are_as_far_apart_as_can_be() -> None:
    found = categorical_drift(np.array([5, 0]), np.array([0, 7]))
    assert found is not None
    assert found.js_distance == pytest.approx(math.sqrt(math.log(2)))
    assert found.tv_distance == found.l_infinity_distance == 1.0


def test_nothing_is_compared_with_nothing() -> None:
    empty, some = Sample(np.array([])), Sample(np.array([1.0]))
    assert numeric_drift(empty, some) is None
    assert numeric_drift(some, empty) is None


def test_infinite_values_are_compared_without_failing() -> None:
    found = numeric_drift(Sample(np.array([1.0, np.inf])), Sample(np.array([0.0, 1.0])))
    assert found is not None
    assert found.ks_statistic == 0.5
    assert not math.isfinite(found.wasserstein_distance)
