"""The end-to-end taxi workflow on the real engine, from an empty workspace: stopped by its gate, then all the way."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.run_e2e.job_runs import run_job
from components.outputs import StackOutputs
from pipelines.taxi_e2e.locations import locations
from tests.support.example import PROJECT
from tests.support.reads import only_reads
from tests.support.server import WorkspaceServer
from tests.support.taxi_e2e import ENDPOINT, MODEL, SCHEMA, TaxiE2e, load_trips

TRIP = "pickup_location_id, dropoff_location_id, pickup_datetime"
ONLINE = {f"main.{SCHEMA}.{name}_features_online" for name in ("pickup", "dropoff")}


@pytest.fixture
def taxi(tmp_path: Path) -> Iterator[TaxiE2e]:
    server = WorkspaceServer(tmp_path / "workspace")
    server.start()
    load_trips(server)
    yield TaxiE2e.new(server, tmp_path / "project")
    server.kill()


def test_a_version_serves_only_after_its_validation_and_an_unchanged_run_changes_nothing(taxi: TaxiE2e) -> None:
    client = taxi.server.client()

    # A gate that nothing passes: the jobs are there, a version is, and nothing serves it.
    taxi.change("jobs.thresholds", maxRmse=0.1)
    stopped = taxi.drive()
    assert stopped.exit_code == 1, stopped
    assert stopped.result["failed_phase"] == "training", stopped
    assert "rmse on all rows" in stopped.status
    assert stopped.phases() == {"jobs": "success", "features": "success", "training": "failed"}
    assert list(client.serving_endpoints.list()) == []
    assert client.registered_models.get(MODEL, include_aliases=True).aliases in (None, [])
    assert taxi.project.outputs()["stage"] == "jobs"
    check_first_deployment_in_preview(taxi)

    taxi.change("jobs.thresholds", maxRmse=3.5)
    stack_file = taxi.settings()
    served = taxi.drive("--skip-features")
    assert served.exit_code == 0, served
    assert set(served.phases().values()) == {"success", "skipped"}
    result = served.result
    # The version that was trained before is found again, not trained twice.
    assert [str(one.version) for one in client.model_versions.list(MODEL)] == [result["model_version"]] == ["1"]
    # The stack file is shared, and what this machine has trained is not written into it.
    assert taxi.settings() == stack_file
    assert result["endpoint_state"] == "READY"
    assert [len(result["predictions"][name]) for name in ("single", "batch")] == [1, 3]
    assert set(result["online_tables"]) == ONLINE
    assert client.model_versions.get_by_alias(MODEL, "champion").version == 1
    outputs = StackOutputs.model_validate(taxi.project.outputs())
    check_outputs(outputs)
    check_run(taxi)
    # What batch inference says of all trips, it says in the table.
    scored = taxi.sql("SELECT count(*) AS n, min(model_version) AS v FROM taxi_fare_predictions").only_row()
    assert (scored["n"], scored["v"]) == (result["batch_rows"], 1)

    # Lookups are what a prediction rests on: another place for the same miles and time is another fare.
    single = json.loads((taxi.project.folder / "serving/config/test_single_prediction.json").read_text())
    (record,) = single["dataframe_records"]
    places = [{**record, "pickup_location_id": place} for place in (161, 132)]
    answers = client.serving_endpoints.query(ENDPOINT, dataframe_records=places).predictions
    assert answers is not None
    assert abs(answers[0] - answers[1]) > 1.0, answers

    labelled = check_labels(taxi, outputs.job_ids)
    job = outputs.job_ids["monitoring"]
    run = client.jobs.run_now(int(job)).result()
    (task,) = run.tasks or []
    found = client.jobs.get_run_output(task.run_id or 0).notebook_output
    assert found is not None
    assert json.loads(found.result or "")["monitors"] == [
        f"main.{SCHEMA}.taxi_fare_endpoint_unpacked",
        f"main.{SCHEMA}.pickup_features",
    ]
    check_measured(taxi, labelled)

    again = taxi.drive("--skip-features", "--skip-training")
    assert again.exit_code == 0, again
    assert again.phases() == {
        "jobs": "success",
        "features": "skipped",
        "training": "skipped",
        "deployment": "success",
        "validation": "success",
    }
    # One `pulumi up`, which found nothing to do.
    assert re.findall(r"^Resources:\n +\d+ (.*)$", again.status, re.MULTILINE) == ["unchanged"], again

    # The stage cannot take down what serves, and what is exported can be brought back.
    taxi.change("", stage="jobs")
    with only_reads(taxi.server):
        refused = taxi.project.preview()
    assert not refused.ok
    assert f"endpoint {ENDPOINT} is there: it would be deleted" in refused.errors()
    taxi.change("", stage="auto")
    check_restored(taxi)

    gone = taxi.project.destroy()
    assert gone.ok, gone
    assert [endpoint.name for endpoint in client.serving_endpoints.list()] == []
    assert list(client.jobs.list()) == []


def check_outputs(outputs: StackOutputs) -> None:
    assert (outputs.endpoint_name, outputs.model_name, outputs.resolved_version) == (ENDPOINT, MODEL, "1")
    assert outputs.payload_table == f"main.{SCHEMA}.taxi_fare_endpoint_payload"
    assert outputs.monitor_table == f"main.{SCHEMA}.taxi_fare_endpoint_unpacked"
    assert set(outputs.job_ids) == {"unpack", "feature-engineering", "model-training", "batch-inference", "monitoring"}
    assert set(outputs.alert_ids) == {
        "availability",
        "latency",
        "drift-prediction",
        "quality-fare-error",
        "drift-features-pickup",
    }
    assert set(outputs.online_table_names) == ONLINE
    assert outputs.smoke_result.status == "passed"


def check_first_deployment_in_preview(taxi: TaxiE2e) -> None:
    """A version that may be served is all that `auto` waits for; the preview of everything sends only reads."""
    with only_reads(taxi.server):
        waiting = taxi.project.preview()
    assert waiting.ok, waiting
    assert "ModelServing" not in str(waiting.operations())
    assert "stage jobs, without an endpoint" in waiting.text
    tag = {"name": MODEL, "version": "1", "key": "validation"}
    set_tag(taxi, **tag, value="passed")
    with only_reads(taxi.server):
        planned = taxi.project.preview()
    assert planned.ok, planned
    made = {kind.rpartition(":")[2] for operation, kind in planned.operations() if operation == "create"}
    assert made >= {
        "OnlineStore",
        "PublishedTable",
        "ModelServing",
        "SmokeQuery",
        "ModelAlias",
        "QualityMonitor",
        "AlertV2",
    }
    set_tag(taxi, **tag, value="failed")


def set_tag(taxi: TaxiE2e, **body: str) -> None:
    path = "/api/2.0/mlflow/unity-catalog/model-versions/set-tag"
    taxi.server.client().api_client.do("POST", path, body=body)


def check_labels(taxi: TaxiE2e, job_ids: Mapping[str, str]) -> dict[tuple[int, int, str], tuple[float, float]]:
    """Requests about trips get their fares: at once where the trip is known, else when it has been loaded.

    Returns:
        Prediction and fare of every trip that was asked about, by its places and time.
    """
    client = taxi.server.client()
    known = taxi.sql(
        f"SELECT {TRIP}, trip_distance, fare_amount FROM located_trips ORDER BY pickup_datetime DESC LIMIT 4"
    ).rows
    trips = {key_of(row): (row[3], row[4]) for row in known}
    # A trip that nobody has heard of: from Midtown to Kennedy Airport, a day after the last one.
    late = (161, 132, f"{date.fromisoformat(str(known[0][2])[:10]) + timedelta(days=1)} 10:00:00")
    asked = {**trips, late: (17.5, 61.25)}
    names = ("pickup_location_id", "dropoff_location_id", "pickup_datetime")
    records = [
        {**dict(zip(names, key, strict=True)), "trip_distance": distance} for key, (distance, _) in asked.items()
    ]
    predictions = client.serving_endpoints.query(ENDPOINT, dataframe_records=records).predictions or []
    assert len(predictions) == len(asked)
    fares = [float(str(fare)) for _, fare in asked.values()]
    expected = dict(zip(asked, zip(map(float, predictions), fares, strict=True), strict=True))
    assert labels_after_unpacking(taxi, job_ids["unpack"], len(asked)) == {
        key: None if key == late else fare for key, (_, fare) in expected.items()
    }

    zips = {one.location_id: one.zip for one in locations()}
    times = f"TIMESTAMP '{late[2]}', TIMESTAMP '{late[2][:11]}10:55:00'"
    taxi.sql(
        "INSERT INTO trips (tpep_pickup_datetime, tpep_dropoff_datetime, trip_distance, fare_amount, pickup_zip, "
        f"dropoff_zip) VALUES ({times}, 17.5, 61.25, {zips[161]}, {zips[132]})"
    )
    run_job(client, job_ids["feature-engineering"], "features", {}, print)
    assert labels_after_unpacking(taxi, job_ids["unpack"], len(asked)) == {
        key: fare for key, (_, fare) in expected.items()
    }
    return expected


def key_of(row: Sequence[Any]) -> tuple[int, int, str]:
    """Places and time of a row that begins with them; the time as a caller writes it."""
    return int(row[0]), int(row[1]), str(row[2])[:19].replace("T", " ")


def labels_after_unpacking(taxi: TaxiE2e, job_id: str, rows: int) -> dict[tuple[int, int, str], float | None]:
    """The newest rows of the monitored table with their labels, as soon as there are so many of them."""
    deadline = time.monotonic() + 60
    while True:
        run_job(taxi.server.client(), job_id, "unpack", {}, print)
        found = taxi.sql(
            f"SELECT {TRIP}, fare_amount FROM taxi_fare_endpoint_unpacked WHERE year(pickup_datetime) < 2023"
        )
        if len(found.rows) == rows:
            return {key_of(row): None if row[3] is None else float(str(row[3])) for row in found.rows}
        assert time.monotonic() < deadline, found.rows


def check_measured(taxi: TaxiE2e, labelled: Mapping[Any, tuple[float, float]]) -> None:
    """The monitor's own metric is the mean error of the requests whose fare is known."""
    (measured,) = taxi.sql(
        "SELECT mean_fare_error FROM taxi_fare_endpoint_unpacked_profile_metrics WHERE column_name = ':table' "
        "AND log_type = 'INPUT' AND slice_key IS NULL AND mean_fare_error IS NOT NULL AND served_entity_id = '*'"
    ).rows
    errors = [abs(predicted - fare) for predicted, fare in labelled.values()]
    assert float(str(measured[0])) == pytest.approx(sum(errors) / len(errors))


