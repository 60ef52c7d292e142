"""The task `BatchInference`: fares of all located trips by one version, into a table that says which version it was.

Rows that carry their features are scored with the raw model, as the endpoint would after its lookup. Small data is
scored in this process; large data by Spark, where the model goes to the rows.
"""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import mlflow
import pandas as pd
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from mlflow.exceptions import MlflowException

from pipelines.batch_scoring import output_table
from pipelines.errors import PipelineError
from pipelines.feature_model import predict_offline
from pipelines.progress import Progress
from pipelines.sql import SqlRunner
from pipelines.taxi_e2e.ingest import LOCATED
from pipelines.taxi_e2e.settings import CHAMPION, Settings
from pipelines.taxi_e2e.train import LABEL, TIME, training_set
from pipelines.taxi_e2e.training_step import REGISTRY, TRACKING
from pipelines.taxi_e2e.transform import DISTANCE

TABLE: Final = "taxi_fare_predictions"
SPARK, PROCESS = "spark", "process"
_COLUMNS: Final = {
    "pickup_datetime": "timestamp",
    "pickup_location_id": "int",
    "dropoff_location_id": "int",
    "trip_distance": "double",
    "fare_amount": "double",
    "prediction": "double",
}
_KEYS: Final = ("pickup_location_id", "dropoff_location_id")
# A statement of 5,000 rows is about 400 KB, far below the API's limit of 16 MiB.
_BATCH: Final = 5_000
_INSERT: Final = f"""INSERT INTO {TABLE} ({", ".join([*_COLUMNS, *output_table.TRACKING])})
SELECT
  timestamp_micros(CAST(split_part(line, ',', 1) AS BIGINT)) AS pickup_datetime,
  CAST(split_part(line, ',', 2) AS INT) AS pickup_location_id,
  CAST(split_part(line, ',', 3) AS INT) AS dropoff_location_id,
  CAST(split_part(line, ',', 4) AS DOUBLE) AS trip_distance,
  CAST(split_part(line, ',', 5) AS DOUBLE) AS fare_amount,
  CAST(split_part(line, ',', 6) AS DOUBLE) AS prediction,
  :model AS model_name,
  CAST(:version AS INT) AS model_version,
  CAST(NULL AS STRING) AS model_alias,
  CAST(:moment AS TIMESTAMP) AS inference_timestamp,
  :run AS {output_table.RUN},
  CAST(CAST(:moment AS TIMESTAMP) AS DATE) AS {output_table.DAY}
FROM (SELECT explode(split(:rows, ';')) AS line)"""


def version_to_use(workspace: WorkspaceClient, model: str, asked: str) -> str:
    """The version that was asked for, or the champion. Raises PipelineError where there is none."""
    if asked:
        return asked
    try:
        return str(workspace.model_versions.get_by_alias(model, CHAMPION).version)
    except NotFound as error:
        raise PipelineError(
            f"{model} has no alias {CHAMPION}: deploy a version first, or name one (job parameter model_version)."
        ) from error


def score(settings: Settings, workspace: WorkspaceClient, progress: Progress, version: str, run_id: str) -> int:
    """Score every located trip with a version, in this process; the number of rows.

    Rows of the same run take the place of each other, all others stay; the table is that of Spark's scoring.
    """
    mlflow.set_tracking_uri(TRACKING)
    mlflow.set_registry_uri(REGISTRY)
    warehouse = settings.warehouse(workspace)
    trips = training_set(warehouse)
    uri = f"models:/{settings.model}/{version}"
    with tempfile.TemporaryDirectory() as scratch:
        try:
            folder = mlflow.artifacts.download_artifacts(uri, dst_path=scratch)
        except MlflowException as error:
            raise PipelineError(f"{uri} cannot be loaded: {error}") from error
        predictions = predict_offline(Path(folder), trips)
    table = f"{settings.full_schema}.{TABLE}"
    output_table.ensure(workspace, warehouse, table, {**_COLUMNS, **output_table.TRACKING})
    marks = {"model": settings.model, "version": version, "run": run_id}
    write_predictions(warehouse, trips, predictions, marks)
    progress.say("scored", f"{len(trips)} trips by version {version}, in {table}")
    return len(trips)


def score_on_spark(
    settings: Settings, workspace: WorkspaceClient, progress: Progress, version: str, run_id: str
) -> int:
    """The same where the model goes to the rows: features are looked up as they were known at each pickup."""
    from pyspark.sql import SparkSession

    from pipelines.batch_scoring import BatchRequest
    from pipelines.batch_scoring import score as score_table

    request = BatchRequest(
        model=settings.model,
        input_table=f"{settings.full_schema}.{LOCATED}",
        output_table=f"{settings.full_schema}.{TABLE}",
        run_id=run_id,
        version=version,
        result_type="double",
        warehouse_id=settings.warehouse_id,
        broadcast=True,
    )
    return score_table(request, SparkSession.builder.getOrCreate(), workspace, progress).rows


def write_predictions(
    warehouse: SqlRunner, trips: pd.DataFrame, predictions: Sequence[float], marks: Mapping[str, str]
) -> None:
    """Replace what a run wrote by what it says now.

    Args:
        marks: `model`, `version` and `run`, for every row.
    """
    warehouse.run(f"DELETE FROM {TABLE} WHERE {output_table.RUN} = :run", {"run": marks["run"]})
    lines = [
        ",".join([str(time.value // 1_000), *(str(int(key)) for key in keys), repr(miles), repr(fare), repr(told)])
        for time, keys, miles, fare, told in zip(
            trips[TIME].dt.tz_convert("UTC"),
            trips[list(_KEYS)].itertuples(index=False),
            trips[DISTANCE],
            trips[LABEL],
            predictions,
            strict=True,
        )
    ]
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    for first in range(0, len(lines), _BATCH):
        warehouse.run(_INSERT, {**marks, "rows": ";".join(lines[first : first + _BATCH]), "moment": moment})
