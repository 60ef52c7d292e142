"""The end-to-end fare model: what it is made of, how it is measured, when it may serve."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from pipelines.errors import PipelineError
from pipelines.feature_model import FeatureSpec
from pipelines.taxi.parameters import Parameters
from pipelines.taxi_e2e import train, transform
from pipelines.taxi_e2e.custom_metrics import fare_quality
from pipelines.taxi_e2e.feature_step import FEATURE_TABLES
from pipelines.taxi_e2e.settings import flag, number, settings_of
from pipelines.taxi_e2e.validation import GAIN, LINE, Thresholds, held_out, measure
from pipelines.validation import Measured, judge

SPEC = train.feature_spec("main.e2e", {table.name: "id" for table in FEATURE_TABLES})
PARAMETERS = Parameters(n_estimators=8, min_samples_leaf=3)


@pytest.fixture(scope="module")
def trips() -> pd.DataFrame:
    """400 trips over eight days whose fare is 3 dollars, 2.5 a mile, and 10 more where they begin at an airport."""
    random = np.random.default_rng(3)
    count = 400
    miles = random.uniform(0.5, 12, count)
    airport = random.integers(0, 2, count)
    times = pd.Timestamp("2019-03-01", tz="UTC") + pd.to_timedelta(np.sort(random.uniform(0, 8 * 24, count)), unit="h")
    features = {
        name: np.where(airport, "Queens", "Manhattan") if kind == "string" else random.uniform(0, 1, count)
        for table in FEATURE_TABLES
        for name, kind in table.features.items()
    }
    features["pickup_is_airport"] = airport.astype(float)
    return pd.DataFrame(
        {
            "pickup_datetime": times,
            "trip_distance": miles,
            "fare_amount": 3 + 2.5 * miles + 10 * airport + random.normal(0, 0.2, count),
            "pickup_location_id": 161,
            "dropoff_location_id": 141,
            **features,
        }
    )


def test_the_model_is_given_the_request_and_both_tables_features_and_never_the_label() -> None:
    features = [name for table in FEATURE_TABLES for name in table.features]
    assert SPEC.model_columns == ["trip_distance", "pickup_datetime", *features]
    assert train.LABEL not in {column.name for column in SPEC.inputs}
    document = SPEC.document(1)
    looked_up = [entry for column in document["input_columns"] for entry in column.values() if "table_name" in entry]  # type: ignore[attr-defined]
    assert {tuple(entry["lookup_key"]) for entry in looked_up} == {("pickup_location_id",), ("dropoff_location_id",)}
    assert {tuple(entry["timestamp_lookup_key"]) for entry in looked_up} == {("pickup_datetime",)}


def test_a_forest_learns_from_features_what_distance_does_not_say(trips: pd.DataFrame) -> None:
    trained = train.train(trips, SPEC, PARAMETERS)
    assert trained.quality.rmse < trained.baseline.rmse / 2
    assert trained.held_out["pickup_datetime"].min() >= trained.cut
    assert list(trained.example.columns) == [column.name for column in train.INPUTS]
    shares = train.importances(trained.model)
    assert sum(shares.values()) == pytest.approx(1)
    assert {"miles", "hour_sin", "pickup_borough_Queens"} <= set(shares)
    assert next(iter(shares)) in ("miles", "log_miles")


def test_the_same_seed_is_the_same_model(trips: pd.DataFrame) -> None:
    first, second = (train.train(trips, SPEC, PARAMETERS).held_out["prediction"] for _ in range(2))
    assert list(first) == list(second)
    other = train.train(trips, SPEC, replace(PARAMETERS, seed=8)).held_out["prediction"]
    assert list(first) != list(other)


def test_a_place_that_no_row_is_for_still_gets_a_fare(trips: pd.DataFrame) -> None:
    model = train.train(trips, SPEC, PARAMETERS).model
    unknown = trips.head(2).copy()
    unknown[[name for table in FEATURE_TABLES for name in table.features]] = None
    assert np.isfinite(model.predict(unknown[SPEC.model_columns])).all()


def test_the_model_can_be_loaded_where_this_project_is_not(trips: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(cloudpickle.dumps(train.train(trips, SPEC, PARAMETERS).model))
    trips.head(1)[SPEC.model_columns].to_pickle(tmp_path / "row.pkl")
    code = (
        "import pickle, pandas, sys; model = pickle.load(open('model.pkl', 'rb')); "
        "print(model.predict(pandas.read_pickle('row.pkl'))); "
        "assert not [name for name in sys.modules if name.startswith('pipelines')]"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_too_few_trips_are_refused(trips: pd.DataFrame) -> None:
    with pytest.raises(PipelineError, match="too few to train and judge"):
        train.train(trips.head(60), SPEC, PARAMETERS)


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_hours_are_those_of_utc_whatever_zone_a_time_is_in(zone: str | None) -> None:
    moment = pd.Timestamp("2019-03-09 06:00", tz="UTC")
    given = moment.tz_localize(None) if zone is None else moment.tz_convert(zone)
    (encoded,) = transform.time_encodings(pd.DataFrame({"pickup_datetime": [given]}))
    assert encoded == pytest.approx([1.0, 0.0, 1.0], abs=1e-9)


def test_midnight_is_next_to_the_hour_before_it() -> None:
    times = pd.DataFrame({"t": pd.to_datetime(["2019-03-05 23:59", "2019-03-06 00:00", "2019-03-06 12:00"])})
    before, midnight, noon = transform.time_encodings(times)[:, :2]
    assert np.linalg.norm(before - midnight) < 0.01 < np.linalg.norm(noon - midnight)


def test_measures_are_of_dollars_and_shares() -> None:
    quality = fare_quality([10, 20, 40], [11, 20, 30])
    assert quality.mae == pytest.approx(11 / 3)
    assert quality.rmse == pytest.approx((101 / 3) ** 0.5)
    # 30 for 40 is a quarter off; the limit itself counts as within.
    assert quality.within_fifth == pytest.approx(2 / 3)
    assert fare_quality([10], [12]).within_fifth == 1
    assert quality.mean_overcharge == pytest.approx(1 / 3)
    assert set(quality.metrics("held_out")) == {
        "held_out_mae",
        "held_out_rmse",
        "held_out_within_fifth",
        "held_out_mean_overcharge",
    }


def test_a_version_is_judged_on_later_trips_against_a_line_through_distance(trips: pd.DataFrame) -> None:
    rows = held_out(trips)
    assert rows["pickup_datetime"].min() > trips["pickup_datetime"].quantile(0.7)
    perfect = measure(rows.assign(prediction=rows["fare_amount"]))
    assert (perfect["rmse"], perfect["within_fifth"]) == (0, 1)
    assert perfect[GAIN] > 1
    assert measure(rows.assign(prediction=rows[LINE]))[GAIN] == 0


@pytest.mark.parametrize(
    ("metrics", "champion", "failed"),
    [
        ({}, None, []),
        ({"rmse": 3.0}, None, []),
        ({"rmse": 3.01}, None, ["rmse"]),
        ({"mae": 1.51}, None, ["mae"]),
        ({"within_fifth": 0.69}, None, ["within_fifth"]),
        ({GAIN: -0.01}, None, [GAIN]),
        ({"rmse": 2.0}, 1.75, []),
        ({"rmse": 2.0}, 1.74, ["rmse"]),
    ],
)
def test_a_threshold_itself_is_kept_and_the_champion_may_be_missed_by_so_much(
    metrics: dict[str, float], champion: float | None, failed: list[str]
) -> None:
    thresholds = Thresholds(max_rmse=3.0, max_mae=1.5, least_within_fifth=0.7, may_lose=0.25)
    good = {"rmse": 1.0, "mae": 0.7, "within_fifth": 0.9, GAIN: 0.5, "mean_overcharge": 0.2}
    before = None if champion is None else Measured(rows=100, metrics={**good, "rmse": champion})
    verdict = judge(Measured(rows=100, metrics={**good, **metrics}), thresholds.limits, before)
    assert [text.split()[0] for text in verdict.failures] == failed


@pytest.mark.parametrize("wrong", [{"max_rmse": 0.0}, {"least_within_fifth": 1.2}, {"may_lose": -0.1}])
def test_thresholds_that_nothing_can_keep_are_refused(wrong: dict[str, float]) -> None:
    values = {"max_rmse": 3.0, "max_mae": 1.5, "least_within_fifth": 0.7, "may_lose": 0.25, **wrong}
    with pytest.raises(PipelineError, match="cannot be kept"):
        Thresholds(**values)


def test_parameters_are_texts_and_wrong_ones_are_named() -> None:
    given = dict.fromkeys(("raw_table", "model", "experiment", "git_commit"), "a.b.c")
    settings = settings_of({**given, "catalog": "main", "schema": "e2e", "warehouse_id": ""}.__getitem__)
    assert (settings.full_schema, settings.warehouse_id) == ("main.e2e", None)
    assert flag("force", "True") is True
    with pytest.raises(PipelineError, match="force is 'yes'; use true or false"):
        flag("force", "yes")
    with pytest.raises(PipelineError, match="max_rmse is 'a lot'; use a number"):
        number("max_rmse", "a lot")


def test_the_spec_is_refused_where_the_caller_does_not_send_a_key() -> None:
    with pytest.raises(PipelineError, match="pickup_location_id"):
        FeatureSpec(inputs=[one for one in train.INPUTS if one.include], lookups=SPEC.lookups)
