"""`python -m bench.scale`: what each pipeline costs as rows grow, on this machine (docs/scale.md).

On a workspace of its own: features, unpacking of requests with labels and features, a refresh of the monitor, the
questions of drift detection, and bulk scoring by one process and by local Spark. Processor seconds, which other load on
the machine hardly changes, seconds of the clock, the most memory, and each as a ratio to the smallest size. Stops by
itself: a step that passes its limit is the last one of its kind.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.service.catalog import MonitorInferenceLog, MonitorInferenceLogProblemType

from bench.load import BenchError
from bench.machines import PROJECT, children, free_port, workspace
from components.unpack import (
    FeatureSource,
    LabelSource,
    UnpackedSchema,
    feature_statement,
    label_statement,
    unpack_statement,
)
from pipelines.churn.drift_queries import drift_query, performance_query
from pipelines.churn.tables import FEATURE_TYPES, statement
from pipelines.sql import Warehouse
from workspace.spark import LocalSpark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RESULTS = PROJECT / ".local" / "bench" / "scale.json"
SCHEMA = "main.scale"
MODEL = f"{SCHEMA}.advanced_mlops_churn"
WATCHED = f"{SCHEMA}.watched"
SAMPLE = 2_000  # customers that the churn pipeline generates
A_REQUEST = 50  # records
UNPACKED = UnpackedSchema(
    record_columns={
        "customer_id": "string",
        "transaction_ts": "timestamp",
        "senior_citizen": "string",
        "contract": "string",
        "monthly_charges": "double",
    },
    prediction_type="string",
    label_column="churn",
    label_type="string",
)
Processes = Callable[[], Sequence[int]]
"""Which processes a step runs in, at a moment."""


@dataclass(frozen=True)
class Cost:
    """What one step took."""

    step: str
    rows: int
    seconds: float
    """By the clock, whatever else the machine does."""
    processor_seconds: float
    """Of all cores, of the processes of the step."""
    memory_mb: float
    """The most that the processes of the step had at a time (PSS)."""


class Scale:
    """The steps, over one workspace and one Spark session."""

    def __init__(self, client: WorkspaceClient, server: int, spark: SparkSession, limit: float) -> None:
        self._client = client
        self._server = server
        self._spark = spark
        self._limit = limit
        self._sql = Warehouse(client, "local", "main", "scale")
        self._stopped: set[str] = set()
        self.costs: list[Cost] = []

    def run(self, rows: int) -> None:
        """Every step at one size."""
        self._fill(rows)
        workspace, here = lambda: children(self._server), os.getpid()
        steps: dict[str, tuple[Processes, Callable[[], object]]] = {
            "features (MERGE)": (workspace, self._features),
            "unpacking (3 statements)": (workspace, self._unpack),
            "monitor refresh": (workspace, self._refresh),
            "drift detection (2 queries)": (workspace, self._drift),
            "scoring, one process": (lambda: [here], self._one_process),
            # The JVM and its Python workers.
            "scoring, local Spark": (lambda: [one for one in children(here) if one != here], self._on_spark),
        }
        for name, (processes, step) in steps.items():
            if name in self._stopped:
                continue
            with _peak(processes) as most:
                started, before = time.perf_counter(), _processor_seconds(processes())
                step()
                seconds = time.perf_counter() - started
                used = _processor_seconds(processes()) - before
            self.costs.append(Cost(name, rows, seconds, used, most[0]))
            figures = f"{used:8.1f} s of processors  {seconds:8.1f} s  {most[0]:8.0f} MB"
            sys.stderr.write(f"{rows:>9,} rows  {name:<28} {figures}\n")
            if seconds > self._limit:
                self._stopped.add(name)
                sys.stderr.write(f"{name}: over its limit of {self._limit:.0f} s, and so the last size of it\n")

    def warm_up(self) -> None:
        """Every step once with few rows, for what happens once in a process: imports, code made, workers started."""
        self.run(SAMPLE)
        self.costs.clear()
        self._stopped.clear()

    def _fill(self, rows: int) -> None:
        """So many customers, and requests about all of them over a week; nothing else is left of before."""
        columns = [one.name for one in self._client.tables.get(f"{SCHEMA}.churn_customers").columns or []]
        others = ", ".join(f"c.{name}" for name in columns if name != "customer_id")
        copies = max(1, rows // SAMPLE)
        if not self._client.tables.exists(f"{SCHEMA}.sample_customers").table_exists:
            self._sql.run("CREATE TABLE sample_customers AS SELECT * FROM churn_customers")
        self._sql.run("DELETE FROM churn_customers")
        self._sql.run(
            f"INSERT INTO churn_customers (customer_id, {others.replace('c.', '')}) "
            f"SELECT concat(c.customer_id, '-', CAST(copy AS STRING)), {others} FROM sample_customers AS c "
            f"LATERAL VIEW explode(sequence(1, {copies})) copies AS copy"
        )
        for table in ("advanced_churn_feature_table", "advanced_churn_label_table"):
            self._sql.run(f"DELETE FROM {table}")
        if self._client.tables.exists(WATCHED).table_exists:
            self._client.quality_monitors.delete(WATCHED)
        self._sql.run(
            "CREATE OR REPLACE TABLE payload AS SELECT concat('r', CAST(request AS STRING)) AS databricks_request_id, "
            "CAST(date_add(DATE'2026-11-20', CAST(request % 7 AS INT)) AS TIMESTAMP) AS request_time,"
            " 200 AS status_code, 'entity' AS served_entity_id, "
            "concat('{\"dataframe_records\":[', array_join(collect_list(record), ','), ']}') AS request, "
            "concat('{\"predictions\":[', array_join(collect_list(answer), ','), ']}') AS response FROM ("
            '  SELECT concat(\'{"customer_id":"\', customer_id, \'","transaction_ts":"2024-09-10"}\') AS record, '
            "  CASE WHEN contract = 'Month-to-month' THEN '\"Yes\"' ELSE '\"No\"' END AS answer, "
            f"  floor((row_number() OVER (ORDER BY customer_id) - 1) / {A_REQUEST}) AS request FROM churn_customers"
            ") GROUP BY request"
        )
        declared = ", ".join(f"{name} {kind}" for name, kind in UNPACKED.columns().items())
        self._sql.run(f"CREATE OR REPLACE TABLE watched ({declared}) TBLPROPERTIES (delta.enableChangeDataFeed = true)")

    def _features(self) -> None:
        moment = {"transaction_ts": "2024-09-01 00:00:00"}
        for name in ("merge_features", "merge_labels"):
            self._sql.run(statement(name), moment)
        self._sql.run(statement("merge_customer_ids"))

    def _unpack(self) -> None:
        features = FeatureSource(
            table=f"{SCHEMA}.advanced_churn_feature_table",
            columns=["senior_citizen", "contract", "monthly_charges"],
            keys={"customer_id": "customer_id"},
            time=("transaction_ts", "transaction_ts"),
        )
        labels = LabelSource(
            table=f"{SCHEMA}.advanced_churn_label_table", column="churn", keys={"customer_id": "customer_id"}
        )
        self._sql.run(unpack_statement(f"{SCHEMA}.payload", WATCHED, UNPACKED))
        self._sql.run(feature_statement(WATCHED, features))
        self._sql.run(label_statement(WATCHED, UNPACKED, labels))

    def _refresh(self) -> None:
        """The first refresh of a monitor, which looks at every row."""
        monitors = self._client.quality_monitors
        monitors.create(
            table_name=WATCHED,
            assets_dir="/Workspace/Shared/scale",
            output_schema_name=SCHEMA,
            inference_log=MonitorInferenceLog(
                problem_type=MonitorInferenceLogProblemType.PROBLEM_TYPE_CLASSIFICATION,
                timestamp_col="inference_timestamp",
                granularities=["1 day"],
                model_id_col="served_entity_id",
                prediction_col="prediction",
                label_col="churn",
            ),
            slicing_exprs=["senior_citizen='Yes'", "contract"],
        )
        while any(
            one.state.value in ("PENDING", "RUNNING") for one in monitors.list_refreshes(WATCHED).refreshes or []
        ):
            time.sleep(0.05)
        (done, *_) = monitors.list_refreshes(WATCHED).refreshes or []
        if done.state.value != "SUCCESS":
            raise BenchError(f"the refresh ended {done.state.value}: {done.message}")

    def _drift(self) -> None:
        since = {"since": "2026-01-01 00:00:00"}
        # Expected loss is a metric of the churn stack's own; this monitor has none, and any number of the row does.
        asked = performance_query(f"{WATCHED}_profile_metrics", "f1_score.macro", "served_entity_id")
        self._sql.run(asked.replace("expected_loss,", "count AS expected_loss,"), since)
        found = self._sql.run(
            drift_query(f"{WATCHED}_drift_metrics", "js_distance", "served_entity_id", ("prediction", "churn")), since
        )
        if not found.rows:
            raise BenchError("a week of windows has drift metrics, and none were found")

    def _one_process(self) -> None:
        """Features and model in this process: what a notebook with pandas would do."""
        import mlflow
        from deltalake import DeltaTable

        from pipelines.feature_model import predict_rows

        location = self._client.tables.get(f"{SCHEMA}.advanced_churn_feature_table").storage_location or ""
        frame = DeltaTable(unquote(urlparse(location).path)).to_pandas()
        frame = frame.astype(dict.fromkeys([name for name, kind in FEATURE_TYPES.items() if kind == "double"], float))
        answers = predict_rows(Path(mlflow.artifacts.download_artifacts(f"models:/{MODEL}/2")), frame)
        if len(answers) != len(frame):
            raise BenchError(f"{len(answers)} answers for {len(frame)} rows")

    def _on_spark(self) -> None:
        from pipelines.batch_scoring import BatchRequest, score
        from pipelines.progress import Progress

        rows = int(str(self._sql.run("SELECT count(*) AS n FROM advanced_churn_cust_ids").only_row()["n"]))
        request = BatchRequest(
            model=MODEL,
            version="2",
            input_table=f"{SCHEMA}.advanced_churn_cust_ids",
            output_table=f"{SCHEMA}.scored",
            run_id=f"scale-{rows}",
            warehouse_id="local",
        )
        with Path(os.devnull).open("w") as silent:
            summary = score(request, self._spark, self._client, Progress(silent))
        if summary.rows != rows:
            raise BenchError(f"{summary.rows} rows were scored, and not {rows}")


def table(costs: Sequence[Cost]) -> str:
    """Processor seconds with their ratio to the smallest size, seconds and memory, side by side for every size."""
    sizes = sorted({cost.rows for cost in costs})
    by_key = {(cost.step, cost.rows): cost for cost in costs}
    lines = ["| step | " + " | ".join(f"{size:,} rows" for size in sizes) + " |", "| --- |" + " --- |" * len(sizes)]
    for step in dict.fromkeys(cost.step for cost in costs):
        cells = []
        for size in sizes:
            cost, first = by_key.get((step, size)), by_key[step, sizes[0]]
            if cost is None:
                cells.append("not tried")
            else:
                ratio = cost.processor_seconds / max(first.processor_seconds, 0.01)
                used = f"{cost.processor_seconds:.1f} s of processors (x{ratio:.1f})"
                cells.append(f"{used}, {cost.seconds:.1f} s, {cost.memory_mb:,.0f} MB")
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    sizes = sorted({int(size) for size in options.rows.split(",")})
    with tempfile.TemporaryDirectory(prefix="scale-") as scratch:
        costs = measure(Path(scratch), sizes, options.limit)
    sys.stdout.write(table(costs))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "median_seconds": statistics.median(c.seconds for c in costs),
    }
    RESULTS.write_text(json.dumps({"machine": machine, "costs": [vars(cost) for cost in costs]}, indent=1) + "\n")
    sys.stderr.write(f"{RESULTS.relative_to(PROJECT)}\n")
    return 0


def measure(folder: Path, sizes: Sequence[int], limit: float) -> list[Cost]:
    """All steps at all sizes, smallest first.

    Args:
        folder: for the workspace's state and Spark's files.
        limit: seconds after which a step is not tried at a larger size.
    """
    port = free_port()
    with workspace(folder / "state", port) as server:
        access = {
            "DATABRICKS_HOST": f"http://127.0.0.1:{port}",
            "DATABRICKS_TOKEN": (folder / "state" / "token").read_text().strip(),
            "MLFLOW_TRACKING_URI": "databricks",
            "MLFLOW_REGISTRY_URI": "databricks-uc",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "MLFLOW_LOGGING_LEVEL": "ERROR",
        }
        pipeline = [sys.executable, "-m", "pipelines.churn", "--catalog", "main", "--schema", "scale"]
        subprocess.run(pipeline, cwd=PROJECT, env={**os.environ, **access}, check=True, stdout=subprocess.DEVNULL)
        memory = {"spark.driver.memory": "4g", "spark.sql.shuffle.partitions": "8"}
        os.environ |= {**access, **LocalSpark(lambda: ["main"]).variables(folder, memory)}
        import mlflow
        from pyspark.sql import SparkSession

        mlflow.set_registry_uri("databricks-uc")
        spark = SparkSession.builder.getOrCreate()
        try:
            # What starts once (the JVM, the Python workers) is no cost of rows.
            spark.range(4).selectExpr("id % 2 AS k").groupBy("k").count().collect()
            config = Config(host=access["DATABRICKS_HOST"], token=access["DATABRICKS_TOKEN"], auth_type="pat")
            scale = Scale(WorkspaceClient(config=config), server.pid, spark, limit)
            scale.warm_up()
            for size in sizes:
                scale.run(size)
        finally:
            spark.stop()
    return scale.costs


@contextlib.contextmanager
def _peak(processes: Processes) -> Iterator[list[float]]:
    """The most memory that these processes have while the block runs, in MB, looked at often."""
    most, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.is_set():
            # A child may end between the look at the list and the look at it.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                most[0] = max(most[0], sum(map(_pss_mb, processes())))
            over.wait(0.25)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def _processor_seconds(processes: Sequence[int]) -> float:
    """What processes have used so far, and children of theirs that have ended."""
    ticks = 0
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _pss_mb(process: int) -> float:
    """Resident memory of one process, pages that it shares with others by its part of them."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", default="10000,100000,1000000", help="sizes (default %(default)s)")
    parser.add_argument(
        "--limit",
        type=float,
        default=300.0,
        help="seconds after which a step is not tried larger (default %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
