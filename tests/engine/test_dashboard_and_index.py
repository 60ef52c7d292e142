"""A dashboard and a search index on the real engine: made, published and online, unchanged the second time, changed in
place or replaced as they must be, refused with the service's words, and gone in the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from databricks.sdk.errors import NotFound
from databricks.sdk.service.dashboards import Dashboard, LifecycleState

from tests.support.engine import EngineProject
from tests.support.example import credentials
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse

PROGRAM = """
import pulumi
from components.dashboard import ServingDashboard, ServingDashboardArgs
from components.vector_index import DeltaSyncArgs, DirectAccessArgs, RetrievalIndex, RetrievalIndexArgs

config = pulumi.Config()
index = RetrievalIndex(
    "chunks",
    RetrievalIndexArgs(
        name="main.seek.chunks_index",
        endpoint="seek",
        primary_key="id",
        source=DeltaSyncArgs(source_table="main.seek.chunks"),
        vector_column=config.get("vectorColumn") or "embedding",
        dimension=2,
        readers=["ann@example.com"],
    ),
)
# Written to over its API, on the endpoint of the other one.
RetrievalIndex(
    "notes",
    RetrievalIndexArgs(
        name="main.seek.notes_index",
        endpoint="seek",
        make_endpoint=False,
        primary_key="id",
        source=DirectAccessArgs(schema={"id": "string", "embedding": "array<float>"}),
        vector_column="embedding",
        dimension=2,
    ),
    pulumi.ResourceOptions(depends_on=[index.endpoint]),
)
dashboard = ServingDashboard(
    "traffic",
    ServingDashboardArgs(
        title="seek traffic",
        payload_table="main.seek.seek_payload",
        warehouse_id="local",
        parent_path="/Workspace/Shared/seek/watched",
        days=config.get_int("days") or 7,
    ),
    pulumi.ResourceOptions(depends_on=[index]),
)
pulumi.export("dashboard", dashboard.dashboard_id)
pulumi.export("path", dashboard.path)
"""
DASHBOARD = "databricks:index/dashboard:Dashboard"
INDEX = "databricks:index/vectorSearchIndex:VectorSearchIndex"
NAME = "main.seek.chunks_index"


@dataclass
class Scene:
    server: WorkspaceServer
    project: EngineProject

    def set(self, key: str, value: str) -> None:
        self.project.must("config", "set", "--stack", self.project.stack, f"project:{key}", value)

    def dashboard(self) -> Dashboard:
        return self.server.client().lakeview.get(self.project.outputs()["dashboard"])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The program's stack after one `up`."""
    folder: Path = tmp_path_factory.mktemp("seek")
    server = WorkspaceServer(folder / "workspace")
    server.start()
    try:
        client = server.client()
        client.schemas.create("seek", "main")
        sql = Warehouse(client, "main", "seek")
        sql.execute(
            "CREATE TABLE chunks (id STRING NOT NULL, embedding ARRAY<FLOAT>, CONSTRAINT chunks_key PRIMARY KEY (id)) "
            "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
        )
        sql.execute("INSERT INTO chunks VALUES ('a', array(1.0, 0.0)), ('b', array(0.0, 1.0))")
        sql.execute("CREATE TABLE seek_payload (request_time TIMESTAMP, status_code INT, execution_duration_ms BIGINT)")
        sql.execute("INSERT INTO seek_payload VALUES (current_timestamp(), 200, 10), (current_timestamp(), 500, 30)")
        environ = credentials(server)
        project = EngineProject.of_program(
            folder / "project", PROGRAM, config={"databricks:host": server.host}, environ=environ
        )
        made = project.up()
        assert made.ok, made
        yield Scene(server, project)
    finally:
        server.kill()


