"""Raw trips, and the trips that features are made of: usable ones, with locations in place of zips."""

import re
from collections import Counter
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.schemas import ensure_schema
from pipelines.sql import SqlRunner
from pipelines.taxi.ingest import Source, WorkspaceTable, create_trips
from pipelines.taxi.trips import Refusals, Trip, refusal_sql
from pipelines.taxi_e2e.locations import replace_locations

RAW: Final = "trips"
LOCATED: Final = "located_trips"
_RAW_DIGEST: Final = "taxi_e2e_source_digest"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")
_CREATE: Final = f"""CREATE TABLE IF NOT EXISTS {LOCATED} (
  pickup_datetime TIMESTAMP,
  dropoff_datetime TIMESTAMP,
  trip_distance DOUBLE,
  fare_amount DOUBLE,
  pickup_location_id INT,
  dropoff_location_id INT
)"""


def land(workspace: WorkspaceClient, warehouse: SqlRunner, source: Source, schema: str, progress: Progress) -> None:
    """Bring raw trips into `<schema>.trips`, unless they are there: what a data platform does before any of this.

    Args:
        schema: `catalog.schema`; made when it is not there.
    """
    catalog, name = schema.split(".")
    ensure_schema(workspace, catalog, name)
    digest = source.digest()
    try:
        found = (workspace.tables.get(f"{schema}.{RAW}").properties or {}).get(_RAW_DIGEST)
    except NotFound:
        found = None
    if found == digest:
        progress.say("up to date", f"{schema}.{RAW} was loaded from {source}")
        return
    batch = source.read()
    create_trips(warehouse)
    _mark(warehouse, "")
    batch.write(warehouse)
    _mark(warehouse, digest)
    progress.say("trips", f"{batch.usable} rows from {source} to {schema}.{RAW}, {batch.refusals}")


def raw_source(workspace: WorkspaceClient, warehouse: SqlRunner, raw_table: str) -> WorkspaceTable:
    """The raw trips as a source. Raises PipelineError where the name is none or there is no such table."""
    if not _NAME.fullmatch(raw_table):
        raise PipelineError(f"raw_table is {raw_table!r}, not the three-part name of a table.")
    try:
        workspace.tables.get(raw_table)
    except NotFound as error:
        catalog, schema, _ = raw_table.split(".")
        raise PipelineError(
            f"Table {raw_table} with the raw trips is not there. Name another one (samples.nyctaxi.trips on "
            f"Databricks), or load some: python -m pipelines.taxi_e2e --catalog {catalog} --schema {schema}"
        ) from error
    return WorkspaceTable(warehouse, raw_table)


def locate(warehouse: SqlRunner, raw_table: str) -> tuple[int, Refusals]:
    """Replace `located_trips` by the usable raw trips; their number, and why others were left out.

    Raises PipelineError where no trip is usable: nothing has been replaced then.
    """
    replace_locations(warehouse)
    columns = ", ".join(Trip._fields)
    judged = f"SELECT {columns}, {refusal_sql()} AS refusal FROM {raw_table}"
    counted = warehouse.run(f"SELECT refusal, count(*) FROM ({judged}) GROUP BY refusal").rows
    by_reason = {reason: int(str(count)) for reason, count in counted}
    usable = by_reason.pop(None, 0)
    refusals = Refusals(by_reason=Counter({str(reason): count for reason, count in by_reason.items()}))
    if not usable:
        raise PipelineError(f"Table {raw_table} has no usable trip: {refusals}.")
    warehouse.run(_CREATE)
    warehouse.run(f"DELETE FROM {LOCATED}")
    warehouse.run(
        f"""INSERT INTO {LOCATED}
SELECT
  raw.tpep_pickup_datetime AS pickup_datetime,
  raw.tpep_dropoff_datetime AS dropoff_datetime,
  raw.trip_distance,
  raw.fare_amount,
  coalesce(pickup.location_id, raw.pickup_zip) AS pickup_location_id,
  coalesce(dropoff.location_id, raw.dropoff_zip) AS dropoff_location_id
FROM ({judged}) AS raw
LEFT JOIN taxi_locations AS pickup ON pickup.zip = raw.pickup_zip
LEFT JOIN taxi_locations AS dropoff ON dropoff.zip = raw.dropoff_zip
WHERE raw.refusal IS NULL"""
    )
    return usable, refusals


def _mark(warehouse: SqlRunner, digest: str) -> None:
    warehouse.run(f"ALTER TABLE {RAW} SET TBLPROPERTIES ('{_RAW_DIGEST}' = '{digest}')")
