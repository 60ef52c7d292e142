"""Source adapter: seeded trips, for a machine that has no real ones.

The trips look like a month of New York taxis as far as a fare model cares: few zips take most trips, mornings and
evenings are busy, distance follows from where the trip goes, and the fare follows the meter of 2019 (2.50 to begin,
2.50 a mile when moving, 0.50 a minute when not), with the flat fare of Kennedy airport and noise. The same seed gives
the same trips.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from pipelines.taxi.trips import Trip

TRIPS: Final = 5_000
DAYS: Final = 31
_START: Final = datetime(2019, 3, 1, tzinfo=UTC)

# zip -> (miles east, miles north of Times Square, share of trips): a coarse map that gives distances a geography.
_PLACES: Final[dict[int, tuple[float, float, float]]] = {
    10001: (-0.4, -0.6, 7.0),
    10002: (1.0, -3.0, 3.5),
    10003: (0.3, -1.9, 7.5),
    10011: (-0.6, -1.2, 6.0),
    10013: (-0.2, -3.0, 4.0),
    10016: (0.8, -0.9, 7.0),
    10017: (0.9, -0.4, 7.0),
    10018: (-0.2, -0.2, 7.0),
    10019: (0.0, 0.6, 9.0),
    10021: (1.5, 1.1, 7.0),
    10023: (0.2, 1.5, 6.0),
    10024: (0.5, 2.2, 5.0),
    10025: (0.8, 3.0, 4.0),
    10029: (2.2, 2.6, 4.0),
    10036: (0.0, 0.0, 8.0),
    10128: (1.9, 2.0, 5.0),
    11101: (2.8, -0.6, 2.0),
    11201: (1.2, -4.2, 3.0),
    11211: (2.6, -2.9, 2.0),
    11371: (5.6, 1.2, 3.0),
    11430: (11.0, -7.5, 3.0),
}
_KENNEDY: Final = 11430
_KENNEDY_FLAT_FARE: Final = 52.0
# The meter counts miles or minutes, never both: these shares of a trip are driven and stood.
_MOVING: Final = 0.85
_STANDING: Final = 0.3
# A trip that was really made: a key that is there with every seed, and in the real trips too. Smoke queries ask for it.
KNOWN_TRIP: Final = Trip(
    tpep_pickup_datetime=datetime(2019, 3, 23, 20, 21, 9, tzinfo=UTC),
    tpep_dropoff_datetime=datetime(2019, 3, 23, 20, 27, 24, tzinfo=UTC),
    trip_distance=1.6,
    fare_amount=7.0,
    pickup_zip=10065,
    dropoff_zip=10017,
)
# Relative number of pickups in each hour of the day.
_HOURS: Final = (3, 2, 1.5, 1, 1, 1.5, 3, 5, 6.5, 6, 5.5, 5.5, 6, 6, 6, 6, 5.5, 6.5, 8, 8, 7.5, 7, 6.5, 5)


def digest(seed: int) -> str:
    """What identifies these trips: the seed and the size (the generator's code is part of the tables' digest)."""
    what = f"sample trips, seed {seed}, {TRIPS} trips, {DAYS} days, with {KNOWN_TRIP}"
    return hashlib.sha256(what.encode()).hexdigest()


def generate(seed: int) -> list[Trip]:
    """`TRIPS` trips of March 2019 in order of pickup, `KNOWN_TRIP` among them."""
    import numpy as np  # here, because a run that finds everything up to date needs no numpy

    random = np.random.default_rng(seed)
    zips = list(_PLACES)
    shares = np.array([_PLACES[place][2] for place in zips])
    shares /= shares.sum()
    hours = np.array(_HOURS) / sum(_HOURS)

    made_up = TRIPS - 1
    starts = (
        random.integers(0, DAYS, made_up) * 86_400
        + random.choice(24, made_up, p=hours) * 3_600
        + random.integers(0, 3_600, made_up)
    )
    pickups = random.choice(len(zips), made_up, p=shares)
    dropoffs = random.choice(len(zips), made_up, p=shares)
    wiggle = random.lognormal(0.0, 0.18, made_up)
    local = random.uniform(0.3, 1.1, made_up)
    traffic = random.lognormal(0.0, 0.25, made_up)
    meter = random.normal(0.0, 0.6, made_up)

    trips = [KNOWN_TRIP]
    for row in np.argsort(starts, kind="stable"):
        pickup_zip, dropoff_zip = zips[pickups[row]], zips[dropoffs[row]]
        begin = _START + timedelta(seconds=int(starts[row]))
        # Streets run in a grid, so miles add up along both axes; a trip within one zip still goes somewhere.
        (east, north, _), (to_east, to_north, _) = _PLACES[pickup_zip], _PLACES[dropoff_zip]
        distance = round(float((abs(east - to_east) + abs(north - to_north) + local[row]) * wiggle[row]), 2)
        busy = 1.0 + 0.35 * (begin.weekday() < 5 and (7 <= begin.hour < 10 or 16 <= begin.hour < 20))
        minutes = (2.0 + 3.6 * distance / (1 + 0.06 * distance)) * busy * float(traffic[row])
        if _KENNEDY in (pickup_zip, dropoff_zip) and pickup_zip != dropoff_zip:
            fare = _KENNEDY_FLAT_FARE
        else:
            metered = 2.5 + 2.5 * _MOVING * distance + 0.5 * _STANDING * minutes + float(meter[row])
            fare = max(2.5, round(metered * 2) / 2)
        end = begin + timedelta(seconds=round(minutes * 60))
        trips.append(Trip(begin, end, distance, fare, pickup_zip, dropoff_zip))
    return sorted(trips)
