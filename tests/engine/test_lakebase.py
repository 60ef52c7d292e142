"""Lakebase resources on the real engine and the embedded workspace: up, nothing to change, destroy leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import EngineProject
from tests.support.server import WorkspaceServer
from tests.support.stack_file import configure
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


COMPONENT = """
import pulumi
from components.lakebase import LakebaseStore, LakebaseStoreArgs
from components.online_table import FeatureOnlineTable, FeatureOnlineTableArgs, LakebaseTargetArgs

settings = pulumi.Config()
store = LakebaseStore("shop", LakebaseStoreArgs(project_id="shop"))
table = FeatureOnlineTable(
    "features",
    FeatureOnlineTableArgs(
        source_table="main.default.features",
        lakebase=LakebaseTargetArgs(branch=store.branch),
        primary_keys=["k"],
        triggers={"version": settings.get("version") or "1"},
        max_commit_age_seconds=float(settings.get("maxAge") or "3600"),
        poll_seconds=0.1,
        timeout_seconds=60,
    ),
)
pulumi.export("state", table.state)
pulumi.export("table", table.online_table)
"""


def synced_version(server: WorkspaceServer) -> int:
    status = server.client().postgres.get_synced_table("synced_tables/main.default.features_online").status
    assert status is not None
    assert status.last_processed_commit_version is not None
    return status.last_processed_commit_version


def test_a_feature_table_in_lakebase_is_checked_waited_for_and_synced_again_by_its_trigger(
    server: WorkspaceServer, tmp_path: Path
) -> None:
    client = server.client()
    if "default" not in {schema.name for schema in client.schemas.list("main")}:
        client.schemas.create("default", "main")
    warehouse = Warehouse(client, "main", "default")
    warehouse.execute("CREATE TABLE features (k INT, v STRING) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
    project = EngineProject.of_program(
        tmp_path / "project",
        COMPONENT,
        config={"databricks:host": server.host},
        environ={"DATABRICKS_TOKEN": server.token},
    )
    refused = project.preview()
    assert refused.exit_code != 0, refused
    assert "PRIMARY KEY" in refused.text, refused

    warehouse.execute("DROP TABLE features")
    warehouse.execute(
        "CREATE TABLE features (k INT NOT NULL, v STRING, CONSTRAINT features_key PRIMARY KEY (k)) "
        "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    warehouse.execute("INSERT INTO features VALUES (1, 'a')")
    made = project.up()
    assert made.ok, made
    assert project.outputs()["state"] == "ONLINE_NO_PENDING_UPDATE"
    first = synced_version(server)
    again = project.up()
    assert again.ok, again
    assert again.operations() == []

    warehouse.execute("INSERT INTO features VALUES (2, 'b')")
    assert synced_version(server) == first
    configure(project, version="2")
    synced = project.up()
    assert synced.ok, synced
    assert synced.operations() == [("update", "pulumi-python:dynamic/serving:SyncedTable")]
    assert synced_version(server) == first + 1

    configure(project, version="3", maxAge="0.001")
    stale = project.up()
    assert stale.exit_code != 0, stale
    assert "expected at most 0.001 s" in stale.text, stale

    gone = project.destroy()
    assert gone.ok, gone
    assert list(client.postgres.list_projects()) == []
