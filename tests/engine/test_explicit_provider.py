"""Components below an explicit provider: everything of theirs is in its workspace, whatever the environment names.

The program is a library user's: another project, components in a loop, a provider of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import EngineProject
from tests.support.rest_stub import TOKEN, RestStub, running
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse

PROGRAM = """
import pulumi
import pulumi_databricks as databricks
from components.online_store import FeatureOnlineStore, FeatureOnlineStoreArgs
from components.online_table import FeatureOnlineTable, FeatureOnlineTableArgs

settings = pulumi.Config()
there = databricks.Provider("there", host=settings.require("host"), token=settings.require_secret("token"))
below = pulumi.ResourceOptions(provider=there)
store = FeatureOnlineStore("features", FeatureOnlineStoreArgs(name="features"), below)
tables = {
    name: FeatureOnlineTable(
        name,
        FeatureOnlineTableArgs(
            source_table=f"main.default.{name}",
            online_store=store.store_name,
            primary_keys=["k"],
            publish_mode=mode,
            readers=["sp-apps"],
            poll_seconds=0.1,
            timeout_seconds=60,
        ),
        below,
    )
    for name, mode in {"pickups": "TRIGGERED", "dropoffs": "SNAPSHOT"}.items()
}
pulumi.export("states", {name: table.state for name, table in tables.items()})
"""


@pytest.fixture
def there(tmp_path: Path) -> Iterator[WorkspaceServer]:
    server = WorkspaceServer(tmp_path / "workspace")
    server.start()
    client = server.client()
    if "default" not in {schema.name for schema in client.schemas.list("main")}:
        client.schemas.create("default", "main")
    warehouse = Warehouse(client, "main", "default")
    for name in ("pickups", "dropoffs"):
        warehouse.execute(
            f"CREATE TABLE {name} (k INT NOT NULL, v STRING, CONSTRAINT {name}_pk PRIMARY KEY (k)) "
            "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
        )
    yield server
    server.kill()


@pytest.fixture
def elsewhere() -> Iterator[RestStub]:
    """The workspace that the environment names: nothing of the program is its business."""
    with running(RestStub()) as stub:
        yield stub


def of_tables(stub: RestStub) -> list[str]:
    return [request.path for request in stub.received if "/api/" in request.path]


def test_everything_below_an_explicit_provider_is_in_its_workspace_and_nowhere_else(
    there: WorkspaceServer, elsewhere: RestStub, tmp_path: Path
) -> None:
    profiles = tmp_path / "databrickscfg"
    profiles.write_text(f"[elsewhere]\nhost = {elsewhere.host}\ntoken = {TOKEN}\n")
    project = EngineProject.of_program(
        tmp_path / "project",
        PROGRAM,
        config={"project:host": there.host},
        environ={
            "DATABRICKS_HOST": elsewhere.host,
            "DATABRICKS_TOKEN": TOKEN,
            "DATABRICKS_CONFIG_FILE": str(profiles),
        },
    )
    project.must("config", "set", "--secret", "token", there.token)

    refused = project.preview()
    assert not refused.ok
    assert f"below an explicit provider for {there.host}" in refused.text
    assert f"the credentials at hand are for {elsewhere.host}" in refused.text
    assert of_tables(elsewhere) == []

    with profiles.open("a") as file:
        file.write(f"[there]\nhost = {there.host}/\ntoken = {there.token}\n")
    outcome = project.up()
    assert outcome.ok, str(outcome)
    assert project.outputs()["states"] == dict.fromkeys(["pickups", "dropoffs"], "ONLINE_NO_PENDING_UPDATE")
    client = there.client()
    assert {"pickups_online", "dropoffs_online"} <= {table.name for table in client.tables.list("main", "default")}
    assert of_tables(elsewhere) == []
    assert there.token not in project.must("stack", "export").stdout

    again = project.up("--refresh")
    assert again.ok, str(again)
    assert [step for step in again.operations() if step[0] != "refresh"] == []

    gone = project.destroy()
    assert gone.ok, str(gone)
    assert of_tables(elsewhere) == []
    assert {"pickups_online", "dropoffs_online"}.isdisjoint(
        {table.name for table in client.tables.list("main", "default")}
    )
