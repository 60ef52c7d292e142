"""The steps in order: customers, features, two models, the baseline; each only when something it depends on changed.

The first run makes two versions, a simple model and a better one, so that an endpoint can split its traffic between
them. A retraining makes one more. Every version becomes the challenger when it is registered; what serves is decided by
a release, never here.
"""

from collections.abc import Mapping
from typing import Final

from databricks.sdk import WorkspaceClient

from pipelines.churn import customers, drift_journal, sample, tables
from pipelines.churn.drift_job import RETRAINING, TRAINED_BY
from pipelines.churn.request import Request
from pipelines.digests import code_digest
from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.schemas import ensure_schema
from pipelines.sql import SqlRunner, Warehouse, find_warehouse
from pipelines.versions import find_version

CHALLENGER: Final = "challenger"
MODEL_DIGEST: Final = "churn_model_digest"
# The retrained model is of the better kind.
_METHODS: Final = ("logistic", "boosted")
_MODEL_CODE: Final = ("training.py", "model_step.py", "../feature_model.py", "../registration.py")


def run(request: Request, workspace: WorkspaceClient, progress: Progress) -> list[str]:
    """Bring tables and models up to date, and return the numbers of the two versions that are.

    Raises PipelineError for what the operator can mend, and the clients' own errors for what the workspace refuses.
    """
    warehouse = _warehouse(request, workspace)
    source = sample.digest(request.sample_seed) if request.data is None else customers.digest(request.data)
    digest = tables.tables_digest(source)
    if not tables.are_fresh(workspace, request.full_schema, digest):
        if request.data is None:
            where = f"sample customers, seed {request.sample_seed}"
            records = customers.checked(sample.generate(request.sample_seed), where)
        else:
            where = str(request.data / customers.FILE_NAME)
            records = customers.read(request.data)
        ensure_schema(workspace, request.catalog, request.schema)
        rows = tables.bring_up_to_date(warehouse, records, digest)
        progress.say("features", f"{rows} rows in {request.full_schema}.{tables.FEATURES}, from {where}")
    versions: list[str] = []
    for method in _METHODS:
        digests = {tables.TABLES_DIGEST: digest, MODEL_DIGEST: _model_digest(method, request.seed)}
        version = find_version(workspace, request.model, digests)
        if version is None:
            version = _train(request, workspace, warehouse, method, digests, progress)
        else:
            progress.say("up to date", f"{request.model} version {version}, {method}")
        versions.append(version)
    return versions


def retrain(
    request: Request, workspace: WorkspaceClient, progress: Progress, journal: str = drift_journal.JOURNAL
) -> drift_journal.Retraining:
    """Train on the tables as they are: the new version becomes the challenger, and nothing else.

    It is compared with the champion on the rows since answers drifted, as the journal knows, and what came of it is in
    the run's metrics, the version's tags, and the journal.
    """
    from pipelines.churn.model_step import make_model

    warehouse = _warehouse(request, workspace)
    book = drift_journal.Journal(warehouse, journal)
    # Never found again by a later run: a retraining is asked for because something has changed.
    digests = {MODEL_DIGEST: f"retrained {book.now().isoformat()}", TRAINED_BY: RETRAINING}
    drifted = book.last_violating_since(request.model)
    made = make_model(request, workspace, warehouse, _METHODS[-1], digests, progress, retraining=True, drifted=drifted)
    workspace.registered_models.set_alias(request.model, CHALLENGER, int(made.version))
    if made.compared is None:
        raise PipelineError(f"Version {made.version} of {request.model} was not held against the champion.")
    retraining = drift_journal.Retraining(
        model=request.model,
        version=made.version,
        outcome=made.compared.outcome,
        explanation=f"version {made.version}, {made.compared.explanation}",
        since=made.compared.since,
        compared_with=made.compared.against,
        measured=made.compared.document(),
    )
    book.add_retraining(retraining)
    return retraining


def _train(
    request: Request,
    workspace: WorkspaceClient,
    warehouse: SqlRunner,
    method: str,
    digests: Mapping[str, str],
    progress: Progress,
) -> str:
    # Imported here, because a run that finds everything up to date needs neither MLflow nor scikit-learn.
    from pipelines.churn.model_step import make_model

    made = make_model(request, workspace, warehouse, method, digests, progress)
    workspace.registered_models.set_alias(request.model, CHALLENGER, int(made.version))
    if method == _METHODS[-1]:
        tables.replace_baseline(warehouse, made.version, made.predictions)
        progress.say("baseline", f"{len(made.predictions)} customers in {request.full_schema}.{tables.BASELINE}")
    return made.version


def _warehouse(request: Request, workspace: WorkspaceClient) -> Warehouse:
    return Warehouse(workspace, find_warehouse(workspace, request.warehouse_id), request.catalog, request.schema)


def _model_digest(method: str, seed: int) -> str:
    from importlib.metadata import version

    numbers = [f"{name} {version(name)}" for name in ("mlflow", "scikit-learn", "numpy", "pandas", "scipy")]
    return code_digest(str(__package__), _MODEL_CODE, method, str(seed), *numbers)
