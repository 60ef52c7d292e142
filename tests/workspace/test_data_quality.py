"""Data-quality monitors: the same monitors through the newer API, as the official client speaks it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from databricks.sdk.errors import BadRequest, NotFound, ResourceAlreadyExists
from databricks.sdk.errors import NotImplemented as NotImplementedByService
from databricks.sdk.service.dataquality import (
    AggregationGranularity,
    AnomalyDetectionConfig,
    CronSchedule,
    CronSchedulePauseStatus,
    DataProfilingConfig,
    DataProfilingCustomMetric,
    DataProfilingCustomMetricType,
    DataProfilingStatus,
    InferenceLogConfig,
    InferenceProblemType,
    Monitor,
    NotificationDestination,
    NotificationSettings,
    Refresh,
    RefreshState,
    RefreshTrigger,
    SnapshotConfig,
    TimeSeriesConfig,
)

from tests.support.served import opened_state
from tests.support.watching import SCHEMA, Watch, moment, refreshed, watched_workspace

TABLE = f"{SCHEMA}.inf"
TYPES = {"ts": "timestamp", "model": "string", "prediction": "string", "churn": "string"}


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """A table TABLE with four rows of today, three of them right predictions."""
    with opened_state(tmp_path) as state, watched_workspace(state) as watch:
        rows = pa.table(
            {
                "ts": pa.array([moment(hours=1)] * 4, pa.timestamp("us", "UTC")),
                "model": ["1"] * 4,
                "prediction": ["Yes", "No", "Yes", "No"],
                "churn": ["Yes", "No", "Yes", "Yes"],
            }
        )
        watch.create("inf", TYPES, rows, feed=True)
        yield watch


def table_id(watch: Watch) -> str:
    found = watch.client.tables.get(TABLE).table_id
    assert found is not None
    return found


def schema_id(watch: Watch) -> str:
    found = watch.client.schemas.get(SCHEMA).schema_id
    assert found is not None
    return found


def inference(watch: Watch, **changes: Any) -> DataProfilingConfig:
    values: dict[str, Any] = {
        "output_schema_id": schema_id(watch),
        "assets_dir": "/Workspace/Shared/churn/monitoring",
        "inference_log": InferenceLogConfig(
            problem_type=InferenceProblemType.INFERENCE_PROBLEM_TYPE_CLASSIFICATION,
            timestamp_column="ts",
            granularities=[AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY],
            prediction_column="prediction",
            model_id_column="model",
            label_column="churn",
        ),
        "slicing_exprs": ["churn"],
        "schedule": CronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="UTC"),
        "notification_settings": NotificationSettings(NotificationDestination(["ops@example.com"])),
        "custom_metrics": [
            DataProfilingCustomMetric(
                name="rows",
                definition="count(*)",
                input_columns=[":table"],
                output_data_type='{"metadata":{},"name":"output","nullable":true,"type":"long"}',
                type=DataProfilingCustomMetricType.DATA_PROFILING_CUSTOM_METRIC_TYPE_AGGREGATE,
            )
        ],
    }
    return DataProfilingConfig(**{**values, **changes})


def create(watch: Watch, config: DataProfilingConfig) -> Monitor:
    return watch.client.data_quality.create_monitor(Monitor("table", table_id(watch), data_profiling_config=config))


def finished(watch: Watch) -> Refresh:
    """The newest refresh, when it is over."""
    deadline = time.monotonic() + 30
    while True:
        newest = next(iter(watch.client.data_quality.list_refresh("table", table_id(watch))))
        if newest.end_time_ms is not None or time.monotonic() > deadline:
            return newest
        time.sleep(0.02)


def test_what_was_sent_is_read_back_with_what_the_service_adds(watch: Watch) -> None:
    sent = inference(watch)
    create(watch, sent)
    found = watch.client.data_quality.get_monitor("table", table_id(watch)).data_profiling_config
    assert found is not None
    for name in ("output_schema_id", "assets_dir", "inference_log", "slicing_exprs", "notification_settings"):
        assert getattr(found, name) == getattr(sent, name)
    assert found.custom_metrics == sent.custom_metrics
    assert found.schedule is not None
    assert found.schedule.pause_status is CronSchedulePauseStatus.CRON_SCHEDULE_PAUSE_STATUS_UNPAUSED
    assert found.status is DataProfilingStatus.DATA_PROFILING_STATUS_ACTIVE
    assert found.monitored_table_name == TABLE
    assert found.profile_metrics_table_name == f"{TABLE}_profile_metrics"
    assert found.drift_metrics_table_name == f"{TABLE}_drift_metrics"
    assert found.monitor_version == 0
    assert found.effective_warehouse_id == "local"
    assert found.dashboard_id


def test_it_computes_what_the_older_api_computes_and_is_read_by_it(watch: Watch) -> None:
    create(watch, inference(watch))
    assert finished(watch).state is RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    found = watch.profile(TABLE, ":table", model="*")
    assert found["accuracy_score"] == 0.75
    assert found["rows"] == 4
    assert found["granularity"] == "1 day"
    older = watch.client.quality_monitors.get(TABLE)
    assert older.inference_log is not None
    assert older.inference_log.timestamp_col == "ts"
    assert older.inference_log.granularities == ["1 day"]
    assert older.custom_metrics is not None
    assert older.custom_metrics[0].type.value == "CUSTOM_METRIC_TYPE_AGGREGATE"
    with pytest.raises(ResourceAlreadyExists):
        create(watch, inference(watch))


def test_refreshes_are_run_listed_and_read(watch: Watch) -> None:
    create(watch, DataProfilingConfig(schema_id(watch), snapshot=SnapshotConfig()))
    finished(watch)
    identity, quality = table_id(watch), watch.client.data_quality
    run = quality.create_refresh("table", identity, Refresh("table", identity))
    assert run.state is RefreshState.MONITOR_REFRESH_STATE_PENDING
    assert run.trigger is RefreshTrigger.MONITOR_REFRESH_TRIGGER_MANUAL
    assert (run.object_type, run.object_id) == ("table", identity)
    done = finished(watch)
    assert run.refresh_id is not None
    assert done == quality.get_refresh("table", identity, run.refresh_id)
    assert done.state is RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    listed = list(quality.list_refresh("table", identity, page_size=1))
    assert [one.refresh_id for one in listed] == [run.refresh_id, run.refresh_id - 1]
    with pytest.raises(BadRequest, match="is over"):
        quality.cancel_refresh("table", identity, run.refresh_id)


def test_an_update_changes_what_its_mask_names(watch: Watch) -> None:
    create(watch, inference(watch))
    identity, quality = table_id(watch), watch.client.data_quality
    hourly = [AggregationGranularity.AGGREGATION_GRANULARITY_1_HOUR]
    changes = DataProfilingConfig(
        schema_id(watch),
        slicing_exprs=["model"],
        schedule=CronSchedule(quartz_cron_expression="0 0 7 * * ?", timezone_id="Europe/Paris"),
        time_series=TimeSeriesConfig(timestamp_column="ts", granularities=hourly),
    )
    sent = Monitor("table", identity, data_profiling_config=changes)
    mask = "data_profiling_config.slicing_exprs,data_profiling_config.schedule.quartz_cron_expression"
    found = quality.update_monitor("table", identity, sent, mask).data_profiling_config
    assert found is not None
    assert found.slicing_exprs == ["model"]
    assert found.schedule is not None
    assert (found.schedule.quartz_cron_expression, found.schedule.timezone_id) == ("0 0 7 * * ?", "UTC")
    assert found.monitor_version == 1
    assert found.time_series is None
    whole = quality.update_monitor("table", identity, sent, "anomaly_detection_config,data_profiling_config")
    found = whole.data_profiling_config
    assert found is not None
    assert found.inference_log is None
    assert not found.custom_metrics
    assert found.time_series == changes.time_series
    assert found.assets_dir == "/Workspace/Shared/churn/monitoring"
    with pytest.raises(BadRequest, match=r"'data_profiling_config\.status' is no field"):
        quality.update_monitor("table", identity, sent, "data_profiling_config.status")


def test_a_deleted_monitor_is_gone_from_both(watch: Watch) -> None:
    create(watch, inference(watch))
    watch.client.data_quality.delete_monitor("table", table_id(watch))
    with pytest.raises(NotFound, match="does not have a monitor"):
        watch.client.data_quality.get_monitor("table", table_id(watch))
    with pytest.raises(NotFound, match="does not have a monitor"):
        watch.client.quality_monitors.get(TABLE)
    create(watch, inference(watch))


def test_a_schedule_of_the_newer_api_falls_due_too(watch: Watch) -> None:
    create(watch, inference(watch))
    finished(watch)
    watch.clock.advance(86_400)
    assert finished(watch).trigger is RefreshTrigger.MONITOR_REFRESH_TRIGGER_SCHEDULE
    refreshed(watch.client, TABLE)


def test_anomaly_detection_and_what_the_service_does_not_implement_are_refused(watch: Watch) -> None:
    quality = watch.client.data_quality
    detecting = Monitor("schema", schema_id(watch), anomaly_detection_config=AnomalyDetectionConfig([TABLE]))
    with pytest.raises(NotImplementedByService, match="detects no anomalies"):
        quality.create_monitor(detecting)
    with pytest.raises(NotImplementedByService, match="anomalies of schemas"):
        quality.get_monitor("schema", schema_id(watch))
    with pytest.raises(NotImplementedByService, match="listing monitors"):
        list(quality.list_monitor())
    create(watch, inference(watch))
    identity = table_id(watch)
    with pytest.raises(NotImplementedByService, match="deleting a refresh"):
        quality.delete_refresh("table", identity, 1)
    with pytest.raises(NotImplementedByService, match="changing a refresh"):
        quality.update_refresh("table", identity, 1, Refresh("table", identity), "state")


def test_what_makes_no_sense_is_refused(watch: Watch) -> None:
    quality, unknown = watch.client.data_quality, str(uuid.uuid4())
    with pytest.raises(NotFound, match=unknown):
        quality.create_monitor(Monitor("table", unknown, data_profiling_config=inference(watch)))
    with pytest.raises(NotFound, match="output_schema_id"):
        create(watch, inference(watch, output_schema_id=unknown))
    with pytest.raises(BadRequest, match="'schema' or 'table', received 'view'"):
        quality.get_monitor("view", unknown)
    with pytest.raises(BadRequest, match="data_profiling_config is required"):
        quality.create_monitor(Monitor("table", table_id(watch)))
    body = {"object_type": "table", "object_id": table_id(watch)}
    config = {"output_schema_id": schema_id(watch), "time_series": {"timestamp_column": "ts"}}
    config["time_series"] = {"timestamp_column": "ts", "granularities": ["1 day"]}
    with pytest.raises(BadRequest, match="'1 day' is not one of AGGREGATION_GRANULARITY_5_MINUTES"):
        watch.client.api_client.do(
            "POST", "/api/data-quality/v1/monitors", body={**body, "data_profiling_config": config}
        )
