"""Spark in the test's own process, over a workspace of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow

from tests.support.server import WorkspaceServer
from workspace.spark import LocalSpark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPARKS_OWN = "spark_catalog.default"
"""Catalog and schema of Spark itself: its tables know nothing of the workspace's."""
# Far from UTC and not by whole hours: whoever forgets the zone is seen.
ZONE = "Asia/Kathmandu"


@dataclass(frozen=True)
class SparkSql:
    """Statements that Spark runs over Delta tables of its own, as `tests.support.warehouse.Warehouse` has them."""

    session: SparkSession

    def full(self, name: str) -> str:
        return f"{SPARKS_OWN}.{name}"

    def execute(self, statement: str) -> None:
        self.session.sql(statement).collect()

    def rows(self, statement: str) -> list[list[str | None]]:
        """All rows, as the statement execution API writes values."""
        return [
            [None if value is None else str(value) for value in row] for row in self.session.sql(statement).collect()
        ]


@contextmanager
def spark_over(server: WorkspaceServer, folder: Path) -> Iterator[SparkSession]:
    """A session as a task on a cluster has it; with the server's credentials in the environment, as a task has them."""
    variables = {
        **LocalSpark(lambda: ["main"]).variables(folder, {"spark.sql.session.timeZone": ZONE}),
        "DATABRICKS_HOST": server.host,
        "DATABRICKS_TOKEN": server.token,
        "MLFLOW_TRACKING_URI": "databricks",
        "MLFLOW_REGISTRY_URI": "databricks-uc",
    }
    before = {name: os.environ.get(name) for name in variables}
    stores = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    os.environ.update(variables)
    from pyspark.sql import SparkSession

    session = SparkSession.builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()
        mlflow.set_tracking_uri(stores[0])
        mlflow.set_registry_uri(stores[1])
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