def test_the_index_is_online_and_answers_before_the_update_ends(scene: Scene) -> None:
    client = scene.server.client()
    found = client.vector_search_indexes.query_index(NAME, ["id"], query_vector=[0.9, 0.1], num_results=1)
    assert found.result is not None
    assert [row[0] for row in found.result.data_array or []] == ["a"]
    client.vector_search_indexes.upsert_data_vector_index(
        "main.seek.notes_index", json.dumps([{"id": "n", "embedding": [0.0, 1.0]}])
    )
    noted = client.vector_search_indexes.query_index("main.seek.notes_index", ["id"], query_vector=[0.0, 1.0])
    assert noted.result is not None
    assert [row[0] for row in noted.result.data_array or []] == ["n"]
    granted = client.grants.get("table", NAME).privilege_assignments or []
    assert [(one.principal, [p.value for p in one.privileges or []]) for one in granted] == [
        ("ann@example.com", ["SELECT"])
    ]


def test_the_dashboard_is_published_in_a_folder_that_was_made_and_its_queries_run(scene: Scene) -> None:
    client = scene.server.client()
    dashboard = scene.dashboard()
    assert dashboard.path == scene.project.outputs()["path"] == "/Shared/seek/watched/seek traffic.lvdash.json"
    published = client.lakeview.get_published(dashboard.dashboard_id or "")
    assert (published.display_name, published.embed_credentials, published.warehouse_id) == (
        "seek traffic",
        False,
        "local",
    )
    (dataset,) = json.loads(dashboard.serialized_dashboard or "")["datasets"]
    ((_, requests, average, p95, errors),) = Warehouse(client, "main", "seek").rows("".join(dataset["queryLines"]))
    assert [float(str(one)) for one in (requests, average, p95, errors)] == [2, 20, 29, 1]


def test_a_second_update_and_a_refresh_change_nothing(scene: Scene) -> None:
    refreshed = scene.project.refresh()
    assert refreshed.ok, refreshed
    again = scene.project.up()
    assert again.ok, again
    assert again.operations() == []


def test_other_days_change_the_dashboard_in_place_and_an_edited_draft_is_a_conflict_until_a_refresh(
    scene: Scene,
) -> None:
    client = scene.server.client()
    before = scene.dashboard()
    client.lakeview.update(before.dashboard_id or "", Dashboard(serialized_dashboard="{}"))
    scene.set("days", "14")
    refused = scene.project.up()
    assert not refused.ok
    assert "has been modified since it was last read" in refused.text
    assert scene.project.refresh().ok
    changed = scene.project.up()
    assert changed.ok, changed
    assert changed.operations() == [("update", DASHBOARD)]
    after = scene.dashboard()
    assert after.dashboard_id == before.dashboard_id
    assert "INTERVAL 14 DAYS" in (after.serialized_dashboard or "")


def test_an_index_that_cannot_be_synced_fails_the_update_in_its_own_words_and_is_not_left_behind(scene: Scene) -> None:
    scene.set("vectorColumn", "nothing")
    failed = scene.project.up()
    assert not failed.ok
    assert "nothing" in failed.errors()
    scene.set("vectorColumn", "embedding")
    mended = scene.project.up()
    assert mended.ok, mended
    # The dashboard, whose index is another one now, is as it was.
    assert DASHBOARD not in {kind for _, kind in mended.operations()}
    client = scene.server.client()
    status = client.vector_search_indexes.get_index(NAME).status
    assert status is not None
    assert status.ready
    # Another index, so the grants of the one before are gone: they are made anew.
    assert [one.principal for one in client.grants.get("table", NAME).privilege_assignments or []] == [
        "ann@example.com"
    ]


def test_nothing_is_left_but_a_dashboard_in_the_trash(scene: Scene) -> None:
    client = scene.server.client()
    identity = scene.project.outputs()["dashboard"]
    gone = scene.project.destroy()
    assert gone.ok, gone
    with pytest.raises(NotFound):
        client.vector_search_indexes.get_index(NAME)
    assert list(client.vector_search_endpoints.list_endpoints()) == []
    assert client.lakeview.get(identity).lifecycle_state is LifecycleState.TRASHED
    assert list(client.lakeview.list()) == []
