"""Lakebase resources on the real engine and the embedded workspace: up, nothing to change, destroy leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import EngineProject
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse

PROGRAM = """
import pulumi
import pulumi_databricks as databricks

project = databricks.PostgresProject(
    "shop", project_id="shop", spec={"display_name": "Shop", "pg_version": 17}
)
branch = databricks.PostgresBranch(
    "production",
    parent=project.name,
    branch_id="production",
    replace_existing=True,
    spec={"is_protected": False, "no_expiry": True},
)
reader = databricks.PostgresEndpoint(
    "reads", parent=branch.name, endpoint_id="reads", spec={"endpoint_type": "ENDPOINT_TYPE_READ_ONLY"}
)
table = databricks.PostgresSyncedTable(
    "features",
    synced_table_id="main.default.features_synced",
    spec={
        "branch": branch.name,
        "postgres_database": "databricks_postgres",
        "primary_key_columns": ["k"],
        "scheduling_policy": "TRIGGERED",
        "source_table_full_name": "main.default.features",
    },
)
pulumi.export("table", table.name)
pulumi.export("status", table.status)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WorkspaceServer]:
    running = WorkspaceServer(tmp_path / "workspace")
    running.start()
    yield running
    running.kill()


def test_a_synced_table_comes_up_stays_and_goes(server: WorkspaceServer, tmp_path: Path) -> None:
    client = server.client()
    if "default" not in {schema.name for schema in client.schemas.list("main")}:
        client.schemas.create("default", "main")
    Warehouse(client, "main", "default").execute(
        "CREATE TABLE features (k INT, v STRING) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    project = EngineProject.of_program(
        tmp_path / "project",
        PROGRAM,
        config={"databricks:host": server.host},
        environ={"DATABRICKS_TOKEN": server.token},
    )
    outcome = project.up()
    assert outcome.ok, str(outcome)
    assert project.outputs()["table"] == "synced_tables/main.default.features_synced"
    status = client.postgres.get_synced_table("synced_tables/main.default.features_synced").status
    assert status is not None
    assert status.pipeline_id == project.outputs()["status"]["pipeline_id"]
    again = project.up("--refresh")
    assert again.ok, str(again)
    assert [step for step in again.operations() if step[0] != "refresh"] == []
    gone = project.destroy()
    assert gone.ok, str(gone)
    assert list(client.postgres.list_projects()) == []
    assert list(client.pipelines.list_pipelines()) == []
    assert "features_synced" not in {table.name for table in client.tables.list("main", "default")}
