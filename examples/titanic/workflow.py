"""The job: two feature tables, the third joined from both and published, the model. And the code of its notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pulumi

from components.external_store import ExternalOnlineStoreArgs
from components.job import EnvironmentArgs, WorkflowJobArgs, job_permissions
from components.job_code import code_files
from components.job_tasks import AfterArgs, NotebookTaskArgs, TaskArgs
from components.workflow import MlWorkflow, MlWorkflowArgs
from examples.titanic.config import OnlinePassengerConfig, PassengerConfig

ROLE = "features"
DEMOGRAPHIC, TICKET, FIT = "passenger_demographic_features", "passenger_ticket_features", "fit_model"
PUBLISH_TO_RDS, PUBLISH_ONLINE = "publish_to_rds", "publish_to_online_store"
PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
NOTEBOOKS = PIPELINES / "titanic" / "notebooks"
# What modules read and do not import: statements, and the model, which is logged as code.
DATA = ("titanic/models/*.py", "titanic/sql/*.sql")
MODE = "merge"
TIMEOUT_SECONDS = 7_200


def tasks(publish: str) -> list[TaskArgs]:
    """The tasks of the job; both features come first, fitting last."""
    after_both = [AfterArgs(task=DEMOGRAPHIC), AfterArgs(task=TICKET)]
    graph = [
        TaskArgs(key=DEMOGRAPHIC, work=_notebook(DEMOGRAPHIC)),
        TaskArgs(key=TICKET, work=_notebook(TICKET)),
        TaskArgs(key=publish, work=_notebook(publish), after=after_both),
        TaskArgs(key=FIT, work=_notebook(FIT), after=[AfterArgs(task=publish)]),
    ]
    return [replace(task, timeout_seconds=TIMEOUT_SECONDS) for task in graph]


def make_workflow(
    config: PassengerConfig | OnlinePassengerConfig,
    store: ExternalOnlineStoreArgs | None,
    *,
    depends_on: Sequence[pulumi.Resource] = (),
) -> MlWorkflow:
    """The job of the stack.

    Args:
        store: that the third table is published to; None publishes to the online store.
        depends_on: what its tasks need: the secrets.
    """
    workflow = config.workflow
    parameters: dict[str, pulumi.Input[str]] = {
        "catalog": config.catalog,
        "schema": config.schema_name,
        "warehouse_id": config.warehouse_id,
        "experiment": workflow.experiment,
        **_target(config, store),
    }
    job = WorkflowJobArgs(
        name="",
        tasks=tasks(PUBLISH_ONLINE if store is None else PUBLISH_TO_RDS),
        computes=[EnvironmentArgs(dependencies=workflow.packages)],
        folder=workflow.folder,
        parameters=parameters,
        cron=workflow.cron,
        paused=workflow.paused,
        run_as=workflow.run_as,
        notify_on_failure=workflow.notify_on_failure,
        permissions=job_permissions(config.endpoint.permissions),
        tags=config.endpoint.tags,
    )
    args = MlWorkflowArgs(bundle="titanic", stack=config.environment, jobs={ROLE: job})
    ca = "" if store is None else store.tls.ca
    code = code_files(
        [NOTEBOOKS / f"{task.key}.py" for task in job.tasks],
        PIPELINES,
        f"{workflow.folder}/{args.name_of(ROLE)}",
        data=DATA,
        # Who signs the database's certificate.
        more={"titanic/ca.pem": ca.encode()} if ca else {},
    )
    return MlWorkflow("titanic", args, pulumi.ResourceOptions(depends_on=[*depends_on, *code]))


def _target(
    config: PassengerConfig | OnlinePassengerConfig, store: ExternalOnlineStoreArgs | None
) -> Mapping[str, pulumi.Input[str]]:
    """Where the third table goes, as parameters; no secret is among them."""
    if store is not None:
        return {**store.spec, "mode": MODE}
    assert isinstance(config, OnlinePassengerConfig)  # noqa: S101 - without a store there is an online store
    (table,) = config.feature_tables
    return {
        "online_store": config.online_store.name,
        "online_table": config.qualified(table.online_name or f"{table.source}_online"),
    }


def _notebook(name: str) -> NotebookTaskArgs:
    return NotebookTaskArgs(source=NOTEBOOKS / f"{name}.py")
