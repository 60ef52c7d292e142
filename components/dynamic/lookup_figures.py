"""What requests with and without a feature lookup say about the lookup alone. Pure.

The same record is asked in pairs: with its keys only, and with every feature given as well. A served model looks no
feature up that a request gives for all of its rows, so that the two differ by the lookup.
Source: databricks-feature-lookup 1.17.0, `mlflow_model` ("Filter out fully overridden feature names, so they are not
looked up unnecessarily"). The library measures its lookups itself (`feature_lookup_client_feature_store_latency_ms`),
but no page says that an endpoint's metrics export has them, so nothing here rests on that.

An answer with a lookup takes A = rest + lookup, so each lookup takes at most A minus the smallest rest. That is the
bound: the percentile of A, with the confidence of `smoke_latency`, minus the shortest answer without a lookup. It is
too small by no more than what the shortest of so many answers is above the shortest possible, and counts the network's
unrest as the lookup's. The typical lookup is the difference of the medians.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .smoke_latency import upper_bound

Verdict = Literal["met", "unproven", "missed"]


@dataclass(frozen=True, kw_only=True)
class LookupFigures:
    """Milliseconds."""

    percentile: int
    pairs: int
    bound_ms: float
    """With 95 % confidence the percentile of the lookup is no larger."""
    typical_ms: float
    """Difference of the medians; 0 where the lookup is lost in the noise."""
    rest_ms: float
    """Shortest answer without a lookup."""

    def verdict(self, target_ms: float) -> Verdict:
        """`met`: the bound is within the target. `missed`: not even the typical lookup is. `unproven`: in between; the
        requests vary by more than what is to be shown.
        """
        if self.bound_ms <= target_ms:
            return "met"
        return "missed" if self.typical_ms > target_ms else "unproven"


def lookup_figures(with_lookup: Sequence[float], without: Sequence[float], percentile: int) -> LookupFigures:
    """What answer times with and without a lookup, in milliseconds, say about it.

    Raises:
        ValueError: there are too few answers for the percentile.
    """
    rest = min(without)
    return LookupFigures(
        percentile=percentile,
        pairs=len(with_lookup),
        bound_ms=max(upper_bound(with_lookup, percentile) - rest, 0.0),
        typical_ms=max(statistics.median(with_lookup) - statistics.median(without), 0.0),
        rest_ms=rest,
    )
