"""How a moment becomes a feature key: rounded DOWN, in UTC, to the start of its slot.

The SQL files of this folder round with `timestamp_micros(unix_micros(t) div <slot> * <slot>)`, which does not depend on
the session's time zone; this module does the same in Python for callers of the endpoint. A test holds the two together.

Rounding down, not to the nearest slot, is what keeps a trip out of its own features: a trip begins at or after its key,
and a feature row only knows what happened before its key.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

PICKUP_SLOT: Final = timedelta(minutes=15)
DROPOFF_SLOT: Final = timedelta(minutes=30)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def rounded_down(moment: datetime, slot: timedelta) -> datetime:
    """The start of the `slot` that `moment` falls in, as an aware UTC datetime.

    A naive `moment` is taken as UTC, as Databricks' lookup client takes it.
    """
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware - (aware - _EPOCH) % slot


def rounded_pickup_datetime(pickup: datetime) -> datetime:
    """The key of `trip_pickup_features` for a trip that begins at `pickup`."""
    return rounded_down(pickup, PICKUP_SLOT)


def rounded_dropoff_datetime(dropoff: datetime) -> datetime:
    """The key of `trip_dropoff_features` for a trip that ends, or is expected to end, at `dropoff`."""
    return rounded_down(dropoff, DROPOFF_SLOT)
