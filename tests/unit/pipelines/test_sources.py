"""Every source gives trips in the columns of samples.nyctaxi.trips; what it cannot use, it counts or refuses."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import PipelineError
from pipelines.taxi import sample, taxis_csv
from pipelines.taxi.ingest import WorkspaceTable, create_trips, replace_trips
from pipelines.taxi.trips import Trip
from pipelines.taxi.zones import zone_zips
from tests.support.records import write_records
from tests.unit.pipelines.duck import Duck

HEADER = [
    "pickup",
    "dropoff",
    "passengers",
    "distance",
    "fare",
    "tip",
    "tolls",
    "total",
    "color",
    "payment",
    "pickup_zone",
    "dropoff_zone",
]
GOOD = {
    "pickup": "2019-03-23 20:21:09",
    "dropoff": "2019-03-23 20:27:24",
    "distance": "1.6",
    "fare": "7.0",
    "pickup_zone": "Lenox Hill West",
    "dropoff_zone": "UN/Turtle Bay South",
}
REAL = Path(__file__).parents[3].parent / "shared" / "data"


def folder_with(folder: Path, *rows: dict[str, str], header: list[str] = HEADER) -> Path:
    write_records(folder / taxis_csv.FILE_NAME, header, rows)
    return folder


def test_a_row_of_taxis_csv_becomes_a_trip_with_zips(tmp_path: Path) -> None:
    trips, refusals = taxis_csv.read(folder_with(tmp_path, GOOD))
    assert trips == [
        Trip(
            datetime(2019, 3, 23, 20, 21, 9, tzinfo=UTC),
            datetime(2019, 3, 23, 20, 27, 24, tzinfo=UTC),
            1.6,
            7.0,
            10065,
            10017,
        )
    ]
    assert refusals.total == 0


def test_rows_that_cannot_be_used_are_counted_by_reason(tmp_path: Path) -> None:
    bad = [
        {"fare": "-3"},
        {"distance": "-0.1"},
        {"pickup_zone": ""},
        {"dropoff_zone": ""},
        {"dropoff_zone": "Atlantis"},
        {"dropoff": "2019-03-23 20:00:00"},
    ]
    trips, refusals = taxis_csv.read(folder_with(tmp_path, GOOD, *({**GOOD, **change} for change in bad)))
    assert len(trips) == 1
    assert refusals.by_reason == Counter(
        {
            "negative fare": 1,
            "negative distance": 1,
            "no pickup zone": 1,
            "no dropoff zone": 1,
            "unknown dropoff zone": 1,
            "dropoff before pickup": 1,
        }
    )
    assert refusals.unknown_zones == Counter({"Atlantis": 1})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pickup": "yesterday"}, ["line 3", "pickup", "'yesterday'", "2019-03-23 20:21:09"]),
        ({"dropoff": ""}, ["line 3", "dropoff", "''"]),
        ({"fare": "seven"}, ["line 3", "fare", "'seven'", "12.5"]),
        ({"distance": "nan"}, ["line 3", "distance", "'nan'"]),
    ],
)
def test_a_value_that_is_no_time_or_number_names_line_column_and_value(
    tmp_path: Path, change: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(PipelineError) as caught:
        taxis_csv.read(folder_with(tmp_path, GOOD, {**GOOD, **change}))
    assert [word for word in [taxis_csv.FILE_NAME, *words] if word not in str(caught.value)] == []


def test_a_missing_column_is_named_with_the_header_that_was_found(tmp_path: Path) -> None:
    header = [column for column in HEADER if column not in ("fare", "pickup_zone")]
    with pytest.raises(PipelineError, match="lacks the columns fare, pickup_zone: its header is pickup, dropoff"):
        taxis_csv.read(folder_with(tmp_path, GOOD, header=header))


def test_a_missing_or_empty_file_and_one_without_usable_trips_are_errors(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"taxis.csv is not there: --data takes a folder"):
        taxis_csv.read(tmp_path)
    (tmp_path / taxis_csv.FILE_NAME).touch()
    with pytest.raises(PipelineError, match="is empty: expected a header line"):
        taxis_csv.read(tmp_path)
    with pytest.raises(PipelineError, match=r"no usable trip: 1 refused \(1 negative fare\)"):
        taxis_csv.read(folder_with(tmp_path, {**GOOD, "fare": "-1"}))


def test_every_zone_has_an_integer_zip_of_new_york_or_newark() -> None:
    zips = zone_zips()
    assert len(zips) == 260
    assert {zone: number for zone, number in zips.items() if not (10001 <= number <= 11697 or number == 7114)} == {}


def test_no_trip_of_the_march_2019_file_has_a_zone_without_a_zip(tmp_path: Path) -> None:
    # The zones of the public file, where it lies beside the project; else a stand-in with the names that are written
    # most oddly.
    odd = ["Times Sq/Theatre District", "Little Italy/NoLiTa", "Williamsburg (North Side)", "JFK Airport", "Co-Op City"]
    folder = REAL if REAL.is_dir() else folder_with(tmp_path, *({**GOOD, "pickup_zone": zone} for zone in odd))
    trips, refusals = taxis_csv.read(folder)
    assert trips
    assert refusals.unknown_zones == Counter()


def test_sample_trips_are_the_same_for_a_seed_and_others_for_another() -> None:
    first = sample.generate(7)
    assert first == sample.generate(7)
    assert first != sample.generate(8)
    assert sample.digest(7) != sample.digest(8)


def test_sample_trips_can_teach_a_fare_model() -> None:
    trips = sample.generate(7)
    assert len(trips) == sample.TRIPS
    assert all(t.tpep_pickup_datetime < t.tpep_dropoff_datetime for t in trips)
    assert all(t.trip_distance > 0 and t.fare_amount >= 2.5 for t in trips)
    assert [t.tpep_pickup_datetime for t in trips] == sorted(t.tpep_pickup_datetime for t in trips)
    days = {t.tpep_pickup_datetime.date() for t in trips}
    assert len(days) == sample.DAYS


def test_trips_reach_the_table_to_the_last_digit(tmp_path: Path) -> None:
    moment = datetime(2019, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    trips = [Trip(moment, moment, 0.1 + 0.2, 1e-05, 10001, 7114), *sample.generate(7)[:100]]
    duck = Duck()
    create_trips(duck)
    replace_trips(duck, trips)
    found = [Trip(*row) for row in duck.run("SELECT * FROM trips").rows]  # type: ignore[arg-type]  # rows are untyped
    assert Counter(found) == Counter(trips)


def test_a_workspace_table_is_judged_by_the_same_rules_and_its_digest_follows_its_rows() -> None:
    good = sample.generate(7)[:20]
    bad = [
        good[0]._replace(fare_amount=-1.0),
        good[0]._replace(trip_distance=-1.0),
        good[0]._replace(tpep_dropoff_datetime=datetime(2019, 1, 1, tzinfo=UTC)),
    ]
    duck = Duck()
    create_trips(duck)
    replace_trips(duck, [*good, *bad])
    duck.run("CREATE TABLE source AS SELECT * FROM trips")
    duck.run("INSERT INTO source (fare_amount) SELECT CAST(5 AS DOUBLE)")
    source = WorkspaceTable(duck, "source")
    before = source.digest()
    batch = source.read()
    batch.write(duck)
    assert batch.usable == len(good)
    assert batch.refusals.by_reason == Counter(
        {"negative fare": 1, "negative distance": 1, "dropoff before pickup": 1, "missing value": 1}
    )
    assert duck.run("SELECT count(*) FROM trips").rows == [[len(good)]]
    assert source.digest() == before
    duck.run(
        "UPDATE source SET fare_amount = fare_amount + 0.5 WHERE pickup_zip = (SELECT min(pickup_zip) FROM source)"
    )
    assert source.digest() != before
