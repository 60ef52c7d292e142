"""When monitors compute, and what a refresh takes up again: changed windows, late labels, schedules, failures."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from databricks.sdk.errors import BadRequest
from databricks.sdk.service.catalog import (
    MonitorCronSchedule,
    MonitorDestination,
    MonitorMetric,
    MonitorMetricType,
    MonitorNotifications,
    MonitorRefreshInfoTrigger,
    MonitorSnapshot,
    MonitorTimeSeries,
)

from tests.support.served import opened_state
from tests.support.warehouse import Warehouse
from tests.support.watching import SCHEMA, Watch, inference_log, moment, refreshed, watched_workspace
from workspace.monitors.windows import Granularity

SERIES = {"ts": "timestamp", "x": "double"}
LOG = {"id": "bigint", "ts": "timestamp", "model": "string", "prediction": "string", "label": "string"}
FIRST, SECOND, THIRD = moment(days=-2), moment(days=-1), moment()
DAY_SECONDS = 86_400.0


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    with opened_state(tmp_path) as state, watched_workspace(state) as watch:
        yield watch


def series(*rows: tuple[datetime | None, float]) -> pa.Table:
    return pa.table(
        {"ts": pa.array([row[0] for row in rows], pa.timestamp("us", "UTC")), "x": [row[1] for row in rows]}
    )


def monitored(watch: Watch, name: str, rows: pa.Table, *, feed: bool = True, **more: Any) -> str:
    """A table with a time series monitor by the day, refreshed once."""
    table = watch.create(name, SERIES, rows, feed=feed)
    watch.client.quality_monitors.create(
        table, SCHEMA, "/Shared/m", time_series=MonitorTimeSeries(timestamp_col="ts", granularities=["1 day"]), **more
    )
    first = refreshed(watch.client, table)
    assert first.state.value == "SUCCESS", first.message
    return table


def windows(watch: Watch, table: str) -> dict[datetime, tuple[int, int]]:
    """Count and version by window."""
    found = watch.rows(f"{table}_profile_metrics", column_name=":table", log_type="INPUT")
    return {row["window"]["start"]: (row["count"], row["logging_table_commit_version"]) for row in found}


def test_a_new_monitor_refreshes_once_by_itself(watch: Watch) -> None:
    table = monitored(watch, "new", series((FIRST, 1.0)))
    (refresh,) = watch.client.quality_monitors.list_refreshes(table).refreshes or []
    assert refresh.trigger is MonitorRefreshInfoTrigger.MANUAL
    assert refresh.end_time_ms is not None
    assert refresh.end_time_ms >= refresh.start_time_ms
    assert list(windows(watch, table)) == [FIRST]


def test_a_refresh_takes_up_the_changed_windows_alone(watch: Watch) -> None:
    table = monitored(watch, "feed", series((FIRST, 1.0), (SECOND, 2.0), (THIRD, 3.0)))
    watch.catalog.tables.append(table, series((SECOND, 4.0)))
    watch.refresh(table)
    assert windows(watch, table) == {FIRST: (1, 1), SECOND: (2, 2), THIRD: (1, 1)}
    # What the changed window is compared with, and what is compared with it.
    for day, average in ((SECOND, 3.0 - 1.0), (THIRD, 3.0 - 3.0)):
        assert watch.drift(table, "x", "CONSECUTIVE", start=day)["avg_delta"] == average


def test_without_a_change_data_feed_every_window_is_computed_again(watch: Watch) -> None:
    table = monitored(watch, "whole", series((FIRST, 1.0), (SECOND, 2.0)), feed=False)
    watch.catalog.tables.append(table, series((SECOND, 4.0)))
    watch.refresh(table)
    assert windows(watch, table) == {FIRST: (1, 2), SECOND: (2, 2)}


def test_a_refresh_without_changes_changes_nothing(watch: Watch) -> None:
    table = monitored(watch, "same", series((FIRST, 1.0)))
    before = watch.catalog.tables.delta(f"{table}_profile_metrics").version()
    assert "Nothing has changed" in (watch.refresh(table).message or "")
    assert watch.catalog.tables.delta(f"{table}_profile_metrics").version() == before


def test_a_window_whose_rows_are_gone_is_gone(watch: Watch) -> None:
    table = monitored(watch, "gone", series((FIRST, 1.0), (SECOND, 2.0), (THIRD, 3.0)))
    rows = watch.catalog.tables.delta(table).to_pyarrow_table()
    removed = rows.filter(pa.compute.equal(rows["x"], 2.0))
    kept = rows.filter(pa.compute.not_equal(rows["x"], 2.0))
    watch.catalog.tables.change_rows(
        table, "DELETE", kept, removed.append_column("_change_type", pa.array(["delete"] * removed.num_rows))
    )
    watch.refresh(table)
    assert set(windows(watch, table)) == {FIRST, THIRD}
    assert not watch.rows(f"{table}_drift_metrics", drift_type="CONSECUTIVE")


def test_consecutive_drift_needs_the_window_before(watch: Watch) -> None:
    table = monitored(watch, "gap", series((moment(days=-3), 1.0), (SECOND, 2.0), (THIRD, 3.0)))
    drifts = watch.rows(f"{table}_drift_metrics", column_name="x")
    assert [(row["window"]["start"], row["window_cmp"]["start"]) for row in drifts] == [(THIRD, SECOND)]


def test_labels_that_come_late_change_the_quality_of_their_window(watch: Watch) -> None:
    def log(labels: Sequence[str | None]) -> pa.Table:
        return pa.table(
            {
                "id": [1, 2, 3],
                "ts": pa.array([FIRST, FIRST, THIRD], pa.timestamp("us", "UTC")),
                "model": ["1", "1", "1"],
                "prediction": ["Yes", "No", "Yes"],
                "label": pa.array(labels, pa.string()),
            }
        )

    table = watch.create("late", LOG, log([None, None, None]), feed=True)
    watch.client.quality_monitors.create(
        table,
        SCHEMA,
        "/Shared/m",
        inference_log=inference_log("prediction", "model", "label"),
    )
    refreshed(watch.client, table)
    assert watch.profile(table, ":table", start=FIRST, model="*")["accuracy_score"] is None
    before, after = log([None, None, None]).slice(0, 2), log(["Yes", "Yes", None]).slice(0, 2)
    kinds = ["update_preimage"] * 2 + ["update_postimage"] * 2
    watch.catalog.tables.change_rows(
        table,
        "MERGE",
        log(["Yes", "Yes", None]),
        pa.concat_tables([before, after]).append_column("_change_type", pa.array(kinds)),
    )
    watch.refresh(table)
    found = watch.profile(table, ":table", start=FIRST, model="*")
    assert found["accuracy_score"] == 0.5
    assert found["logging_table_commit_version"] == 2
    assert watch.profile(table, ":table", start=THIRD, model="*")["logging_table_commit_version"] == 1


def test_a_changed_definition_computes_everything_anew_in_its_version(watch: Watch) -> None:
    table = monitored(watch, "redefined", series((FIRST, 1.0), (SECOND, -2.0)), slicing_exprs=["x > 0"])
    doubled = MonitorMetric("total", "sum(x)", [":table"], "double", MonitorMetricType.CUSTOM_METRIC_TYPE_AGGREGATE)
    watch.client.quality_monitors.update(
        table,
        SCHEMA,
        time_series=MonitorTimeSeries(timestamp_col="ts", granularities=["1 day"]),
        custom_metrics=[doubled],
    )
    watch.refresh(table)
    found = watch.rows(f"{table}_profile_metrics", column_name=":table")
    assert {(row["monitor_version"], row["slice_key"], row["total"]) for row in found} == {
        (1, None, 1.0),
        (1, None, -2.0),
    }


def test_a_changed_baseline_is_compared_anew(watch: Watch) -> None:
    base = watch.create("base", SERIES, series((FIRST, 1.0)))
    table = monitored(watch, "based", series((FIRST, 4.0)), baseline_table_name=base)
    assert watch.drift(table, "x", "BASELINE")["avg_delta"] == 3.0
    watch.catalog.tables.overwrite(base, series((FIRST, 10.0)))
    watch.refresh(table)
    assert watch.drift(table, "x", "BASELINE")["avg_delta"] == -6.0
    assert watch.profile(table, "x", log_type="BASELINE")["avg"] == 10.0


def test_a_column_that_the_baseline_does_not_have_is_not_compared(watch: Watch) -> None:
    base = watch.create("narrow", {"ts": "timestamp"}, series((FIRST, 1.0)).select(["ts"]))
    table = monitored(watch, "wide", series((FIRST, 4.0)), baseline_table_name=base)
    against = watch.rows(f"{table}_drift_metrics", drift_type="BASELINE")
    assert {row["column_name"] for row in against} == {":table", "ts"}
    assert watch.drift(table, ":table", "BASELINE")["non_null_columns_delta"] == {"added": 1, "missing": 0}


def test_a_new_monitor_looks_back_thirty_days_and_takes_up_older_rows_that_come_later(watch: Watch) -> None:
    old, older = moment(days=-31), moment(days=-40)
    table = monitored(watch, "old", series((old, 1.0), (moment(days=-29), 2.0)))
    assert set(windows(watch, table)) == {moment(days=-29)}
    watch.catalog.tables.append(table, series((older, 3.0)))
    watch.refresh(table)
    assert set(windows(watch, table)) == {moment(days=-29), older}


def test_a_monitor_that_finds_no_row_recent_enough_says_so(watch: Watch) -> None:
    table = monitored(watch, "ancient", series((moment(days=-3000), 1.0)))
    (refresh,) = watch.client.quality_monitors.list_refreshes(table).refreshes or []
    assert "looks back 30 days" in (refresh.message or "")
    assert not windows(watch, table)


def test_rows_without_a_time_and_empty_tables_are_no_windows(watch: Watch) -> None:
    table = monitored(watch, "timeless", series((None, 1.0), (FIRST, 2.0)))
    assert windows(watch, table) == {FIRST: (1, 1)}
    assert not windows(watch, monitored(watch, "nothing", series()))


def test_a_snapshot_is_compared_with_the_one_before(watch: Watch) -> None:
    table = watch.create("shot", SERIES, series((FIRST, 1.0), (FIRST, 3.0)))
    watch.client.quality_monitors.create(table, SCHEMA, "/Shared/m", snapshot=MonitorSnapshot())
    first = refreshed(watch.client, table)
    watch.catalog.tables.append(table, series((None, 8.0)))
    watch.clock.advance(60)
    second = watch.refresh(table)
    rows = watch.rows(f"{table}_profile_metrics", column_name="x")
    found = sorted(rows, key=lambda row: row["window"]["start"])
    moments = [one.start_time_ms for one in (first, second)]
    assert [(round(row["window"]["start"].timestamp() * 1000), row["avg"]) for row in found] == [
        (moments[0], 2.0),
        (moments[1], 4.0),
    ]
    assert all(row["window"]["start"] == row["window"]["end"] and row["granularity"] is None for row in found)
    drift = watch.drift(table, "x", "CONSECUTIVE")
    assert drift["avg_delta"] == 2.0
    assert round(drift["window_cmp"]["start"].timestamp() * 1000) == moments[0]


def test_a_schedule_refreshes_when_the_clock_gets_there(watch: Watch) -> None:
    schedule = MonitorCronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="Europe/Paris")
    table = monitored(watch, "daily", series((FIRST, 1.0)), schedule=schedule)
    watch.catalog.tables.append(table, series((FIRST, 2.0)))
    watch.clock.advance(DAY_SECONDS)
    refreshes = watch.client.quality_monitors.list_refreshes(table).refreshes or []
    assert [one.trigger for one in refreshes] == [MonitorRefreshInfoTrigger.SCHEDULE, MonitorRefreshInfoTrigger.MANUAL]
    assert refreshes[0].state.value == "SUCCESS"
    assert windows(watch, table) == {FIRST: (2, 2)}
    # Several times that were missed are made up for once.
    watch.clock.advance(5 * DAY_SECONDS)
    assert len(watch.client.quality_monitors.list_refreshes(table).refreshes or []) == 3


def test_a_schedule_is_kept_over_a_restart(tmp_path: Path) -> None:
    schedule = MonitorCronSchedule(quartz_cron_expression="0 0 * * * ?", timezone_id="UTC")
    with opened_state(tmp_path) as state, watched_workspace(state) as watch:
        table = monitored(watch, "hourly", series((FIRST, 1.0)), schedule=schedule)
    with opened_state(tmp_path) as state, watched_workspace(state) as watch:
        watch.clock.advance(3_600)
        assert len(watch.client.quality_monitors.list_refreshes(table).refreshes or []) == 2


def test_a_monitor_without_a_schedule_any_more_is_not_refreshed(watch: Watch) -> None:
    schedule = MonitorCronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="UTC")
    table = monitored(watch, "stopped", series((FIRST, 1.0)), schedule=schedule)
    watch.client.quality_monitors.update(
        table, SCHEMA, time_series=MonitorTimeSeries(timestamp_col="ts", granularities=["1 day"])
    )
    watch.clock.advance(3 * DAY_SECONDS)
    assert len(watch.client.quality_monitors.list_refreshes(table).refreshes or []) == 1


def test_a_refresh_that_fails_says_why_and_tells_the_people_named(watch: Watch) -> None:
    table = watch.create("broken", SERIES, series((FIRST, 1.0)))
    watch.client.quality_monitors.create(
        table,
        SCHEMA,
        "/Shared/m",
        time_series=MonitorTimeSeries(timestamp_col="ts", granularities=["1 day"]),
        notifications=MonitorNotifications(on_failure=MonitorDestination(email_addresses=["ops@example.com"])),
        custom_metrics=[
            MonitorMetric("m", "avg(nowhere)", [":table"], "double", MonitorMetricType.CUSTOM_METRIC_TYPE_AGGREGATE)
        ],
    )
    failed = refreshed(watch.client, table)
    assert failed.state.value == "FAILED"
    assert "nowhere" in (failed.message or "")
    assert watch.client.quality_monitors.get(table).latest_monitor_failure_msg == failed.message
    (told,) = watch.client.api_client.do("GET", "/_workspace/notifications")["notifications"]
    assert told["recipients"] == ["ops@example.com"]
    assert "nowhere" in told["body"]


def test_a_refresh_that_waits_can_be_cancelled_and_one_that_is_over_cannot(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = monitored(watch, "cancelled", series((FIRST, 1.0)))
    monitors = watch.client.quality_monitors
    entered, leave = threading.Event(), threading.Event()
    starts = Granularity.starts

    def slowly(self: Granularity, moments: Any) -> Any:
        entered.set()
        assert leave.wait(30)
        return starts(self, moments)

    watch.catalog.tables.append(table, series((SECOND, 5.0)))
    monkeypatch.setattr(Granularity, "starts", slowly)
    running, waiting = monitors.run_refresh(table), monitors.run_refresh(table)
    assert entered.wait(30)
    assert monitors.get_refresh(table, running.refresh_id).state.value == "RUNNING"
    assert monitors.get_refresh(table, waiting.refresh_id).state.value == "PENDING"
    for refresh in (waiting, running):
        monitors.cancel_refresh(table, refresh.refresh_id)
    leave.set()
    refreshed(watch.client, table)
    for refresh in (waiting, running):
        assert monitors.get_refresh(table, refresh.refresh_id).state.value == "CANCELED"
        with pytest.raises(BadRequest, match="is over"):
            monitors.cancel_refresh(table, refresh.refresh_id)
    assert windows(watch, table) == {FIRST: (1, 1)}


def test_a_refresh_that_a_stop_interrupted_is_carried_out_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_state(tmp_path) as state, watched_workspace(state) as watch:
        table = monitored(watch, "interrupted", series((FIRST, 1.0)))
        watch.catalog.tables.append(table, series((SECOND, 5.0)))
        # As a killed server leaves it: no worker took the refresh up.
        with monkeypatch.context() as patch:
            patch.setattr("workspace.monitors.refreshes.Refreshes._enqueue", lambda *_: None)
            watch.client.quality_monitors.run_refresh(table)
        assert set(windows(watch, table)) == {FIRST}
    with opened_state(tmp_path) as state, watched_workspace(state) as watch:
        assert refreshed(watch.client, table).state.value == "SUCCESS"
        assert set(windows(watch, table)) == {FIRST, SECOND}


@pytest.mark.parametrize(
    ("granularity", "moment_text", "start", "end", "previous"),
    [
        ("1 day", "2026-03-01T00:00:00", "2026-03-01", "2026-03-02", "2026-02-28"),
        ("1 week", "2026-03-01T23:59:59", "2026-02-23", "2026-03-02", "2026-02-16"),
        ("2 weeks", "2026-03-04T00:00:00", "2026-03-02", "2026-03-16", "2026-02-16"),
        ("1 month", "2024-02-29T12:00:00", "2024-02-01", "2024-03-01", "2024-01-01"),
        ("1 month", "2025-12-31T23:59:59", "2025-12-01", "2026-01-01", "2025-11-01"),
        ("1 year", "2026-07-01T00:00:00", "2026-01-01", "2027-01-01", "2025-01-01"),
        ("1 day", "1969-12-31T12:00:00", "1969-12-31", "1970-01-01", "1969-12-30"),
    ],
)
def test_a_moment_is_in_the_window_of_its_calendar(
    granularity: str, moment_text: str, start: str, end: str, previous: str
) -> None:
    def micros(text: str) -> int:
        return int(np.datetime64(text, "us").astype(np.int64))

    windows = Granularity(granularity)
    begins = int(windows.starts(np.array([micros(moment_text)]))[0])
    assert (begins, windows.end(begins), windows.previous(begins)) == (micros(start), micros(end), micros(previous))


def test_metric_tables_are_read_in_sql(sql: Warehouse) -> None:
    table = sql.full("seen")
    sql.execute(f"CREATE TABLE {table} (ts TIMESTAMP, model STRING, p STRING, y STRING, x DOUBLE)")
    sql.execute(
        f"INSERT INTO {table} SELECT timestamp_seconds(unix_timestamp(current_timestamp()) - 86400 * (id % 2)), '1', "
        "if(id % 3 = 0, 'Yes', 'No'), if(id % 4 = 0, 'Yes', 'No'), id FROM range(40)"
    )
    sql.client.quality_monitors.create(
        table,
        f"{sql.catalog}.{sql.schema}",
        "/Shared/m",
        inference_log=inference_log("p", "model", "y"),
    )
    assert refreshed(sql.client, table).state.value == "SUCCESS"
    performance = sql.rows(
        "SELECT window.start AS time, f1_score.macro AS performance_metric, model AS `Model Id` "
        f"FROM {table}_profile_metrics WHERE window.start >= '2024-06-01' AND log_type = 'INPUT' "
        "AND column_name = ':table' AND slice_key IS NULL AND slice_value IS NULL AND model = '*' ORDER BY window.start"
    )
    assert len(performance) == 2
    assert all(0 < float(row[1] or 0) < 1 for row in performance)
    drifted = sql.rows(
        f"SELECT window.start, column_name, js_distance FROM {table}_drift_metrics WHERE column_name IN ('p', 'y') "
        "AND slice_key IS NULL AND drift_type = 'CONSECUTIVE' AND model = '*' ORDER BY 1, 2"
    )
    assert [row[1] for row in drifted] == ["p", "y"]
    assert float(drifted[1][2] or 0) > 0.3


def test_refreshes_one_by_one_leave_what_a_single_one_computes(watch: Watch) -> None:
    random = np.random.default_rng(11)

    def some(count: int) -> pa.Table:
        days = random.integers(-20, 0, count)
        rows = [
            (moment(days=int(day), hours=3), float(value))
            for day, value in zip(days, random.normal(size=count), strict=True)
        ]
        return series(*rows)

    def tidy(value: Any) -> Any:
        """Sums depend on the order of their terms in the last digits."""
        if isinstance(value, dict):
            return {key: tidy(child) for key, child in value.items()}
        if isinstance(value, list):
            return [tidy(child) for child in value]
        return f"{value + 0.0:.8f}" if isinstance(value, float) else value

    def metrics(table: str) -> list[list[str]]:
        """All rows without the stamps of their refresh."""
        stamps = ("logging_table_commit_version", "monitor_version")
        return [
            sorted(
                repr({name: tidy(value) for name, value in row.items() if name not in stamps})
                for row in watch.rows(f"{table}_{kind}_metrics")
            )
            for kind in ("profile", "drift")
        ]

    parts = [some(40), some(5), some(1), some(12)]
    base = watch.create("together_base", SERIES, some(30))
    grown = monitored(watch, "grown", parts[0], slicing_exprs=["x > 0"], baseline_table_name=base)
    for part in parts[1:]:
        watch.catalog.tables.append(grown, part)
        watch.refresh(grown)
    whole = monitored(
        watch, "whole_at_once", pa.concat_tables(parts), slicing_exprs=["x > 0"], baseline_table_name=base
    )
    assert metrics(grown) == metrics(whole)


def test_columns_of_every_type_have_a_profile(watch: Watch) -> None:
    types = {
        "ts": "timestamp_ntz",
        "a b": "decimal(10,2)",
        "day": "date",
        "flag": "boolean",
        "raw": "binary",
        "pairs": "map<string,int>",
        "inner": "struct<x:int>",
        "none": "double",
        "label": "boolean",
        "prediction": "int",
        "model": "int",
    }
    rows = pa.table(
        {
            "ts": pa.array([FIRST.replace(tzinfo=None)], pa.timestamp("us")),
            "a b": pa.array([Decimal("1.25")], pa.decimal128(10, 2)),
            "day": pa.array([date(1970, 1, 2)]),
            "flag": [True],
            "raw": [b"x"],
            "pairs": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())),
            "inner": pa.array([{"x": 1}], pa.struct([("x", pa.int32())])),
            "none": pa.array([None], pa.float64()),
            "label": pa.array([None], pa.bool_()),
            "prediction": pa.array([1], pa.int32()),
            "model": pa.array([3], pa.int32()),
        }
    )
    log = inference_log("prediction", "model", "label", every=["1 day", "1 week"])
    slices = ["flag", "`a b` > 1"]
    for name, values in (("every", rows), ("every_empty", rows.slice(0, 0))):
        table = watch.create(name, types, values, feed=True)
        watch.client.quality_monitors.create(
            table, SCHEMA, "/Shared/m", inference_log=log, slicing_exprs=slices, baseline_table_name=table
        )
        refresh = refreshed(watch.client, table)
        assert refresh.state.value == "SUCCESS", refresh.message
    assert not watch.rows(f"{SCHEMA}.every_empty_profile_metrics", log_type="INPUT")
    table = f"{SCHEMA}.every"
    found = {
        row["column_name"]: row
        for row in watch.rows(f"{table}_profile_metrics", granularity="1 day", slice_key=None, model="3")
    }
    assert set(found) == {":table", *types}
    assert (found["a b"]["avg"], found["a b"]["stddev"]) == (1.25, None)
    assert found["day"]["min"] == DAY_SECONDS
    assert found["flag"]["frequent_items"] == [{"item": "true", "count": 1}]
    assert (found["raw"]["count"], found["pairs"]["count"], found["inner"]["num_nulls"]) == (1, 1, 0)
    assert (found["none"]["count"], found["none"]["percent_null"], found["none"]["min"]) == (0, 100.0, None)
    assert found[":table"]["accuracy_score"] is None
    assert set(found[":table"]["non_null_columns"]) == set(types) - {"none", "label"}
    drift = watch.drift(table, "a b", "BASELINE", granularity="1 week", model="3")
    assert drift["ks_test"] == {"statistic": 0.0, "pvalue": 1.0}
