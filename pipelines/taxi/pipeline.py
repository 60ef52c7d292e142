"""The steps in order: trips, features, model, registration; each only when something it depends on has changed."""

from databricks.sdk import WorkspaceClient

from pipelines.catalog import declared_table
from pipelines.progress import Progress
from pipelines.schemas import ensure_schema
from pipelines.sql import Warehouse, find_warehouse
from pipelines.taxi.features import (
    DROPOFF,
    PICKUP,
    compute_dropoff_features,
    compute_pickup_features,
    create_feature_table,
)
from pipelines.taxi.freshness import (
    MODEL_DIGEST,
    TABLES_DIGEST,
    mark_tables,
    model_digest,
    tables_are_fresh,
    tables_digest,
)
from pipelines.taxi.ingest import Source, choose_source, create_trips
from pipelines.taxi.parameters import packages
from pipelines.taxi.request import Request
from pipelines.versions import find_version


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
        version = find_version(workspace, request.model, digests)
        if version is not None:
            progress.say("up to date", f"{request.model} version {version} was made of {source} by this pipeline")
            return version
    # Imported here, because a run that finds everything up to date needs neither MLflow nor scikit-learn.
    from pipelines.taxi.model_step import make_model

    return make_model(request, workspace, warehouse, digests, progress)


def _make_tables(
    request: Request, workspace: WorkspaceClient, warehouse: Warehouse, source: Source, digest: str, progress: Progress
) -> None:
    batch = source.read()
    ensure_schema(workspace, request.catalog, request.schema)
    create_trips(warehouse)
    mark_tables(warehouse, "")
    batch.write(warehouse)
    progress.say("trips", f"{batch.usable} rows from {source} to {request.full_schema}.trips, {batch.refusals}")
    if batch.refusals.unknown_zones:
        zones = ", ".join(f"{zone!r} ({count})" for zone, count in sorted(batch.refusals.unknown_zones.items()))
        progress.say("trips", f"zones without a zip: {zones}. Add them to pipelines/taxi/zones.csv to use their trips")
    for table, compute in ((PICKUP, compute_pickup_features), (DROPOFF, compute_dropoff_features)):
        create_feature_table(warehouse, table)
        full_name = f"{request.full_schema}.{table.name}"
        declared_table(workspace, full_name, table.columns)
        rows = compute(warehouse)
        progress.say("features", f"{rows} rows in {full_name}, keys {', '.join(table.primary_keys)}")
    mark_tables(warehouse, digest)
