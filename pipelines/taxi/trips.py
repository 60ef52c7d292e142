"""Trips in the columns of `samples.nyctaxi.trips`, and the rules a trip must keep to be used."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple


class Trip(NamedTuple):
    """One row of `trips`.

    Moments are aware UTC datetimes, the distance is in miles, the fare in dollars, zips are integers.
    """

    tpep_pickup_datetime: datetime
    tpep_dropoff_datetime: datetime
    trip_distance: float
    fare_amount: float
    pickup_zip: int
    dropoff_zip: int


# In this order: a row that breaks several rules is counted once, under the first. Each rule stands in Python for rows
# that come from a file and in SQL for rows that are already in the workspace.
_RULES: Final[tuple[tuple[str, Callable[[Trip], bool], str], ...]] = (
    ("negative fare", lambda trip: trip.fare_amount < 0, "fare_amount < 0"),
    ("negative distance", lambda trip: trip.trip_distance < 0, "trip_distance < 0"),
    (
        "dropoff before pickup",
        lambda trip: trip.tpep_dropoff_datetime < trip.tpep_pickup_datetime,
        "tpep_dropoff_datetime < tpep_pickup_datetime",
    ),
)
_NULL_SQL: Final = " OR ".join(f"{column} IS NULL" for column in Trip._fields)


def refusal(trip: Trip) -> str | None:
    """The reason why `trip` cannot be used, or None."""
    return next((reason for reason, broken, _ in _RULES if broken(trip)), None)


def refusal_sql() -> str:
    """The same rules as one SQL expression over the columns of `trips`: the reason as text, or NULL."""
    branches = [f"WHEN {_NULL_SQL} THEN 'missing value'"]
    branches += [f"WHEN {condition} THEN '{reason}'" for reason, _, condition in _RULES]
    return f"CASE {' '.join(branches)} END"


@dataclass(kw_only=True)
class Refusals:
    """How many rows were left out, and why."""

    by_reason: Counter[str] = field(default_factory=Counter)
    unknown_zones: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(self.by_reason.values())

    def __str__(self) -> str:
        if not self.by_reason:
            return "none refused"
        parts = [f"{count} {reason}" for reason, count in sorted(self.by_reason.items())]
        return f"{self.total} refused ({', '.join(parts)})"


def finite(text: str) -> float:
    """`text` as a float; ValueError for nan and infinities too, which no sum or mean survives."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"not a finite number: {text!r}")
    return number
