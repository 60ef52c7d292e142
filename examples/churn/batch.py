"""The job that scores customers in bulk, and the code that its notebook imports."""

from __future__ import annotations

from pathlib import Path

import pulumi

from components.batch_scoring import ROLE, batch_scoring_job
from components.config.batch import CONSUMER, BatchConfig
from components.job import job_permissions
from components.job_code import code_files
from components.workflow import MlWorkflow, MlWorkflowArgs
from examples.churn.config import ChurnConfig

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
NOTEBOOK = PIPELINES / "batch_scoring" / "notebooks" / "batch_scoring.py"


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
        permissions=job_permissions(config.endpoint.permissions),
        tags=config.endpoint.tags,
    )
    args = MlWorkflowArgs(bundle="churn", stack=config.environment, jobs={ROLE: job})
    code = code_files([NOTEBOOK], PIPELINES, f"{batch.folder}/{job.name}", prefix="batch")
    return MlWorkflow("churn-scoring", args, pulumi.ResourceOptions(depends_on=code))
