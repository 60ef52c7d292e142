"""The taxi stack's request: keys rounded and written exactly as the feature tables have them.

Keys are rounded down in UTC, pickups to 15 minutes and dropoffs to 30 (docs/taxi-pipeline.md): a key that is off by a
second finds no row, and the answer then rests on the distance alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

PICKUP_SLOT: Final = timedelta(minutes=15)
DROPOFF_SLOT: Final = timedelta(minutes=30)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZIP_DIGITS: Final = 5


@dataclass(frozen=True, kw_only=True)
class FareRequest:
    """A ride whose fare is asked for.

    Raises:
        ValueError: a zip is not one, the distance is negative or endless, or the dropoff lies before the pickup.
    """

    pickup_zip: int | str
    """Of five digits; a text with leading zeros is taken as the number that feature tables hold."""
    dropoff_zip: int | str
    pickup: datetime
    """When the ride begins; a naive time is taken as UTC."""
    dropoff: datetime
    """When it ends, or is expected to."""
    trip_distance: float
    """Miles."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pickup_zip", _zip(self.pickup_zip, "pickup_zip"))
        object.__setattr__(self, "dropoff_zip", _zip(self.dropoff_zip, "dropoff_zip"))
        if not 0 <= self.trip_distance < math.inf:
            raise ValueError(f"trip_distance is a number of miles, 0 or more; received {self.trip_distance!r}")
        if _aware(self.dropoff) < _aware(self.pickup):
            raise ValueError(f"dropoff {self.dropoff} lies before pickup {self.pickup}")

    def record(self) -> dict[str, Any]:
        """The record to send: keys only, the endpoint looks the features up."""
        return {
            "pickup_zip": self.pickup_zip,
            "rounded_pickup_datetime": rounded_pickup_datetime(self.pickup),
            "dropoff_zip": self.dropoff_zip,
            "rounded_dropoff_datetime": rounded_dropoff_datetime(self.dropoff),
            "trip_distance": float(self.trip_distance),
        }


def rounded_pickup_datetime(pickup: datetime) -> datetime:
    """The key of `trip_pickup_features` for a ride that begins at `pickup`, as an aware UTC datetime."""
    return _rounded_down(pickup, PICKUP_SLOT)


def rounded_dropoff_datetime(dropoff: datetime) -> datetime:
    """The key of `trip_dropoff_features` for a ride that ends at `dropoff`, as an aware UTC datetime."""
    return _rounded_down(dropoff, DROPOFF_SLOT)


def _rounded_down(moment: datetime, slot: timedelta) -> datetime:
    aware = _aware(moment)
    return aware - (aware - _EPOCH) % slot


def _aware(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{moment} lies outside of the years 1 to 9999 in UTC") from None


def _zip(value: int | str, name: str) -> int:
    text = value.strip() if isinstance(value, str) else str(value)
    # isdecimal, not int(): "1_000", "+7" and " 10 003" are no zips.
    if isinstance(value, bool) or not text.isascii() or not text.isdecimal() or len(text) > _ZIP_DIGITS:
        raise ValueError(f"{name} is a zip code of at most {_ZIP_DIGITS} digits; received {value!r}")
    return int(text)
