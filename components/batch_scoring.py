"""The job that scores a table in bulk: a notebook on a cluster, told which model, which tables and which run it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .config.batch import BatchConfig
from .job import ClusterArgs, JobPermission, WorkflowJobArgs
from .job_tasks import NotebookTaskArgs, TaskArgs

ROLE = "batch"
"""Of the job, in workflows and outputs."""
TASK = "Batch_scoring"
TIMEOUT_SECONDS = 4 * 3_600
# Known when a run starts. A repaired run is the same run with the same start: its rows take the place of its own.
OF_THE_RUN: Mapping[str, str] = {"run_id": "{{job.run_id}}", "moment": "{{job.start_time.iso_datetime}}"}


def batch_scoring_job(
    batch: BatchConfig,
    *,
    name: str,
    notebook: Path,
    model: str,
    alias: str,
    input_table: str,
    output_table: str,
    warehouse_id: str,
    permissions: Sequence[JobPermission] = (),
    tags: Mapping[str, str] | None = None,
    as_uri: bool = False,
) -> WorkflowJobArgs:
    """One task on one cluster.

    Args:
        batch: the stack file's section.
        name: of the job.
        notebook: local file of the task; it gets every parameter as a widget, and their names as `parameter_names`.
        model: `catalog.schema.model`; `alias` says which of its versions, resolved anew by each run.
        input_table: three-part name, as `output_table`.
        warehouse_id: makes the output table and counts in it.
        permissions: who may see, run or manage the job.
        tags: of the job.
        as_uri: tell the notebook one address, `models:/<model>@<alias>` (parameter `model_uri`), in the place of both.
    """
    parameters = {
        **({"model_uri": f"models:/{model}@{alias}"} if as_uri else {"model": model, "alias": alias}),
        "input_table": input_table,
        "output_table": output_table,
        "result_type": batch.result_type,
        "prediction_column": batch.prediction_column,
        "broadcast": str(batch.broadcast).lower(),
        "warehouse_id": warehouse_id,
    }
    names = ",".join(sorted([*parameters, *OF_THE_RUN]))
    cluster = ClusterArgs(
        key="scoring",
        spark_version=batch.cluster.spark_version,
        node_type_id=batch.cluster.node_type_id,
        num_workers=batch.cluster.workers,
        max_workers=batch.cluster.max_workers,
        spark_conf=batch.cluster.settings(),
        packages=batch.packages,
    )
    work = NotebookTaskArgs(source=notebook, parameters={**OF_THE_RUN, "parameter_names": names})
    return WorkflowJobArgs(
        name=name,
        tasks=[TaskArgs(key=TASK, work=work, timeout_seconds=TIMEOUT_SECONDS)],
        computes=[cluster],
        folder=batch.folder,
        parameters=parameters,
        cron=batch.cron,
        run_as=batch.run_as,
        notify_on_failure=batch.notify_on_failure,
        permissions=permissions,
        tags=tags or {},
    )
