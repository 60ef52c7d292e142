"""The steps in order: passengers, two feature tables, the third joined from both, the model; each only when something
it depends on changed.

Publishing to an online store is no step here: the stack publishes (examples/titanic), or the job's task.
"""

from typing import Final

from databricks.sdk import WorkspaceClient

from pipelines.digests import code_digest
from pipelines.external_source import DeltaSource
from pipelines.progress import Progress
from pipelines.schemas import ensure_schema
from pipelines.sql import Warehouse, find_warehouse
from pipelines.titanic import passengers, sample, tables
from pipelines.titanic.request import Request
from pipelines.versions import find_version

MODEL_DIGEST: Final = "titanic_model_digest"
STORE_TAG: Final = "feature_store"
# In this order: version 1 of a new model has its features looked up, version 2 reads them itself.
_KINDS: Final = ("online_store", "mysql")
_MODEL_CODE: Final = ("training.py", "model_step.py", "models", "../feature_model.py", "../registration.py")


def run(request: Request, workspace: WorkspaceClient, progress: Progress) -> dict[str, str]:
    """Bring tables and models up to date; kind of store to the version that is for it.

    Raises PipelineError for what the operator can mend, and the clients' own errors for what the workspace refuses.
    """
    warehouse = warehouse_of(request, workspace)
    source = sample.digest(request.sample_seed) if request.data is None else passengers.digest(request.data)
    digest = tables.tables_digest(source)
    if not tables.are_fresh(workspace, request.full_schema, digest):
        if request.data is None:
            where = f"sample passengers, seed {request.sample_seed}"
            records = passengers.checked(sample.generate(request.sample_seed), where)
        else:
            where = str(request.data / passengers.FILE_NAME)
            records = passengers.read(request.data)
        ensure_schema(workspace, request.catalog, request.schema)
        tables.load(warehouse, records)
        progress.say("passengers", f"{len(records)} from {where}")
        for name, step in (
            (tables.DEMOGRAPHIC, tables.demographic_features),
            (tables.TICKET, tables.ticket_features),
            (tables.ONLINE, tables.online_features),
        ):
            progress.say("features", f"{step(warehouse)} rows in {request.full_schema}.{name}")
        tables.mark(warehouse, digest)
    return fit(request, workspace, progress, digest)


def fit(request: Request, workspace: WorkspaceClient, progress: Progress, digest: str) -> dict[str, str]:
    """A version for each kind of store, made of the tables that `digest` says; those that are there are found again."""
    model_digest = _model_digest(request.seed)
    digests = {tables.TABLES_DIGEST: digest, MODEL_DIGEST: model_digest}
    found = {kind: find_version(workspace, request.model, {**digests, STORE_TAG: kind}) for kind in _KINDS}
    versions = {kind: version for kind, version in found.items() if version is not None}
    for kind, version in versions.items():
        progress.say("up to date", f"{request.model} version {version} ({kind})")
    missing = [kind for kind in _KINDS if kind not in versions]
    if missing:
        # Imported here, because a run that finds everything up to date needs neither MLflow nor XGBoost.
        from pipelines.titanic.model_step import KINDS, make_models

        asked = [kind for kind in KINDS if kind in missing]
        made = make_models(request, workspace, warehouse_of(request, workspace), asked, digests, progress)
        versions.update({str(kind): version for kind, version in made.items()})
    return versions


def fit_tables_as_they_are(request: Request, workspace: WorkspaceClient, progress: Progress) -> dict[str, str]:
    """A version for each kind of store, of the tables as a job has just left them; kind to version.

    Tables of the same rows as before are of the same commit, and their versions are found again.
    """
    source = DeltaSource(workspace, warehouse_of(request, workspace), f"{request.full_schema}.{tables.ONLINE}")
    commit = f"{source.identity} version {source.version()}"
    return fit(request, workspace, progress, code_digest(str(__package__), (), commit))


def warehouse_of(request: Request, workspace: WorkspaceClient) -> Warehouse:
    """The SQL warehouse, with the request's catalog and schema."""
    return Warehouse(workspace, find_warehouse(workspace, request.warehouse_id), request.catalog, request.schema)


def _model_digest(seed: int) -> str:
    from importlib.metadata import PackageNotFoundError, version

    numbers = []
    for name in ("mlflow", "scikit-learn", "numpy", "pandas", "xgboost-cpu", "xgboost"):
        try:
            numbers.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return code_digest(str(__package__), _MODEL_CODE, str(seed), *numbers)
