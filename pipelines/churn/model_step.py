"""The step that trains, judges, logs and registers a churn model."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

import mlflow
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipelines.churn import training
from pipelines.churn.comparison import Compared, champion_of, compare, since_when
from pipelines.churn.request import Request
from pipelines.churn.tables import feature_table_id
from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.registration import register_feature_model
from pipelines.sql import SqlRunner
from pipelines.validation import Measured, judge, tags_of
from pipelines.versions import document_model

TRACKING: Final = "databricks"
REGISTRY: Final = "databricks-uc"
COMMENT: Final = (
    "Whether a customer of a telephone company will leave (Yes or No), from contract, services and charges, which it "
    "looks up by customer and moment. Aliases: challenger, champion, production; made by pipelines/churn."
)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A registered version, with what it says of the customers it has not seen (customer id to prediction)."""

    version: str
    predictions: Mapping[str, str]
    compared: Compared | None = None
    """With the champion; None for a first training."""


def make_model(
    request: Request,
    workspace: WorkspaceClient,
    warehouse: SqlRunner,
    method: str,
    digests: Mapping[str, str],
    progress: Progress,
    *,
    retraining: bool = False,
    drifted: datetime | None = None,
) -> Made:
    """Train on the tables as they are and register the model.

    Args:
        retraining: compare with the champion on the rows since, and let those rows weigh more.
        drifted: since when answers are bad, where that is known.

    Raises PipelineError with MLflow's own words when the workspace refuses the run or the version.
    """
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    spec = training.feature_spec(request.full_schema, feature_table_id(workspace, request.full_schema))
    customers = training.training_set(warehouse)
    champion = champion_of(workspace, request.model) if retraining else None
    recent = since_when(champion, drifted) if retraining else None
    trained = training.train(customers, spec, cast("training.Method", method), request.seed, recent)
    progress.say("model", f"{method}, {trained.train_rows} customers; held out: {trained.quality}")

    mlflow.set_tracking_uri(TRACKING)
    mlflow.set_registry_uri(REGISTRY)
    compared = None
    try:
        if retraining:
            compared = compare(warehouse, request.model, trained, champion, recent)
            progress.say("comparison", compared.explanation)
        with mlflow.start_run(experiment_id=_experiment(request)) as active:
            workspace_id = workspace.get_workspace_id()
            model = training.log(trained, spec, workspace_id=workspace_id, digests=digests)
            mlflow.log_metrics(compared.metrics if compared else {})
        commit = active.data.tags.get("mlflow.source.git.commit")
        tags = {
            **digests,
            **_tags(trained),
            **(compared.tags if compared else {}),
            **({"git_sha": commit} if commit else {}),
        }
        version = register_feature_model(model.model_uri, request.model, tags)
    except MlflowException as error:
        raise PipelineError(f"MLflow could not log or register {request.model}: {error}") from error
    document_model(workspace, request.model, COMMENT)
    progress.say("registered", f"{request.model} version {version.version}, run {active.info.run_id}")
    return Made(version=str(version.version), predictions=trained.predictions, compared=compared)


def _tags(trained: training.Trained) -> dict[str, str]:
    measured = Measured(rows=len(trained.predictions), metrics=trained.quality.metrics)
    return {
        **tags_of(judge(measured, training.LIMITS)),
        "training_date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "method": trained.method,
    }


def _experiment(request: Request) -> str:
    client = MlflowClient(TRACKING, REGISTRY)
    name = request.experiment or f"/Shared/{request.model}"
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))
