"""A training script's ordinary work with mlflow's own client: runs, models, copies to another catalog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from tests.support.models import new_model, saved_linear_model
from tests.support.server import WorkspaceServer

ROWS = pd.DataFrame({"a": [1.0, 4.0], "b": [2.0, 0.5]})


@pytest.fixture
def client_of_mlflow(server: WorkspaceServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    monkeypatch.setenv("DATABRICKS_HOST", server.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", server.token)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    yield MlflowClient()
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    folder = tmp_path_factory.mktemp("training") / "linear"
    return str(folder), saved_linear_model(folder)


def test_a_model_is_promoted_by_copy_to_another_catalog(
    client_of_mlflow: MlflowClient, client: WorkspaceClient, saved: tuple[str, Any]
) -> None:
    _, estimator = saved
    source, target = new_model(client, "candidate"), new_model(client, "promoted", catalog="prod_models")
    mlflow.set_experiment("/Shared/promotion")
    with mlflow.start_run() as run:
        signature = mlflow.models.infer_signature(ROWS, estimator.predict(ROWS))
        mlflow.sklearn.log_model(
            estimator,
            name="model",
            signature=signature,
            registered_model_name=source,
            pip_requirements=["scikit-learn"],
        )
    client_of_mlflow.set_registered_model_alias(source, "champion", "1")
    copied = client_of_mlflow.copy_model_version(f"models:/{source}@champion", target)
    assert (copied.name, copied.version, copied.status) == (target, "1", "READY")
    client_of_mlflow.set_registered_model_alias(target, "champion", copied.version)
    assert client_of_mlflow.get_model_version(target, "1").run_id == run.info.run_id
    # The copy has files of its own.
    client_of_mlflow.delete_registered_model(source)
    predicted = mlflow.pyfunc.load_model(f"models:/{target}@champion").predict(ROWS)
    np.testing.assert_array_equal(predicted, estimator.predict(ROWS))


def test_a_run_is_found_by_what_it_logged(client_of_mlflow: MlflowClient) -> None:
    experiment = mlflow.set_experiment("/Shared/found by metric")
    ids = {}
    for depth in (2, 8):
        with mlflow.start_run(run_name=f"depth {depth}", tags={"stage": "train"}) as run:
            mlflow.log_params({"depth": depth, "criterion": "mse"})
            for step, loss in enumerate((1.0, 0.5 / depth)):
                mlflow.log_metric("loss", loss, step=step)
            mlflow.log_dict({"depth": depth}, "config.json")
            ids[depth] = run.info.run_id
    found: Any = mlflow.search_runs(
        experiment_ids=[experiment.experiment_id],
        filter_string="metrics.loss < 0.1 and params.criterion = 'mse' and tags.stage = 'train'",
    )
    assert list(found["run_id"]) == [ids[8]]
    assert [point.value for point in client_of_mlflow.get_metric_history(ids[8], "loss")] == [1.0, 0.0625]
    assert mlflow.artifacts.load_dict(f"runs:/{ids[2]}/config.json") == {"depth": 2}
    client_of_mlflow.delete_run(ids[2])
    left: Any = mlflow.search_runs(experiment_ids=[experiment.experiment_id])
    assert list(left["run_id"]) == [ids[8]]


def test_a_run_that_failed_says_so_and_a_nested_run_knows_its_parent(client_of_mlflow: MlflowClient) -> None:
    mlflow.set_experiment("/Shared/failing")

    def train() -> None:
        with mlflow.start_run() as parent, mlflow.start_run(nested=True) as child:
            runs.extend((parent.info.run_id, child.info.run_id))
            raise ValueError("diverged")

    runs: list[str] = []
    with pytest.raises(ValueError, match="diverged"):
        train()
    outer, inner = (client_of_mlflow.get_run(run_id) for run_id in runs)
    assert (outer.info.status, inner.info.status) == ("FAILED", "FAILED")
    assert inner.data.tags["mlflow.parentRunId"] == outer.info.run_id


def test_a_copy_of_what_is_not_there_is_refused_by_name(
    client_of_mlflow: MlflowClient, client: WorkspaceClient
) -> None:
    target = new_model(client, "copy_target")
    with pytest.raises(MlflowException, match="copy_source"):
        client_of_mlflow.copy_model_version("models:/models.ml.copy_source/1", target)
