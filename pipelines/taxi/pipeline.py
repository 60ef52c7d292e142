"""The steps in order: trips, features, model, registration; each only when something it depends on has changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from mlflow import MlflowClient

from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.sql import Warehouse, find_warehouse
from pipelines.taxi.features import (
    DROPOFF,
    FEATURE_TABLES,
    PICKUP,
    check_schema,
    compute_dropoff_features,
    compute_pickup_features,
    create_feature_table,
)
from pipelines.taxi.freshness import (
    MODEL_DIGEST,
    TABLES_DIGEST,
    find_version,
    mark_tables,
    model_digest,
    tables_are_fresh,
    tables_digest,
)
from pipelines.taxi.ingest import Source, choose_source, create_trips
from pipelines.taxi.parameters import Parameters, packages

TRACKING: Final = "databricks"
REGISTRY: Final = "databricks-uc"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to make, and where.

    `data` is a folder with `taxis.csv`; without it, the workspace's sample table or generated trips.
    """

    catalog: str
    schema: str
    data: Path | None = None
    sample_seed: int = 7
    warehouse_id: str | None = None
    experiment: str | None = None
    force: bool = False
    parameters: Parameters = field(default_factory=Parameters)

    @property
    def full_schema(self) -> str:
        return f"{self.catalog}.{self.schema}"

    @property
    def model(self) -> str:
        return f"{self.full_schema}.taxi_fare_regressor"


def run(request: Request, workspace: WorkspaceClient, progress: Progress) -> str:
    """Bring tables and model up to date, and return the number of the model version that is.

    Raises PipelineError for what the operator can mend, and the clients' own errors for what the workspace refuses.
    """
    warehouse = Warehouse(workspace, find_warehouse(workspace, request.warehouse_id), request.catalog, request.schema)
    source = choose_source(workspace, warehouse, request.data, request.sample_seed)
    digests = {
        TABLES_DIGEST: tables_digest(source.digest()),
        MODEL_DIGEST: model_digest(request.parameters, packages()),
    }
    if not tables_are_fresh(workspace, request.full_schema, digests[TABLES_DIGEST]):
        _make_tables(request, workspace, warehouse, source, digests[TABLES_DIGEST], progress)
    elif request.force:
        progress.say("tables", f"up to date with {source}")
    if not request.force:
        version = find_version(MlflowClient(TRACKING, REGISTRY), request.model, digests)
        if version is not None:
            progress.say(
                "up to date", f"{request.model} version {version.version} was made of {source} by this pipeline"
            )
            return str(version.version)
    return _make_model(request, workspace, warehouse, digests, progress)


def _make_tables(
    request: Request, workspace: WorkspaceClient, warehouse: Warehouse, source: Source, digest: str, progress: Progress
) -> None:
    ensure_schema(request, workspace)
    create_trips(warehouse)
    mark_tables(warehouse, "")
    loaded = source.load(warehouse)
    progress.say("trips", f"{loaded.rows} rows from {source} to {request.full_schema}.trips, {loaded.refusals}")
    if loaded.refusals.unknown_zones:
        zones = ", ".join(f"{zone!r} ({count})" for zone, count in sorted(loaded.refusals.unknown_zones.items()))
        progress.say("trips", f"zones without a zip: {zones}. Add them to pipelines/taxi/zones.csv to use their trips")
    for table, compute in ((PICKUP, compute_pickup_features), (DROPOFF, compute_dropoff_features)):
        create_feature_table(warehouse, table)
        full_name = f"{request.full_schema}.{table.name}"
        check_schema(workspace, full_name, table)
        rows = compute(warehouse)
        progress.say("features", f"{rows} rows in {full_name}, keys {', '.join(table.primary_keys)}")
    mark_tables(warehouse, digest)


def ensure_schema(request: Request, workspace: WorkspaceClient) -> None:
    """Create the schema unless it is there. Raises PipelineError when its catalog is missing."""
    try:
        workspace.schemas.get(request.full_schema)
        return
    except NotFound:
        pass
    try:
        workspace.catalogs.get(request.catalog)
    except NotFound as error:
        raise PipelineError(
            f"Catalog {request.catalog} is not on {workspace.config.host}. "
            f"Create it (CREATE CATALOG {request.catalog}), ask for USE CATALOG on it, or name another with --catalog."
        ) from error
    workspace.schemas.create(name=request.schema, catalog_name=request.catalog)


def _make_model(
    request: Request, workspace: WorkspaceClient, warehouse: Warehouse, digests: Mapping[str, str], progress: Progress
) -> str:
    # Imported here, because a run that finds everything up to date needs neither pandas nor scikit-learn.
    import mlflow

    from pipelines.registration import register_feature_model
    from pipelines.taxi import train

    table_ids = {
        table.name: check_schema(workspace, f"{request.full_schema}.{table.name}", table).table_id or ""
        for table in FEATURE_TABLES
    }
    spec = train.feature_spec(request.full_schema, table_ids)
    trips = train.training_set(warehouse)
    progress.say("training set", f"{len(trips)} trips with {len(spec.model_columns)} inputs")
    trained = train.train(trips, spec, request.parameters)
    progress.say("model", f"{trained.train_rows} trips before {trained.cut:%Y-%m-%d %H:%M} UTC, {request.parameters}")
    progress.say("held out", f"{trained.held_out_rows} later trips: {trained.error}; distance only: {trained.baseline}")

    mlflow.set_tracking_uri(TRACKING)
    mlflow.set_registry_uri(REGISTRY)
    with mlflow.start_run(experiment_id=_experiment(request)) as active:
        model = train.log(trained, spec, request.parameters, workspace_id=workspace.get_workspace_id(), digests=digests)
    commit = active.data.tags.get("mlflow.source.git.commit")
    tags = {**digests, **({"git_commit": commit} if commit else {})}
    version = register_feature_model(model.model_uri, request.model, tags)
    progress.say("registered", f"{request.model} version {version.version}, run {active.info.run_id}")
    return str(version.version)


def _experiment(request: Request) -> str:
    client = MlflowClient(TRACKING, REGISTRY)
    name = request.experiment or f"/Shared/{request.model}"
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))
