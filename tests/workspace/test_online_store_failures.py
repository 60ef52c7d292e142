"""What keeps an online table from following its source, what clients see of it, and the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.service.database import SyncedTableState, SyncedTableStatus
from databricks.sdk.service.ml import PublishSpec, PublishSpecPublishMode

from tests.support.feature_serving import STORE, World, eventually, rows, world
from workspace.unity_catalog import Column

SOURCE, ONLINE = "main.ml.features", "main.ml.features_online"
FEED = "delta.enableChangeDataFeed"
KV = [Column("k", "int", False), Column("v", "string")]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.make_store()
        yield made


def put(shop: World, *values: tuple[int, str], name: str = SOURCE) -> None:
    shop.tables.append(name, rows(shop.tables, name, [{"k": k, "v": v} for k, v in values]))


def value(shop: World, key: int) -> object:
    return shop.features.lookup(SOURCE, {"k": key}, ["v"])["v"]


def status(shop: World, online: str = ONLINE) -> SyncedTableStatus:
    found = shop.client.database.get_synced_database_table(online).data_synchronization_status
    assert found is not None
    return found


def published(shop: World, mode: str = "TRIGGERED") -> str:
    """A published table with the row 1: one; its pipeline."""
    shop.make_table(SOURCE, KV, ["k"])
    put(shop, (1, "one"))
    return shop.publish(SOURCE, ONLINE, mode)


def fails(shop: World, pipeline: str, words: str) -> None:
    """A sync fails with these words, the rows before it are served, and clients see the state."""
    shop.sync(pipeline, expect="FAILED")
    found = shop.client.pipelines.get(pipeline)
    assert words in str(found.cause)
    assert found.health is not None
    assert found.health.value == "UNHEALTHY"
    seen = status(shop)
    assert seen.detailed_state is SyncedTableState.SYNCED_TABLE_ONLINE_PIPELINE_FAILED
    assert words in str(seen.message)
    assert value(shop, 1) == "one"


def test_a_dropped_source_fails_the_sync_and_its_last_rows_stay(shop: World) -> None:
    pipeline = published(shop)
    shop.tables.drop(SOURCE)
    fails(shop, pipeline, f"source table {SOURCE} does not exist any more")


def test_a_continuous_copy_notices_that_its_source_is_gone(shop: World) -> None:
    shop.set(continuous_sync_poll_seconds=0.02)
    pipeline = published(shop, "CONTINUOUS")
    shop.tables.drop(SOURCE)
    shop.synced(pipeline, "RUNNING")
    eventually(lambda: status(shop).detailed_state is SyncedTableState.SYNCED_TABLE_ONLINE_PIPELINE_FAILED)
    shop.make_table(SOURCE, KV, ["k"])
    put(shop, (1, "anew"))
    shop.client.pipelines.start_update(pipeline, full_refresh=True)
    eventually(lambda: value(shop, 1) == "anew")
    assert status(shop).detailed_state is SyncedTableState.SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE


@pytest.mark.parametrize("is_on_again", [False, True])
def test_changes_that_the_feed_did_not_record_are_never_skipped(shop: World, is_on_again: bool) -> None:
    pipeline = published(shop)
    shop.tables.set_properties(SOURCE, {FEED: "false"})
    put(shop, (2, "unseen"))
    if is_on_again:
        shop.tables.set_properties(SOURCE, {FEED: "true"})
        put(shop, (3, "seen"))
    fails(shop, pipeline, "it was off for some of them" if is_on_again else "it is off now")
    assert value(shop, 3) is None
    shop.tables.set_properties(SOURCE, {FEED: "true"})
    shop.sync(pipeline, full_refresh=True)
    assert value(shop, 2) == "unseen"


def test_a_vacuumed_history_fails_the_sync_and_a_full_refresh_heals_it(shop: World) -> None:
    pipeline = published(shop)
    put(shop, (2, "two"))
    delta = shop.tables.delta(SOURCE)
    deltalake.write_deltalake(delta, rows(shop.tables, SOURCE, [{"k": 1, "v": "new"}]), mode="overwrite")
    shop.tables.delta(SOURCE).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    fails(shop, pipeline, "removed by VACUUM")
    shop.sync(pipeline, full_refresh=True)
    assert (value(shop, 1), value(shop, 2)) == ("new", None)


def test_a_history_without_its_log_fails_the_sync(shop: World) -> None:
    pipeline = published(shop)
    put(shop, (2, "two"))
    first = shop.tables.delta(SOURCE).version()
    put(shop, (3, "three"))
    delta = shop.tables.delta(SOURCE)
    delta.create_checkpoint()
    # What the clean-up of an old log leaves: a checkpoint, and no entries before it.
    (Path(delta.table_uri.removeprefix("file://")) / "_delta_log" / f"{first:020}.json").unlink()
    fails(shop, pipeline, "its log was cleaned up")


def test_a_second_row_under_one_key_fails_the_sync_until_it_is_gone(shop: World) -> None:
    pipeline = published(shop)
    put(shop, (2, "two"))
    put(shop, (1, "again"))
    fails(shop, pipeline, "2 rows with primary key {'k': 1}")
    assert value(shop, 2) is None, "a sync is whole or not at all"
    shop.tables.delta(SOURCE).delete("v = 'one'")
    shop.sync(pipeline)
    assert (value(shop, 1), value(shop, 2)) == ("again", "two")


def test_rows_that_shared_a_key_only_between_two_syncs_are_no_violation(shop: World) -> None:
    pipeline = published(shop)
    put(shop, (1, "twin"))
    shop.tables.delta(SOURCE).delete("v = 'twin'")
    shop.sync(pipeline)
    assert value(shop, 1) == "one"


def test_a_new_column_is_taken_over_and_older_rows_have_none(shop: World) -> None:
    pipeline = published(shop)
    delta = shop.tables.delta(SOURCE)
    more = pa.table({"k": pa.array([2], pa.int32()), "v": ["two"], "w": [2.5]})
    deltalake.write_deltalake(delta, more, mode="append", schema_mode="merge")
    shop.sync(pipeline)
    assert shop.features.lookup(SOURCE, {"k": 2}, ["v", "w"]) == {"v": "two", "w": 2.5}
    assert shop.features.lookup(SOURCE, {"k": 1}, ["v", "w"]) == {"v": "one", "w": None}
    assert [column.name for column in shop.tables.get(ONLINE).columns] == ["k", "v", "w"]
    # A row from before the column can still be changed and deleted.
    shop.tables.delta(SOURCE).update(predicate="k = 1", updates={"w": "7.0"})
    shop.tables.delta(SOURCE).delete("k = 2")
    shop.sync(pipeline)
    assert shop.features.lookup(SOURCE, {"k": 1}, ["v", "w"]) == {"v": "one", "w": 7.0}
    assert value(shop, 2) is None


@pytest.mark.parametrize(
    ("anew", "words"),
    [
        ({"k": pa.int32(), "v": pa.int64()}, "column v of source table main.ml.features changed from string to bigint"),
        ({"k": pa.int32(), "w": pa.string()}, "column v of source table main.ml.features was dropped"),
    ],
)
def test_other_changes_of_columns_fail_the_sync_until_a_full_refresh(
    shop: World, anew: dict[str, pa.DataType], words: str
) -> None:
    pipeline = published(shop)
    row = {name: 5 if pa.types.is_integer(kind) else "five" for name, kind in anew.items()}
    changed = pa.Table.from_pylist([row], schema=pa.schema(list(anew.items())))
    deltalake.write_deltalake(shop.tables.delta(SOURCE), changed, mode="overwrite", schema_mode="overwrite")
    fails(shop, pipeline, words)
    shop.sync(pipeline, full_refresh=True)
    assert shop.features.lookup(SOURCE, {"k": 5}, list(anew)) == row


def test_a_snapshot_takes_whatever_columns_its_source_has(shop: World) -> None:
    pipeline = published(shop, "SNAPSHOT")
    changed = pa.table({"k": pa.array([5], pa.int32()), "x": [0.5]})
    deltalake.write_deltalake(shop.tables.delta(SOURCE), changed, mode="overwrite", schema_mode="overwrite")
    shop.sync(pipeline)
    assert shop.features.lookup(SOURCE, {"k": 5}, ["x"]) == {"x": 0.5}
    assert [column.name for column in shop.tables.get(ONLINE).columns] == ["k", "x"]


def test_another_primary_key_fails_the_sync_until_a_full_refresh(shop: World) -> None:
    shop.make_table(SOURCE, [Column("k", "int", False), Column("n", "string", False), Column("v", "string")], ["k"])
    shop.tables.append(SOURCE, rows(shop.tables, SOURCE, [{"k": 1, "n": "a", "v": "one"}]))
    pipeline = shop.publish(SOURCE, ONLINE)
    shop.tables.drop_primary_key(SOURCE)
    shop.tables.set_primary_key(SOURCE, ["k", "n"])
    fails(shop, pipeline, "the primary key of source table main.ml.features changed from (k) to (k, n)")
    shop.sync(pipeline, full_refresh=True)
    assert shop.features.lookup(SOURCE, {"k": 1, "n": "a"}, ["v"]) == {"v": "one"}


@pytest.mark.parametrize("mode", ["SNAPSHOT", "TRIGGERED"])
def test_a_source_that_lost_its_primary_key_fails_the_sync(shop: World, mode: str) -> None:
    pipeline = published(shop, mode)
    shop.tables.drop_primary_key(SOURCE)
    fails(shop, pipeline, "has no primary key any more")
    shop.tables.set_primary_key(SOURCE, ["k"])
    shop.sync(pipeline)


def test_copies_that_come_and_go_do_not_keep_others_from_following(shop: World) -> None:
    shop.set(continuous_sync_poll_seconds=0)
    published(shop, "CONTINUOUS")
    for number in range(12):
        passing = f"main.ml.passing_{number}"
        spec = PublishSpec(STORE, passing, PublishSpecPublishMode.CONTINUOUS)
        shop.client.feature_store.publish_table(SOURCE, spec)
        put(shop, (10 + number, "more"))
        shop.client.feature_store.delete_online_table(passing)
    put(shop, (2, "two"))
    eventually(lambda: value(shop, 2) == "two")


def test_a_text_with_a_null_byte_fails_as_it_does_in_postgres(shop: World) -> None:
    pipeline = published(shop)
    put(shop, (2, "a\0b"))
    fails(shop, pipeline, "cannot be stored in Postgres")


def test_a_first_sync_that_fails_leaves_the_table_offline(shop: World) -> None:
    shop.make_table(SOURCE, KV, ["k"])
    put(shop, (1, "one"), (1, "two"))
    spec = PublishSpec(STORE, ONLINE, PublishSpecPublishMode.TRIGGERED)
    pipeline = shop.client.feature_store.publish_table(SOURCE, spec).pipeline_id
    assert pipeline is not None
    shop.synced(pipeline, "FAILED")
    seen = status(shop)
    assert seen.detailed_state is SyncedTableState.SYNCED_TABLE_OFFLINE_FAILED
    assert seen.last_sync is None


def test_an_optimized_source_brings_no_changes(shop: World) -> None:
    pipeline = published(shop)
    put(shop, (2, "two"))
    shop.sync(pipeline)
    shop.tables.delta(SOURCE).optimize.compact()
    shop.sync(pipeline)
    assert (value(shop, 1), value(shop, 2)) == ("one", "two")
    assert status(shop).detailed_state is SyncedTableState.SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE


def test_the_lag_behind_the_source_is_readable_and_gone_after_a_sync(shop: World) -> None:
    pipeline = published(shop)
    before = status(shop)
    assert before.last_sync is not None
    assert before.last_sync.delta_table_sync_info is not None
    assert before.last_sync.delta_table_sync_info.delta_commit_version == 1
    assert before.triggered_update_status is not None
    assert before.triggered_update_status.last_processed_commit_version == 1
    committed = datetime.fromisoformat(str(before.last_sync.delta_table_sync_info.delta_commit_timestamp))
    started = datetime.fromisoformat(str(before.last_sync.sync_start_timestamp))
    ended = datetime.fromisoformat(str(before.last_sync.sync_end_timestamp))
    assert committed <= started <= ended <= datetime.now(UTC)
    put(shop, (2, "two"))
    put(shop, (3, "three"))
    assert lag(shop)["lag_versions"] == 2
    assert lag(shop)["lag_seconds"] >= 0
    shop.sync(pipeline)
    assert (lag(shop)["lag_versions"], lag(shop)["synced_version"], lag(shop)["source_version"]) == (0, 3, 3)


def lag(shop: World) -> dict[str, Any]:
    answer: Any = shop.client.api_client.do("GET", "/_workspace/online-tables")
    (found,) = answer["online_tables"]
    return dict(found)


def test_a_synced_table_shows_what_it_is_a_copy_of(shop: World) -> None:
    pipeline = published(shop)
    shown = shop.client.database.get_synced_database_table(ONLINE)
    assert shown.spec is not None
    assert (shown.spec.source_table_full_name, shown.spec.primary_key_columns) == (SOURCE, ["k"])
    assert shown.spec.scheduling_policy is not None
    assert (shown.database_instance_name, shown.spec.scheduling_policy.value) == (STORE, "TRIGGERED")
    assert status(shop).pipeline_id == pipeline
    listed = [one.name for one in shop.client.database.list_synced_database_tables(STORE)]
    assert listed == [ONLINE]
    shop.client.feature_store.delete_online_table(ONLINE)
    with pytest.raises(NotFound):
        shop.client.database.get_synced_database_table(ONLINE)


def test_a_second_store_takes_over_when_the_first_copy_is_deleted(shop: World) -> None:
    published(shop)
    shop.make_store("second")
    other = f"{ONLINE}_2"
    shop.publish(SOURCE, other, store="second")
    shop.client.feature_store.delete_online_table(ONLINE)
    assert value(shop, 1) == "one"
    shop.client.feature_store.delete_online_store(STORE)
    assert value(shop, 1) == "one"
    shop.client.feature_store.delete_online_table(other)
    with pytest.raises(Exception, match="not published"):
        value(shop, 1)


def test_an_online_table_is_no_source(shop: World) -> None:
    published(shop)
    spec = PublishSpec(STORE, "main.ml.copy_of_copy", PublishSpecPublishMode.SNAPSHOT)
    with pytest.raises(InvalidParameterValue, match="FOREIGN, not a Delta table"):
        shop.client.feature_store.publish_table(ONLINE, spec)


def test_a_name_longer_than_postgres_takes_is_refused(shop: World) -> None:
    shop.make_table(SOURCE, KV, ["k"])
    spec = PublishSpec(STORE, f"main.ml.{'n' * 64}", PublishSpecPublishMode.TRIGGERED)
    with pytest.raises(InvalidParameterValue, match="64 bytes"):
        shop.client.feature_store.publish_table(SOURCE, spec)


def test_a_late_row_of_a_timeseries_does_not_hide_a_newer_one(shop: World) -> None:
    columns = [Column("k", "int", False), Column("at", "timestamp", False), Column("v", "string")]
    shop.make_table(SOURCE, columns, ["k", "at"], timeseries="at")

    def at(day: int, v: str) -> None:
        row = {"k": 1, "at": datetime(2024, 1, day, tzinfo=UTC), "v": v}
        shop.tables.append(SOURCE, rows(shop.tables, SOURCE, [row]))

    at(3, "third")
    pipeline = shop.publish(SOURCE, ONLINE)
    at(2, "late")
    shop.sync(pipeline)
    assert value(shop, 1) == "third"
    at(3, "third again")
    shop.sync(pipeline, expect="FAILED")
    assert "2 rows with primary key" in str(shop.client.pipelines.get(pipeline).cause)


def test_a_store_that_changes_its_size_goes_on_serving_and_syncing(shop: World) -> None:
    pipeline = published(shop)
    shop.set(online_store_provisioning_seconds=600)
    store = shop.client.feature_store.get_online_store(STORE)
    store.capacity = "CU_8"
    changed = shop.client.feature_store.update_online_store(STORE, store, "capacity")
    assert str(changed.state).endswith("UPDATING")
    put(shop, (2, "two"))
    shop.sync(pipeline)
    assert (value(shop, 1), value(shop, 2)) == ("one", "two")
    shop.clock.advance(600)
    assert str(shop.client.feature_store.get_online_store(STORE).state).endswith("AVAILABLE")
    # Asked for what it is already, it has nothing to do.
    again = shop.client.feature_store.update_online_store(STORE, store, "capacity")
    assert str(again.state).endswith("AVAILABLE")


def test_the_events_of_a_failed_sync_say_error(shop: World) -> None:
    pipeline = published(shop)
    shop.tables.drop(SOURCE)
    shop.sync(pipeline, expect="FAILED")
    newest = next(iter(shop.client.pipelines.list_pipeline_events(pipeline)))
    assert newest.level is not None
    assert newest.level.value == "ERROR"
    assert json.dumps(SOURCE)[1:-1] in str(newest.message)
