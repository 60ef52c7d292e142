"""What is asked: a scikit-learn model with feature lookups behind an endpoint, and the same model with its features
given behind MLflow's server."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.ml import OnlineStore, OnlineStoreState, PublishSpec, PublishSpecPublishMode
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput
from databricks.sdk.service.sql import StatementState
from mlflow.models import infer_signature
from sklearn.ensemble import GradientBoostingRegressor

from bench.load import BenchError, Target
from pipelines.feature_model import FeatureLookup, FeatureSpec, Input, log_feature_model
from pipelines.registration import register_feature_model

ENDPOINT = "bench"
TABLE = "main.bench.zones"
MODEL = "main.bench.fares"
FEATURES = {"mean_fare": "double", "trips": "double", "night_share": "double"}
ZONES = 500
ROWS = 2_000
REQUIREMENTS = ("mlflow", "scikit-learn")
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Scene:
    """The two targets, and the files behind them."""

    endpoint: Target
    plain: Target
    plain_model: Path


def build(folder: Path, host: str, token: str, plain_port: int) -> Scene:
    """Make tables, model and endpoint by the official clients, and save the model for MLflow's server."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    os.environ.update(DATABRICKS_HOST=host, DATABRICKS_TOKEN=token, MLFLOW_ENABLE_ASYNC_LOGGING="false")
    client = WorkspaceClient(host=host, token=token, auth_type="pat")
    zones, model, trips = _trained()
    _publish(client, zones)
    version = _register(client, model)
    entity = ServedEntityInput(
        entity_name=MODEL,
        entity_version=version,
        name="model",
        workload_size="Small",
        scale_to_zero_enabled=False,
    )
    config = EndpointCoreConfigInput(name=ENDPOINT, served_entities=[entity])
    client.serving_endpoints.create(ENDPOINT, config=config).result()
    plain_model = folder / "plain"
    mlflow.sklearn.save_model(
        model,
        str(plain_model),
        signature=infer_signature(trips, model.predict(trips)),
        pip_requirements=list(REQUIREMENTS),
    )
    row = trips.iloc[0]
    zone = int(zones.index[(zones[list(FEATURES)] == row[list(FEATURES)]).all(axis=1)][0])
    asked = {"distance": float(row["distance"]), "zone": zone}
    given = {name: float(value) for name, value in row.items()}
    json_type = {"Content-Type": "application/json"}
    return Scene(
        endpoint=Target(
            "endpoint with lookup",
            f"{host}/serving-endpoints/{ENDPOINT}/invocations",
            json.dumps({"dataframe_records": [asked]}).encode(),
            {**json_type, "Authorization": f"Bearer {token}"},
        ),
        plain=Target(
            "mlflow models serve",
            f"http://127.0.0.1:{plain_port}/invocations",
            json.dumps({"dataframe_records": [given]}).encode(),
            json_type,
        ),
        plain_model=plain_model,
    )


def _trained() -> tuple[pd.DataFrame, GradientBoostingRegressor, pd.DataFrame]:
    """Features by zone, a model, and the rows that it was trained with."""
    random = np.random.default_rng(7)
    zones = pd.DataFrame({name: random.random(ZONES).round(6) for name in FEATURES})
    trips = zones.iloc[random.integers(0, ZONES, ROWS)].reset_index(drop=True)
    trips.insert(0, "distance", (random.random(ROWS) * 10).round(3))
    fares = 3 + 2 * trips["distance"] * (1 + trips["mean_fare"]) + trips["night_share"]
    model = GradientBoostingRegressor(n_estimators=100, random_state=7).fit(trips, fares)
    return zones, model, trips


def _publish(client: WorkspaceClient, zones: pd.DataFrame) -> None:
    if "main" not in [catalog.name for catalog in client.catalogs.list()]:
        client.catalogs.create("main")
    client.schemas.create("bench", "main")
    columns = ", ".join(f"{name} DOUBLE" for name in FEATURES)
    _sql(
        client,
        f"CREATE TABLE {TABLE} (zone INT NOT NULL PRIMARY KEY, {columns}) "
        "TBLPROPERTIES (delta.enableChangeDataFeed = true)",
    )
    values = ", ".join(
        f"({zone}, {', '.join(repr(float(v)) for v in row)})" for zone, row in enumerate(zones.to_numpy())
    )
    _sql(client, f"INSERT INTO {TABLE} VALUES {values}")  # noqa: S608 - our own numbers
    client.feature_store.create_online_store(OnlineStore(name="bench", capacity="CU_1"))
    deadline = time.monotonic() + WAIT_SECONDS
    while client.feature_store.get_online_store("bench").state is not OnlineStoreState.AVAILABLE:
        _in_time(deadline, "the online store")
    spec = PublishSpec(
        online_store="bench", online_table_name="main.bench.zones_online", publish_mode=PublishSpecPublishMode.TRIGGERED
    )
    pipeline = str(client.feature_store.publish_table(TABLE, spec).pipeline_id)
    while (updates := client.pipelines.get(pipeline).latest_updates) and str(updates[0].state).rpartition(".")[
        2
    ] != "COMPLETED":
        _in_time(deadline, "the online table")


def _register(client: WorkspaceClient, model: GradientBoostingRegressor) -> str:
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    mlflow.set_experiment("/Shared/bench")
    lookup = FeatureLookup(
        table_name=TABLE,
        table_id=str(client.tables.get(TABLE).table_id),
        lookup_key=("zone",),
        features=FEATURES,
    )
    spec = FeatureSpec(
        inputs=[Input(name="distance", data_type="double"), Input(name="zone", data_type="int", include=False)],
        lookups=[lookup],
    )
    with mlflow.start_run():
        logged = log_feature_model(
            model,
            spec,
            name="model",
            label="fare",
            label_type="double",
            workspace_id=client.get_workspace_id(),
            input_example=pd.DataFrame([{"distance": 1.0, "zone": 1}]).astype({"zone": "int32"}),
            pip_requirements=REQUIREMENTS,
        )
    return str(register_feature_model(logged.model_uri, MODEL, {}).version)


def _sql(client: WorkspaceClient, statement: str) -> None:
    response = client.statement_execution.execute_statement(statement, "local", wait_timeout="50s")
    if response.status is None or response.status.state is not StatementState.SUCCEEDED:
        raise BenchError(f"{statement[:120]}: {response.status}")


def _in_time(deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise BenchError(f"{what} was not ready within {WAIT_SECONDS:.0f} s")
    time.sleep(0.02)
