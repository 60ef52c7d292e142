"""MLflow tracking through mlflow's own client, with tracking URI `databricks`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

from tests.support.server import WorkspaceServer


@pytest.fixture
def tracking(server: WorkspaceServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    yield from connected(server, monkeypatch)


def connected(server: WorkspaceServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    monkeypatch.setenv("DATABRICKS_HOST", server.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", server.token)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri("databricks")
    yield MlflowClient()
    mlflow.set_tracking_uri(before)


def test_an_experiment_is_found_by_name_changed_and_deleted(tracking: MlflowClient) -> None:
    made = tracking.create_experiment("/Users/tester/exp-a", tags={"purpose": "test"})
    found = tracking.get_experiment_by_name("/Workspace/Users/tester/exp-a")
    assert found is not None
    assert found.experiment_id == made
    assert found.artifact_location == f"dbfs:/databricks/mlflow-tracking/{made}"
    assert found.tags["purpose"] == "test"
    tracking.set_experiment_tag(made, "stage", "x")
    tracking.rename_experiment(made, "/Users/tester/exp-b")
    assert tracking.get_experiment_by_name("/Users/tester/exp-a") is None
    assert tracking.get_experiment(made).tags["stage"] == "x"
    assert [e.experiment_id for e in tracking.search_experiments(filter_string="name = '/Users/tester/exp-b'")] == [
        made
    ]
    tracking.delete_experiment(made)
    assert tracking.get_experiment(made).lifecycle_stage == "deleted"
    assert made not in [e.experiment_id for e in tracking.search_experiments()]


def test_an_experiment_has_an_absolute_path_that_is_its_own(tracking: MlflowClient) -> None:
    with pytest.raises(MlflowException, match="absolute path"):
        tracking.create_experiment("no-slash")
    tracking.create_experiment("/Users/tester/one")
    with pytest.raises(MlflowException) as caught:
        tracking.create_experiment("/Users/tester/one")
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_there_is_no_experiment_that_nobody_chose(tracking: MlflowClient, client: WorkspaceClient) -> None:
    with pytest.raises(MlflowException, match="set_experiment"):
        tracking.create_run("0")
    with pytest.raises(NotFound):
        client.experiments.get_experiment("0")
    assert "0" not in [e.experiment_id for e in tracking.search_experiments(view_type=ViewType.ALL)]


def test_a_run_keeps_what_is_logged_to_it(tracking: MlflowClient) -> None:
    experiment = tracking.create_experiment("/Users/tester/runs")
    run_id = tracking.create_run(experiment, run_name="first").info.run_id
    for step, value in enumerate([3.0, 2.0, 1.5]):
        tracking.log_metric(run_id, "loss", value, step=step)
    tracking.log_param(run_id, "depth", "7")
    tracking.log_batch(
        run_id,
        metrics=[Metric("auc", 0.9, 1000, 0)],
        params=[Param("a", "b")],
        tags=[RunTag("t", "1"), RunTag("u", "2")],
    )
    tracking.delete_tag(run_id, "u")
    tracking.set_terminated(run_id, "FINISHED")
    run = tracking.get_run(run_id)
    assert run.data.metrics == {"loss": 1.5, "auc": 0.9}
    assert run.data.params == {"depth": "7", "a": "b"}
    assert (run.data.tags["t"], run.data.tags.get("u"), run.info.status) == ("1", None, "FINISHED")
    assert [metric.value for metric in tracking.get_metric_history(run_id, "loss")] == [3.0, 2.0, 1.5]
    found = tracking.search_runs([experiment], "metrics.auc > 0.8 and params.depth = '7'")
    assert [r.info.run_id for r in found] == [run_id]
    assert tracking.search_runs([experiment], "metrics.auc > 0.95") == []
    tracking.delete_run(run_id)
    assert tracking.search_runs([experiment]) == []


def test_a_run_knows_its_data_and_its_models(tracking: MlflowClient) -> None:
    experiment = tracking.create_experiment("/Users/tester/lineage")
    run_id = tracking.create_run(experiment).info.run_id
    data = Dataset(name="trips", digest="d1", source_type="delta_table", source="main.ml.trips")
    tracking.log_inputs(run_id, datasets=[DatasetInput(data, [InputTag("context", "training")])])
    model = tracking.create_logged_model(experiment, name="m", source_run_id=run_id)
    tracking.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=3)])
    run = tracking.get_run(run_id)
    assert run.inputs is not None
    assert run.outputs is not None
    assert [(i.dataset.name, i.dataset.source, i.tags[0].value) for i in run.inputs.dataset_inputs] == [
        ("trips", "main.ml.trips", "training")
    ]
    assert [(output.model_id, output.step) for output in run.outputs.model_outputs] == [(model.model_id, 3)]


def test_a_parameter_is_logged_once(tracking: MlflowClient) -> None:
    run_id = tracking.create_run(tracking.create_experiment("/Users/tester/params")).info.run_id
    tracking.log_param(run_id, "p", "1")
    with pytest.raises(MlflowException) as caught:
        tracking.log_param(run_id, "p", "2")
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert tracking.get_run(run_id).data.params == {"p": "1"}


def test_artifacts_go_through_the_files_api_and_come_back(
    tracking: MlflowClient, client: WorkspaceClient, tmp_path: Path
) -> None:
    experiment = tracking.create_experiment("/Users/tester/artifacts")
    run_id = tracking.create_run(experiment).info.run_id
    tracking.log_text(run_id, "hello", "notes/a.txt")
    at = f"/WorkspaceInternal/Mlflow/Artifacts/{experiment}/Runs/{run_id}/artifacts/notes/a.txt"
    contents = client.files.download(at).contents
    assert contents is not None
    assert contents.read() == b"hello"
    assert [(f.path, f.is_dir) for f in tracking.list_artifacts(run_id)] == [("notes", True)]
    assert [(f.path, f.file_size) for f in tracking.list_artifacts(run_id, "notes")] == [("notes/a.txt", 5)]
    listed: Any = client.api_client.do(
        "GET", "/api/2.0/mlflow/artifacts/list", query={"run_id": run_id, "path": "notes"}
    )
    assert listed["files"] == [{"path": "notes/a.txt", "is_dir": False, "file_size": 5}]
    assert Path(tracking.download_artifacts(run_id, "notes/a.txt", str(tmp_path))).read_text() == "hello"


def test_a_logged_model_is_created_finalized_found_and_deleted(tracking: MlflowClient) -> None:
    experiment = tracking.create_experiment("/Users/tester/logged-models")
    model = tracking.create_logged_model(experiment, name="m", tags={"t": "1"}, params={"p": "1"})
    location = f"dbfs:/databricks/mlflow-tracking/{experiment}/logged_models/{model.model_id}/artifacts"
    assert (model.artifact_location, str(model.status)) == (location, "PENDING")
    tracking.finalize_logged_model(model.model_id, "READY")
    tracking.set_logged_model_tags(model.model_id, {"u": "2"})
    tracking.delete_logged_model_tag(model.model_id, "t")
    found = tracking.get_logged_model(model.model_id)
    assert (str(found.status), found.tags.get("t"), found.tags["u"], found.params) == ("READY", None, "2", {"p": "1"})
    assert [m.model_id for m in tracking.search_logged_models([experiment], "name = 'm'")] == [model.model_id]
    assert list(tracking.search_logged_models([experiment], "name = 'other'")) == []
    tracking.delete_logged_model(model.model_id)
    with pytest.raises(MlflowException):
        tracking.get_logged_model(model.model_id)


@pytest.mark.parametrize("read", ["get_run", "get_experiment", "get_logged_model"])
def test_what_is_missing_is_a_missing_resource(tracking: MlflowClient, read: str) -> None:
    with pytest.raises(MlflowException) as caught:
        getattr(tracking, read)("4711")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_what_was_logged_survives_a_kill(
    start_server: Callable[[], WorkspaceServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server()
    for tracking in connected(server, monkeypatch):
        run_id = tracking.create_run(tracking.create_experiment("/Users/tester/kept")).info.run_id
        for step in range(20):
            tracking.log_metric(run_id, "m", float(step), step=step)
        server.restart()
        assert [metric.value for metric in tracking.get_metric_history(run_id, "m")] == [float(n) for n in range(20)]
