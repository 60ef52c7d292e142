"""AI/BI dashboards as the official client sees them: drafts, publications, the trash, and who may do what."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    Aborted,
    InvalidParameterValue,
    NotFound,
    PermissionDenied,
    ResourceAlreadyExists,
)
from databricks.sdk.errors import NotImplemented as NotImplementedByService
from databricks.sdk.service.dashboards import Dashboard, DashboardView, LifecycleState
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel

from tests.support.server import WorkspaceServer

CONTENT = json.dumps(
    {
        "datasets": [{"name": "d", "displayName": "Days", "query": "SELECT 1 AS one"}],
        "pages": [{"name": "p", "displayName": "Page", "layout": []}],
    }
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceServer]:
    server = WorkspaceServer(tmp_path_factory.mktemp("dashboards"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def client(server: WorkspaceServer) -> WorkspaceClient:
    return server.client()


def draft(
    client: WorkspaceClient,
    name: str,
    *,
    serialized_dashboard: str = CONTENT,
    parent_path: str = "/Workspace/Shared",
    warehouse_id: str = "local",
) -> Dashboard:
    return client.lakeview.create(
        Dashboard(
            display_name=name,
            serialized_dashboard=serialized_dashboard,
            parent_path=parent_path,
            warehouse_id=warehouse_id,
        )
    )


def identity(dashboard: Dashboard) -> str:
    assert dashboard.dashboard_id is not None
    return dashboard.dashboard_id


def test_a_draft_is_kept_as_the_service_rewrites_it(client: WorkspaceClient) -> None:
    made = draft(client, "rewritten")
    found = client.lakeview.get(identity(made))
    assert found == made
    assert (found.parent_path, found.path) == ("/Shared", "/Shared/rewritten.lvdash.json")
    assert found.lifecycle_state is LifecycleState.ACTIVE
    text = found.serialized_dashboard or ""
    assert text.endswith("\n")
    assert json.loads(text)["pages"][0]["pageType"] == "PAGE_TYPE_CANVAS"
    assert json.loads(text)["datasets"] == json.loads(CONTENT)["datasets"]
    plain = draft(client, "plain", serialized_dashboard='{ "datasets": [] }')
    assert plain.serialized_dashboard == '{ "datasets": [] }\n'


def test_default_catalog_and_schema_go_into_the_datasets(client: WorkspaceClient) -> None:
    asked = Dashboard(display_name="defaults", serialized_dashboard=CONTENT, parent_path="/Shared")
    made = client.lakeview.create(asked, dataset_catalog="main", dataset_schema="ml")
    (dataset,) = json.loads(made.serialized_dashboard or "")["datasets"]
    assert (dataset["catalog"], dataset["schema"]) == ("main", "ml")


def test_without_a_folder_it_is_in_the_home_and_a_folder_must_be_there(client: WorkspaceClient) -> None:
    made = client.lakeview.create(Dashboard(display_name="homely"))
    assert (made.parent_path or "").startswith("/Users/")
    with pytest.raises(NotFound, match=r"^Path \(/Shared/nowhere\) doesn't exist\.$"):
        draft(client, "lost", parent_path="/Workspace/Shared/nowhere")
    client.workspace.mkdirs("/Shared/nowhere")
    assert draft(client, "found", parent_path="/Workspace/Shared/nowhere").path == "/Shared/nowhere/found.lvdash.json"


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "not valid JSON"), ("[]", "JSON object"), ('{"pages": {}}', "pages must be a list")],
)
def test_a_content_that_is_no_dashboard_is_refused(client: WorkspaceClient, content: str, words: str) -> None:
    with pytest.raises(InvalidParameterValue, match=words):
        draft(client, "broken", serialized_dashboard=content)


def test_a_name_is_taken_once_in_a_folder_and_free_again_after_the_trash(client: WorkspaceClient) -> None:
    first = draft(client, "unique")
    with pytest.raises(ResourceAlreadyExists, match=r"unique\.lvdash\.json"):
        draft(client, "unique")
    other = draft(client, "other")
    with pytest.raises(ResourceAlreadyExists):
        client.lakeview.update(identity(other), Dashboard(display_name="unique"))
    assert client.lakeview.get(identity(other)).display_name == "other"
    client.lakeview.trash(identity(first))
    assert draft(client, "unique").lifecycle_state is LifecycleState.ACTIVE
    with pytest.raises(InvalidParameterValue, match="without a slash"):
        draft(client, "a/b")


def test_every_change_gives_a_new_etag_and_an_old_one_is_a_conflict(client: WorkspaceClient) -> None:
    made = draft(client, "contested")
    changed = client.lakeview.update(identity(made), Dashboard(display_name="won", etag=made.etag))
    assert changed.etag != made.etag
    assert changed.path == "/Shared/won.lvdash.json"
    with pytest.raises(Aborted, match="modified since"):
        client.lakeview.update(identity(made), Dashboard(display_name="lost", etag=made.etag))
    assert client.lakeview.get(identity(made)).display_name == "won"
    # Without an etag the last one wins.
    assert client.lakeview.update(identity(made), Dashboard(warehouse_id="local")).display_name == "won"
    with pytest.raises(InvalidParameterValue, match="parent_path"):
        client.lakeview.update(identity(made), Dashboard(parent_path="/Users"))


def test_what_is_published_stays_until_it_is_published_again(client: WorkspaceClient) -> None:
    made = draft(client, "news")
    with pytest.raises(NotFound, match="Unable to find published dashboard"):
        client.lakeview.get_published(identity(made))
    client.lakeview.publish(identity(made), embed_credentials=True, warehouse_id="local")
    client.lakeview.update(identity(made), Dashboard(display_name="newer", serialized_dashboard="{}"))
    published = client.lakeview.get_published(identity(made))
    assert (published.display_name, published.embed_credentials) == ("news", True)
    client.lakeview.revert(identity(made))
    assert "Days" in (client.lakeview.get(identity(made)).serialized_dashboard or "")
    client.lakeview.publish(identity(made), embed_credentials=False)
    assert client.lakeview.get_published(identity(made)).display_name == "newer"
    client.lakeview.unpublish(identity(made))
    with pytest.raises(NotFound):
        client.lakeview.unpublish(identity(made))
    without = draft(client, "no warehouse", warehouse_id="")
    with pytest.raises(InvalidParameterValue, match="warehouse_id is needed"):
        client.lakeview.publish(identity(without))


def test_a_trashed_dashboard_is_read_and_nothing_else(client: WorkspaceClient) -> None:
    made = draft(client, "gone")
    client.lakeview.publish(identity(made))
    client.lakeview.trash(identity(made))
    assert client.lakeview.get(identity(made)).lifecycle_state is LifecycleState.TRASHED
    with pytest.raises(NotFound):
        client.lakeview.get_published(identity(made))
    for act in (
        lambda: client.lakeview.trash(identity(made)),
        lambda: client.lakeview.publish(identity(made)),
        lambda: client.lakeview.update(identity(made), Dashboard(display_name="back")),
    ):
        with pytest.raises(PermissionDenied, match="in the trash"):
            act()
    assert identity(made) not in {one.dashboard_id for one in client.lakeview.list()}
    assert identity(made) in {one.dashboard_id for one in client.lakeview.list(show_trashed=True)}
    with pytest.raises(NotFound, match="Unable to find dashboard"):
        client.lakeview.get("none")


def test_lists_are_paged_and_leave_the_content_out(client: WorkspaceClient) -> None:
    made = {identity(draft(client, f"page {number}")) for number in range(3)}
    listed = list(client.lakeview.list(page_size=2, view=DashboardView.DASHBOARD_VIEW_BASIC))
    assert made <= {one.dashboard_id for one in listed}
    assert all((one.serialized_dashboard, one.etag, one.path) == (None, None, None) for one in listed)
    with pytest.raises(InvalidParameterValue, match="page_size"):
        list(client.lakeview.list(page_size=5000))


def test_what_is_not_there_says_so(client: WorkspaceClient) -> None:
    with pytest.raises(NotImplementedByService, match="schedules"):
        list(client.lakeview.list_schedules(identity(draft(client, "scheduled"))))


def test_others_see_and_change_it_as_its_permissions_say(server: WorkspaceServer, client: WorkspaceClient) -> None:
    made = identity(draft(client, "shared"))
    ann = _other(server, "ann@example.com")
    with pytest.raises(PermissionDenied):
        ann.lakeview.get(made)
    assert made not in {one.dashboard_id for one in ann.lakeview.list()}
    _allow(client, made, PermissionLevel.CAN_READ)
    assert ann.lakeview.get(made).display_name == "shared"
    assert made in {one.dashboard_id for one in ann.lakeview.list()}
    with pytest.raises(PermissionDenied):
        ann.lakeview.update(made, Dashboard(display_name="hers"))
    _allow(client, made, PermissionLevel.CAN_EDIT)
    ann.lakeview.publish(made)
    with pytest.raises(PermissionDenied):
        ann.lakeview.trash(made)
    _allow(client, made, PermissionLevel.CAN_MANAGE)
    ann.lakeview.trash(made)
    with pytest.raises(PermissionDenied):
        ann.lakeview.create(Dashboard(display_name="x", parent_path="/Users/bob@example.com"))
    own = ann.lakeview.create(Dashboard(display_name="mine"))
    assert own.path == "/Users/ann@example.com/mine.lvdash.json"


def test_dashboards_outlive_a_kill(server: WorkspaceServer, client: WorkspaceClient) -> None:
    made = draft(client, "lasting")
    client.lakeview.publish(identity(made), embed_credentials=True)
    server.restart()
    again = server.client()
    assert again.lakeview.get(identity(made)) == made
    assert again.lakeview.get_published(identity(made)).embed_credentials is True


def _allow(client: WorkspaceClient, dashboard: str, level: PermissionLevel) -> None:
    entry = AccessControlRequest(user_name="ann@example.com", permission_level=level)
    client.permissions.set("dashboards", dashboard, access_control_list=[entry])


def _other(server: WorkspaceServer, name: str) -> WorkspaceClient:
    client = server.client()
    client.users.create(user_name=name)
    answer = client.api_client.do("POST", "/_workspace/tokens", body={"user_name": name, "lifetime_seconds": 600})
    assert isinstance(answer, dict)
    return server.client(token=answer["token_value"])
