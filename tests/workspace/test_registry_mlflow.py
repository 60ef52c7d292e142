"""The registry through mlflow's own client, in both of its protocols."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from tests.support.models import new_model, saved_linear_model
from tests.support.server import PROJECT, WorkspaceServer

ROWS = pd.DataFrame({"a": [1.0, 4.0], "b": [2.0, 0.5]})

# Reads a model by alias, moves an alias, and registers a version, all by the native protocol; prints what it saw.
NATIVE_CLIENT = """
import json, sys
import mlflow, pandas as pd
from mlflow import MlflowClient
name, folder, rows = sys.argv[1], sys.argv[2], pd.DataFrame(json.loads(sys.argv[3]))
mlflow.set_tracking_uri("databricks")
client = MlflowClient(registry_uri="databricks-uc")
mlflow.set_registry_uri("databricks-uc")
before = client.get_model_version_by_alias(name, "champion")
predictions = mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(rows)
made = client.create_model_version(name, folder, tags={"by": "native"})
client.set_registered_model_alias(name, "Champion", made.version)
client.set_model_version_tag(name, made.version, "checked", "yes")
client.update_model_version(name, made.version, "by the native client")
client.set_registered_model_tag(name, "team", "fares")
try:
    client.get_model_version_by_alias(name, "nobody")
except mlflow.exceptions.MlflowException as error:
    missing = error.error_code
print(json.dumps({
    "before": [before.name, before.version, before.status],
    "predictions": list(predictions),
    "made": [made.version, made.status],
    "aliases": client.get_registered_model(name).aliases,
    "versions": [version.version for version in client.search_model_versions(f"name='{name}'")],
    "models": [model.name for model in client.search_registered_models()],
    "missing": missing,
}))
"""


@pytest.fixture(scope="module")
def environment(server: WorkspaceServer) -> dict[str, str]:
    """What a process needs to reach the workspace; failures are told at once instead of after minutes of retries."""
    return {
        "DATABRICKS_HOST": server.host,
        "DATABRICKS_TOKEN": server.token,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }


@pytest.fixture
def mlflow_client(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    tracking, registry = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    yield MlflowClient()
    mlflow.set_tracking_uri(tracking)
    mlflow.set_registry_uri(registry)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    folder = tmp_path_factory.mktemp("model") / "linear"
    return str(folder), saved_linear_model(folder)


def test_a_logged_model_loads_by_alias_and_predicts_as_it_did(
    mlflow_client: MlflowClient, client: WorkspaceClient, saved: tuple[str, Any]
) -> None:
    _, estimator = saved
    name = new_model(client, "logged")
    mlflow.set_experiment("/Users/tester/registry")
    signature = mlflow.models.infer_signature(ROWS, estimator.predict(ROWS))
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(
            estimator,
            name="model",
            signature=signature,
            registered_model_name=name,
            pip_requirements=["scikit-learn"],
        )
    mlflow_client.set_registered_model_alias(name, "champion", info.registered_model_version)
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(ROWS)
    np.testing.assert_array_equal(loaded, estimator.predict(ROWS))
    version = client.model_versions.get_by_alias(name, "champion")
    assert (version.version, version.run_id) == (1, run.info.run_id)
    assert version.run_workspace_id == client.get_workspace_id()
    from_tracking = mlflow.pyfunc.load_model(info.model_uri).predict(ROWS)
    np.testing.assert_array_equal(from_tracking, estimator.predict(ROWS))


def test_both_protocols_of_mlflow_work_on_the_same_models(
    mlflow_client: MlflowClient, client: WorkspaceClient, saved: tuple[str, Any], environment: dict[str, str]
) -> None:
    folder, estimator = saved
    name = new_model(client, "both_protocols")
    first = mlflow_client.create_model_version(name, folder, tags={"by": "default"})
    mlflow_client.set_registered_model_alias(name, "champion", first.version)
    native = subprocess.run(
        [sys.executable, "-c", NATIVE_CLIENT, name, folder, json.dumps(ROWS.to_dict("list"))],
        env=os.environ | environment | {"MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY": "true"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert native.returncode == 0, native.stderr
    seen = json.loads(native.stdout.splitlines()[-1])
    assert seen["before"] == [name, "1", "READY"]
    np.testing.assert_array_equal(seen["predictions"], estimator.predict(ROWS))
    assert seen["made"] == ["2", "READY"]
    assert seen["aliases"] == {"champion": "2"}
    assert seen["versions"] == ["2", "1"]
    assert name in seen["models"]
    assert seen["missing"] == "RESOURCE_DOES_NOT_EXIST"
    by_default = mlflow_client.get_model_version_by_alias(name, "champion")
    assert (by_default.version, by_default.description) == ("2", "by the native client")
    assert by_default.tags == {"by": "native", "checked": "yes"}
    assert mlflow_client.get_registered_model(name).tags == {"team": "fares"}
    assert client.model_versions.get_by_alias(name, "champion").version == 2


def test_models_travel_by_the_files_api_too(
    mlflow_client: MlflowClient, client: WorkspaceClient, saved: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC", "true")
    folder, estimator = saved
    name = new_model(client, "By_Files")
    mlflow_client.create_model_version("Models.ml.By_Files", folder)
    predictions = mlflow.pyfunc.load_model(f"models:/{name}/1").predict(ROWS)
    np.testing.assert_array_equal(predictions, estimator.predict(ROWS))


def test_a_version_without_signature_never_comes_to_be(
    mlflow_client: MlflowClient, client: WorkspaceClient, saved: tuple[str, Any], tmp_path: Path
) -> None:
    _, estimator = saved
    name = new_model(client, "unsigned")
    mlflow.sklearn.save_model(estimator, str(tmp_path / "unsigned"), pip_requirements=["scikit-learn"])
    with pytest.raises(MlflowException, match="signature"):
        mlflow_client.create_model_version(name, str(tmp_path / "unsigned"))
    assert list(client.model_versions.list(name)) == []


def test_registering_twice_adds_a_version(
    mlflow_client: MlflowClient, saved: tuple[str, Any], client: WorkspaceClient
) -> None:
    folder, _ = saved
    new_model(client, "beside_twice")
    versions = [mlflow.register_model(folder, "models.ml.twice").version for _ in range(2)]
    assert versions == ["1", "2"]
    mlflow_client.delete_registered_model("models.ml.twice")
    with pytest.raises(MlflowException) as caught:
        mlflow_client.get_registered_model("models.ml.twice")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
