"""Online stores, publishing and syncing, seen through databricks-sdk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk.errors import InvalidParameterValue, InvalidState, NotFound, ResourceConflict
from databricks.sdk.service.catalog import OnlineTable
from databricks.sdk.service.ml import OnlineStore, PublishSpec, PublishSpecPublishMode

from tests.support.feature_serving import STORE, World, eventually, rows, world
from workspace.unity_catalog import Column

SOURCE, ONLINE = "main.ml.features", "main.ml.features_online"
TYPED = [
    Column("k", "int", False),
    Column("at", "timestamp", False),
    Column("small", "smallint"),
    Column("big", "bigint"),
    Column("x", "double"),
    Column("f", "float"),
    Column("s", "string"),
    Column("day", "date"),
    Column("flag", "boolean"),
    Column("price", "decimal(10,2)"),
    Column("naive", "timestamp_ntz"),
    Column("raw", "binary"),
    Column("tags", "array<string>"),
]
NOON = datetime(2016, 1, 15, 12, 30, 0, 250000, tzinfo=UTC)
ROW: dict[str, Any] = {
    "k": 10003,
    "at": NOON,
    "small": -7,
    "big": 2**62 + 1,
    "x": 0.1 + 0.2,
    "f": 0.10000000149011612,
    "s": "Zürich \N{SNOWMAN}",
    "day": date(2016, 2, 29),
    "flag": True,
    "price": Decimal("1.10"),
    "naive": datetime(2016, 1, 15, 12, 30),
    "raw": b"\x00\xff",
    "tags": ["a", None, "b"],
}
NAMES = [column.name for column in TYPED]
NULLS = dict.fromkeys(NAMES[2:])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def simple(shop: World, name: str = SOURCE, **more: Any) -> None:
    shop.make_table(name, [Column("k", "int", False), Column("v", "string")], ["k"], **more)


def put(shop: World, values: dict[int, str], name: str = SOURCE) -> None:
    shop.tables.append(name, rows(shop.tables, name, [{"k": k, "v": v} for k, v in values.items()]))


def value(shop: World, key: object, name: str = SOURCE) -> object:
    return shop.features.lookup(name, {"k": key}, ["v"])["v"]


def spec(mode: str = "TRIGGERED", online: str = ONLINE, store: str = STORE) -> PublishSpec:
    return PublishSpec(online_store=store, online_table_name=online, publish_mode=PublishSpecPublishMode(mode))


def test_store_is_starting_then_available_and_shows_its_defaults(shop: World) -> None:
    shop.set(online_store_provisioning_seconds=0.5)
    created = shop.client.feature_store.create_online_store(OnlineStore(name="s1", capacity="CU_2"))
    assert created.state is not None
    assert (created.state.value, created.read_replica_count, created.creator) == ("STARTING", 0, "me@example.com")
    eventually(lambda: str(shop.client.feature_store.get_online_store("s1").state).endswith("AVAILABLE"))
    assert [store.name for store in shop.client.feature_store.list_online_stores()] == ["s1"]


@pytest.mark.parametrize(
    "store",
    [
        OnlineStore(name="s1", capacity="CU_3"),
        OnlineStore(name="has space", capacity="CU_1"),
        OnlineStore(name="s1", capacity="CU_1", read_replica_count=-1),
    ],
)
def test_store_that_cannot_be_is_refused(shop: World, store: OnlineStore) -> None:
    with pytest.raises(InvalidParameterValue):
        shop.client.feature_store.create_online_store(store)
    assert list(shop.client.feature_store.list_online_stores()) == []


def test_store_changes_by_mask_only_and_a_rename_finds_nothing(shop: World) -> None:
    shop.make_store()
    changed = OnlineStore(name=STORE, capacity="CU_4", read_replica_count=2)
    shop.client.feature_store.update_online_store(STORE, changed, "capacity")
    found = shop.client.feature_store.get_online_store(STORE)
    assert (found.capacity, found.read_replica_count) == ("CU_4", 0)
    with pytest.raises(NotFound):
        shop.client.feature_store.update_online_store("other", OnlineStore("other", "CU_4"), "capacity")


def test_store_with_published_tables_cannot_be_deleted(shop: World) -> None:
    shop.make_store()
    simple(shop)
    shop.publish(SOURCE, ONLINE)
    with pytest.raises(InvalidState, match=ONLINE):
        shop.client.feature_store.delete_online_store(STORE)
    shop.client.feature_store.delete_online_table(ONLINE)
    shop.client.feature_store.delete_online_store(STORE)
    with pytest.raises(NotFound):
        shop.client.feature_store.get_online_store(STORE)


def test_lookup_returns_exactly_the_offline_values(shop: World) -> None:
    shop.make_store()
    shop.make_table(SOURCE, TYPED, ["k", "at"])
    extremes: dict[str, Any] = {**NULLS, "x": float("inf"), "f": -0.0, "big": -(2**63), "s": "", "tags": []}
    shop.tables.append(SOURCE, rows(shop.tables, SOURCE, [ROW, {**extremes, "k": 2, "at": NOON}]))
    shop.publish(SOURCE, ONLINE)
    offline = {row["k"]: row for row in shop.tables.delta(SOURCE).to_pyarrow_table().to_pylist()}
    for key in (10003, 2):
        looked_up = shop.features.lookup(SOURCE, {"k": key, "at": NOON}, NAMES)
        assert repr(sorted(looked_up.items())) == repr(sorted(_utc(offline[key]).items()))


def _utc(row: dict[str, Any]) -> dict[str, Any]:
    """Arrow names the zone of UTC its own way."""
    return {name: v.astimezone(UTC) if isinstance(v, datetime) and v.tzinfo else v for name, v in row.items()}


def test_nan_survives_as_nan(shop: World) -> None:
    shop.make_store()
    shop.make_table(SOURCE, [Column("k", "int", False), Column("x", "double")], ["k"])
    shop.tables.append(SOURCE, rows(shop.tables, SOURCE, [{"k": 1, "x": float("nan")}]))
    shop.publish(SOURCE, ONLINE)
    assert repr(shop.features.lookup(SOURCE, {"k": 1}, ["x"])) == "{'x': nan}"


def test_missing_key_gives_nulls_and_unpublished_table_404(shop: World) -> None:
    shop.make_store()
    simple(shop)
    put(shop, {1: "one"})
    shop.publish(SOURCE, ONLINE)
    assert shop.features.lookup(SOURCE, {"k": 99}, ["v", "k"]) == {"v": None, "k": None}
    with pytest.raises(Exception, match="not published"):
        shop.features.lookup("main.ml.other", {"k": 1}, ["v"])


@pytest.mark.parametrize("mode", ["SNAPSHOT", "TRIGGERED"])
def test_changes_show_after_a_sync_and_not_before(shop: World, mode: str) -> None:
    shop.make_store()
    simple(shop)
    put(shop, {1: "one", 2: "two", 3: "three"})
    pipeline = shop.publish(SOURCE, ONLINE, mode)
    delta = shop.tables.delta(SOURCE)
    delta.update(predicate="k = 1", updates={"v": "'changed'"})
    delta.delete("k = 2")
    put(shop, {4: "four"})
    assert [value(shop, key) for key in (1, 2, 3, 4)] == ["one", "two", "three", None]
    shop.sync(pipeline)
    assert [value(shop, key) for key in (1, 2, 3, 4)] == ["changed", None, "three", "four"]


def test_triggered_sync_applies_changes_where_a_snapshot_copies_all(shop: World) -> None:
    shop.make_store()
    simple(shop)
    put(shop, dict.fromkeys(range(50), "x"))
    pipeline = shop.publish(SOURCE, ONLINE)
    put(shop, {50: "new"})
    shop.sync(pipeline)
    messages = [event.message or "" for event in shop.client.pipelines.list_pipeline_events(pipeline)]
    assert "Applied 1 rows of changes" in messages[0]
    shop.sync(pipeline, full_refresh=True)
    messages = [event.message or "" for event in shop.client.pipelines.list_pipeline_events(pipeline)]
    assert "Applied 51 rows of snapshot" in messages[0]


def test_key_deleted_and_inserted_again_in_between_has_the_last_value(shop: World) -> None:
    shop.make_store()
    simple(shop)
    put(shop, {1: "first"})
    pipeline = shop.publish(SOURCE, ONLINE)
    shop.tables.delta(SOURCE).delete("k = 1")
    put(shop, {1: "second"})
    shop.tables.delta(SOURCE).update(predicate="k = 1", updates={"k": "7"})
    shop.sync(pipeline)
    assert (value(shop, 1), value(shop, 7)) == (None, "second")


def test_continuous_table_follows_its_source_by_itself(shop: World) -> None:
    shop.set(continuous_sync_poll_seconds=0.05)
    shop.make_store()
    simple(shop)
    put(shop, {1: "one"})
    pipeline = shop.publish(SOURCE, ONLINE, "CONTINUOUS")
    assert value(shop, 1) == "one"
    shop.tables.delta(SOURCE).update(updates={"v": "'two'"})
    eventually(lambda: value(shop, 1) == "two")
    state = shop.client.pipelines.get(pipeline).state
    assert state is not None
    assert state.value == "RUNNING"
    with pytest.raises(ResourceConflict, match="active update"):
        shop.client.pipelines.start_update(pipeline)


def test_stopped_continuous_table_stands_still_until_started(shop: World) -> None:
    shop.set(continuous_sync_poll_seconds=0.02)
    shop.make_store()
    simple(shop)
    put(shop, {1: "one"})
    pipeline = shop.publish(SOURCE, ONLINE, "CONTINUOUS")
    shop.client.pipelines.stop(pipeline).result()
    other = "main.ml.clock"
    simple(shop, other)
    shop.publish(other, "main.ml.clock_online", "CONTINUOUS")
    put(shop, {1: "two"}, other)
    shop.tables.delta(SOURCE).update(updates={"v": "'two'"})
    # Once the other table has followed, this one has had its turn.
    eventually(lambda: value(shop, 1, other) == "two")
    assert value(shop, 1) == "one"
    shop.client.pipelines.start_update(pipeline)
    eventually(lambda: value(shop, 1) == "two")


def test_newest_row_of_a_timeseries_wins_and_its_deletion_uncovers_the_one_before(shop: World) -> None:
    shop.make_store()
    columns = [Column("k", "int", False), Column("at", "timestamp", False), Column("v", "string")]
    shop.make_table(SOURCE, columns, ["k", "at"], timeseries="at")
    days = [{"k": 1, "at": datetime(2024, 1, day, tzinfo=UTC), "v": f"day {day}"} for day in (2, 3, 1)]
    shop.tables.append(SOURCE, rows(shop.tables, SOURCE, days))
    pipeline = shop.publish(SOURCE, ONLINE)
    assert value(shop, 1) == "day 3"
    assert shop.features.lookup(SOURCE, {"k": 1}, ["v"], "2024-01-02T06:00:00Z") == {"v": "day 2"}
    shop.tables.delta(SOURCE).delete("v = 'day 3'")
    shop.sync(pipeline)
    assert value(shop, 1) == "day 2"


def test_doubled_primary_key_fails_the_pipeline_and_says_which(shop: World) -> None:
    shop.make_store()
    simple(shop)
    put(shop, {1: "one"})
    put(shop, {1: "again"})
    result = shop.client.feature_store.publish_table(SOURCE, spec())
    assert result.pipeline_id is not None
    shop.synced(result.pipeline_id, "FAILED")
    found = shop.client.pipelines.get(result.pipeline_id)
    assert found.state is not None
    assert found.state.value == "FAILED"
    assert "2 rows with primary key {'k': 1}" in str(found.cause)
    shop.tables.delta(SOURCE).delete("v = 'again'")
    shop.sync(result.pipeline_id)
    assert value(shop, 1) == "one"


def test_replaced_source_needs_a_full_refresh(shop: World) -> None:
    shop.make_store()
    simple(shop)
    put(shop, {1: "one"})
    pipeline = shop.publish(SOURCE, ONLINE)
    shop.tables.drop(SOURCE)
    simple(shop)
    put(shop, {2: "two"})
    shop.sync(pipeline, expect="FAILED")
    assert value(shop, 1) == "one"
    shop.sync(pipeline, full_refresh=True)
    assert (value(shop, 1), value(shop, 2)) == (None, "two")


def test_online_table_is_a_foreign_table_of_the_catalog(shop: World) -> None:
    shop.make_store()
    simple(shop)
    shop.publish(SOURCE, ONLINE)
    registered = shop.tables.get(ONLINE)
    assert (registered.table_type, registered.primary_key) == ("FOREIGN", ["k"])
    shop.client.feature_store.delete_online_table(ONLINE)
    assert shop.tables.find(ONLINE) is None
    with pytest.raises(NotFound):
        shop.client.feature_store.delete_online_table(ONLINE)


def test_publishing_again_syncs_the_same_online_table(shop: World) -> None:
    shop.make_store()
    simple(shop)
    put(shop, {1: "one"})
    first = shop.publish(SOURCE, ONLINE)
    put(shop, {2: "two"})
    assert shop.publish(SOURCE, ONLINE) == first
    assert value(shop, 2) == "two"


def test_online_table_that_was_dropped_can_be_published_anew(shop: World) -> None:
    shop.make_store()
    simple(shop)
    put(shop, {1: "one"})
    first = shop.publish(SOURCE, ONLINE)
    shop.tables.drop(ONLINE)
    put(shop, {2: "two"})
    assert shop.publish(SOURCE, ONLINE) != first
    assert value(shop, 2) == "two"
    with pytest.raises(NotFound):
        shop.client.pipelines.get(first)


def test_online_table_name_of_another_source_or_kind_is_taken(shop: World) -> None:
    shop.make_store()
    simple(shop)
    simple(shop, "main.ml.second")
    shop.publish(SOURCE, ONLINE)
    with pytest.raises(ResourceConflict, match="source_table"):
        shop.client.feature_store.publish_table("main.ml.second", spec())
    with pytest.raises(ResourceConflict, match="publish_mode"):
        shop.client.feature_store.publish_table(SOURCE, spec("SNAPSHOT"))
    with pytest.raises(ResourceConflict, match="already exists and is not an online table"):
        shop.client.feature_store.publish_table(SOURCE, spec(online="main.ml.second"))


def test_publish_refuses_what_cannot_be_served(shop: World) -> None:
    shop.make_store()
    simple(shop)
    simple(shop, "main.ml.nofeed", feed=False)
    shop.tables.create("main.ml.nokey", [Column("k", "int"), Column("v", "string")])
    publish = shop.client.feature_store.publish_table
    with pytest.raises(NotFound, match="missing"):
        publish("main.ml.missing", spec())
    with pytest.raises(InvalidParameterValue, match="no primary key"):
        publish("main.ml.nokey", spec())
    for mode in ("TRIGGERED", "CONTINUOUS"):
        with pytest.raises(InvalidParameterValue, match="no change data feed"):
            publish("main.ml.nofeed", spec(mode))
    with pytest.raises(NotFound, match="Online store 'nowhere'"):
        publish(SOURCE, spec(store="nowhere"))
    with pytest.raises(InvalidParameterValue, match="three-level"):
        publish(SOURCE, spec(online="features_online"))
    body = {"publish_spec": {"online_store": STORE, "online_table_name": ONLINE, "publish_mode": "HOURLY"}}
    with pytest.raises(InvalidParameterValue, match="HOURLY"):
        shop.client.api_client.do("POST", f"/api/2.0/feature-store/tables/{SOURCE}/publish", body=body)
    path = f"/api/2.0/feature-store/tables/{SOURCE}/publish"
    with pytest.raises(InvalidParameterValue, match="publish_spec must be an object, received 3"):
        shop.client.api_client.do("POST", path, body={"publish_spec": 3})
    assert shop.tables.find(ONLINE) is None
    publish("main.ml.nofeed", spec("SNAPSHOT"))


def test_store_that_is_starting_takes_no_tables(shop: World) -> None:
    shop.set(online_store_provisioning_seconds=600)
    shop.client.feature_store.create_online_store(OnlineStore(name=STORE, capacity="CU_1"))
    simple(shop)
    with pytest.raises(InvalidState, match="STARTING"):
        shop.client.feature_store.publish_table(SOURCE, spec())


def test_legacy_online_tables_are_refused_with_the_way_out(shop: World) -> None:
    with pytest.raises(InvalidParameterValue, match="Online Feature Store"):
        shop.client.online_tables.create(OnlineTable(name=ONLINE))


def test_pipeline_shows_its_updates(shop: World) -> None:
    shop.make_store()
    simple(shop)
    pipeline = shop.publish(SOURCE, ONLINE)
    shop.sync(pipeline)
    updates = shop.client.pipelines.list_updates(pipeline).updates
    assert updates is not None
    assert [update.full_refresh for update in updates] == [False, False]
    assert updates[0].update_id is not None
    update = shop.client.pipelines.get_update(pipeline, updates[0].update_id).update
    assert update is not None
    assert update.state is not None
    assert update.state.value == "COMPLETED"
    assert [found.pipeline_id for found in shop.client.pipelines.list_pipelines()] == [pipeline]
    with pytest.raises(NotFound):
        shop.client.pipelines.get("00000000-0000-0000-0000-000000000000")


def test_sync_that_was_interrupted_is_done_after_the_restart(tmp_path: Path) -> None:
    with world(tmp_path) as before:
        before.make_store()
        simple(before)
        put(before, {1: "one"})
        before.set(online_table_provisioning_seconds=600)
        pipeline = before.client.feature_store.publish_table(SOURCE, spec()).pipeline_id
        assert pipeline is not None
        eventually(lambda: "INITIALIZING" in str(before.client.pipelines.get(pipeline).latest_updates))
        before.set(online_table_provisioning_seconds=0)
    with world(tmp_path) as after:
        after.synced(pipeline, "COMPLETED")
        assert value(after, 1) == "one"
