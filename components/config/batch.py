"""How a model scores a table: rows in, rows out, the cluster that does it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .fields import Cron, Email, Filled, Section

CONSUMER = "batch"
"""Entry of `model.consumers` that says which alias bulk scoring goes by."""
DELTA_CACHE = "spark.databricks.io.cache.enabled"


class ClusterConfig(Section):
    """The cluster of a run: with an ML runtime, large enough for the rows (docs/scale.md)."""

    spark_version: Filled = Field(
        default="17.3.x-cpu-ml-scala2.13", description="Databricks Runtime for machine learning."
    )
    node_type_id: Filled = Field(description="Machine type of the cloud, such as Standard_D4s_v3 or i3.xlarge.")
    workers: int = Field(default=1, ge=0, description="How many workers, at least.")
    max_workers: int | None = Field(
        default=None, ge=1, description="How many it may grow to; it does not when left out."
    )
    delta_cache: bool = Field(default=True, description="Keep what is read from Delta on the workers' disks.")
    spark_conf: dict[str, str] = Field(default_factory=dict, description="Further settings of Spark.")

    def settings(self) -> dict[str, str]:
        """`spark_conf` as the cluster gets it; what is stated wins."""
        return {DELTA_CACHE: str(self.delta_cache).lower(), **self.spark_conf}


class BatchConfig(Section):
    """A job that scores a table and appends the answers, with version, alias and time."""

    input_table: Filled = Field(description="Whom to score: the columns that a caller of the endpoint sends.")
    output_table: Filled = Field(description="Where answers are appended; made by the first run, partitioned by day.")
    result_type: Literal["string", "double", "float", "long", "int", "boolean"] = Field(
        default="string", description="Type of a prediction."
    )
    prediction_column: Filled = Field(default="prediction", description="Column of predictions; monitors read it.")
    broadcast: bool = Field(default=False, description="Send feature tables to every worker: for small ones only.")
    cluster: ClusterConfig
    packages: list[Filled] = Field(
        default_factory=list, description="Installed on the cluster beside its runtime, pinned: mlflow==3.17.2."
    )
    folder: str = Field(pattern="^/", description="Workspace folder of the notebook and its code, from the root.")
    cron: Cron | None = Field(default=None, description="Quartz expression, UTC; on demand only when left out.")
    run_as: Filled | None = Field(default=None, description="Application id of a service principal.")
    notify_on_failure: list[Email] = Field(default_factory=list, description="Who hears of failed runs.")
