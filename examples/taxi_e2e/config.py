"""The schema of this project's stack files: what all serving stacks have, and the jobs around the model.

Much of `model` and `endpoint` comes from the endpoint's JSON (`servingConfig`); what a stack file says itself counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, model_validator

from components.config import StackConfig
from components.config.alerts import DriftConfig
from components.config.fields import Cron, Email, Filled, Section
from components.config.rules import rule
from components.config.serving_json import load_serving_json, merged
from components.job import JobPermissionLevel
from components.model_registration import ModelPrivilege

DEFAULT_PACKAGES = ("mlflow==3.17.2", "databricks-sdk==0.156.0", "scikit-learn==1.7.2", "pandas==2.3.3")
QUERIES = ("single", "batch")


class ClusterConfig(Section):
    """A cluster for each job, as long as a run takes."""

    spark_version: Filled = Field(default="17.1.x-cpu-ml-scala2.12", description="Databricks Runtime ML.")
    node_type_id: Filled = Field(default="Standard_D4s_v3", description="Machine type of the cloud.")
    num_workers: int = Field(default=2, ge=0)
    max_workers: int | None = Field(default=None, ge=1, description="How far it may grow; it does not when left out.")


class ThresholdsConfig(Section):
    """What a version must keep to before it may serve, on trips that it has not seen."""

    max_rmse: float = Field(default=3.5, gt=0, description="Dollars.")
    max_mae: float = Field(default=1.75, gt=0, description="Dollars.")
    least_within_fifth: float = Field(default=0.7, ge=0, le=1, description="Share of fares predicted within 20 %.")
    may_lose: float = Field(default=0.25, ge=0, description="Dollars of RMSE above the champion's, same trips.")


class JobPermissionConfig(Section):
    """Who may see, run or change the jobs."""

    level: JobPermissionLevel
    group: Filled | None = None
    user: Filled | None = None
    service_principal: Filled | None = Field(default=None, description="Application id of the service principal.")

    @rule()
    def _one_principal(self) -> None:
        if sum(value is not None for value in (self.group, self.user, self.service_principal)) != 1:
            raise ValueError("names no principal or several; set exactly one of `group`, `user` and `servicePrincipal`")


class JobsConfig(Section):
    """The four jobs: where they run, when, and who may see them."""

    folder: str = Field(pattern="^/", description="Workspace folder of the notebooks and their code, from the root.")
    cluster: ClusterConfig | None = Field(default=None, description="Serverless compute when left out.")
    packages: list[Filled] = Field(
        default_factory=lambda: list(DEFAULT_PACKAGES), min_length=1, description="What they run with, pinned."
    )
    feature_cron: Cron = Field(default="0 0 3 * * ?", description="Quartz expression, UTC: features.")
    batch_cron: Cron = Field(default="0 0 5 * * ?", description="Quartz expression, UTC: batch inference.")
    monitoring_cron: Cron = Field(default="0 0 6 * * ?", description="Quartz expression, UTC: monitoring.")
    batch_engine: Literal["spark", "process"] = Field(
        default="spark", description="Where rows are scored: on Spark, or in the task's own process, for small data."
    )
    timeout_seconds: int = Field(default=7_200, ge=60, description="Of one try of one task.")
    run_as: Filled | None = Field(default=None, description="Application id of a service principal.")
    notify_on_failure: list[Email] = Field(default_factory=list)
    permissions: list[JobPermissionConfig] = Field(default_factory=list)
    seed: int = Field(default=7, description="Of the model.")
    trees: int = Field(default=100, ge=1, description="Of the random forest.")
    thresholds: ThresholdsConfig = ThresholdsConfig()


class RegistrationConfig(Section):
    """The registered model and the experiment of its training runs."""

    comment: Filled = Field(description="What it predicts, from what, and whom to ask.")
    experiment: str = Field(pattern="^/", description="Workspace path of the MLflow experiment.")
    grants: dict[str, list[ModelPrivilege]] = Field(
        default_factory=dict, description="Principal to privileges, beside EXECUTE of servingPrincipal."
    )


class FeatureMonitorConfig(Section):
    """The monitor on a feature table, and the alert on its drift."""

    table: Filled = Field(description="Table; in the stack's catalog and schema unless it has three parts.")
    timestamp_column: Filled = "as_of"
    granularities: list[Filled] = Field(default_factory=lambda: ["1 day"], min_length=1)
    assets_dir: str = Field(pattern="^/", description="Workspace folder for the monitor's dashboard.")
    cron: Cron | None = Field(
        default=None, description="Quartz expression, UTC; with the monitoring job when left out."
    )
    drift: dict[str, DriftConfig] = Field(default_factory=dict, description="Alerts on its drift metrics table.")


class PayloadsConfig(Section):
    """Files with the requests that prove a deployment; they become smoke queries."""

    single: Filled = "serving/config/test_single_prediction.json"
    batch: Filled = "serving/config/test_batch_predictions.json"


class TaxiE2eConfig(StackConfig):
    """A stack file of this project."""

    stage: Literal["auto", "jobs", "serving"] = Field(
        default="serving",
        description=(
            "`jobs`: experiment, model and jobs, while no version is there to serve. `serving`: everything. `auto`: "
            "the one or the other, by whether a version is there that may be served; not in prod."
        ),
    )
    serving_config: Filled | None = Field(
        default=None, description="JSON file of the endpoint, relative to the project; this file counts over it."
    )
    test_payloads: PayloadsConfig = PayloadsConfig()
    bundle_name: Filled = Field(default="mlops_stacks_gcp_fs", description="Part of every job's name.")
    raw_table: Filled = Field(description="Raw trips; in the stack's catalog and schema unless it has three parts.")
    readers: list[Filled] = Field(default_factory=list, description="Principals that may read the schema's tables.")
    registration: RegistrationConfig
    jobs: JobsConfig
    feature_monitor: FeatureMonitorConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_its_files(cls, values: Any, info: ValidationInfo) -> Any:
        """The endpoint's JSON below the stack file, and a smoke query for each payload."""
        if not isinstance(values, dict):
            return values
        joined = dict(values)
        if isinstance(file := values.get("servingConfig"), str):
            joined = merged(load_serving_json(Path(file)), joined)
        payloads = values.get("testPayloads") or {}
        smoke = dict(joined.get("smoke") or {})
        if isinstance(payloads, dict) and isinstance(smoke.get("queries", []), list):
            named = PayloadsConfig.model_validate(payloads)
            queries = [_query(name, getattr(named, name)) for name in QUERIES]
            smoke["queries"] = [*queries, *smoke.get("queries", [])]
        return {**joined, "smoke": smoke}

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if self.environment == "prod" and (self.monitor is None or self.feature_monitor is None):
            yield "monitor, featureMonitor: what serves in prod is watched from its first day; add both"
        if self.environment == "prod" and self.stage == "auto":
            yield "stage: auto leaves it to the registry whether prod has an endpoint; write jobs or serving"
        if "champion" not in self.model.aliases:
            yield "model.aliases: the jobs compare with and score by the alias champion; give it a version"


def _query(name: str, file: str) -> dict[str, Any]:
    try:
        payload = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"testPayloads.{name}: {file} holds no request: {error}") from None
    records = payload.get("dataframe_records") if isinstance(payload, dict) else None
    least = 2 if name == "batch" else 1
    if not isinstance(records, list) or len(records) < least:
        raise ValueError(f"testPayloads.{name}: {file} needs dataframe_records, a list of {least} or more")
    return {"name": name, "payload": payload, "expect": {"predictions": len(records), "schema": {".": "number"}}}
