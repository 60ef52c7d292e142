"""The step that trains, judges, logs and registers a fare model."""

from collections.abc import Mapping
from typing import Final

import mlflow
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipelines.baseline import replace_baseline
from pipelines.catalog import declared_table
from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.registration import register_feature_model
from pipelines.sql import SqlRunner
from pipelines.taxi import train
from pipelines.taxi.features import FEATURE_TABLES
from pipelines.taxi.request import Request
from pipelines.versions import document_model

TRACKING: Final = "databricks"
REGISTRY: Final = "databricks-uc"
COMMENT: Final = (
    "Fare of a taxi trip in dollars, without tips, from its distance and from what is known of both zip codes around "
    "the time of the trip, which it looks up by zip and rounded time. Made by pipelines/taxi."
)


def make_model(
    request: Request, workspace: WorkspaceClient, warehouse: SqlRunner, digests: Mapping[str, str], progress: Progress
) -> str:
    """Train on the tables as they are and register the model; returns the new version's number.

    Raises PipelineError with MLflow's own words when the workspace refuses the run or the version.
    """
    table_ids = {
        table.name: declared_table(workspace, f"{request.full_schema}.{table.name}", table.columns).table_id or ""
        for table in FEATURE_TABLES
    }
    spec = train.feature_spec(request.full_schema, table_ids)
    trips = train.training_set(warehouse)
    progress.say("training set", f"{len(trips)} trips with {len(spec.model_columns)} inputs")
    trained = train.train(trips, spec, request.parameters)
    progress.say("model", f"{trained.train_rows} trips before {trained.cut:%Y-%m-%d %H:%M} UTC; {request.parameters}")
    progress.say("held out", f"{trained.held_out_rows} later trips: {trained.error}; distance only: {trained.baseline}")

    mlflow.set_tracking_uri(TRACKING)
    mlflow.set_registry_uri(REGISTRY)
    try:
        with mlflow.start_run(experiment_id=_experiment(request)) as active:
            workspace_id = workspace.get_workspace_id()
            model = train.log(trained, spec, request.parameters, workspace_id=workspace_id, digests=digests)
        commit = active.data.tags.get("mlflow.source.git.commit")
        tags = {**digests, **({"git_commit": commit} if commit else {})}
        version = register_feature_model(model.model_uri, request.model, tags)
    except MlflowException as error:
        raise PipelineError(f"MLflow could not log or register {request.model}: {error}") from error
    document_model(workspace, request.model, COMMENT)
    progress.say("registered", f"{request.model} version {version.version}, run {active.info.run_id}")
    rows = replace_baseline(warehouse, train.BASELINE, train.BASELINE_COLUMNS, train.baseline(trained))
    progress.say("baseline", f"{rows} trips in {request.full_schema}.{train.BASELINE}")
    return str(version.version)


def _experiment(request: Request) -> str:
    client = MlflowClient(TRACKING, REGISTRY)
    name = request.experiment or f"/Shared/{request.model}"
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))
