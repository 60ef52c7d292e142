"""The taxi stack, whole: what `up` brings, that it stays as it is, and that nothing is left of it in the end."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from databricks.sdk.service.catalog import MonitorRefreshInfoState
from starlette.testclient import TestClient

from apps.client import AsyncPredictionClient, FareRequest, PredictionClient, outputs_from_json
from apps.fare_service.service import build_service
from components.outputs import StackOutputs
from tests.support.example import PROJECT
from tests.support.server import WorkspaceServer
from tests.support.taxi import ENDPOINT, MODEL, READS, Taxi

RECORD = {
    "pickup_zip": 10065,
    "rounded_pickup_datetime": "2019-03-23 20:15:00",
    "dropoff_zip": 10017,
    "rounded_dropoff_datetime": "2019-03-23 20:00:00",
    "trip_distance": 1.6,
}


def test_up_ends_in_outputs_that_keep_the_contract(running: Taxi) -> None:
    outputs = StackOutputs.model_validate(running.project.outputs())
    assert outputs.endpoint_name == ENDPOINT
    assert outputs.endpoint_url.endswith(f"/serving-endpoints/{ENDPOINT}/invocations")
    assert outputs.aliases == {"champion": "1"}
    assert outputs.resolved_version == "1"
    assert set(outputs.online_table_states.values()) == {"ONLINE_NO_PENDING_UPDATE"}
    assert outputs.smoke_result.status == "passed"
    assert outputs.smoke_result.answered_by == {"taxi_fare_regressor-1": "ok"}
    assert running.alias() == outputs.aliases["champion"]


def test_a_second_up_changes_nothing_asks_nothing_and_writes_nothing(running: Taxi) -> None:
    before = running.last_request()
    outcome = running.project.up()
    assert outcome.ok, outcome
    assert outcome.operations() == []
    written = [(method, path) for method, path in running.requests_since(before) if method not in READS]
    assert written == []


def test_a_first_preview_sends_only_reads_and_wakes_nothing(fresh: Taxi) -> None:
    before = fresh.last_request()
    outcome = fresh.project.preview()
    assert outcome.ok, outcome
    for words in ("cost at list price", "at rest", "DBU an hour", "USD a month"):
        assert words in outcome.text
    sent = fresh.requests_since(before)
    assert sent
    assert {method for method, _ in sent} <= READS
    assert not [path for _, path in sent if "invocations" in path]


def test_a_preview_where_nothing_is_there_says_what_is_missing_and_sends_only_reads(tmp_path: Path) -> None:
    server = WorkspaceServer(tmp_path / "workspace")
    server.start()
    try:
        empty = Taxi.new(server, tmp_path / "project")
        before = empty.last_request()
        outcome = empty.project.preview()
        assert not outcome.ok
        assert f"registered model {MODEL} does not exist" in outcome.errors()
        sent = empty.requests_since(before)
        assert sent
        assert {method for method, _ in sent} <= READS
    finally:
        server.kill()


def test_keys_alone_bring_a_fare_by_plain_http_and_by_the_sdk(running: Taxi) -> None:
    by_http = running.ask({"dataframe_records": [RECORD]})["predictions"]
    by_sdk = running.server.client().serving_endpoints.query(ENDPOINT, dataframe_records=[RECORD]).predictions
    assert by_http == by_sdk
    assert len(by_http) == 1
    assert 0 < by_http[0] < 200


def test_the_request_is_in_the_inference_table_and_the_unpack_job_brings_it_to_the_monitored_one(running: Taxi) -> None:
    outputs = StackOutputs.model_validate(running.project.outputs())
    split = {"columns": list(RECORD), "data": [list(RECORD.values()), list(RECORD.values())]}
    answer = running.ask({"dataframe_split": split, "client_request_id": "from-the-test"})
    client = running.server.client()
    _wait_for_rows(running, f"SELECT 1 FROM {outputs.payload_table} WHERE client_request_id = 'from-the-test'")

    for _ in range(2):  # a second run finds nothing new
        client.jobs.run_now(int(outputs.job_ids["unpack"])).result()

    rows = _query(
        running,
        f"SELECT u.record_index, u.pickup_zip, u.trip_distance, u.prediction, u.fare_amount"
        f" FROM {outputs.monitor_table} u JOIN {outputs.payload_table} p ON u.request_id = p.databricks_request_id"
        f" WHERE p.client_request_id = 'from-the-test' ORDER BY u.record_index",
    )
    predictions = answer["predictions"]
    assert [(int(row[0]), int(row[1]), float(row[2]), float(row[3]), row[4]) for row in rows] == [
        (0, 10065, 1.6, predictions[0], None),
        (1, 10065, 1.6, predictions[1], None),
    ]
    # What the pipeline left as a baseline is what the monitor compares requests with.
    table = str(outputs.monitor_table)
    refreshed = client.quality_monitors.run_refresh(table)
    deadline = time.monotonic() + 60
    while client.quality_monitors.get_refresh(table, refreshed.refresh_id).state is not MonitorRefreshInfoState.SUCCESS:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    compared = _query(
        running,
        f"SELECT DISTINCT column_name FROM {outputs.drift_metrics_table} WHERE drift_type = 'BASELINE' "
        "AND wasserstein_distance IS NOT NULL",
    )
    assert {"prediction", "trip_distance"} <= {row[0] for row in compared}


def test_a_new_version_is_served_in_place_and_the_alias_follows(outdated: Taxi) -> None:
    before = outdated.last_request()
    preview = outdated.project.preview()
    assert ("update", "databricks:index/modelServing:ModelServing") in preview.operations(), preview
    assert {method for method, _ in outdated.requests_since(before)} <= READS
    outcome = outdated.project.up()
    assert outcome.ok, outcome
    assert ("update", "databricks:index/modelServing:ModelServing") in outcome.operations()
    assert "replace" not in {operation for operation, _ in outcome.operations()}
    outputs = StackOutputs.model_validate(outdated.project.outputs())
    assert (outdated.alias(), outputs.aliases, outputs.previous_versions) == ("2", {"champion": "2"}, {"champion": "1"})


def test_an_alias_moved_by_hand_is_shown_by_refresh_and_repaired_by_the_next_up(outdated: Taxi) -> None:
    outdated.change(lambda serving: serving["model"]["aliases"].update(champion="1"))
    outdated.server.client().registered_models.set_alias(MODEL, "champion", 2)

    refused = outdated.project.up()
    refreshed = outdated.project.refresh("--diff")
    assert refreshed.ok, refreshed
    assert '"1" => "2"' in refreshed.text, refreshed
    repaired = outdated.project.up()
    assert repaired.ok, repaired
    assert outdated.alias() == "1"
    assert refused.ok, refused  # nothing was to be done for the alias as far as state knew


def test_destroy_leaves_nothing_of_the_stack_and_touches_nothing_else(running: Taxi) -> None:
    client = running.server.client()
    models_before = [version.version for version in client.model_versions.list(MODEL)]
    outcome = running.project.destroy()
    assert outcome.ok, outcome

    assert [endpoint.name for endpoint in client.serving_endpoints.list()] == []
    assert [store.name for store in client.feature_store.list_online_stores()] == []
    assert list(client.jobs.list()) == []
    assert list(client.queries.list()) == []
    tables = {table.name for table in client.tables.list("main", "taxi")}
    # Deleting an endpoint or a monitor leaves its tables behind, as it does on Databricks.
    kept = {
        f"taxi_fare_regressor_local_{name}"
        for name in ("payload", "unpacked_profile_metrics", "unpacked_drift_metrics")
    }
    pipelines = {"trips", "trip_pickup_features", "trip_dropoff_features", "taxi_fare_regressor_baseline"}
    assert tables == pipelines | kept
    assert [version.version for version in client.model_versions.list(MODEL)] == models_before
    assert client.registered_models.get(MODEL, include_aliases=True).aliases in (None, [])
    assert client.grants.get("function", MODEL).privilege_assignments in (None, [])


def _query(taxi: Taxi, statement: str) -> list[list[Any]]:
    answer = taxi.server.client().statement_execution.execute_statement(statement, "local", wait_timeout="30s")
    assert answer.status is not None
    assert answer.status.error is None, answer.status.error
    assert answer.result is not None
    return answer.result.data_array or []


def _wait_for_rows(taxi: Taxi, statement: str) -> None:
    """The inference table is delivered late; the workspace's own lag is about a second."""
    import time

    deadline = time.monotonic() + 30
    while not _query(taxi, statement):
        assert time.monotonic() < deadline, f"no row: {statement}"
        time.sleep(0.2)