def check_run(taxi: TaxiE2e) -> None:
    """The version says what it was made of, and by whom it may serve."""
    client: Any = taxi.server.client()
    version = client.api_client.do(
        "GET", "/api/2.0/mlflow/unity-catalog/model-versions/get", query={"name": MODEL, "version": "1"}
    )["model_version"]
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    assert tags["validation"] == "passed"
    assert {"taxi_e2e_features_digest", "taxi_e2e_model_digest", "training_date"} <= set(tags)
    # Code that was copied without its history has no commit to tell.
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    commit = asked.stdout.strip() if asked.returncode == 0 else None
    assert tags.get("git_sha") == commit
    run = client.experiments.get_run(version["run_id"]).run
    assert {"n_estimators", "cut", "raw_table"} <= {one.key for one in run.data.params}
    assert {"held_out_rmse", "held_out_within_fifth", "baseline_rmse"} <= {one.key for one in run.data.metrics}
    assert {one.key: one.value for one in run.data.tags}.get("mlflow.source.git.commit") == commit
    artifacts = {file.path for file in client.experiments.list_artifacts(run_id=run.info.run_id)}
    assert {"feature_importances.json", "held_out_predictions.csv"} <= artifacts


def check_restored(taxi: TaxiE2e) -> None:
    """The restore drill: a stack whose state is lost comes back from an export, and nothing is made twice."""
    exported = taxi.project.must("stack", "export", "--stack", taxi.project.stack).stdout
    backup = taxi.project.folder / "backup.json"
    backup.write_text(exported)
    taxi.project.must("stack", "rm", "--force", "--yes", "--preserve-config", taxi.project.stack)
    taxi.project.must("stack", "init", taxi.project.stack, "--secrets-provider", "passphrase")
    assert taxi.project.resources() == []
    taxi.project.must("stack", "import", "--stack", taxi.project.stack, "--file", str(backup))
    restored = taxi.project.up("--refresh")
    assert restored.ok, restored
    assert [step for step in restored.operations() if step[0] not in ("same", "refresh")] == []
