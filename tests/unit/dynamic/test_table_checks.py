"""Whether a source can be published: what was found, what was expected, and SQL that mends exactly that."""

from __future__ import annotations

import pytest
import sqlglot
from databricks.sdk.service.catalog import TableInfo

from components.dynamic.table_checks import Publication, seen_primary_keys, source_problems
from components.names import ThreePartName
from tests.support.rest_stub import feature_table

NAME = "main.ml-prod.trips"


def table(*keys: str, timeseries: tuple[str, ...] = (), feed: bool = True, columns: tuple[str, ...] = ()) -> TableInfo:
    described = feature_table(NAME, list(keys), timeseries=list(timeseries), feed=feed)
    described["columns"].extend({"name": name, "type_text": "int", "nullable": True} for name in columns)
    return TableInfo.from_dict(described)


def wanted(*keys: str, timeseries: str | None = None, mode: str = "TRIGGERED") -> Publication:
    return Publication(ThreePartName.parse(NAME), keys, timeseries, mode)


def problems(found: TableInfo, expected: Publication) -> dict[str, str]:
    return dict(source_problems(found, expected))


def statements(reason: str) -> list[str]:
    """The SQL after `run:`, as Databricks would parse it."""
    sql = reason.lower().rpartition("run: ")[2].partition("; or ")[0]
    return [one.sql("databricks") for one in sqlglot.parse(sql, dialect="databricks") if one is not None]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (table("zip", "hour"), wanted("zip", "hour")),
        (table("zip", "hour"), wanted("ZIP", "Hour")),
        (table("zip", "hour", timeseries=("hour",)), wanted("zip", timeseries="hour")),
        (table("zip", "hour", timeseries=("hour",)), wanted("zip", "hour", timeseries="HOUR")),
        (table("zip", feed=False), wanted("zip", mode="SNAPSHOT")),
    ],
)
def test_a_table_that_is_as_declared_can_be_published(found: TableInfo, expected: Publication) -> None:
    assert problems(found, expected) == {}


def test_a_missing_primary_key_is_mended_by_adding_it() -> None:
    reason = problems(table(columns=("zip", "hour")), wanted("zip", "hour"))
    assert f"{NAME} has no PRIMARY KEY, expected (zip, hour)" in next(
        text
        for name, text in source_problems(table(columns=("zip", "hour")), wanted("zip", "hour"))
        if "PRIMARY" in text
    )
    assert set(reason) == {"primary_keys"}


@pytest.mark.parametrize("keys", [("hour", "zip"), ("zip",), ("zip", "hour", "day")])
def test_another_key_or_order_is_told_with_both_and_mended_by_replacing_it(keys: tuple[str, ...]) -> None:
    found = table(*keys, columns=tuple({"zip", "hour"} - set(keys)))
    reason = next(text for _, text in source_problems(found, wanted("zip", "hour")))
    assert f"is ({', '.join(keys)}), expected (zip, hour) in this order" in reason
    assert (
        "DROP PRIMARY KEY; ALTER TABLE `main`.`ml-prod`.`trips` ADD CONSTRAINT `trips_pk` PRIMARY KEY (`zip`, `hour`);"
        in reason
    )


def test_a_key_column_that_may_be_null_is_mended() -> None:
    found = table("zip", "hour")
    assert found.columns is not None
    found.columns[1].nullable = True
    assert problems(found, wanted("zip", "hour")) == {
        "primary_keys": f"hour of {NAME} may be NULL, expected NOT NULL. "
        "Run: ALTER TABLE `main`.`ml-prod`.`trips` ALTER COLUMN `hour` SET NOT NULL;"
    }


def test_a_column_whose_nullability_is_not_told_is_not_taken_for_not_null() -> None:
    found = table("zip")
    assert found.columns is not None
    found.columns[0].nullable = None
    assert "may be NULL" in problems(found, wanted("zip"))["primary_keys"]


@pytest.mark.parametrize("mode", ["TRIGGERED", "CONTINUOUS"])
def test_a_missing_change_data_feed_is_mended(mode: str) -> None:
    reason = problems(table("zip", feed=False), wanted("zip", mode=mode))["publish_mode"]
    assert f"is false, {mode} needs it to be true" in reason
    assert "ALTER TABLE `main`.`ml-prod`.`trips` SET TBLPROPERTIES (delta.enableChangeDataFeed = true);" in reason
    assert statements(reason)


def test_a_feed_that_was_turned_off_is_off() -> None:
    found = table("zip")
    found.properties = {"delta.enableChangeDataFeed": "FALSE"}
    assert "publish_mode" in problems(found, wanted("zip"))


def test_a_column_that_is_not_there_is_named() -> None:
    found = problems(table("zip"), wanted("zip", "hour"))
    assert "has no column hour (it has zip, feature)" in found["primary_keys"]
    assert "has no column hour" in problems(table("zip"), wanted("zip", timeseries="hour"))["timeseries_key"]


def test_a_time_series_column_is_declared_exactly_where_the_key_has_one() -> None:
    plain = problems(table("zip", "hour"), wanted("zip", timeseries="hour"))["timeseries_key"]
    assert "has no TIMESERIES column, expected hour" in plain
    assert "PRIMARY KEY (`zip`, `hour` TIMESERIES);" in plain
    declared = problems(table("zip", "hour", timeseries=("hour",)), wanted("zip", "hour"))["timeseries_key"]
    assert "has TIMESERIES hour, expected none" in declared


def test_the_key_that_is_seen_is_the_declared_one_unless_it_differs() -> None:
    assert seen_primary_keys(table("zip", "hour"), ["ZIP", "hour"], None) == ["ZIP", "hour"]
    assert seen_primary_keys(table("zip", "hour", timeseries=("hour",)), ["zip"], "HOUR") == ["zip"]
    assert seen_primary_keys(table("zip", "hour", timeseries=("hour",)), ["zip", "hour"], "hour") == ["zip", "hour"]
    assert seen_primary_keys(table("hour"), ["zip"], None) == ["hour"]
    assert seen_primary_keys(table(), ["zip"], None) == []
