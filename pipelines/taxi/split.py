"""The split by time: a model is judged on trips that came after the ones it learned from."""

from typing import Final, NamedTuple

import pandas as pd

from pipelines.errors import PipelineError

HELD_OUT: Final = 0.2
MINIMUM_TRIPS: Final = 50


class Split(NamedTuple):
    """The moment of the cut, the trips before it, and those from then on."""

    cut: pd.Timestamp
    seen: pd.DataFrame
    held_out: pd.DataFrame


def for_training(trips: pd.DataFrame, column: str) -> Split:
    """Trips to learn from and trips to be judged on.

    Args:
        column: the moments that trips are told apart by.

    Raises PipelineError when there are too few trips on either side of the cut to say anything.
    """
    cut = cut_time(trips[column])
    seen, held_out = by_time(trips, column, cut)
    if min(len(seen), len(held_out)) < MINIMUM_TRIPS:
        raise PipelineError(
            f"{len(seen)} trips before {cut} and {len(held_out)} from then on are too few to train and judge a model "
            f"(at least {MINIMUM_TRIPS} each). Give trips over a longer time."
        )
    return Split(cut, seen, held_out)


def cut_time(pickups: pd.Series) -> pd.Timestamp:
    """The moment at which the last fifth of the period begins, to the second; the model's seed has no part in it."""
    first, last = pickups.min(), pickups.max()
    return pd.Timestamp(first + (last - first) * (1 - HELD_OUT)).floor("s")


def by_time(trips: pd.DataFrame, column: str, cut: pd.Timestamp) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows before `cut`, and rows from `cut` on."""
    before = trips[column] < cut
    return trips[before], trips[~before]
