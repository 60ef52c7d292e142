"""The job that answers drift: what it runs, and the code that its notebooks import."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pulumi

from components.job import EnvironmentArgs, WorkflowJobArgs, job_permissions
from components.job_code import code_files
from components.job_tasks import NotebookTaskArgs
from components.monitor import InferenceMonitor
from components.workflow import MlWorkflow, MlWorkflowArgs, drift_response
from examples.churn.config import ChurnConfig, DriftResponseConfig

ROLE = "drift-response"
PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
NOTEBOOKS = PIPELINES / "churn" / "notebooks"
TIMEOUT_SECONDS = 7_200
DATA = ("churn/sql/*.sql",)
OF_THE_RUN = {"run_id": "{{job.run_id}}"}


def make_workflow(config: ChurnConfig, drift: DriftResponseConfig, monitor: InferenceMonitor) -> MlWorkflow:
    """Detection, comparison, retraining: `Drift_detection`, `Check_Violations`, `Model_training`."""
    parameters: dict[str, pulumi.Input[str]] = {
        **drift.parameters(),
        "model": config.model.name,
        "model_id_column": monitor.model_id_column,
        "warehouse_id": config.warehouse_id,
        # From the monitor itself: their names are not guessed.
        "profile_metrics_table": monitor.profile_metrics_table,
        "drift_metrics_table": monitor.drift_metrics_table,
    }
    tasks = drift_response(
        NotebookTaskArgs(source=NOTEBOOKS / "08_drift_detection.py", parameters=OF_THE_RUN),
        NotebookTaskArgs(source=NOTEBOOKS / "02_automl_champion.py"),
    )
    job = WorkflowJobArgs(
        name="",
        tasks=[replace(task, timeout_seconds=TIMEOUT_SECONDS) if task.needs_compute else task for task in tasks],
        computes=[EnvironmentArgs(dependencies=drift.packages)],
        folder=drift.folder,
        parameters={**parameters, "parameter_names": ",".join(sorted(parameters))},
        cron=drift.cron,
        run_as=drift.run_as,
        notify_on_failure=drift.notify_on_failure,
        permissions=job_permissions(config.endpoint.permissions),
        tags=config.endpoint.tags,
    )
    args = MlWorkflowArgs(bundle="churn", stack=config.environment, jobs={ROLE: job})
    code = code_files(NOTEBOOKS.glob("*.py"), PIPELINES, f"{drift.folder}/{args.name_of(ROLE)}", data=DATA)
    return MlWorkflow("churn", args, pulumi.ResourceOptions(depends_on=[monitor, *code]))
