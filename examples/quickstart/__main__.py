"""The quickstart stack: the alias that bulk scoring goes by, moved past its gate, and the job that scores."""

from __future__ import annotations

from pathlib import Path

import pulumi

from components.batch_scoring import ROLE, batch_code, batch_scoring_job
from components.config import OBSERVED
from components.config.batch import CONSUMER
from components.dynamic import ModelAlias, ModelAliasArgs
from components.registry import resolve_aliases
from components.stack import connect, load_stack_config
from components.workflow import MlWorkflow, MlWorkflowArgs
from examples.quickstart.config import QuickstartConfig

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
NOTEBOOK = PIPELINES / "quickstart" / "notebooks" / "batch_inference.py"
config = load_stack_config(QuickstartConfig)
versions = resolve_aliases(config.model, connect())
aliases = [
    ModelAlias(
        alias,
        ModelAliasArgs(
            model=config.model.name,
            alias=alias,
            version=versions[alias],
            # No endpoint proves a version here: what its validation wrote on it does.
            requires=config.model.settings_of(alias).requires,
            on_delete=config.model.settings_of(alias).on_delete or config.defaults.alias_on_delete,
        ),
    )
    for alias, stated in config.model.aliases.items()
    if stated != OBSERVED
]
output_table = config.qualified(config.batch.output_table)
alias = config.model.consumers[CONSUMER]
job = batch_scoring_job(
    config.batch,
    name=f"{config.environment}-churn-quickstart-batch",
    notebook=NOTEBOOK,
    model=config.model.name,
    alias=alias,
    input_table=config.qualified(config.batch.input_table),
    output_table=output_table,
    warehouse_id=config.warehouse_id,
    tags=config.tags,
    as_uri=True,
)
args = MlWorkflowArgs(bundle="churn-quickstart", stack=config.environment, jobs={ROLE: job})
code = batch_code(f"{config.batch.folder}/{job.name}", PIPELINES)
workflow = MlWorkflow("quickstart", args, pulumi.ResourceOptions(depends_on=[*aliases, *code]))

pulumi.export("profile", config.profile)
pulumi.export("environment", config.environment)
pulumi.export("modelName", config.model.name)
pulumi.export("modelUri", f"models:/{config.model.name}@{alias}")
pulumi.export("aliases", versions)
pulumi.export(
    "consumers", {who: {"alias": name, "version": versions[name]} for who, name in config.model.consumers.items()}
)
pulumi.export("jobIds", workflow.job_ids)
pulumi.export("predictionsTable", output_table)
