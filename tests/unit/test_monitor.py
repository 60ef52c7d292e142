"""An `InferenceMonitor` declares its table, fills it by a job, and watches it."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from components.monitor import CustomMetricArgs, FeatureSource, InferenceMonitor, InferenceMonitorArgs, LabelSource
from components.unpack import UnpackedSchema
from tests.unit.recording import Recording, record


def args(**changes: Any) -> InferenceMonitorArgs:
    values: dict[str, Any] = {
        "payload_table": "p03.e2e_demo_simon.taxi_payload",
        "unpacked_table": "p03.e2e_demo_simon.taxi_unpacked",
        "schema": UnpackedSchema(
            record_columns={"pickup_zip": "int"}, prediction_type="double", label_column="fare_amount"
        ),
        "problem_type": "PROBLEM_TYPE_REGRESSION",
        "warehouse_id": "warehouse",
        "assets_dir": "/Workspace/Shared/taxi",
        "job_name": "taxi-unpack",
        **changes,
    }
    return InferenceMonitorArgs(**values)


def build(**changes: Any) -> Recording:
    return record(lambda: InferenceMonitor("monitor", args(**changes)).monitor.id)


def test_the_monitored_table_exists_before_the_first_request_with_its_columns_declared() -> None:
    table = build().one(":SqlTable")
    assert (table["catalogName"], table["schemaName"], table["name"]) == ("p03", "e2e_demo_simon", "taxi_unpacked")
    assert {column["name"]: column["type"] for column in table["columns"]} == {
        "request_id": "string",
        "record_index": "int",
        "inference_timestamp": "timestamp",
        "served_entity_id": "string",
        "pickup_zip": "int",
        "prediction": "double",
        "fare_amount": "double",
    }


def test_the_job_runs_the_saved_statement_on_the_warehouse_one_at_a_time() -> None:
    recording = build()
    job = recording.one(":Job")
    assert job["tasks"] == [
        {"taskKey": "unpack", "sqlTask": {"warehouseId": "warehouse", "query": {"queryId": "monitor-unpack-id"}}}
    ]
    assert job["maxConcurrentRuns"] == 1
    # A run that hangs would keep all later ones in the queue.
    assert job["timeoutSeconds"] == 4 * 3_600
    text = recording.one(":Query")["queryText"]
    assert "FROM `p03`.`e2e_demo_simon`.`taxi_payload`\n" in text
    assert text.startswith("INSERT INTO `p03`.`e2e_demo_simon`.`taxi_unpacked` (")


def test_the_monitor_watches_the_unpacked_table_and_never_the_json_one() -> None:
    monitor = build(baseline_table="p03.e2e_demo_simon.baseline", slicing_exprs=["pickup_zip"]).one(":QualityMonitor")
    assert monitor["tableName"] == "p03.e2e_demo_simon.taxi_unpacked"
    assert monitor["outputSchemaName"] == "p03.e2e_demo_simon"
    assert monitor["baselineTableName"] == "p03.e2e_demo_simon.baseline"
    assert monitor["slicingExprs"] == ["pickup_zip"]
    assert monitor["inferenceLog"] == {
        "granularities": ["1 day"],
        "timestampCol": "inference_timestamp",
        "modelIdCol": "served_entity_id",
        "predictionCol": "prediction",
        "labelCol": "fare_amount",
        "problemType": "PROBLEM_TYPE_REGRESSION",
    }


@pytest.mark.parametrize(("api", "schema_id"), [("quality_monitors", None), ("data_quality", "schema-uuid")])
def test_metric_tables_and_dashboard_are_told_by_the_monitor_and_not_guessed(api: str, schema_id: str | None) -> None:
    told: list[list[str]] = []

    def made() -> Any:
        one = InferenceMonitor("monitor", args(api=api, output_schema_id=schema_id))
        return pulumi.Output.all(one.profile_metrics_table, one.drift_metrics_table, one.dashboard_id).apply(
            told.append
        )

    record(made)
    assert told == [["c.s.profile", "c.s.drift", "dashboard"]]


@pytest.mark.parametrize("field", ["payload_table", "unpacked_table"])
def test_a_name_without_three_parts_is_refused_before_anything_is_registered(field: str) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match="instead of three"):
            InferenceMonitor("monitor", args(**{field: "taxi_payload"}))

    assert record(broken).resources == []


@pytest.mark.parametrize("keep", [True, False])
def test_the_table_with_its_labels_outlives_the_component_where_that_is_asked_for(keep: bool) -> None:
    kept: dict[str, bool | None] = {}

    def note(resource: pulumi.ResourceTransformationArgs) -> None:
        kept[resource.type_] = resource.opts.retain_on_delete

    options = pulumi.ResourceOptions(transformations=[note])
    record(lambda: InferenceMonitor("monitor", args(keep_table=keep), options).monitor.id)
    # Nothing is said where it does not: what the whole component is told counts then.
    assert kept["databricks:index/sqlTable:SqlTable"] is (True if keep else None)
    assert not kept["databricks:index/job:Job"]


EXPECTED_LOSS = CustomMetricArgs(
    name="expected_loss",
    definition="avg(CASE WHEN {{prediction_col}} != {{label_col}} AND {{label_col}} = 'Yes' "
    "THEN -monthly_charges ELSE 0 END)",
)


def test_a_custom_metric_keeps_its_template_and_its_type_is_a_field_of_double() -> None:
    (metric,) = build(custom_metrics=[EXPECTED_LOSS]).one(":QualityMonitor")["customMetrics"]
    assert metric["type"] == "CUSTOM_METRIC_TYPE_AGGREGATE"
    assert metric["inputColumns"] == [":table"]
    assert "{{prediction_col}} != {{label_col}}" in metric["definition"]
    assert json.loads(metric["outputDataType"]) == {
        "metadata": {},
        "name": "output",
        "nullable": True,
        "type": "double",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a b"}, "becomes a column"),
        ({"input_columns": []}, "no input columns"),
        ({"type": "DRIFT"}, "{{current_df}}"),
    ],
)
def test_a_metric_that_cannot_be_computed_is_refused(changes: dict[str, Any], message: str) -> None:
    values: dict[str, Any] = {"name": "m", "definition": "avg(x)", **changes}
    with pytest.raises(ValueError, match=message):
        CustomMetricArgs(**values)


def test_labels_are_brought_after_the_requests_and_in_the_order_the_provider_keeps() -> None:
    labels = LabelSource(table="c.s.rides", column="fare", keys={"zip": "pickup_zip"})
    recording = build(labels=labels)
    assert recording.one(":Job")["tasks"] == [
        {
            "taskKey": "labels",
            "dependsOns": [{"taskKey": "unpack"}],
            "sqlTask": {"warehouseId": "warehouse", "query": {"queryId": "monitor-labels-id"}},
        },
        {"taskKey": "unpack", "sqlTask": {"warehouseId": "warehouse", "query": {"queryId": "monitor-unpack-id"}}},
    ]
    texts = [query["queryText"] for query in recording.of_type(":Query")]
    assert texts[0].startswith("MERGE INTO `p03`.`e2e_demo_simon`.`taxi_unpacked` AS u")


def test_the_successor_is_told_the_same_in_its_own_words() -> None:
    recording = build(
        api="data_quality",
        output_schema_id="schema-uuid",
        granularities=["1 day", "30 minutes"],
        slicing_exprs=["pickup_zip"],
        custom_metrics=[EXPECTED_LOSS],
        monitor_cron="0 0 6 * * ?",
        notify_on_failure=["ops@example.com"],
    )
    assert recording.of_type(":QualityMonitor") == []
    monitor = recording.one(":DataQualityMonitor")
    assert (monitor["objectType"], monitor["objectId"]) == ("table", "table-uuid")
    config = monitor["dataProfilingConfig"]
    assert config["outputSchemaId"] == "schema-uuid"
    assert config["inferenceLog"] == {
        "granularities": ["AGGREGATION_GRANULARITY_1_DAY", "AGGREGATION_GRANULARITY_30_MINUTES"],
        "timestampColumn": "inference_timestamp",
        "modelIdColumn": "served_entity_id",
        "predictionColumn": "prediction",
        "labelColumn": "fare_amount",
        "problemType": "INFERENCE_PROBLEM_TYPE_REGRESSION",
    }
    assert config["customMetrics"][0]["type"] == "DATA_PROFILING_CUSTOM_METRIC_TYPE_AGGREGATE"
    assert config["notificationSettings"] == {"onFailure": {"emailAddresses": ["ops@example.com"]}}
    assert config["schedule"] == {"quartzCronExpression": "0 0 6 * * ?", "timezoneId": "UTC"}


def test_who_hears_of_failures_is_told_to_the_monitor() -> None:
    monitor = build(notify_on_failure=["ops@example.com"]).one(":QualityMonitor")
    assert monitor["notifications"] == {"onFailure": {"emailAddresses": ["ops@example.com"]}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"api": "data_quality"}, "give output_schema_id"),
        ({"labels": LabelSource(table="c.s.t", column="x", keys={"a": "nowhere"})}, "found by nowhere"),
        (
            {
                "labels": LabelSource(table="c.s.t", column="x", keys={"a": "pickup_zip"}),
                "schema": UnpackedSchema(record_columns={"pickup_zip": "int"}, prediction_type="double"),
            },
            "set label_column",
        ),
    ],
)
def test_what_cannot_be_watched_is_refused_before_anything_is_registered(changes: dict[str, Any], message: str) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            InferenceMonitor("monitor", args(**changes))

    assert record(broken).resources == []


def test_features_and_labels_are_brought_one_after_the_other_once_requests_are_unpacked() -> None:
    schema = UnpackedSchema(
        record_columns={"pickup_zip": "int", "hour": "int"}, prediction_type="double", label_column="fare_amount"
    )
    recording = build(
        schema=schema,
        features=FeatureSource(table="c.s.f", columns=["hour"], keys={"zip": "pickup_zip"}),
        labels=LabelSource(table="c.s.l", column="fare", keys={"zip": "pickup_zip"}),
    )
    tasks = recording.one(":Job")["tasks"]
    assert {task["taskKey"]: task.get("dependsOns") for task in tasks} == {
        "features": [{"taskKey": "unpack"}],
        "labels": [{"taskKey": "features"}],
        "unpack": None,
    }
    assert [task["taskKey"] for task in tasks] == sorted(task["taskKey"] for task in tasks)
