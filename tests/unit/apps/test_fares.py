"""Keys leave the app exactly as the feature tables hold them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.client import FareRequest, rounded_dropoff_datetime, rounded_pickup_datetime
from apps.client.requests import encode
from pipelines.taxi import keys
from workspace.feature_store.keys import normalise

MOMENTS = st.datetimes(
    datetime(1990, 1, 1),
    datetime(2100, 1, 1),
    timezones=st.sampled_from([None, *(timezone(timedelta(minutes=m)) for m in (-570, -240, 0, 345, 765))]),
)
RIDE: dict[str, Any] = {
    "pickup_zip": "10065",
    "dropoff_zip": 10017,
    "pickup": datetime(2019, 3, 23, 20, 21, 9),
    "dropoff": datetime(2019, 3, 23, 20, 29, 59),
    "trip_distance": 1.6,
}


@given(MOMENTS)
def test_keys_are_rounded_as_the_pipeline_rounds_them(moment: datetime) -> None:
    assert rounded_pickup_datetime(moment) == keys.rounded_pickup_datetime(moment)
    assert rounded_dropoff_datetime(moment) == keys.rounded_dropoff_datetime(moment)


@given(MOMENTS, st.integers(0, 99_999), st.integers(0, 3))
def test_what_is_sent_is_the_key_that_the_feature_tables_hold(moment: datetime, zip_code: int, zeros: int) -> None:
    text_of_zip = str(zip_code).zfill(min(5, len(str(zip_code)) + zeros))
    ride = FareRequest(**{**RIDE, "pickup_zip": text_of_zip, "pickup": moment, "dropoff": moment})
    (sent,) = json.loads(encode([ride.record()]))["dataframe_records"]
    for column, expected in (
        ("rounded_pickup_datetime", keys.rounded_pickup_datetime(moment)),
        ("rounded_dropoff_datetime", keys.rounded_dropoff_datetime(moment)),
    ):
        # A signature's datetime column, which is what a model's inputs are made into first, and the key under it.
        arrived = pd.to_datetime(pd.Series([sent[column]])).iloc[0]
        assert arrived.tz_localize("UTC") == expected
        for form in (sent[column], arrived):
            assert normalise(column, "timestamp", form) == normalise(column, "timestamp", expected)
    assert normalise("pickup_zip", "int", sent["pickup_zip"]) == zip_code


def test_a_record_has_keys_and_the_distance_and_no_feature() -> None:
    record = FareRequest(**RIDE).record()
    assert {name: str(value) for name, value in record.items()} == {
        "pickup_zip": "10065",
        "rounded_pickup_datetime": "2019-03-23 20:15:00+00:00",
        "dropoff_zip": "10017",
        "rounded_dropoff_datetime": "2019-03-23 20:00:00+00:00",
        "trip_distance": "1.6",
    }


def test_a_zip_with_leading_zeros_is_the_number_of_the_feature_table() -> None:
    assert FareRequest(**{**RIDE, "pickup_zip": "00501"}).pickup_zip == 501


@pytest.mark.parametrize("value", ["", "1_000", "+7", "100650", "10065-1234", -1, True, "١٠٠٦٥"])
def test_what_is_no_zip_is_refused_with_the_value(value: Any) -> None:
    with pytest.raises(ValueError, match="pickup_zip"):
        FareRequest(**{**RIDE, "pickup_zip": value})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"trip_distance": -0.1}, "trip_distance"),
        ({"trip_distance": float("nan")}, "trip_distance"),
        ({"dropoff": datetime(2019, 3, 23, 20, 21, 8)}, "before pickup"),
    ],
)
def test_an_impossible_ride_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        FareRequest(**{**RIDE, **change})
