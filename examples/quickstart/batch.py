"""The job that scores the table, and the code that its notebook imports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pulumi

from components.batch_scoring import ROLE, batch_scoring_job
from components.config.batch import CONSUMER
from components.job_code import code_files
from components.workflow import MlWorkflow, MlWorkflowArgs
from examples.quickstart.config import QuickstartConfig

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
NOTEBOOK = PIPELINES / "quickstart" / "notebooks" / "batch_inference.py"


def make_batch(config: QuickstartConfig, depends_on: Sequence[pulumi.Resource] = ()) -> MlWorkflow:
    """`<stack>-churn-quickstart-batch`, told the model by its address: `models:/<model>@<alias>`."""
    job = batch_scoring_job(
        config.batch,
        name=f"{config.environment}-churn-quickstart-batch",
        notebook=NOTEBOOK,
        model=config.model.name,
        alias=config.model.consumers[CONSUMER],
        as_uri=True,
        input_table=config.qualified(config.batch.input_table),
        output_table=config.qualified(config.batch.output_table),
        warehouse_id=config.warehouse_id,
        tags=config.tags,
    )
    code = code_files([NOTEBOOK], PIPELINES, f"{config.batch.folder}/{job.name}", prefix="batch")
    args = MlWorkflowArgs(bundle="churn-quickstart", stack=config.environment, jobs={ROLE: job})
    return MlWorkflow("quickstart", args, pulumi.ResourceOptions(depends_on=[*depends_on, *code]))
