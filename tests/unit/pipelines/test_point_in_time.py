"""A trip has no part in its own features, whatever the other trips are."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sql import Value
from pipelines.taxi.features import DROPOFF, PICKUP, compute_dropoff_features, compute_pickup_features, statement
from pipelines.taxi.keys import rounded_dropoff_datetime, rounded_pickup_datetime
from pipelines.taxi.trips import Trip
from tests.unit.pipelines.duck import Duck, with_trips

START = datetime(2019, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)

# Few zips, and moments that crowd around slot edges within little more than a week, so that windows hold something and
# edges are hit.
moments = st.one_of(
    st.integers(0, 10 * 24 * 4).map(lambda quarter: START + quarter * timedelta(minutes=15)),
    st.integers(0, 10 * 24 * 3600).map(lambda second: START + timedelta(seconds=second)),
)
trips = st.builds(
    lambda pickup, ride, distance, fare, pickup_zip, dropoff_zip: Trip(
        pickup, pickup + ride, distance, fare, pickup_zip, dropoff_zip
    ),
    moments,
    st.integers(0, 7200).map(lambda seconds: timedelta(seconds=seconds)),
    st.sampled_from([0.0, 0.5, 1.5, 12.25]),
    st.sampled_from([0.0, 5.0, 7.5, 52.0]),
    st.sampled_from([10001, 10002]),
    st.sampled_from([10001, 11430]),
)
trip_sets = st.lists(trips, min_size=1, max_size=12)


@dataclass(frozen=True)
class Features:
    """The rows of one trip in the two feature tables."""

    pickup: dict[str, Value] | None
    dropoff: dict[str, Value] | None


def features_of(trip: Trip, duck: Duck) -> Features:
    pickup_key = (trip.pickup_zip, rounded_pickup_datetime(trip.tpep_pickup_datetime))
    dropoff_key = (trip.dropoff_zip, rounded_dropoff_datetime(trip.tpep_dropoff_datetime))
    return Features(
        pickup=duck.table(PICKUP.name, PICKUP.primary_keys).get(pickup_key),
        dropoff=duck.table(DROPOFF.name, DROPOFF.primary_keys).get(dropoff_key),
    )


def computed(trip_set: list[Trip]) -> Duck:
    duck = with_trips(trip_set)
    compute_pickup_features(duck)
    compute_dropoff_features(duck)
    return duck


@settings(max_examples=40, deadline=None)
@given(trip_sets, st.data())
def test_changing_a_trips_fare_and_distance_leaves_its_own_features(trip_set: list[Trip], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(trip_set) - 1))
    changed = trip_set[place]._replace(fare_amount=999.0, trip_distance=77.0)
    before = features_of(trip_set[place], computed(trip_set))
    after = features_of(changed, computed([*trip_set[:place], changed, *trip_set[place + 1 :]]))
    assert before.pickup is not None
    assert before.dropoff is not None
    assert before == after


@settings(max_examples=40, deadline=None)
@given(trip_sets, st.data())
def test_a_trip_that_never_was_leaves_its_own_features(trip_set: list[Trip], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(trip_set) - 1))
    gone = trip_set[place]
    # Trips of no account, one for each key, keep the rows there when the only trip with that key is taken away.
    later = gone.tpep_dropoff_datetime + timedelta(days=400)
    keepers = [
        Trip(gone.tpep_pickup_datetime, later, 1.0, 1.0, gone.pickup_zip, 99999),
        Trip(gone.tpep_dropoff_datetime, gone.tpep_dropoff_datetime, 1.0, 1.0, 99999, gone.dropoff_zip),
    ]
    with_it = features_of(gone, computed([*trip_set, *keepers]))
    without_it = features_of(gone, computed([*trip_set[:place], *trip_set[place + 1 :], *keepers]))
    assert with_it.pickup is not None
    assert with_it.dropoff is not None
    assert with_it == without_it


@settings(max_examples=40, deadline=None)
@given(trip_sets)
def test_every_feature_equals_the_rule_written_in_python(trip_set: list[Trip]) -> None:
    duck = computed(trip_set)
    pickup_rows = duck.table(PICKUP.name, PICKUP.primary_keys)
    assert set(pickup_rows) == {(t.pickup_zip, rounded_pickup_datetime(t.tpep_pickup_datetime)) for t in trip_set}
    for (zip_code, key), row in pickup_rows.items():
        assert isinstance(key, datetime)
        begun = [t for t in trip_set if t.pickup_zip == zip_code and key - HOUR <= t.tpep_pickup_datetime < key]
        ended = [t for t in trip_set if t.pickup_zip == zip_code and key - WEEK <= t.tpep_dropoff_datetime < key]
        assert row["count_trips_window_1h_pickup_zip"] == len(begun)
        assert row["mean_fare_window_7d_pickup_zip"] == mean([t.fare_amount for t in ended])
        rates = [t.fare_amount / t.trip_distance for t in ended if t.trip_distance]
        assert row["mean_fare_per_mile_window_7d_pickup_zip"] == mean(rates)
        assert row["pickup_hour"] == key.hour
        assert row["pickup_is_weekend"] == int(key.weekday() >= 5)
    dropoff_rows = duck.table(DROPOFF.name, DROPOFF.primary_keys)
    assert set(dropoff_rows) == {(t.dropoff_zip, rounded_dropoff_datetime(t.tpep_dropoff_datetime)) for t in trip_set}
    for (zip_code, key), row in dropoff_rows.items():
        assert isinstance(key, datetime)
        ended = [t for t in trip_set if t.dropoff_zip == zip_code and key - WEEK <= t.tpep_dropoff_datetime < key]
        assert row["count_trips_window_1h_dropoff_zip"] == sum(key - HOUR <= t.tpep_dropoff_datetime for t in ended)
        assert row["count_pickup_zips_window_7d_dropoff_zip"] == len({t.pickup_zip for t in ended})
        assert row["mean_fare_window_7d_dropoff_zip"] == mean([t.fare_amount for t in ended])
        assert row["dropoff_is_weekend"] == int(key.weekday() >= 5)


def mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 6) if values else None


@settings(max_examples=40, deadline=None)
@given(moments, st.integers(0, 999_999))
def test_sql_and_python_round_a_moment_to_the_same_key(moment: datetime, microseconds: int) -> None:
    pickup = moment + timedelta(microseconds=microseconds)
    duck = computed([Trip(pickup, pickup, 1.0, 5.0, 10001, 10002)])
    expected = (rounded_pickup_datetime(pickup), rounded_dropoff_datetime(pickup))
    ((_, pickup_key),) = duck.table(PICKUP.name, PICKUP.primary_keys)
    ((_, dropoff_key),) = duck.table(DROPOFF.name, DROPOFF.primary_keys)
    assert (pickup_key, dropoff_key) == expected
    row = duck.run(statement("training_set")).only_row()
    assert (row["rounded_pickup_datetime"], row["rounded_dropoff_datetime"]) == expected


def test_a_second_merge_writes_the_rows_of_trips_that_left() -> None:
    stays = Trip(START, START + HOUR, 1.0, 5.0, 10001, 10002)
    duck = computed([stays, stays._replace(pickup_zip=10003, dropoff_zip=10004)])
    duck.run("DELETE FROM trips WHERE pickup_zip = 10003")
    compute_pickup_features(duck)
    compute_dropoff_features(duck)
    assert [key[0] for key in duck.table(PICKUP.name, PICKUP.primary_keys)] == [10001]
    assert [key[0] for key in duck.table(DROPOFF.name, DROPOFF.primary_keys)] == [10002]
