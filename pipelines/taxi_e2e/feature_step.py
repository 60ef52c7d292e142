"""The task `GenerateAndWriteFeatures`: raw trips to two feature tables, only when something has changed."""

from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.digests import code_digest
from pipelines.progress import Progress
from pipelines.sql import SqlRunner
from pipelines.taxi_e2e.dropoff_features import DROPOFF, compute_dropoff_features
from pipelines.taxi_e2e.feature_tables import check_table
from pipelines.taxi_e2e.ingest import LOCATED, locate, raw_source
from pipelines.taxi_e2e.pickup_features import PICKUP, compute_pickup_features
from pipelines.taxi_e2e.settings import Settings

FEATURE_TABLES: Final = (PICKUP, DROPOFF)
FEATURES_DIGEST: Final = "taxi_e2e_features_digest"
_CODE: Final = (
    "ingest.py",
    "locations.py",
    "locations.csv",
    "feature_tables.py",
    "pickup_features.py",
    "dropoff_features.py",
    "sql",
    "../taxi/trips.py",
)


def write_features(settings: Settings, workspace: WorkspaceClient, progress: Progress, *, force: bool) -> str:
    """Bring both feature tables up to date; the digest of what they are made of.

    Args:
        force: compute and write again even where nothing has changed.

    Raises PipelineError for what the operator can mend: the tables are whole, before or after.
    """
    warehouse = settings.warehouse(workspace)
    source = raw_source(workspace, warehouse, settings.raw_table)
    digest = code_digest(str(__package__), _CODE, source.digest())
    if not force and features_digest(workspace, settings.full_schema) == digest:
        progress.say("up to date", f"features were made of {settings.raw_table} by this code")
        return digest
    usable, refusals = locate(warehouse, settings.raw_table)
    _mark(warehouse, "")
    progress.say("trips", f"{usable} of {settings.raw_table}, {refusals}")
    for table, compute in ((PICKUP, compute_pickup_features), (DROPOFF, compute_dropoff_features)):
        rows = compute(warehouse)
        check_table(workspace, f"{settings.full_schema}.{table.name}", table)
        keys = ", ".join(table.primary_keys)
        progress.say("features", f"{rows} rows in {settings.full_schema}.{table.name}, keys {keys}")
    _mark(warehouse, digest)
    return digest


def features_digest(workspace: WorkspaceClient, schema: str) -> str:
    """What the feature tables of `catalog.schema` are made of; empty where they are not there, or half made."""
    try:
        located, *_ = [workspace.tables.get(f"{schema}.{name}") for name in (LOCATED, PICKUP.name, DROPOFF.name)]
    except NotFound:
        return ""
    return (located.properties or {}).get(FEATURES_DIGEST, "")


def _mark(warehouse: SqlRunner, digest: str) -> None:
    warehouse.run(f"ALTER TABLE {LOCATED} SET TBLPROPERTIES ('{FEATURES_DIGEST}' = '{digest}')")
