"""The step that trains, judges, logs and registers: one fitted model as two versions, one for each kind of store.

The kinds differ in who reads the features: `online_store` carries a lookup, which Model Serving does; `mysql` reads the
store itself. Both take `PassengerId` alone, and give the same answers on the same rows.
"""

import json
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Final, Literal

import joblib
import mlflow
import pandas as pd
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.pandas_dataset import from_pandas
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, DataType, Schema

from pipelines.baseline import replace_baseline
from pipelines.errors import PipelineError
from pipelines.feature_model import FeatureSpec, log_feature_model
from pipelines.progress import Progress
from pipelines.registration import register_feature_model
from pipelines.sql import SqlRunner
from pipelines.titanic import training
from pipelines.titanic.passengers import KEY
from pipelines.titanic.request import Request
from pipelines.titanic.tables import FEATURE_TYPES, LABEL, ONLINE, online_table_id
from pipelines.versions import document_model

TRACKING: Final = "databricks"
REGISTRY: Final = "databricks-uc"
COMMENT: Final = (
    "Whether a passenger of the Titanic survived, from what is known by PassengerId. A version's tag feature_store "
    "says where it looks that up: in an online store, or in MySQL, which it reads itself. Made by pipelines/titanic."
)
MODEL_NAME: Final = "passenger_model"
# Tag of a version: who reads the features.
STORE_TAG: Final = "feature_store"
Kind = Literal["online_store", "mysql"]
KINDS: Final[tuple[Kind, ...]] = ("online_store", "mysql")
_DRIVERS: Final = ("sqlalchemy", "pymysql")


def make_models(
    request: Request,
    workspace: WorkspaceClient,
    warehouse: SqlRunner,
    kinds: Sequence[Kind],
    digests: Mapping[str, str],
    progress: Progress,
) -> dict[Kind, str]:
    """Train on the tables as they are and register a version of each kind; kind to version.

    Raises PipelineError with MLflow's own words when the workspace refuses the run or a version.
    """
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Left to itself, MLflow puts the pyproject.toml and uv.lock of the working directory into every model.
    os.environ["MLFLOW_UV_AUTO_DETECT"] = "false"
    spec = training.feature_spec(request.full_schema, online_table_id(workspace, request.full_schema))
    trained = training.train(training.training_set(warehouse), request.seed)
    progress.say("model", f"XGBoost, {trained.train_rows} passengers; held out: {trained.quality}")

    mlflow.set_tracking_uri(TRACKING)
    mlflow.set_registry_uri(REGISTRY)
    versions: dict[Kind, str] = {}
    try:
        for kind in kinds:
            with mlflow.start_run(experiment_id=_experiment(request), run_name=f"fit_model_{kind}") as active:
                _log_measures(request, trained, digests)
                logged = (
                    log_lookup(trained, spec, workspace.get_workspace_id())
                    if kind == "online_store"
                    else log_reader(trained)
                )
            commit = active.data.tags.get("mlflow.source.git.commit")
            tags = {**digests, **_tags(trained, kind), **({"git_sha": commit} if commit else {})}
            version = register_feature_model(logged.model_uri, request.model, tags)
            document_model(workspace, request.model, COMMENT)
            versions[kind] = str(version.version)
            progress.say("registered", f"{request.model} version {version.version} ({kind}), run {active.info.run_id}")
    except MlflowException as error:
        raise PipelineError(f"MLflow could not log or register {request.model}: {error}") from error
    rows = replace_baseline(warehouse, training.BASELINE, training.BASELINE_COLUMNS, training.baseline(trained))
    progress.say("baseline", f"{rows} passengers in {request.full_schema}.{training.BASELINE}")
    return versions


def log_lookup(trained: training.Trained, spec: FeatureSpec, workspace_id: int) -> ModelInfo:
    """Log the model with a lookup in the online table: Model Serving fills the features in."""
    return log_feature_model(
        trained.model,
        spec,
        name=MODEL_NAME,
        label=LABEL,
        label_type="bigint",
        workspace_id=workspace_id,
        input_example=_example(trained),
        pip_requirements=[f"{name}=={number}" for name, number in training.packages().items()],
    )


def log_reader(trained: training.Trained) -> ModelInfo:
    """Log the model as one that reads the store itself, by what its environment says of the store."""
    with tempfile.TemporaryDirectory() as scratch:
        model, features = Path(scratch, "model.joblib"), Path(scratch, "features.json")
        joblib.dump(trained.model, model)
        features.write_text(json.dumps(dict(FEATURE_TYPES)), encoding="utf-8")
        code_file = resources.files(__package__).joinpath("models", "passenger_model.py")
        # Without an example, which MLflow would try: that asks the store, and it may not be there yet.
        with resources.as_file(code_file) as code, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*input example was not provided", category=UserWarning)
            logged: ModelInfo = mlflow.pyfunc.log_model(
                name=MODEL_NAME,
                python_model=str(code),
                artifacts={"model": str(model), "features": str(features)},
                signature=ModelSignature(
                    inputs=Schema([ColSpec(DataType.long, KEY)]), outputs=Schema([ColSpec(DataType.long, LABEL)])
                ),
                pip_requirements=[f"{name}=={number}" for name, number in training.packages(*_DRIVERS).items()],
            )
    return logged


def _log_measures(request: Request, trained: training.Trained, digests: Mapping[str, str]) -> None:
    # The training set that the model was made from, as the document's feature store records it.
    source = DeltaDatasetSource(delta_table_name=f"{request.full_schema}.{ONLINE}")
    with warnings.catch_warnings():
        # Of whole numbers that could be missing: these, key and label, never are.
        warnings.simplefilter("ignore", UserWarning)
        dataset = from_pandas(trained.passengers, source=source, targets=LABEL, name=ONLINE)
    mlflow.log_input(dataset, context="training")
    mlflow.log_params({**training.PARAMETERS, "seed": trained.seed, **digests})
    mlflow.log_metrics(
        {
            "held_out_accuracy": trained.quality.accuracy,
            "held_out_roc_auc": trained.quality.roc_auc,
            "train_rows": trained.train_rows,
            "held_out_rows": trained.held_out_rows,
        }
    )


def _tags(trained: training.Trained, kind: Kind) -> dict[str, str]:
    return {
        STORE_TAG: kind,
        "training_date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "training_table": ONLINE,
        "accuracy": f"{trained.quality.accuracy:.6f}",
        "roc_auc": f"{trained.quality.roc_auc:.6f}",
        "validation": "passed" if trained.quality.passes else "failed",
    }


def _example(trained: training.Trained) -> pd.DataFrame:
    return trained.passengers[[KEY]].head(1).reset_index(drop=True)


def _experiment(request: Request) -> str:
    client = MlflowClient(TRACKING, REGISTRY)
    found = client.get_experiment_by_name(request.experiment)
    return str(found.experiment_id if found else client.create_experiment(request.experiment))
