"""The split by time: a model is judged on trips that came after the ones it learned from."""

from typing import Final

import pandas as pd

HELD_OUT: Final = 0.2


def cut_time(pickups: pd.Series) -> pd.Timestamp:
    """The moment at which the last fifth of the period begins, to the second; the model's seed has no part in it."""
    first, last = pickups.min(), pickups.max()
    return pd.Timestamp(first + (last - first) * (1 - HELD_OUT)).floor("s")


def by_time(trips: pd.DataFrame, column: str, cut: pd.Timestamp) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows before `cut`, and rows from `cut` on."""
    before = trips[column] < cut
    return trips[before], trips[~before]
