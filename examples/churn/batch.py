"""The job that scores customers in bulk, and the code that its notebook imports."""

from __future__ import annotations

import base64
from pathlib import Path

import pulumi

from components import databricks
from components.batch_scoring import ROLE, batch_scoring_job
from components.config.batch import CONSUMER, BatchConfig
from components.job import JobPermission
from components.workflow import MlWorkflow, MlWorkflowArgs
from examples.churn.config import ChurnConfig

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
NOTEBOOK = PIPELINES / "batch_scoring" / "notebooks" / "batch_scoring.py"
# Modules that the notebook imports, directly or through others.
CODE = (
    *("__init__.py", "errors.py", "progress.py", "sql.py", "feature_model.py", "on_demand.py"),
    "batch_scoring/*.py",
)


def make_batch(config: ChurnConfig, batch: BatchConfig) -> MlWorkflow:
    """`<stack>-churn-batch`, by the alias that `model.consumers.batch` names."""
    job = batch_scoring_job(
        batch,
        name=f"{config.environment}-churn-batch",
        notebook=NOTEBOOK,
        model=config.model.name,
        alias=config.model.consumers[CONSUMER],
        input_table=config.qualified(batch.input_table),
        output_table=config.qualified(batch.output_table),
        warehouse_id=config.warehouse_id,
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
    code = batch_code(f"{batch.folder}/{job.name}")
    return MlWorkflow("churn-scoring", args, pulumi.ResourceOptions(depends_on=code))


def batch_code(folder: str) -> list[pulumi.Resource]:
    """The modules beside the notebook: its own folder is on its path."""
    return [
        databricks.WorkspaceFile(
            f"batch-{path.relative_to(PIPELINES).as_posix()}",
            path=f"{folder}/pipelines/{path.relative_to(PIPELINES).as_posix()}",
            content_base64=base64.b64encode(path.read_bytes()).decode(),
        )
        for path in sorted(path for pattern in CODE for path in PIPELINES.glob(pattern))
    ]
