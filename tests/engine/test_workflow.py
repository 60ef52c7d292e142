"""Jobs as a stack makes them, on the real engine, and what they do when they run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient

from tests.support.engine import EngineProject
from tests.support.example import credentials
from tests.support.server import WorkspaceServer
from tests.support.stack_file import configure

DETECT = """# Databricks notebook source
violations = int(dbutils.widgets.get("violations"))
dbutils.jobs.taskValues.set("all_violations_count", violations)
dbutils.notebook.exit(str(violations))
"""
RETRAIN = """import os
from databricks.sdk import WorkspaceClient

print("retrained by", WorkspaceClient().current_user.me().user_name, os.environ.get("DATABRICKS_TOKEN", "")[:0])
"""
PROGRAM = """
import pathlib
import pulumi
from components.job import EnvironmentArgs, JobPermission, WorkflowJobArgs
from components.job_tasks import NotebookTaskArgs, PythonTaskArgs
from components.workflow import MlWorkflow, MlWorkflowArgs, drift_response

violations = pulumi.Config().get("violations") or "0"
workflow = MlWorkflow(
    "churn",
    MlWorkflowArgs(
        bundle="churn",
        stack=pulumi.get_stack(),
        jobs={
            "drift-response": WorkflowJobArgs(
                name="",
                tasks=drift_response(
                    NotebookTaskArgs(source=pathlib.Path("detect.py"), parameters={"violations": violations}),
                    PythonTaskArgs(source=pathlib.Path("retrain.py")),
                ),
                computes=[EnvironmentArgs()],
                folder="/Workspace/Shared/churn",
                permissions=[JobPermission(level="CAN_MANAGE_RUN", group="users")],
            )
        },
    ),
)
pulumi.export("jobId", workflow.job_ids["drift-response"])
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WorkspaceServer]:
    server = WorkspaceServer(tmp_path / "workspace")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def project(server: WorkspaceServer, tmp_path: Path) -> EngineProject:
    folder = tmp_path / "project"
    made = EngineProject.of_program(
        folder, PROGRAM, config={"databricks:host": server.host}, environ=credentials(server)
    )
    (folder / "detect.py").write_text(DETECT)
    (folder / "retrain.py").write_text(RETRAIN)
    return made


def results(client: WorkspaceClient, job_id: int) -> dict[str, str]:
    """The result of every task of a new run of the job."""
    run = client.jobs.run_now(job_id).result()
    return {
        task.task_key or "": str(task.state.result_state.value if task.state and task.state.result_state else "")
        for task in run.tasks or []
    }


def test_drift_response_retrains_only_where_violations_were_counted_and_a_changed_file_is_an_update(
    server: WorkspaceServer, project: EngineProject
) -> None:
    made = project.up()
    assert made.ok, made
    again = project.up()
    assert again.ok, again
    assert again.operations() == []

    client = server.client()
    job_id = int(project.outputs()["jobId"])
    quiet = results(client, job_id)
    assert (quiet["Drift_detection"], quiet["Check_Violations"]) == ("SUCCESS", "SUCCESS")
    assert quiet["Model_training"] == "EXCLUDED"

    configure(project, violations="2")
    changed = project.up()
    assert changed.ok, changed
    assert changed.operations() == [("update", "databricks:index/job:Job")]
    assert results(client, job_id)["Model_training"] == "SUCCESS"

    (project.folder / "detect.py").write_text(DETECT.replace("violations = int", "violations = 0 * int"))
    edited = project.up()
    assert edited.ok, edited
    assert edited.operations() == [("update", "databricks:index/notebook:Notebook")]
    assert results(client, job_id)["Model_training"] == "EXCLUDED"

    gone = project.destroy()
    assert gone.ok, gone
    assert list(client.jobs.list()) == []
    left = [entry.path for entry in client.workspace.list("/Shared/churn", recursive=True)]
    assert [path for path in left if path and not path.endswith("job")] == []
