"""The run: which version, which rows, their features, the answers, where they go, and what it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from databricks.sdk import WorkspaceClient

from pipelines.batch_scoring import output_table
from pipelines.batch_scoring.features import joined, plan_of
from pipelines.batch_scoring.request import BatchRequest
from pipelines.batch_scoring.version import ModelFiles, Version, download, resolve
from pipelines.errors import PipelineError
from pipelines.on_demand import spark_function
from pipelines.progress import Progress
from pipelines.sql import SqlRunner, Warehouse, find_warehouse

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Names of Spark's types, and what they are called in Databricks SQL.
_SQL_TYPES: Final = {"long": "bigint"}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a run did, as task values."""

    model: str
    model_version: int
    output_table: str
    rows: int
    """Rows that the run has in the output table."""
    replaced_rows: int
    """Rows that an earlier try of the same run had there, and that are gone."""
    seconds: float
    """From the first look at the input to the commit."""
    rows_per_second: float

    def task_values(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.rows} rows by {self.model} version {self.model_version} in {self.seconds:.1f} s "
            f"({self.rows_per_second:.0f} rows/s), into {self.output_table}"
        )


def score(
    request: BatchRequest, spark: SparkSession, workspace: WorkspaceClient, progress: Progress | None = None
) -> Summary:
    """Score the input table and append the answers.

    Raises PipelineError for what the operator can mend; Spark's and the clients' own errors pass.
    """
    from pyspark.sql import functions as fn

    said = progress or Progress()
    moment = request.moment or datetime.now(UTC)
    version = resolve(request, workspace)
    files = download(version)
    said.say("model", f"{version.uri}{f', alias {version.alias}' if version.alias else ''}")
    started = time.monotonic()
    rows = spark.table(request.input_table)
    _check_free(request, rows.columns)
    given = rows.columns
    rows, model_columns = _with_features(request, rows, files, spark, workspace)
    udf = _model_udf(spark, files, request.result_type)
    scored = rows.withColumn(request.prediction_column, udf(fn.struct(*(fn.col(name) for name in model_columns))))
    tracked = _tracked(scored, version, request, moment)
    columns = {name: _SQL_TYPES.get(kind, kind) for name, kind in tracked.dtypes}
    catalog, schema, _ = request.output_table.split(".")
    warehouse = Warehouse(workspace, find_warehouse(workspace, request.warehouse_id), catalog, schema)
    added = output_table.ensure(workspace, warehouse, request.output_table, columns)
    if added:
        said.say("schema", f"{request.output_table} has new columns: {', '.join(added)}")
    mine = fn.col(output_table.RUN) == request.run_id
    before = _count(warehouse, request)
    said.say("scoring", f"{request.input_table}: {', '.join(given)}; {len(model_columns)} columns for the model")
    # Appends, and takes back what an earlier try of this very run has written: one commit, whole or not at all.
    _fitting(tracked, spark.table(request.output_table)).writeTo(request.output_table).overwrite(mine)
    seconds = time.monotonic() - started
    count = _count(warehouse, request)
    summary = Summary(
        model=request.model,
        model_version=version.number,
        output_table=request.output_table,
        rows=count,
        replaced_rows=before,
        seconds=round(seconds, 3),
        rows_per_second=round(count / seconds, 3),
    )
    said.say("written", str(summary))
    return summary


def _count(warehouse: SqlRunner, request: BatchRequest) -> int:
    """Rows of this run in the output table, as everybody else sees it."""
    table = output_table.quoted(request.output_table)
    statement = f"SELECT count(*) AS n FROM {table} WHERE {output_table.RUN} = :run"  # noqa: S608 - a checked name
    return int(str(warehouse.run(statement, {"run": request.run_id}).only_row()["n"]))


def _with_features(
    request: BatchRequest, rows: DataFrame, files: ModelFiles, spark: SparkSession, workspace: WorkspaceClient
) -> tuple[DataFrame, list[str]]:
    """Rows with all that the model needs, and the columns that it is given."""
    spec = files.spec
    if spec is None:
        names = files.input_names()
        missing = [name for name in names if name not in rows.columns]
        if missing:
            raise PipelineError(f"{request.input_table} has no column {', '.join(missing)}, which the model asks for.")
        return rows, names
    plan = plan_of(spec)
    whole = joined(
        rows,
        plan,
        table_of=spark.table,
        keys_of=lambda table: _keys_of(workspace, table),
        function_of=lambda name: spark_function(workspace.functions.get(name)),
        broadcast=request.broadcast,
    )
    return whole, list(plan.model_columns)


def _keys_of(workspace: WorkspaceClient, table: str) -> tuple[list[str], str | None]:
    constraints = workspace.tables.get(table).table_constraints or []
    for constraint in constraints:
        if (key := constraint.primary_key_constraint) is not None:
            series = list(key.timeseries_columns or [])
            return [name for name in key.child_columns if name not in series], series[0] if series else None
    raise PipelineError(f"Feature table {table} has no primary key: rows cannot be told apart by one.")


def _model_udf(spark: SparkSession, files: ModelFiles, result_type: str) -> Callable[..., Any]:
    import mlflow

    udf: Callable[..., Any] = mlflow.pyfunc.spark_udf(
        spark, model_uri=files.scoring_uri, result_type=result_type, env_manager="local"
    )
    return udf


def _check_free(request: BatchRequest, columns: list[str]) -> None:
    taken = {request.prediction_column.lower(), *output_table.TRACKING} & {name.lower() for name in columns}
    if taken:
        raise PipelineError(
            f"{request.input_table} has columns {', '.join(sorted(taken))}, which are what batch scoring adds: rename "
            "them, or set another prediction_column."
        )


def _tracked(scored: DataFrame, version: Version, request: BatchRequest, moment: datetime) -> DataFrame:
    """With the documented columns; one moment for all rows, in UTC whatever zone the session has."""
    from pyspark.sql import functions as fn

    at = moment.astimezone(UTC)
    micros = int(at.timestamp()) * 1_000_000 + at.microsecond
    values = {
        "model_name": fn.lit(version.model),
        "model_version": fn.lit(version.number).cast("int"),
        "model_alias": fn.lit(version.alias).cast("string"),
        "inference_timestamp": fn.timestamp_micros(fn.lit(micros)),
        output_table.RUN: fn.lit(request.run_id),
        output_table.DAY: fn.lit(f"{at:%Y-%m-%d}").cast("date"),
    }
    return scored.withColumns({name: values[name] for name in output_table.TRACKING})


def _fitting(rows: DataFrame, table: DataFrame) -> DataFrame:
    """The table's columns in its order; nulls for those that rows lack."""
    from pyspark.sql import functions as fn

    mine = {name.lower(): name for name in rows.columns}
    return rows.select(
        *(
            fn.col(mine[column.name.lower()]).alias(column.name)
            if column.name.lower() in mine
            else fn.lit(None).cast(column.dataType).alias(column.name)
            for column in table.schema
        )
    )
