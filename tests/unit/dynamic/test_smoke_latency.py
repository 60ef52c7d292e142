"""No percentile is claimed from too few answers, and what is claimed holds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.dynamic.smoke_latency import CONFIDENCE, PERCENTILES, samples_needed, upper_bound


def test_the_number_of_answers_is_the_known_one() -> None:
    assert [samples_needed(percentile) for percentile in PERCENTILES] == [5, 59, 299]


@pytest.mark.parametrize("percentile", PERCENTILES)
def test_the_fewest_answers_claim_their_largest_and_one_fewer_claims_nothing(percentile: int) -> None:
    needed = samples_needed(percentile)
    assert upper_bound(list(range(needed)), percentile) == needed - 1
    with pytest.raises(ValueError, match=f"takes {needed} answers, received {needed - 1}"):
        upper_bound([1.0] * (needed - 1), percentile)


def test_more_answers_forgive_a_few_slow_ones() -> None:
    # 93 is the published minimum for the second largest of a sample to bound p95 with 95 % confidence.
    assert upper_bound([1.0] * 92 + [900.0], 95) == 1.0
    assert upper_bound([1.0] * 91 + [900.0], 95) == 900.0


@given(st.integers(min_value=299, max_value=2000), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_does_not_matter_and_percentiles_are_ordered(count: int, dice: random.Random) -> None:
    answers = list(range(count))
    dice.shuffle(answers)
    bounds = [upper_bound(answers, percentile) for percentile in PERCENTILES]
    assert bounds == [upper_bound(sorted(answers), percentile) for percentile in PERCENTILES]
    assert bounds == sorted(bounds)
    assert all(bound >= percentile / 100 * count - 1 for bound, percentile in zip(bounds, PERCENTILES, strict=True))


def test_the_bound_holds_as_often_as_it_says() -> None:
    dice, true_p95, rounds = random.Random(6), 0.95, 2000  # noqa: S311 - no secret
    held = sum(upper_bound([dice.random() for _ in range(150)], 95) >= true_p95 for _ in range(rounds))
    assert held / rounds >= CONFIDENCE - 0.015
