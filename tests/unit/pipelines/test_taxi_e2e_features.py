"""Features of locations, computed for real on DuckDB: declared, checked before the write, blind to the future."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import PipelineError
from pipelines.sql import Result, Value
from pipelines.taxi.ingest import create_trips, replace_trips
from pipelines.taxi.trips import Trip
from pipelines.taxi_e2e.dropoff_features import DROPOFF, compute_dropoff_features
from pipelines.taxi_e2e.feature_tables import (
    AS_OF,
    TimedFeatures,
    check_computed,
    create_feature_table,
    merge_statement,
)
from pipelines.taxi_e2e.ingest import locate
from pipelines.taxi_e2e.locations import locations
from pipelines.taxi_e2e.pickup_features import PICKUP, compute_pickup_features
from tests.unit.pipelines.duck import Duck

START = datetime(2019, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
CENTER, LENOX, KENNEDY = 10019, 10065, 11430
LOCATION = {CENTER: 161, LENOX: 141, KENNEDY: 132}


class Typed(Duck):
    """Says the columns' types as a warehouse does, and leaves out what DuckDB's keys do not know."""

    def run(self, statement: str, parameters: Mapping[str, str] | None = None) -> Result:
        result = super().run(statement.replace(" TIMESERIES", ""), parameters)
        if not statement.startswith("SELECT * FROM ("):
            return result
        known = {**PICKUP.columns, **DROPOFF.columns}
        return replace(result, types=[known.get(name, "double") for name in result.columns])


def trip(begin: datetime, minutes: float = 20, *, fare: float = 10.0, miles: float = 2.0, way: tuple[int, int]) -> Trip:
    return Trip(begin, begin + timedelta(minutes=minutes), miles, fare, *way)


def computed(*trips: Trip) -> Typed:
    duck = Typed()
    create_trips(duck)
    replace_trips(duck, trips)
    locate(duck, "trips")
    assert compute_pickup_features(duck) > 0
    assert compute_dropoff_features(duck) > 0
    return duck


def row(duck: Typed, table: TimedFeatures, place: int, moment: datetime) -> dict[str, Value]:
    """What a lookup at a moment would find: the newest row at or before it."""
    rows = {
        key: found for key, found in duck.table(table.name, table.primary_keys).items() if key[0] == LOCATION[place]
    }
    known = [key for key in rows if isinstance(key[1], datetime) and key[1] <= moment]
    return rows[max(known, key=lambda key: str(key[1]))]


def test_a_trip_finds_what_was_known_of_both_places_when_its_hour_began() -> None:
    noon = START + 12 * HOUR
    duck = computed(
        trip(noon - 30 * HOUR, fare=99, way=(CENTER, LENOX)),
        trip(noon - 3 * HOUR, 30, fare=8, miles=2, way=(CENTER, LENOX)),
        trip(noon - HOUR / 2, 10, fare=12, miles=4, way=(CENTER, KENNEDY)),
        trip(noon - HOUR / 4, 50, fare=50, miles=17, way=(KENNEDY, LENOX)),
        trip(noon + timedelta(minutes=7), way=(CENTER, LENOX)),
    )
    pickup = row(duck, PICKUP, CENTER, noon + timedelta(minutes=7))
    assert pickup[AS_OF] == noon
    assert (pickup["pickup_trips_1h"], pickup["pickup_trips_24h"]) == (1, 2)
    assert pickup["pickup_mean_fare_7d"] == pytest.approx((99 + 8 + 12) / 3, abs=1e-6)
    assert pickup["pickup_mean_minutes_7d"] == pytest.approx((20 + 30 + 10) / 3, abs=1e-6)
    assert (pickup["pickup_borough"], pickup["pickup_is_airport"]) == ("Manhattan", 0)
    dropoff = row(duck, DROPOFF, LENOX, noon + timedelta(minutes=7))
    # The ride from Kennedy has not ended at noon: nobody knows of it yet.
    assert dropoff["dropoff_mean_fare_7d"] == pytest.approx((99 + 8) / 2)
    assert (dropoff["dropoff_origins_7d"], dropoff["dropoff_cross_borough_share_7d"]) == (1, 0.0)
    later = row(duck, DROPOFF, LENOX, noon + 48 * HOUR)
    # At the end of the data it has: another borough, another origin, and farther away.
    assert (later["dropoff_origins_7d"], later["dropoff_cross_borough_share_7d"]) == (2, 0.25)
    assert later["dropoff_mean_distance_7d"] == pytest.approx((2 + 2 + 17 + 2) / 4)


def test_every_location_has_a_row_at_the_end_of_the_data_which_is_what_the_online_copy_keeps() -> None:
    duck = computed(trip(START + HOUR / 3, way=(CENTER, LENOX)))
    newest = START + HOUR
    for table in (PICKUP, DROPOFF):
        ends = {key[0] for key in duck.table(table.name, table.primary_keys) if key[1] == newest}
        assert ends == {one.location_id for one in locations()}


def test_trips_from_a_zip_without_a_zone_keep_the_zip_as_their_location() -> None:
    duck = computed(trip(START, way=(99999, CENTER)))
    found = duck.table(PICKUP.name, PICKUP.primary_keys)
    (unknown,) = [features for key, features in found.items() if key[0] == 99999 and key[1] == START]
    assert (unknown["pickup_borough"], unknown["pickup_is_airport"]) == ("Unknown", 0)


def test_rows_that_cannot_be_used_are_left_out_and_counted() -> None:
    duck = Typed()
    create_trips(duck)
    replace_trips(duck, [trip(START, way=(CENTER, LENOX)), trip(START, fare=-3, way=(CENTER, LENOX))])
    usable, refusals = locate(duck, "trips")
    assert (usable, str(refusals)) == (1, "1 refused (1 negative fare)")
    replace_trips(duck, [trip(START, fare=-3, way=(CENTER, LENOX))])
    with pytest.raises(PipelineError, match="no usable trip: 1 refused"):
        locate(duck, "trips")
    assert len(duck.run("SELECT * FROM located_trips").rows) == 1


@settings(max_examples=6, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda minute, ride, way: trip(START + timedelta(minutes=minute), ride, way=way),
            st.integers(0, 60 * 24 * 8),
            st.integers(1, 180),
            st.sampled_from([(CENTER, LENOX), (LENOX, CENTER), (KENNEDY, CENTER)]),
        ),
        min_size=2,
        max_size=8,
    )
)
def test_what_a_trip_costs_has_no_part_in_its_own_features(trips: list[Trip]) -> None:
    first, *others = trips
    before = computed(first, *others)
    after = computed(first._replace(fare_amount=900.0, trip_distance=70.0), *others)
    for table, place in ((PICKUP, first.pickup_zip), (DROPOFF, first.dropoff_zip)):
        moment = first.tpep_pickup_datetime
        assert row(before, table, place, moment) == row(after, table, place, moment)


@pytest.mark.parametrize("table", [PICKUP, DROPOFF])
def test_the_written_columns_are_the_declared_ones(table: TimedFeatures) -> None:
    duck = computed(trip(START, way=(CENTER, LENOX)))
    described = duck.run(f"SELECT * FROM {table.name}")
    assert described.columns == list(table.columns)
    assert "TIMESERIES" not in " ".join(described.columns)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": PICKUP.source.replace(" AS pickup_trips_1h", " AS trips")}, "have the columns .*trips,"),
        ({"columns": {**PICKUP.columns, "pickup_trips_1h": "bigint"}}, "pickup_trips_1h is int"),
        ({"broken_if": {"a borough": "pickup_borough = 'Manhattan'"}}, r"not written: \d+ rows with a borough"),
        ({"primary_keys": ("pickup_is_airport", AS_OF)}, "rows with a key that another row has"),
        (
            {"source": PICKUP.source.replace("CAST(keys.pickup_location_id AS INT)", "CAST(NULL AS INT)")},
            "rows with a key that is null",
        ),
    ],
)
def test_what_is_not_as_declared_is_refused_before_it_is_written(change: dict[str, object], says: str) -> None:
    duck = computed(trip(START, way=(CENTER, LENOX)))
    with pytest.raises(PipelineError, match=says):
        check_computed(duck, replace(PICKUP, **change))  # type: ignore[arg-type]


def test_a_table_is_created_and_merged_as_declared() -> None:
    statements: list[str] = []

    class Asked:
        def run(self, statement: str, parameters: Mapping[str, str] | None = None) -> Result:
            statements.append(statement)
            return Result(columns=[], rows=[])

    create_feature_table(Asked(), PICKUP)
    (created,) = statements
    assert "pickup_location_id INT NOT NULL" in created
    assert "PRIMARY KEY (pickup_location_id, as_of TIMESERIES)" in created
    assert "'delta.enableChangeDataFeed' = 'true'" in created
    merged = merge_statement(PICKUP)
    assert merged.count(" <=> ") == len(PICKUP.features)
    assert merged.endswith("WHEN NOT MATCHED BY SOURCE THEN DELETE")


def test_ids_of_locations_are_the_commissions_and_no_zip() -> None:
    found = {one.location_id: one for one in locations()}
    assert len(found) == len(locations())
    assert {number: found[number].zone for number in (132, 138, 141, 161, 230)} == {
        132: "JFK Airport",
        138: "LaGuardia Airport",
        141: "Lenox Hill West",
        161: "Midtown Center",
        230: "Times Sq/Theatre District",
    }
    assert max(found) < 264 < min(one.zip for one in locations())
    assert {one.zone for one in locations() if one.is_airport} == {"JFK Airport", "LaGuardia Airport", "Newark Airport"}
