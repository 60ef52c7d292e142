"""The taxi pipeline as a user runs it, against a running workspace."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.ml import OnlineStore, PublishSpec, PublishSpecPublishMode
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput
from mlflow import MlflowClient

from pipelines.feature_model import predict_offline, request_frame
from pipelines.sql import Warehouse, find_warehouse
from pipelines.taxi import sample, train
from pipelines.taxi.features import DROPOFF, FEATURE_TABLES, PICKUP, statement
from pipelines.taxi.freshness import MODEL_DIGEST, TABLES_DIGEST
from pipelines.taxi.ingest import replace_trips
from pipelines.taxi.keys import rounded_dropoff_datetime, rounded_pickup_datetime
from pipelines.taxi.metrics import fare_error
from pipelines.taxi.model_step import COMMENT
from pipelines.taxi.split import cut_time
from pipelines.taxi.taxis_csv import FILE_NAME
from pipelines.taxi.trips import Trip
from pipelines.taxi.zones import zone_zips
from pipelines.versions import document_model
from tests.support.server import PROJECT, WorkspaceServer

CATALOG, SCHEMA = "taxi_test", "fares"
FULL_SCHEMA = f"{CATALOG}.{SCHEMA}"
MODEL = f"{FULL_SCHEMA}.taxi_fare_regressor"
TABLES = ("trips", PICKUP.name, DROPOFF.name)


@dataclass(frozen=True)
class Taxi:
    """A workspace with a catalog for the pipeline, and the pipeline's command."""

    server: WorkspaceServer
    client: WorkspaceClient

    @classmethod
    def on(cls, server: WorkspaceServer) -> Taxi:
        client = server.client()
        client.catalogs.create(CATALOG)
        return cls(server, client)

    def run(self, *arguments: str, catalog: str = CATALOG) -> subprocess.CompletedProcess[str]:
        environ = dict(os.environ) | {"DATABRICKS_HOST": self.server.host, "DATABRICKS_TOKEN": self.server.token}
        command = [sys.executable, "-m", "pipelines.taxi", "--catalog", catalog, "--schema", SCHEMA]
        command += ["--n-estimators", "5", *arguments]
        return subprocess.run(command, cwd=PROJECT, env=environ, text=True, capture_output=True, timeout=300)

    def runs(self, *arguments: str) -> str:
        """What a run prints that must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def warehouse(self) -> Warehouse:
        return Warehouse(self.client, find_warehouse(self.client, None), CATALOG, SCHEMA)

    def versions(self) -> list[int]:
        return sorted(version.version or 0 for version in self.client.model_versions.list(MODEL))

    def requests(self) -> list[dict[str, Any]]:
        answer: Any = self.client.api_client.do("GET", "/_workspace/requests")
        return list(answer["requests"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taxi]:
    """A workspace where the pipeline has run once; its tests add to it and leave its tables alone."""
    server = WorkspaceServer(tmp_path_factory.mktemp("taxi"))
    server.start()
    taxi = Taxi.on(server)
    printed = taxi.runs()
    assert f"{sample.TRIPS} rows from sample trips, seed 7 to {FULL_SCHEMA}.trips, none refused" in printed
    assert "distance only: MAE $" in printed
    yield taxi
    server.kill()


@pytest.fixture
def registry(made: Taxi, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    # MLflow's clients read the environment.
    monkeypatch.setenv("DATABRICKS_HOST", made.server.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", made.server.token)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    yield MlflowClient()
    mlflow.set_tracking_uri(before)
    mlflow.set_registry_uri(before)


def test_the_feature_tables_have_their_columns_keys_in_order_and_change_feed(made: Taxi) -> None:
    for table in FEATURE_TABLES:
        info = made.client.tables.get(f"{FULL_SCHEMA}.{table.name}")
        assert {column.name: column.type_text for column in info.columns or []} == dict(table.columns)
        (key,) = [c.primary_key_constraint for c in info.table_constraints or [] if c.primary_key_constraint]
        assert key.child_columns == list(table.primary_keys)
        assert (info.properties or {})["delta.enableChangeDataFeed"] == "true"


def test_keys_that_python_rounds_are_the_keys_of_the_tables(made: Taxi) -> None:
    trips = sample.generate(7)
    assert keys(made, PICKUP.name, PICKUP.primary_keys) == {
        (t.pickup_zip, rounded_pickup_datetime(t.tpep_pickup_datetime)) for t in trips
    }
    assert keys(made, DROPOFF.name, DROPOFF.primary_keys) == {
        (t.dropoff_zip, rounded_dropoff_datetime(t.tpep_dropoff_datetime)) for t in trips
    }


def test_the_registered_model_scores_as_it_was_measured(made: Taxi, registry: MlflowClient, tmp_path: Path) -> None:
    version = registry.get_model_version(MODEL, "1")
    assert version.status == "READY"
    assert {TABLES_DIGEST, MODEL_DIGEST} <= set(version.tags)
    assert version.run_id
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{MODEL}/1", dst_path=str(tmp_path)))
    trips = train.training_set(made.warehouse())
    assert len(trips) == sample.TRIPS
    held_out = trips[trips[train.TIME] >= cut_time(trips[train.TIME])]
    metrics = registry.get_run(version.run_id).data.metrics
    error = fare_error(held_out[train.LABEL], predict_offline(folder, held_out))
    assert error.mae == pytest.approx(metrics["held_out_mae"], abs=1e-9)
    assert error.mae < metrics["baseline_mae"]


def test_the_model_says_what_it_is_for_and_what_people_wrote_stays(made: Taxi) -> None:
    models = made.client.registered_models
    assert models.get(MODEL).comment == COMMENT
    models.update(MODEL, comment="Ours.")
    document_model(made.client, MODEL, COMMENT)
    assert models.get(MODEL).comment == "Ours."
    models.update(MODEL, comment=COMMENT)


def test_the_endpoint_answers_keys_alone_with_what_batch_scoring_gives(
    made: Taxi, registry: MlflowClient, tmp_path: Path
) -> None:
    client = made.client
    client.feature_store.create_online_store(OnlineStore(name="taxi", capacity="CU_1"))
    eventually(lambda: str(client.feature_store.get_online_store("taxi").state).endswith("AVAILABLE"))
    for table in FEATURE_TABLES:
        full_name = f"{FULL_SCHEMA}.{table.name}"
        spec = PublishSpec(
            online_store="taxi", online_table_name=f"{full_name}_online", publish_mode=PublishSpecPublishMode.SNAPSHOT
        )
        pipeline = client.feature_store.publish_table(full_name, spec).pipeline_id
        assert pipeline
        eventually(partial(is_synced, client, pipeline))
    entity = ServedEntityInput(entity_name=MODEL, entity_version="1", workload_size="Small", scale_to_zero_enabled=True)
    client.serving_endpoints.create(
        "taxi", config=EndpointCoreConfigInput(name="taxi", served_entities=[entity])
    ).result(timeout=timedelta(minutes=2))

    trips = train.training_set(made.warehouse())
    asked = trips.iloc[:: len(trips) // 200]
    request = request_frame(asked, train.INPUTS)
    # One row more, at a place and time without features.
    nowhere = request.head(1).assign(pickup_zip=99999, dropoff_zip=99999)
    records = [
        {str(name): str(value) if "datetime" in str(name) else value for name, value in row.items()}
        for frame in (request, nowhere)
        for row in frame.to_dict("records")
    ]
    answers = client.serving_endpoints.query("taxi", dataframe_records=records).predictions
    assert answers is not None
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{MODEL}/1", dst_path=str(tmp_path)))
    unseen = asked.head(1).copy()
    unseen[[name for table in FEATURE_TABLES for name in table.features]] = None
    assert answers[:-1] == pytest.approx(predict_offline(folder, asked), abs=1e-6)
    assert answers[-1:] == pytest.approx(predict_offline(folder, unseen), abs=1e-6)


def test_a_second_run_says_so_in_one_line_and_writes_nothing(made: Taxi) -> None:
    versions, before = made.versions(), made.requests()
    done = made.run()
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.endswith(f"up to date: {MODEL} version 1 was made of sample trips, seed 7 by this pipeline")
    assert made.versions() == versions
    sent = [request["method"] for request in made.requests()[len(before) :]]
    assert sent
    assert set(sent) == {"GET"}


def test_another_model_is_a_version_of_its_own_and_leaves_the_first_up_to_date(made: Taxi) -> None:
    first = made.versions()
    printed = made.runs("--force", "--seed", "8")
    assert "tables: up to date with sample trips, seed 7" in printed
    (new,) = set(made.versions()) - set(first)
    assert f"{MODEL} version {new}, run" in printed
    assert f"up to date: {MODEL} version 1 was" in made.runs()
    assert f"up to date: {MODEL} version {new} was" in made.runs("--seed", "8")


def test_a_missing_catalog_ends_in_one_clear_line(made: Taxi) -> None:
    done = made.run(catalog="nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith(f"pipelines.taxi: Catalog nowhere is not on {made.server.host}. Create it")
    assert done.stderr.count("\n") == 1


def test_a_run_that_was_cut_off_is_made_again_and_other_trips_change_the_tables_in_place(
    start_server: Callable[[], WorkspaceServer], tmp_path: Path
) -> None:
    taxi = Taxi.on(start_server())
    taxi.runs()
    warehouse = taxi.warehouse()
    ids = [taxi.client.tables.get(f"{FULL_SCHEMA}.{name}").table_id for name in TABLES]
    feed = f"SELECT count(*) FROM table_changes('{FULL_SCHEMA}.{PICKUP.name}', 0)"
    inserted = warehouse.run(feed).rows
    warehouse.run(f"ALTER TABLE trips SET TBLPROPERTIES ('{TABLES_DIGEST}' = '')")
    warehouse.run("DELETE FROM trips WHERE pickup_zip = 11430")
    # The model of these very tables is there already: only the tables are made again.
    assert taxi.runs().splitlines()[-1].endswith("version 1 was made of sample trips, seed 7 by this pipeline")
    assert warehouse.run("SELECT count(*) FROM trips").rows == [[sample.TRIPS]]
    assert warehouse.run(feed).rows == inserted

    trips = [trip for trip in sample.generate(7) if trip.pickup_zip != 11430]
    write_csv(tmp_path, trips)
    printed = taxi.runs("--data", str(tmp_path))
    assert f"{len(trips)} rows from {tmp_path / FILE_NAME}" in printed
    assert taxi.versions() == [1, 2]
    assert [taxi.client.tables.get(f"{FULL_SCHEMA}.{name}").table_id for name in TABLES] == ids
    assert keys(taxi, PICKUP.name, PICKUP.primary_keys) == {
        (t.pickup_zip, rounded_pickup_datetime(t.tpep_pickup_datetime)) for t in trips
    }


def test_the_workspaces_own_sample_trips_are_used_where_there_are_any(
    start_server: Callable[[], WorkspaceServer],
) -> None:
    taxi = Taxi.on(start_server())
    taxi.client.catalogs.create("samples")
    taxi.client.schemas.create("nyctaxi", "samples")
    source = Warehouse(taxi.client, find_warehouse(taxi.client, None), "samples", "nyctaxi")
    source.run(statement("create_trips"))
    trips = sample.generate(3)
    replace_trips(source, [*trips, trips[0]._replace(fare_amount=-4.0)])
    loaded = f"{len(trips)} rows from samples.nyctaxi.trips to {FULL_SCHEMA}.trips, 1 refused (1 negative fare)"
    assert loaded in taxi.runs()
    assert taxi.runs().count("\n") == 1


def is_synced(client: WorkspaceClient, pipeline: str) -> bool:
    return "COMPLETED" in str(client.pipelines.get(pipeline).latest_updates)


def keys(taxi: Taxi, table: str, columns: tuple[str, ...]) -> set[tuple[object, ...]]:
    return {tuple(row) for row in taxi.warehouse().run(f"SELECT {', '.join(columns)} FROM {table}").rows}


def write_csv(folder: Path, trips: list[Trip]) -> None:
    """`taxis.csv` of trips, with one zone for each zip."""
    zones = {number: zone for zone, number in zone_zips().items()}
    lines = ["pickup,dropoff,distance,fare,pickup_zone,dropoff_zone"]
    for t in trips:
        moments = ",".join(moment.replace(tzinfo=None).isoformat(sep=" ") for moment in t[:2])
        lines.append(f"{moments},{t.trip_distance!r},{t.fare_amount!r},{zones[t.pickup_zip]},{zones[t.dropoff_zip]}")
    (folder / FILE_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")


def eventually(done: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)
