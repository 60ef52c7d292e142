"""Tables and model of the quickstart, each made only when something it depends on changed.

The features are those of the churn pipeline, made by its own statements in this schema; what differs is that the model
gets them from its caller.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Final

import mlflow
import pandas as pd
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature

from pipelines.churn import customers, sample, tables, training
from pipelines.churn.request import Request
from pipelines.digests import code_digest
from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.schemas import ensure_schema
from pipelines.sql import SqlRunner, Warehouse, find_warehouse
from pipelines.validation import Measured, judge, tags_of
from pipelines.versions import document_model, find_version

MODEL: Final = "mlops_churn"
INFERENCE: Final = "mlops_churn_inference"
CHALLENGER: Final = "challenger"
COMMENT: Final = (
    "Whether a customer of a telephone company will leave (Yes or No), from the customer's contract, services and "
    "charges. Scored in bulk; made by pipelines/quickstart."
)
_DIGEST: Final = "quickstart_digest"
_CODE: Final = ("training.py",)


def run(request: Request, workspace: WorkspaceClient, progress: Progress) -> str:
    """Bring tables and model up to date; the number of the version that is.

    Raises PipelineError for what the operator can mend, and the clients' own errors for what the workspace refuses.
    """
    warehouse = Warehouse(workspace, find_warehouse(workspace, request.warehouse_id), request.catalog, request.schema)
    source = sample.digest(request.sample_seed) if request.data is None else customers.digest(request.data)
    digest = tables.tables_digest(source)
    if not tables.are_fresh(workspace, request.full_schema, digest):
        if request.data is None:
            records = customers.checked(sample.generate(request.sample_seed), f"sample, seed {request.sample_seed}")
        else:
            records = customers.read(request.data)
        ensure_schema(workspace, request.catalog, request.schema)
        rows = tables.bring_up_to_date(warehouse, records, digest)
        progress.say("features", f"{rows} rows in {request.full_schema}.{tables.FEATURES}")
        _make_inference_table(warehouse)
    model = f"{request.full_schema}.{MODEL}"
    digests = {tables.TABLES_DIGEST: digest, _DIGEST: code_digest("pipelines.churn", _CODE, str(request.seed))}
    version = find_version(workspace, model, digests)
    if version is not None:
        progress.say("up to date", f"{model} version {version}")
        return version
    version = _train(request, warehouse, model, digests, progress)
    document_model(workspace, model, COMMENT)
    workspace.registered_models.set_alias(model, CHALLENGER, int(version))
    return version


def _make_inference_table(warehouse: SqlRunner) -> None:
    """Customers that the model has not seen, with features and without what became of them."""
    columns = ", ".join(f"f.{name}" for name in (tables.KEY, *tables.FEATURE_TYPES))
    warehouse.run(
        f"CREATE OR REPLACE TABLE {INFERENCE} AS SELECT {columns} FROM {tables.FEATURES} AS f "  # noqa: S608 - constants
        f"JOIN {tables.LABELS} AS l ON l.{tables.KEY} = f.{tables.KEY} AND l.{tables.TIME} = f.{tables.TIME} "
        "WHERE l.split != 'train'"
    )


def _train(request: Request, warehouse: SqlRunner, model: str, digests: dict[str, str], progress: Progress) -> str:
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ["MLFLOW_UV_AUTO_DETECT"] = "false"
    rows = training.training_set(warehouse)
    spec = training.feature_spec(request.full_schema, "")
    trained = training.train(rows, spec, "boosted", request.seed)
    progress.say("model", f"{trained.train_rows} customers; held out: {trained.quality}")
    example: pd.DataFrame = rows[spec.model_columns].head(3).reset_index(drop=True)
    requirements = [f"{name}=={number}" for name, number in training.packages().items()]
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    name = request.experiment or f"/Shared/{model}"
    client = MlflowClient()
    try:
        found = client.get_experiment_by_name(name)
        with mlflow.start_run(experiment_id=found.experiment_id if found else client.create_experiment(name)):
            mlflow.log_params({"method": trained.method, "seed": trained.seed, **digests})
            mlflow.log_metrics(trained.quality.metrics)
            logged = mlflow.sklearn.log_model(
                trained.model,
                name=MODEL,
                signature=infer_signature(example, trained.model.predict(example)),
                input_example=example,
                pip_requirements=requirements,
                serialization_format="cloudpickle",
            )
        measured = Measured(rows=len(trained.predictions), metrics=trained.quality.metrics)
        made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        tags = {**digests, **tags_of(judge(measured, training.LIMITS)), "training_date": made}
        version = mlflow.register_model(logged.model_uri, model, tags=tags)
    except MlflowException as error:
        raise PipelineError(f"MLflow could not log or register {model}: {error}") from error
    progress.say("registered", f"{model} version {version.version}")
    return str(version.version)
