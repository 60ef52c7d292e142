"""The job that answers drift: what it runs, and the code that its notebooks import."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pulumi

from components import databricks
from components.job import EnvironmentArgs, JobPermission, WorkflowJobArgs
from components.job_tasks import NotebookTaskArgs
from components.monitor import InferenceMonitor
from components.workflow import MlWorkflow, MlWorkflowArgs, drift_response
from examples.churn.config import ChurnConfig, DriftResponseConfig

ROLE = "drift-response"
PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
NOTEBOOKS = PIPELINES / "churn" / "notebooks"
TIMEOUT_SECONDS = 7_200
_CODE = ("*.py", "validation/*.py", "churn/*.py", "churn/sql/*.sql")


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
        NotebookTaskArgs(source=NOTEBOOKS / "08_drift_detection.py"),
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
        permissions=[
            JobPermission(
                level="CAN_MANAGE" if entry.level == "CAN_MANAGE" else "CAN_VIEW",
                group=entry.group,
                user=entry.user,
                service_principal=entry.service_principal,
            )
            for entry in config.endpoint.permissions
        ],
        tags=config.endpoint.tags,
    )
    args = MlWorkflowArgs(bundle="churn", stack=config.environment, jobs={ROLE: job})
    code = _code_files(f"{drift.folder}/{args.name_of(ROLE)}")
    return MlWorkflow("churn", args, pulumi.ResourceOptions(depends_on=[monitor, *code]))


def _code_files(folder: str) -> list[databricks.WorkspaceFile]:
    """The modules that the notebooks import, beside them: a notebook's own folder is on its path."""
    found = [path for pattern in _CODE for path in PIPELINES.glob(pattern)]
    return [
        databricks.WorkspaceFile(
            f"code-{path.relative_to(PIPELINES).as_posix()}",
            path=f"{folder}/pipelines/{path.relative_to(PIPELINES).as_posix()}",
            content_base64=base64.b64encode(path.read_bytes()).decode(),
        )
        for path in sorted(found)
        if path.name != "__main__.py"
    ]
