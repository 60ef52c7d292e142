"""The job that compares the two versions behind the endpoint, and the code that its notebook imports."""

from __future__ import annotations

from pathlib import Path

import pulumi

from components.job import EnvironmentArgs, WorkflowJobArgs, job_permissions
from components.job_code import code_files
from components.job_tasks import NotebookTaskArgs, TaskArgs
from components.monitor import InferenceMonitor
from components.workflow import MlWorkflow, MlWorkflowArgs
from examples.churn.config import AbTestConfig, ChurnConfig

ROLE = "ab-test"
TASK = "Ab_result"
PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
NOTEBOOK = PIPELINES / "ab_test" / "notebooks" / "ab_result.py"
TIMEOUT_SECONDS = 3_600


def make_ab_test(config: ChurnConfig, test: AbTestConfig, monitor: InferenceMonitor) -> MlWorkflow:
    """`<stack>-churn-ab-test-job`: the two upper rungs of the ladder, by the labels of the monitored table."""
    contender, incumbent = config.model.ladder[-2:]
    parameters: dict[str, pulumi.Input[str]] = {
        **test.parameters(),
        "model": config.model.name,
        "incumbent_alias": incumbent,
        "contender_alias": contender,
        "table": monitor.monitor_table,
        "label": str(config.monitor and config.monitor.label_column),
        "warehouse_id": config.warehouse_id,
    }
    job = WorkflowJobArgs(
        name="",
        tasks=[TaskArgs(key=TASK, work=NotebookTaskArgs(source=NOTEBOOK), timeout_seconds=TIMEOUT_SECONDS)],
        computes=[EnvironmentArgs(dependencies=test.packages)],
        folder=test.folder,
        parameters={**parameters, "parameter_names": ",".join(sorted(parameters))},
        cron=test.cron,
        run_as=test.run_as,
        notify_on_failure=test.notify_on_failure,
        permissions=job_permissions(config.endpoint.permissions),
        tags=config.endpoint.tags,
    )
    args = MlWorkflowArgs(bundle="churn", stack=config.environment, jobs={ROLE: job})
    code = code_files([NOTEBOOK], PIPELINES, f"{test.folder}/{args.name_of(ROLE)}", prefix="ab-test")
    return MlWorkflow("churn-comparing", args, pulumi.ResourceOptions(depends_on=[monitor, *code]))