def test_the_stack_keeps_the_policies(fresh: Taxi) -> None:
    outcome = fresh.project.preview("--policy-pack", str(PROJECT / "policies"))
    assert outcome.ok, outcome
    assert outcome.violations() == []
    assert "databricks-serving" in outcome.text, outcome


def test_an_app_needs_nothing_but_the_outputs(running: Taxi) -> None:
    deployed = outputs_from_json(json.dumps(running.project.outputs()))
    # The outputs were written where this copy was deployed first, on another port.
    url = f"{running.server.host}{urlsplit(deployed.endpoint_url).path}"
    outputs = deployed.model_copy(update={"endpoint_url": url})
    headers = {"Authorization": f"Bearer {running.server.token}"}
    ride = FareRequest(
        pickup_zip="10065",
        dropoff_zip="10017",
        pickup=datetime(2019, 3, 23, 20, 21),
        dropoff=datetime(2019, 3, 23, 20, 27),
        trip_distance=1.6,
    )
    with PredictionClient(outputs.endpoint_url, lambda: headers) as client:
        answer = client.predict([ride.record()])
    assert list(answer.values) == running.ask({"dataframe_records": [RECORD]})["predictions"]
    assert answer.served_entity == outputs.served_entities[0].name

    service = build_service(outputs, AsyncPredictionClient(outputs.endpoint_url, lambda: headers))
    with TestClient(service) as http:
        fare = http.get(
            "/fare",
            params={
                "pickup_zip": "10065",
                "dropoff_zip": "10017",
                "pickup": "2019-03-23T16:21:00-04:00",
                "dropoff": "2019-03-23T16:27:00-04:00",
                "trip_distance": "1.6",
            },
        )
    assert fare.json()["fare_amount"] == round(answer.values[0], 2)
