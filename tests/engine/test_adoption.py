"""What somebody made by hand becomes the stack's, whole components of it, and nothing is made anew."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from databricks.sdk.service.catalog import MonitorInferenceLog, MonitorInferenceLogProblemType
from databricks.sdk.service.jobs import CronSchedule
from databricks.sdk.service.ml import OnlineStore, PublishSpec, PublishSpecPublishMode
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    EndpointCoreConfigInput,
    EndpointTag,
    Route,
    ServedEntityInput,
    TrafficConfig,
)

from apps.ops.__main__ import main
from components.outputs import StackOutputs
from tests.support.example import STACK
from tests.support.taxi import ENDPOINT, MODEL, Taxi

UNPACKED = "main.taxi.taxi_fare_regressor_local_unpacked"
STORE = "taxi-online-local"
ADOPTED = {
    "ModelServing taxi-fare": ENDPOINT,
    "OnlineStore features": STORE,
    "SqlTable monitor-table": UNPACKED,
    "QualityMonitor monitor": UNPACKED,
}


def make_by_hand(taxi: Taxi) -> str:
    """Store, copies, endpoint, alias, monitored table, monitor and job, as a person makes them; the job's id.

    The endpoint has another size and other tags than the stack declares, the job another schedule.
    """
    client = taxi.server.client()
    client.feature_store.create_online_store(OnlineStore(name=STORE, capacity="CU_1"))
    wait_until(lambda: client.feature_store.get_online_store(STORE).state.value == "AVAILABLE")  # type: ignore[union-attr]
    for table in ("trip_pickup_features", "trip_dropoff_features"):
        spec = PublishSpec(STORE, f"main.taxi.{table}_online", PublishSpecPublishMode.TRIGGERED)
        pipeline = str(client.feature_store.publish_table(f"main.taxi.{table}", spec).pipeline_id)
        wait_until(lambda pipeline=pipeline: synced(taxi, pipeline))
    client.serving_endpoints.create(
        ENDPOINT,
        config=EndpointCoreConfigInput(
            name=ENDPOINT,
            served_entities=[
                ServedEntityInput(
                    name="taxi_fare_regressor-1",
                    entity_name=MODEL,
                    entity_version="1",
                    workload_size="Medium",
                    scale_to_zero_enabled=True,
                )
            ],
            traffic_config=TrafficConfig(routes=[Route(100, served_model_name="taxi_fare_regressor-1")]),
        ),
        tags=[EndpointTag("owner", "somebody")],
        ai_gateway=AiGatewayConfig(
            inference_table_config=AiGatewayInferenceTableConfig(
                catalog_name="main", schema_name="taxi", table_name_prefix="taxi_fare_regressor_local", enabled=True
            )
        ),
    ).result()
    client.registered_models.set_alias(MODEL, "champion", 1)
    statement = client.statement_execution.execute_statement(
        # In the stack's own order: columns are not moved in place.
        f"CREATE TABLE {UNPACKED} (request_id STRING, record_index INT, inference_timestamp TIMESTAMP, "
        "served_entity_id STRING, dropoff_zip INT, pickup_zip INT, rounded_dropoff_datetime TIMESTAMP, "
        "rounded_pickup_datetime TIMESTAMP, trip_distance DOUBLE, prediction DOUBLE, fare_amount DOUBLE) "
        "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
        "local",
        wait_timeout="30s",
    )
    assert statement.status is not None
    assert statement.status.error is None, statement.status.error
    client.quality_monitors.create(
        UNPACKED,
        output_schema_name="main.taxi",
        assets_dir="/Workspace/Shared/taxi/monitoring",
        inference_log=MonitorInferenceLog(
            problem_type=MonitorInferenceLogProblemType.PROBLEM_TYPE_REGRESSION,
            timestamp_col="inference_timestamp",
            granularities=["1 day"],
            prediction_col="prediction",
            model_id_col="served_entity_id",
            label_col="fare_amount",
        ),
    )
    schedule = CronSchedule("0 0 3 * * ?", "UTC")
    return str(client.jobs.create(name=f"{ENDPOINT}-unpack", schedule=schedule).job_id)


def synced(taxi: Taxi, pipeline: str) -> bool:
    updates = taxi.server.client().pipelines.get(pipeline).latest_updates or []
    return bool(updates) and updates[0].state is not None and updates[0].state.value == "COMPLETED"


def wait_until(reached: Any) -> None:
    import time

    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_somebody_made_is_taken_over_whole_and_only_what_differs_is_changed(
    fresh: Taxi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_by_hand(fresh)
    project, client = fresh.project, fresh.server.client()
    before = client.serving_endpoints.get(ENDPOINT)
    for name, value in project.environment().items():
        monkeypatch.setenv(name, value)

    file = project.folder / "adopt.json"
    looked = fresh.last_request()
    assert main(["adopt", "--project", str(project.folder), "--stack", STACK, "--file", str(file), "--json"]) == 0
    assert {method for method, _ in fresh.requests_since(looked)} <= {"GET", "HEAD"}
    findings = json.loads(capsys.readouterr().out)["findings"]
    adopted = {one["subject"]: one["found"] for one in findings if one["check"] == "adopted"}
    assert adopted == {**ADOPTED, "Job monitor-unpack": job}
    left = {one["subject"]: one["found"] for one in findings if one["check"] == "left out"}
    assert left["PublishedTable trip_pickup_features"] == "adopts by itself"
    assert left["Query monitor-unpack"] == "is not there; `pulumi up` makes it"

    imported = project.run(
        "import", "--file", str(file), "--yes", "--skip-preview", "--protect=false", "--generate-code=false",
        "--stack", STACK, "--non-interactive",
    )  # fmt: skip
    assert imported.ok, imported
    parents = {one["urn"].rpartition("::")[2]: one.get("parent", "") for one in project.resources() if one.get("id")}
    assert parents["taxi-fare"].endswith("databricks-serving:index:ServingEndpoint::taxi-fare")

    planned = project.preview("--diff")
    assert planned.ok, planned
    operations = planned.operations()
    assert {operation for operation, _ in operations} <= {"create", "update", "read"}, planned
    remade = {kind for operation, kind in operations if operation == "create"}
    assert remade.isdisjoint(
        f"databricks:index/{kind}"
        for kind in (
            "modelServing:ModelServing",
            "onlineStore:OnlineStore",
            "sqlTable:SqlTable",
            "qualityMonitor:QualityMonitor",
            "job:Job",
        )
    ), planned
    assert re.search(r'"Medium"\s+=> "Small"', planned.text), planned

    made = project.up()
    assert made.ok, made
    after = client.serving_endpoints.get(ENDPOINT)
    assert (after.id, after.creation_timestamp) == (before.id, before.creation_timestamp)
    assert {tag.key: tag.value for tag in after.tags or []}["owner"] == "ml-platform"
    assert [one.workload_size for one in after.config.served_entities or []] == ["Small"]  # type: ignore[union-attr]
    outputs = StackOutputs.model_validate(project.outputs())
    assert outputs.job_ids["unpack"] == job
    assert outputs.aliases == {"champion": "1"}
    assert [str(one.job_id) for one in client.jobs.list()] == [job]

    again = project.up()
    assert again.ok, again
    assert again.operations() == []
