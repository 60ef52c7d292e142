"""Models with feature lookups: what the raw model gets for the keys that a caller sends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from databricks.sdk.errors import BadRequest, OperationFailed
from databricks.sdk.service.serving import EndpointCoreConfigInput

from tests.support.feature_serving import Lookup, World, entity, rows, save_feature_model, world
from workspace.unity_catalog import Column

PICKUP, DROPOFF = "main.ml.pickup", "main.ml.dropoff"
HOUR = datetime(2016, 1, 15, 12, tzinfo=UTC)
# The raw model answers with what it was given: column names in order, their types, their values.
ECHO = (
    "return [repr([(name, type(v).__name__, str(v)) for name, v in row.items()]) for _, row in model_input.iterrows()]"
)
INPUTS = {"distance": ("double", True), "zip": ("int", False), "at": ("timestamp", False), "to": ("int", False)}
LOOKUPS = [
    Lookup("mean_fare", PICKUP, "mean_fare", ("zip", "at")),
    Lookup("area", PICKUP, "name", ("zip", "at"), "string"),
    Lookup("trips_to", DROPOFF, "trips", ("to",), "bigint", default="7"),
]
KEYS = {"distance": 1.5, "zip": 10003, "at": "2016-01-15T12:00:00", "to": 10001}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("features")
    with world(folder) as made:
        columns = [Column("pickup_zip", "int", False), Column("hour", "timestamp", False)]
        columns += [Column("mean_fare", "double"), Column("name", "string")]
        made.make_table(PICKUP, columns, ["pickup_zip", "hour"])
        made.make_table(DROPOFF, [Column("dropoff_zip", "int", False), Column("trips", "bigint")], ["dropoff_zip"])
        put(made, 12.25, "East Village", 3)
        made.make_store()
        made.models.add("main.ml.fares", 1, save_feature_model(folder / "fares", ECHO, INPUTS, LOOKUPS))
        unknown = [Lookup("x", "main.ml.unpublished", "x", ("zip",))]
        made.models.add(
            "main.ml.fares", 2, save_feature_model(folder / "unpublished", ECHO, {"zip": ("int", False)}, unknown)
        )
        short = [Lookup("x", PICKUP, "mean_fare", ("zip",))]
        made.models.add("main.ml.fares", 3, save_feature_model(folder / "short", ECHO, {"zip": ("int", False)}, short))
        yield made


def put(shop: World, fare: float, name: str, trips: int) -> None:
    pickup = [{"pickup_zip": 10003, "hour": HOUR, "mean_fare": fare, "name": name}]
    shop.tables.append(PICKUP, rows(shop.tables, PICKUP, pickup))
    shop.tables.append(DROPOFF, rows(shop.tables, DROPOFF, [{"dropoff_zip": 10001, "trips": trips}]))


@pytest.fixture(scope="module")
def pipelines(shop: World) -> tuple[str, str]:
    return shop.publish(PICKUP, "main.ml.pickup_online"), shop.publish(DROPOFF, "main.ml.dropoff_online")


@pytest.fixture(scope="module")
def endpoint(shop: World, pipelines: tuple[str, str]) -> str:
    config = EndpointCoreConfigInput(name="fares", served_entities=[entity("main.ml.fares", 1)])
    shop.client.serving_endpoints.create("fares", config=config).result()
    return "fares"


def ask(shop: World, *records: dict[str, Any]) -> list[Any]:
    answer = shop.client.serving_endpoints.query("fares", dataframe_records=list(records))
    return [eval(text) for text in answer.predictions or []]  # noqa: S307 - the repr that our own model wrote


def test_keys_alone_bring_the_online_row_in_the_models_order(shop: World, endpoint: str) -> None:
    assert ask(shop, KEYS) == [
        [
            ("distance", "float", "1.5"),
            ("mean_fare", "float", "12.25"),
            ("area", "str", "East Village"),
            ("trips_to", "int", "3"),
        ]
    ]


@pytest.mark.parametrize("at", ["2016-01-15T12:00:00", "2016-01-15 12:00:00", "2016-01-15T12:00:00.000000"])
def test_time_of_a_key_is_found_however_it_is_written(shop: World, endpoint: str, at: str) -> None:
    (row,) = ask(shop, {**KEYS, "at": at})
    assert row[2] == ("area", "str", "East Village")


def test_time_with_a_zone_is_refused_as_mlflow_refuses_it(shop: World, endpoint: str) -> None:
    with pytest.raises(BadRequest, match="timezone-naive"):
        ask(shop, {**KEYS, "at": "2016-01-15T12:00:00Z"})


def test_missing_keys_give_nulls_or_the_default(shop: World, endpoint: str) -> None:
    (row,) = ask(shop, {**KEYS, "zip": 1, "to": 2})
    assert [(name, value) for name, _, value in row] == [
        ("distance", "1.5"),
        ("mean_fare", "None"),
        ("area", "None"),
        ("trips_to", "7"),
    ]


def test_value_in_the_request_wins_over_the_online_row_cell_by_cell(shop: World, endpoint: str) -> None:
    first, second = ask(shop, {**KEYS, "mean_fare": 99.0}, {**KEYS, "mean_fare": None})
    assert (first[1][2], second[1][2]) == ("99.0", "12.25")
    assert (first[2][2], second[2][2]) == ("East Village", "East Village")


def test_key_that_is_missing_or_of_another_type_is_a_bad_request(shop: World, endpoint: str) -> None:
    with pytest.raises(BadRequest, match="missing inputs"):
        ask(shop, {name: value for name, value in KEYS.items() if name != "zip"})
    with pytest.raises(BadRequest):
        ask(shop, {**KEYS, "zip": "somewhere"})


def test_answers_change_with_a_sync_and_not_before(shop: World, endpoint: str, pipelines: tuple[str, str]) -> None:
    before = ask(shop, KEYS)
    delta = shop.tables.delta(PICKUP)
    delta.update(predicate="pickup_zip = 10003", updates={"mean_fare": "50.5"})
    shop.tables.delta(DROPOFF).delete("dropoff_zip = 10001")
    assert ask(shop, KEYS) == before
    for pipeline in pipelines:
        shop.sync(pipeline)
    (row,) = ask(shop, KEYS)
    assert [value for _, _, value in row] == ["1.5", "50.5", "East Village", "7"]


def test_model_whose_table_is_not_published_is_not_deployed(shop: World) -> None:
    config = EndpointCoreConfigInput(name="lost", served_entities=[entity("main.ml.fares", 2, "e")])
    with pytest.raises(OperationFailed):
        shop.client.serving_endpoints.create("lost", config=config).result()
    assert "Feature lookup setup failed" in message(shop, "lost")
    assert "main.ml.unpublished" in message(shop, "lost")


def test_lookup_key_that_is_not_the_whole_primary_key_is_not_deployed(shop: World, pipelines: tuple[str, str]) -> None:
    config = EndpointCoreConfigInput(name="short", served_entities=[entity("main.ml.fares", 3, "e")])
    with pytest.raises(OperationFailed):
        shop.client.serving_endpoints.create("short", config=config).result()
    assert "['pickup_zip', 'hour'], however FeatureSpec specifies 1 lookup_keys" in message(shop, "short")


def message(shop: World, name: str) -> str:
    pending = shop.client.serving_endpoints.get(name).pending_config
    assert pending is not None
    assert pending.served_entities is not None
    assert pending.served_entities[0].state is not None
    return str(pending.served_entities[0].state.deployment_state_message)


def test_a_lookup_takes_the_time_that_is_set_and_what_a_request_gives_takes_none(shop: World, endpoint: str) -> None:
    shop.set(online_lookup_seconds=0.15)
    try:
        config = [entity("main.ml.fares", 1, name="slow")]
        shop.client.serving_endpoints.create(
            "slow-fares", config=EndpointCoreConfigInput(name="slow-fares", served_entities=config)
        ).result()

        def seconds(record: dict[str, Any]) -> float:
            started = time.perf_counter()
            shop.client.serving_endpoints.query("slow-fares", dataframe_records=[record])
            return time.perf_counter() - started

        given = {**KEYS, "mean_fare": 1.0, "area": "somewhere", "trips_to": 1}
        seconds(given)
        # Two tables are read, one after the other. The shortest of three: a shared machine makes any single one long.
        assert min(seconds(KEYS) for _ in range(3)) >= 0.3
        assert min(seconds(given) for _ in range(3)) < 0.3
    finally:
        shop.set(online_lookup_seconds=0)
        shop.client.serving_endpoints.delete("slow-fares")
