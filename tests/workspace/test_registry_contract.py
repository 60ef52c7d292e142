"""What the registry gives the other services of the workspace, in one process with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.models import MLMODEL
from workspace.errors import ApiError, not_found
from workspace.files import Files
from workspace.http import Caller
from workspace.identity.caller import acting_as
from workspace.mlflow_api import Mlflow
from workspace.mlflow_api.names import ModelName
from workspace.state import State

NAME = ModelName.parse("Main.ml.Fares")


def only_main_ml(catalog: str, schema: str) -> None:
    if (catalog, schema) != ("main", "ml"):
        raise not_found(f"Schema '{catalog}.{schema}' does not exist.")


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    state = State(tmp_path_factory.mktemp("state"))
    files = Files(state)
    service = Mlflow(state, only_main_ml, files, "owner@example.com")
    registry = service.registry()
    registry.create_model(NAME, comment="", tags={}, deployment_job_id="", by="owner@example.com")
    registry.create_version(
        NAME,
        source="s",
        run_id="r",
        comment="",
        tags={"k": "v"},
        by="owner@example.com",
        run_workspace_id="1",
        model_id="m-1",
        dependencies=[],
    )
    folder = files.path("/Models/main/ml/fares/1")
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text(MLMODEL)
    registry.finalize_version(NAME, 1, by="owner@example.com")
    registry.set_alias(NAME, "champion", 1, by="owner@example.com")
    yield service
    service.stop()
    state.close()


def test_a_version_is_given_with_the_folder_of_its_files(mlflow: Mlflow) -> None:
    version = mlflow.model_version("main.ml.FARES", "1")
    assert (version.full_name, version.version, version.status) == ("main.ml.fares", 1, "READY")
    assert (version.folder / "MLmodel").read_text() == MLMODEL
    assert (version.run_id, version.model_id, dict(version.tags)) == ("r", "m-1", {"k": "v"})
    assert version.aliases == ("champion",)
    assert mlflow.model_version_by_alias("main.ml.fares", "Champion") == version


@pytest.mark.parametrize(
    ("full_name", "version", "named"),
    [("main.ml.absent", 1, "main.ml.absent"), ("main.ml.fares", 2, "'2' of registered model 'main.ml.fares'")],
)
def test_a_version_that_is_not_there_is_refused_by_name(
    mlflow: Mlflow, full_name: str, version: int, named: str
) -> None:
    with pytest.raises(ApiError) as caught:
        mlflow.model_version(full_name, version)
    assert (caught.value.status, caught.value.error_code) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert named in caught.value.message


def test_an_experiment_has_the_creator_that_permissions_ask_for(mlflow: Mlflow) -> None:
    from mlflow.protos.service_pb2 import CreateExperiment

    from workspace.mlflow_api.experiments import Experiments

    tracking = mlflow._opener.stores().tracking
    with acting_as(Caller(user_name="ada@example.com", id="7")):
        made = Experiments(tracking)._create(CreateExperiment(name="/Users/a/b")).experiment_id
    assert mlflow.creator_of_experiment(made) == "ada@example.com"
    for absent in ("0", "99", "x"):
        assert mlflow.creator_of_experiment(absent) is None


def test_a_half_made_database_does_not_keep_the_workspace_from_starting(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    (state.subfolder("mlflow") / "mlflow.new").write_bytes(b"SQLite format 3\0 and then the power went")
    service = Mlflow(state, only_main_ml, Files(state), "owner@example.com")
    assert service.model_names("main.ml") == []
    service.stop()
    state.close()
