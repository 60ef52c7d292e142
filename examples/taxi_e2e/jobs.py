"""The registered model and the four jobs around it, with the code that their notebooks import."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components import databricks
from components.job import ClusterArgs, EnvironmentArgs, JobPermission, WorkflowJobArgs
from components.job_code import code_files
from components.job_tasks import AfterArgs, NotebookTaskArgs, TaskArgs
from components.model_registration import ModelRegistration, ModelRegistrationArgs
from components.workflow import MlWorkflow, MlWorkflowArgs
from examples.taxi_e2e.config import TaxiE2eConfig

FEATURES, TRAINING, BATCH, MONITORING = "feature-engineering", "model-training", "batch-inference", "monitoring"
ROLES = (FEATURES, TRAINING, BATCH, MONITORING)
PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
NOTEBOOKS = PIPELINES / "taxi_e2e" / "notebooks"
# What their modules read beside themselves.
DATA = ("taxi/zones.csv", "taxi_e2e/locations.csv", "taxi_e2e/sql/*.sql")


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What makes versions: there before any of them is."""

    registration: ModelRegistration
    workflow: MlWorkflow


def make_workshop(config: TaxiE2eConfig) -> Workshop:
    """Experiment, registered model, grants, notebooks with their code, and the four jobs."""
    registration = ModelRegistration(
        "taxi-fare-model",
        ModelRegistrationArgs(
            model=config.model.name,
            comment=config.registration.comment,
            experiment=config.registration.experiment,
            # The endpoint's own grant is for the same principal: what is stated here must not take it away.
            grants={config.serving_principal: ["EXECUTE"], **config.registration.grants},
            protect=config.environment == "prod",
        ),
    )
    _grant_readers(config)
    files = [
        *_notebooks(config.jobs.folder),
        *code_files(NOTEBOOKS.glob("*.py"), PIPELINES, config.jobs.folder, data=DATA),
    ]
    workflow = MlWorkflow(
        "taxi-fare",
        workflow_args(config),
        pulumi.ResourceOptions(depends_on=[registration, *files]),
    )
    return Workshop(registration=registration, workflow=workflow)


def workflow_args(config: TaxiE2eConfig) -> MlWorkflowArgs:
    """The jobs, named `<stack>-<bundle>-<role>-job`. Batch inference and monitoring wait while nothing is served."""
    jobs, serving = config.jobs, config.stage == "serving"
    limits = jobs.thresholds
    return MlWorkflowArgs(
        bundle=config.bundle_name,
        stack=config.environment,
        tags=config.endpoint.tags,
        jobs={
            FEATURES: _job(
                config,
                FEATURES,
                [_task(config, "GenerateAndWriteFeatures")],
                {"force": "false", "online_store": config.online_store.name},
                cron=jobs.feature_cron,
            ),
            TRAINING: _job(
                config,
                TRAINING,
                [
                    _task(config, "Train", notebook="TrainWithFeatureStore"),
                    _task(
                        config,
                        "ModelValidation",
                        after="Train",
                        parameters={"model_version": "{{tasks.Train.values.model_version}}"},
                    ),
                ],
                {
                    "force": "false",
                    "seed": str(jobs.seed),
                    "n_estimators": str(jobs.trees),
                    "max_rmse": f"{limits.max_rmse:g}",
                    "max_mae": f"{limits.max_mae:g}",
                    "least_within_fifth": f"{limits.least_within_fifth:g}",
                    "may_lose": f"{limits.may_lose:g}",
                },
            ),
            BATCH: _job(
                config,
                BATCH,
                [_task(config, "BatchInference", parameters={"run_id": "{{job.run_id}}"})],
                {"model_version": "", "engine": jobs.batch_engine},
                cron=jobs.batch_cron,
                paused=not serving,
            ),
            MONITORING: _job(
                config,
                MONITORING,
                [_task(config, "Monitoring")],
                {"monitored_tables": ",".join(monitored_tables(config))},
                cron=jobs.monitoring_cron,
                paused=not serving,
            ),
        },
    )


def monitored_tables(config: TaxiE2eConfig) -> list[str]:
    """Tables with a monitor: the unpacked requests, then features. Stated, so that both stages declare one job."""
    tables = []
    if config.monitor is not None and config.endpoint.inference_table is not None:
        place = config.endpoint.inference_table
        name = config.monitor.table or f"{place.prefix}_unpacked"
        catalog, schema = place.catalog or config.catalog, place.schema_name or config.schema_name
        tables.append(config.qualified(name) if config.monitor.table else f"{catalog}.{schema}.{name}")
    if config.feature_monitor is not None:
        tables.append(config.qualified(config.feature_monitor.table))
    return tables


def _job(
    config: TaxiE2eConfig,
    role: str,
    tasks: Sequence[TaskArgs],
    parameters: Mapping[str, str],
    *,
    cron: str | None = None,
    paused: bool = False,
) -> WorkflowJobArgs:
    jobs = config.jobs
    return WorkflowJobArgs(
        name="",
        tasks=tasks,
        computes=[_compute(config, role)],
        parameters={
            "catalog": config.catalog,
            "schema": config.schema_name,
            "raw_table": config.qualified(config.raw_table),
            "model": config.model.name,
            "experiment": config.registration.experiment,
            "warehouse_id": config.warehouse_id,
            # Whoever starts a run by hand says which commit was deployed.
            "git_commit": "",
            **parameters,
        },
        cron=cron,
        paused=paused,
        run_as=jobs.run_as,
        notify_on_failure=jobs.notify_on_failure,
        permissions=[
            JobPermission(
                level=entry.level,
                group=entry.group,
                user=entry.user,
                service_principal=entry.service_principal,
            )
            for entry in jobs.permissions
        ],
    )


def _compute(config: TaxiE2eConfig, role: str) -> ClusterArgs | EnvironmentArgs:
    cluster = config.jobs.cluster
    if cluster is None:
        return EnvironmentArgs(dependencies=config.jobs.packages)
    return ClusterArgs(
        key=f"{role.replace('-', '_')}_cluster",
        spark_version=cluster.spark_version,
        node_type_id=cluster.node_type_id,
        num_workers=cluster.num_workers,
        max_workers=cluster.max_workers,
        packages=config.jobs.packages,
    )


def _task(
    config: TaxiE2eConfig,
    key: str,
    *,
    notebook: str | None = None,
    after: str | None = None,
    parameters: Mapping[str, str] | None = None,
) -> TaskArgs:
    return TaskArgs(
        key=key,
        work=NotebookTaskArgs(path=f"{config.jobs.folder}/{notebook or key}", parameters=parameters or {}),
        after=[] if after is None else [AfterArgs(task=after)],
        timeout_seconds=config.jobs.timeout_seconds,
    )


def _grant_readers(config: TaxiE2eConfig) -> None:
    """USE SCHEMA and SELECT, and nothing else: features, predictions and metrics may be looked at, not changed."""
    for principal in config.readers:
        databricks.Grant(
            f"readers-{principal}",
            schema=f"{config.catalog}.{config.schema_name}",
            principal=principal,
            privileges=["SELECT", "USE_SCHEMA"],
        )


def _notebooks(folder: str) -> list[databricks.Notebook]:
    """All notebooks in one folder, so that the code that they import is beside each of them, once."""
    return [
        databricks.Notebook(
            f"notebook-{path.stem}",
            path=f"{folder}/{path.stem}",
            language="PYTHON",
            content_base64=base64.b64encode(path.read_bytes()).decode(),
        )
        for path in sorted(NOTEBOOKS.glob("*.py"))
    ]
