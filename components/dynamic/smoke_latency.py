"""What can honestly be said of a latency percentile from a number of answers. Pure.

The largest of n answers lies at or above the true p-th percentile with probability 1 - p^n. That is 95 % from 59
answers for p95 and from 299 for p99; from fewer, nothing is claimed. With more answers a smaller one than the largest
will do: the k-th smallest bounds the percentile with the probability that fewer than k of n answers fall below it
(binomial).
Source: the distribution-free confidence bound for a quantile, as in Conover, "Practical Nonparametric Statistics", 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

CONFIDENCE = 0.95
PERCENTILES = (50, 95, 99)


def samples_needed(percentile: int) -> int:
    """How many answers it takes to claim anything about this percentile: 5 for p50, 59 for p95, 299 for p99."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(percentile / 100))


def upper_bound(latencies: Sequence[float], percentile: int) -> float:
    """The smallest answer time that the percentile does not exceed, with `CONFIDENCE`; in the unit of `latencies`.

    Raises:
        ValueError: there are too few answers.
    """
    count, share = len(latencies), percentile / 100
    if count < samples_needed(percentile):
        raise ValueError(f"p{percentile} takes {samples_needed(percentile)} answers, received {count}")
    below, place = 0.0, 0
    while below < CONFIDENCE:
        below += math.exp(_log_binomial(count, place) + place * math.log(share) + (count - place) * math.log1p(-share))
        place += 1
    # The sum over 0 .. place - 1 answers below the percentile is the chance that the place-th smallest bounds it.
    return sorted(latencies)[place - 1]


def _log_binomial(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)
