"""The taxi pipeline as a user runs it, against a running workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient

from pipelines.feature_model import predict_offline
from pipelines.sql import Warehouse, find_warehouse
from pipelines.taxi import sample, train
from pipelines.taxi.features import DROPOFF, FEATURE_TABLES, PICKUP, statement
from pipelines.taxi.freshness import MODEL_DIGEST, TABLES_DIGEST
from pipelines.taxi.ingest import replace_trips
from pipelines.taxi.keys import rounded_dropoff_datetime, rounded_pickup_datetime
from pipelines.taxi.metrics import fare_error
from pipelines.taxi.split import cut_time
from pipelines.taxi.taxis_csv import FILE_NAME
from pipelines.taxi.trips import Trip
from pipelines.taxi.zones import zone_zips
from tests.support.server import PROJECT, WorkspaceServer

CATALOG, SCHEMA = "taxi_test", "fares"
FULL_SCHEMA = f"{CATALOG}.{SCHEMA}"
MODEL = f"{FULL_SCHEMA}.taxi_fare_regressor"
FAST = ("--n-estimators", "5")


@dataclass(frozen=True)
class Taxi:
    """A workspace with a catalog for the pipeline, and the pipeline's command."""

    server: WorkspaceServer
    client: WorkspaceClient

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = dict(os.environ) | {"DATABRICKS_HOST": self.server.host, "DATABRICKS_TOKEN": self.server.token}
        command = [sys.executable, "-m", "pipelines.taxi", "--catalog", CATALOG, "--schema", SCHEMA, *FAST, *arguments]
        return subprocess.run(command, cwd=PROJECT, env=environ, text=True, capture_output=True, timeout=300)

    def version_after(self, *arguments: str) -> str:
        """Run the pipeline, which must succeed, and return the newest version's number."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return max((str(v.version) for v in self.client.model_versions.list(MODEL)), key=int)

    def warehouse(self) -> Warehouse:
        return Warehouse(self.client, find_warehouse(self.client, None), CATALOG, SCHEMA)

    def registry(self) -> MlflowClient:
        return MlflowClient("databricks", "databricks-uc")


@pytest.fixture
def taxi(start_server: Callable[[], WorkspaceServer], monkeypatch: pytest.MonkeyPatch) -> Taxi:
    server = start_server()
    # MLflow's clients of this test read the environment too.
    monkeypatch.setenv("DATABRICKS_HOST", server.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", server.token)
    client = server.client()
    client.catalogs.create(CATALOG)
    return Taxi(server, client)


def test_a_run_makes_tables_with_keys_and_feed_and_a_model_that_scores_as_it_was_measured(
    taxi: Taxi, tmp_path: Path
) -> None:
    done = taxi.run()
    assert done.returncode == 0, done.stderr
    assert f"{sample.TRIPS} rows from sample trips, seed 7 to {FULL_SCHEMA}.trips, none refused" in done.stdout
    assert "distance only: MAE $" in done.stdout
    for table in FEATURE_TABLES:
        info = taxi.client.tables.get(f"{FULL_SCHEMA}.{table.name}")
        assert {column.name: column.type_text for column in info.columns or []} == dict(table.columns)
        (key,) = [c.primary_key_constraint for c in info.table_constraints or [] if c.primary_key_constraint]
        assert key.child_columns == list(table.primary_keys)
        assert (info.properties or {})["delta.enableChangeDataFeed"] == "true"

    version = taxi.registry().get_model_version(MODEL, "1")
    assert version.status == "READY"
    assert {TABLES_DIGEST, MODEL_DIGEST} <= set(version.tags)
    assert version.run_id
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{MODEL}/1", dst_path=str(tmp_path / "model")))
    trips = train.training_set(taxi.warehouse())
    assert len(trips) == sample.TRIPS
    held_out = trips[trips[train.TIME] >= cut_time(trips[train.TIME])]
    metrics = taxi.registry().get_run(version.run_id).data.metrics
    error = fare_error(held_out[train.LABEL], predict_offline(folder, held_out))
    assert error.mae == pytest.approx(metrics["held_out_mae"], abs=1e-9)
    assert error.mae < metrics["baseline_mae"]


def test_a_second_run_says_so_in_one_line_and_writes_nothing(taxi: Taxi) -> None:
    assert taxi.version_after() == "1"
    before = [
        taxi.client.tables.get(f"{FULL_SCHEMA}.{name}").updated_at for name in ("trips", PICKUP.name, DROPOFF.name)
    ]
    done = taxi.run()
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.endswith(f"up to date: {MODEL} version 1 was made of sample trips, seed 7 by this pipeline")
    after = [
        taxi.client.tables.get(f"{FULL_SCHEMA}.{name}").updated_at for name in ("trips", PICKUP.name, DROPOFF.name)
    ]
    assert before == after
    assert [v.version for v in taxi.client.model_versions.list(MODEL)] == [1]


def test_another_model_is_a_version_of_its_own_and_leaves_the_first_up_to_date(taxi: Taxi) -> None:
    assert taxi.version_after() == "1"
    other = taxi.run("--force", "--seed", "8")
    assert other.returncode == 0, other.stderr
    assert "tables: up to date with sample trips, seed 7" in other.stdout
    assert "version 2" in other.stdout
    assert f"up to date: {MODEL} version 1 was" in taxi.run().stdout
    assert f"up to date: {MODEL} version 2 was" in taxi.run("--seed", "8").stdout


def test_a_run_that_was_cut_off_among_the_tables_is_made_again(taxi: Taxi) -> None:
    assert taxi.version_after() == "1"
    warehouse = taxi.warehouse()
    warehouse.run(f"ALTER TABLE trips SET TBLPROPERTIES ('{TABLES_DIGEST}' = '')")
    warehouse.run("DELETE FROM trips WHERE pickup_zip = 11430")
    done = taxi.run()
    assert done.returncode == 0, done.stderr
    assert warehouse.run("SELECT count(*) FROM trips").rows == [[sample.TRIPS]]
    # The model of these very tables is there already.
    assert done.stdout.splitlines()[-1].endswith("version 1 was made of sample trips, seed 7 by this pipeline")


def test_other_trips_change_the_feature_tables_in_place(taxi: Taxi, tmp_path: Path) -> None:
    assert taxi.version_after() == "1"
    names = [f"{FULL_SCHEMA}.{table.name}" for table in FEATURE_TABLES]
    before = [taxi.client.tables.get(name).table_id for name in names]
    trips = [trip for trip in sample.generate(7) if trip.pickup_zip != 11430]
    _write_csv(tmp_path, trips)
    assert taxi.version_after("--data", str(tmp_path)) == "2"
    assert [taxi.client.tables.get(name).table_id for name in names] == before
    keys = {(trip.pickup_zip, rounded_pickup_datetime(trip.tpep_pickup_datetime)) for trip in trips}
    rows = taxi.warehouse().run(f"SELECT {', '.join(PICKUP.primary_keys)} FROM {PICKUP.name}").rows
    assert {tuple(row) for row in rows} == keys


def test_the_workspaces_own_sample_trips_are_used_where_there_are_any(taxi: Taxi) -> None:
    taxi.client.catalogs.create("samples")
    taxi.client.schemas.create("nyctaxi", "samples")
    source = Warehouse(taxi.client, find_warehouse(taxi.client, None), "samples", "nyctaxi")
    source.run(statement("create_trips"))
    trips = sample.generate(3)
    replace_trips(source, [*trips, trips[0]._replace(fare_amount=-4.0)])
    done = taxi.run()
    assert done.returncode == 0, done.stderr
    assert (
        f"{len(trips)} rows from samples.nyctaxi.trips to {FULL_SCHEMA}.trips, 1 refused (1 negative fare)"
        in done.stdout
    )
    assert taxi.run().stdout.count("\n") == 1


def test_keys_that_python_rounds_find_their_rows(taxi: Taxi) -> None:
    assert taxi.version_after() == "1"
    warehouse = taxi.warehouse()
    pickups = {tuple(row) for row in warehouse.run(f"SELECT {', '.join(PICKUP.primary_keys)} FROM {PICKUP.name}").rows}
    dropoffs = {
        tuple(row) for row in warehouse.run(f"SELECT {', '.join(DROPOFF.primary_keys)} FROM {DROPOFF.name}").rows
    }
    trips = sample.generate(7)
    assert pickups == {(t.pickup_zip, rounded_pickup_datetime(t.tpep_pickup_datetime)) for t in trips}
    assert dropoffs == {(t.dropoff_zip, rounded_dropoff_datetime(t.tpep_dropoff_datetime)) for t in trips}


def test_a_missing_catalog_ends_in_one_clear_line(taxi: Taxi) -> None:
    environ = dict(os.environ)
    command = [sys.executable, "-m", "pipelines.taxi", "--catalog", "nowhere", "--schema", SCHEMA]
    done = subprocess.run(command, cwd=PROJECT, env=environ, text=True, capture_output=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr.startswith(f"pipelines.taxi: Catalog nowhere is not on {taxi.server.host}. Create it")
    assert done.stderr.count("\n") == 1


def _write_csv(folder: Path, trips: list[Trip]) -> None:
    """`taxis.csv` of trips, with one zone for each zip."""
    zones = {number: zone for zone, number in zone_zips().items()}
    lines = ["pickup,dropoff,distance,fare,pickup_zone,dropoff_zone"]
    for t in trips:
        moments = ",".join(moment.replace(tzinfo=None).isoformat(sep=" ") for moment in t[:2])
        lines.append(f"{moments},{t.trip_distance!r},{t.fare_amount!r},{zones[t.pickup_zip]},{zones[t.dropoff_zip]}")
    (folder / FILE_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
