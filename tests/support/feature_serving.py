"""A workspace with Unity Catalog, feature store and serving, and models saved the way MLflow saves them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pyarrow as pa
from databricks.ml_features_common.entities.column_info import ColumnInfo
from databricks.ml_features_common.entities.feature_column_info import FeatureColumnInfo
from databricks.ml_features_common.entities.feature_spec import FeatureSpec
from databricks.ml_features_common.entities.feature_table_info import FeatureTableInfo
from databricks.ml_features_common.entities.source_data_column_info import SourceDataColumnInfo
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.ml import OnlineStore, PublishSpec, PublishSpecPublishMode
from databricks.sdk.service.serving import ServedEntityInput
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

from tests.support.served import served
from workspace.clock import Clock
from workspace.errors import not_found
from workspace.feature_store.routes import FeatureStore
from workspace.serving.routes import Serving
from workspace.settings import Settings
from workspace.state import State
from workspace.unity_catalog import Column, Tables, UnityCatalog

STORE = "features"
# No waiting for what the service only takes time for.
QUICK = {"online_store_provisioning_seconds": 0, "inference_table_delivery_lag_seconds": 0}

NUMBER_MODEL = """
import mlflow

class Number(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        {load}

    def predict(self, context, model_input, params=None):
        {predict}

mlflow.models.set_model(Number())
"""


@dataclass(frozen=True)
class SavedVersion:
    status: str
    folder: Path


class SavedModels:
    """A registry of folders: what serving asks of the real one, without uploads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def model_version(self, full_name: str, version: str) -> SavedVersion:
        folder = self._folder / full_name / version
        if not folder.exists():
            raise not_found(f"Model version '{full_name}' {version} does not exist.")
        return SavedVersion("READY", folder)

    def add(self, full_name: str, version: int, saved: Path) -> None:
        shutil.copytree(saved, self._folder / full_name / str(version))

    def remove(self, full_name: str, version: int) -> None:
        shutil.rmtree(self._folder / full_name / str(version))


@dataclass
class World:
    """One workspace in this process, reached over HTTP by `client`."""

    state: State
    tables: Tables
    features: FeatureStore
    models: SavedModels
    serving: Serving
    client: WorkspaceClient
    clock: Clock
    secrets: dict[tuple[str, str], str]
    """By scope and key."""
    catalog: UnityCatalog

    def set(self, **seconds: float) -> None:
        self.client.api_client.do("PUT", "/_workspace/settings", body=seconds)

    def make_table(
        self,
        name: str,
        columns: Sequence[Column],
        key: Sequence[str],
        *,
        feed: bool = True,
        timeseries: str | None = None,
    ) -> None:
        properties = {"delta.enableChangeDataFeed": "true"} if feed else {}
        self.tables.create(name, columns, primary_key=key, timeseries=timeseries, properties=properties)

    def make_store(self, name: str = STORE) -> None:
        self.client.feature_store.create_online_store(OnlineStore(name=name, capacity="CU_1"))
        eventually(lambda: self.client.feature_store.get_online_store(name).state is not None)

    def publish(self, source: str, online: str, mode: str = "TRIGGERED", *, store: str = STORE) -> str:
        """Publish and wait for the first sync; the pipeline's id."""
        spec = PublishSpec(online_store=store, online_table_name=online, publish_mode=PublishSpecPublishMode(mode))
        pipeline_id = self.client.feature_store.publish_table(source, spec).pipeline_id
        assert pipeline_id is not None
        self.synced(pipeline_id, "RUNNING" if mode == "CONTINUOUS" else "COMPLETED")
        return pipeline_id

    def sync(self, pipeline_id: str, *, expect: str = "COMPLETED", full_refresh: bool = False) -> None:
        self.client.pipelines.start_update(pipeline_id, full_refresh=full_refresh)
        self.synced(pipeline_id, expect)

    def synced(self, pipeline_id: str, expect: str) -> None:
        def latest() -> str:
            updates = self.client.pipelines.get(pipeline_id).latest_updates
            assert updates
            assert updates[0].state is not None
            return updates[0].state.value

        eventually(
            lambda: latest() not in ("QUEUED", "INITIALIZING") and (latest() != "RUNNING" or expect == "RUNNING")
        )
        assert latest() == expect, next(iter(self.client.pipelines.list_pipeline_events(pipeline_id))).message


@contextmanager
def world(folder: Path) -> Iterator[World]:
    state = State(folder / "state")
    secrets: dict[tuple[str, str], str] = {}
    try:
        catalog = UnityCatalog(state)
        if not catalog.containers.has_schema("main", "ml"):
            catalog.containers.create_schema({"catalog_name": "main", "name": "ml"}, "me@example.com")
        clock = Clock(state)
        features = FeatureStore(state, catalog, clock)
        models = SavedModels(folder / "models")
        serving = Serving(state, catalog, models, features, clock, lambda scope, key: secrets.get((scope, key)))
        settings = Settings(state)
        settings.change(QUICK)
        with served(state, [settings, clock, features, serving]) as client:
            yield World(state, catalog.tables, features, models, serving, client, clock, secrets, catalog)
    finally:
        state.close()


def eventually(reached: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"not reached within {seconds} s"
        time.sleep(0.02)


def rows(tables: Tables, name: str, values: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows with the table's own Arrow types."""
    schema = pa.schema(tables.delta(name).schema().to_arrow())
    return pa.Table.from_pylist(list(values), schema=schema)


def entity(model: str, version: int, name: str | None = None, **more: Any) -> ServedEntityInput:
    fields: dict[str, Any] = {"scale_to_zero_enabled": True, "workload_size": "Small", **more}
    return ServedEntityInput(entity_name=model, entity_version=str(version), name=name, **fields)


def save_model(folder: Path, predict: str, load: str = "pass") -> Path:
    """A model from code with one input column `a`; `predict` and `load` are statements of its methods."""
    folder.mkdir(parents=True)
    script = folder / "code.py"
    script.write_text(NUMBER_MODEL.format(predict=predict, load=load))
    signature = ModelSignature(inputs=Schema([ColSpec("double", "a")]), outputs=Schema([ColSpec("double")]))
    mlflow.pyfunc.save_model(
        str(folder / "model"), python_model=str(script), signature=signature, pip_requirements=["mlflow"]
    )
    return folder / "model"


@dataclass(frozen=True)
class Lookup:
    """One looked-up feature of a test's model."""

    output: str
    table: str
    feature: str
    key: tuple[str, ...]
    data_type: str = "double"
    default: str | None = None


def save_feature_model(
    folder: Path, predict: str, inputs: Mapping[str, tuple[str, bool]], lookups: Sequence[Lookup]
) -> Path:
    """A model with feature lookups, its feature_spec.yaml written by databricks-feature-engineering itself.

    `inputs` are the caller's columns: Spark type, and whether the raw model gets them.
    """
    folder.mkdir(parents=True)
    data = folder / "feature_store"
    columns = [ColumnInfo(SourceDataColumnInfo(name), include, kind, 0) for name, (kind, include) in inputs.items()]
    columns += [
        ColumnInfo(
            FeatureColumnInfo(one.table, one.feature, list(one.key), one.output, default_value_str=one.default),
            True,
            one.data_type,
            1 + position,
        )
        for position, one in enumerate(lookups)
    ]
    data.mkdir()
    tables = [FeatureTableInfo(name, "id") for name in sorted({one.table for one in lookups})]
    FeatureSpec(columns, tables, [], 1, "0.18.2", 11).save(str(data))
    script = folder / "code.py"
    script.write_text(NUMBER_MODEL.format(predict=predict, load="pass"))
    outputs = Schema([ColSpec("double")])
    mlflow.pyfunc.save_model(
        str(data / "raw_model"),
        python_model=str(script),
        signature=ModelSignature(outputs=outputs),
        pip_requirements=["mlflow"],
    )
    kinds = {"int": "integer", "bigint": "long", "timestamp": "datetime"}
    specs: list[ColSpec | TensorSpec] = [ColSpec(kinds.get(kind, kind), name) for name, (kind, _) in inputs.items()]
    specs += [ColSpec(kinds.get(one.data_type, one.data_type), one.output, required=False) for one in lookups]
    mlflow.pyfunc.save_model(
        str(folder / "model"),
        loader_module="databricks.feature_store.mlflow_model",
        data_path=str(data),
        signature=ModelSignature(inputs=Schema(specs), outputs=outputs),
        pip_requirements=["mlflow"],
    )
    return folder / "model"
