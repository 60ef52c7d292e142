"""An `InferenceMonitor` declares its table, fills it by a job, and watches it."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.monitor import InferenceMonitor, InferenceMonitorArgs
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
    text = recording.one(":Query")["queryText"]
    assert "FROM `p03`.`e2e_demo_simon`.`taxi_payload` AS p" in text
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
    assert kept["databricks:index/sqlTable:SqlTable"] is keep
    assert not kept["databricks:index/job:Job"]
