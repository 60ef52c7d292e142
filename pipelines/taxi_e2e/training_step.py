"""The task `Train`: a version of the model, with everything that says what it was made of."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import mlflow
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipelines.digests import code_digest
from pipelines.errors import PipelineError
from pipelines.feature_model import log_feature_model
from pipelines.progress import Progress
from pipelines.registration import register_feature_model
from pipelines.taxi.parameters import Parameters, packages
from pipelines.taxi_e2e import train
from pipelines.taxi_e2e.feature_step import FEATURE_TABLES, FEATURES_DIGEST, features_digest
from pipelines.taxi_e2e.feature_tables import check_table
from pipelines.taxi_e2e.settings import Settings
from pipelines.versions import find_version

TRACKING: Final = "databricks"
REGISTRY: Final = "databricks-uc"
MODEL_DIGEST: Final = "taxi_e2e_model_digest"
INPUTS_TAG: Final = "required_inputs"
LABEL_TAG: Final = "label"
HELD_OUT: Final = "held_out"
_CODE: Final = (
    "train.py",
    "transform.py",
    "custom_metrics.py",
    "training_step.py",
    "../taxi/split.py",
    "../taxi/metrics.py",
    "../feature_model.py",
    "../registration.py",
)


def train_version(
    settings: Settings, workspace: WorkspaceClient, progress: Progress, *, parameters: Parameters, force: bool
) -> str:
    """The number of the version that is made of the feature tables as they are, by this code: found, or trained.

    Args:
        force: train a new one even where there is such a version.

    Raises PipelineError when the features are not there, or with MLflow's own words when the workspace refuses.
    """
    digests = _digests(settings, workspace, parameters)
    if not force and (known := find_version(workspace, settings.model, digests)):
        progress.say("up to date", f"{settings.model} version {known} was made of these features by this code")
        return known
    table_ids = {
        table.name: check_table(workspace, f"{settings.full_schema}.{table.name}", table) for table in FEATURE_TABLES
    }
    spec = train.feature_spec(settings.full_schema, table_ids)
    trips = train.training_set(settings.warehouse(workspace))
    progress.say("training set", f"{len(trips)} trips with {len(spec.model_columns)} inputs")
    trained = train.train(trips, spec, parameters)
    progress.say("model", f"{trained.train_rows} trips before {trained.cut:%Y-%m-%d %H:%M} UTC; {parameters}")
    progress.say("held out", f"{len(trained.held_out)} later trips: {trained.quality}; a line: {trained.baseline}")
    mlflow.set_tracking_uri(TRACKING)
    mlflow.set_registry_uri(REGISTRY)
    try:
        with mlflow.start_run(experiment_id=_experiment(settings)) as active:
            _log_run(settings, trained, parameters, digests)
            model = log_feature_model(
                trained.model,
                spec,
                name="model",
                label=train.LABEL,
                label_type="double",
                workspace_id=workspace.get_workspace_id(),
                input_example=trained.example,
                pip_requirements=[f"{name}=={number}" for name, number in packages().items()],
            )
        version = register_feature_model(model.model_uri, settings.model, _tags(settings, trained, digests))
    except MlflowException as error:
        raise PipelineError(f"MLflow could not log or register {settings.model}: {error}") from error
    progress.say("registered", f"{settings.model} version {version.version}, run {active.info.run_id}")
    return str(version.version)


def _digests(settings: Settings, workspace: WorkspaceClient, parameters: Parameters) -> dict[str, str]:
    features = features_digest(workspace, settings.full_schema)
    if not features:
        raise PipelineError(
            f"The feature tables of {settings.full_schema} are not there, or were left half made: run the feature job "
            "first."
        )
    chosen, versions = str(sorted(asdict(parameters).items())), str(sorted(packages().items()))
    return {FEATURES_DIGEST: features, MODEL_DIGEST: code_digest(str(__package__), _CODE, chosen, versions)}


def _log_run(settings: Settings, trained: train.Trained, parameters: Parameters, digests: Mapping[str, str]) -> None:
    mlflow.log_params(
        {**asdict(parameters), "cut": trained.cut.isoformat(), "raw_table": settings.raw_table, **digests}
    )
    mlflow.log_metrics(
        {
            **trained.quality.metrics(HELD_OUT),
            **trained.baseline.metrics("baseline"),
            "train_rows": float(trained.train_rows),
            "held_out_rows": float(len(trained.held_out)),
        }
    )
    mlflow.log_dict(train.importances(trained.model), "feature_importances.json")
    sample = trained.held_out[[train.TIME, train.LABEL, "prediction"]].head(200)
    mlflow.log_text(sample.to_csv(index=False), "held_out_predictions.csv")
    # The notebook is a copy in the workspace: the commit that it came from is what whoever deployed it says.
    if settings.git_commit:
        mlflow.set_tags({"mlflow.source.git.commit": settings.git_commit, "git_sha": settings.git_commit})


def _tags(settings: Settings, trained: train.Trained, digests: Mapping[str, str]) -> dict[str, str]:
    quality = {name: f"{value:.6f}" for name, value in trained.quality.metrics(HELD_OUT).items()}
    return {
        **digests,
        **quality,
        "training_date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        # For whoever asks the endpoint: what a request must have, and what it cannot know.
        INPUTS_TAG: ",".join(column.name for column in train.INPUTS),
        LABEL_TAG: train.LABEL,
        **({"git_sha": settings.git_commit} if settings.git_commit else {}),
    }


def _experiment(settings: Settings) -> str:
    """The experiment of the stack, which made it; made here where the task runs without one."""
    client = MlflowClient(TRACKING, REGISTRY)
    found = client.get_experiment_by_name(settings.experiment)
    return str(found.experiment_id if found else client.create_experiment(settings.experiment))


def quiet_mlflow() -> None:
    """MLflow warns of pickles, and of an example that it cannot try out without the lookup client: both expected."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
