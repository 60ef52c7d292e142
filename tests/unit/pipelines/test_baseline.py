"""The baseline of a monitor: typed rows written by SQL, put in place of those of before."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from pipelines.baseline import replace_baseline
from tests.unit.pipelines.duck import Duck

COLUMNS = {"moment": "timestamp", "zip": "int", "miles": "double", "prediction": "double", "label": "bigint"}
NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def frame(**changes: object) -> pd.DataFrame:
    values: dict[str, object] = {
        "moment": [pd.Timestamp(NOON), pd.NaT],
        "zip": [10019.0, np.nan],
        "miles": [1.1, np.nan],
        "prediction": [12.3456789012345, -0.5],
        "label": [2**53 + 1, 0],
        "more": ["not", "written"],
    }
    return pd.DataFrame({**values, **changes})


def test_values_come_back_as_they_were_and_what_is_missing_is_null() -> None:
    duck = Duck()
    assert replace_baseline(duck, "baseline", COLUMNS, frame()) == 2
    found = duck.run("SELECT * FROM baseline ORDER BY prediction DESC")
    assert found.columns == list(COLUMNS)
    assert found.rows == [[NOON, 10019, 1.1, 12.3456789012345, 2**53 + 1], [None, None, None, -0.5, 0]]


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kathmandu"])
def test_moments_are_of_utc_whatever_zone_they_are_in(zone: str | None) -> None:
    moment = pd.Timestamp(NOON)
    given = moment.tz_localize(None) if zone is None else moment.tz_convert(zone)
    duck = Duck()
    replace_baseline(duck, "baseline", COLUMNS, frame(moment=[given, given]))
    assert duck.run("SELECT DISTINCT moment FROM baseline").rows == [[NOON]]


def test_what_was_there_goes_also_when_nothing_comes() -> None:
    duck = Duck()
    replace_baseline(duck, "baseline", COLUMNS, frame())
    replace_baseline(duck, "baseline", COLUMNS, frame().tail(1))
    assert duck.run("SELECT prediction FROM baseline").rows == [[-0.5]]
    assert replace_baseline(duck, "baseline", COLUMNS, frame().head(0)) == 0
    assert duck.run("SELECT count(*) FROM baseline").rows == [[0]]


def test_more_rows_than_one_statement_takes_are_all_written() -> None:
    duck = Duck()
    many = pd.DataFrame({"prediction": np.arange(12_001.0)})
    assert replace_baseline(duck, "baseline", {"prediction": "double"}, many) == 12_001
    assert duck.run("SELECT count(DISTINCT prediction), sum(prediction) FROM baseline").rows == [[12_001, 72_006_000.0]]


@pytest.mark.parametrize("columns", [{"a": "string"}, {"a b": "int"}, {"a": "INT"}])
def test_other_columns_are_refused_before_anything_is_written(columns: dict[str, str]) -> None:
    duck = Duck()
    with pytest.raises(ValueError, match="no plain numbers or timestamps"):
        replace_baseline(duck, "baseline", columns, frame())
    assert duck.run("SELECT count(*) FROM information_schema.tables").rows == [[0]]
