"""The job: two feature tables, the third joined from both and published, the model. And the code of its notebooks."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pulumi

from components import databricks
from components.external_store import ExternalOnlineStoreArgs
from components.job import EnvironmentArgs, JobPermission, WorkflowJobArgs
from components.job_tasks import AfterArgs, NotebookTaskArgs, TaskArgs
from components.workflow import MlWorkflow, MlWorkflowArgs
from examples.titanic.code import PIPELINES, code_of
from examples.titanic.config import OnlinePassengerConfig, PassengerConfig

ROLE = "features"
DEMOGRAPHIC, TICKET, FIT = "passenger_demographic_features", "passenger_ticket_features", "fit_model"
PUBLISH_TO_RDS, PUBLISH_ONLINE = "publish_to_rds", "publish_to_online_store"
NOTEBOOKS = PIPELINES / "titanic" / "notebooks"
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
    args = MlWorkflowArgs(bundle="titanic", stack=config.environment, jobs={ROLE: job})
    code = _code_files(job.tasks, f"{workflow.folder}/{args.name_of(ROLE)}", "" if store is None else store.tls.ca)
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


def _code_files(graph: Sequence[TaskArgs], folder: str, ca: str) -> list[databricks.WorkspaceFile]:
    """The modules that the notebooks import, beside them, and who signs the database's certificate."""
    found = code_of(task.work.source for task in graph if isinstance(task.work, NotebookTaskArgs) and task.work.source)
    if ca:
        found["titanic/ca.pem"] = ca.encode()
    return [
        databricks.WorkspaceFile(
            f"code-{name}", path=f"{folder}/pipelines/{name}", content_base64=base64.b64encode(content).decode()
        )
        for name, content in sorted(found.items())
    ]
