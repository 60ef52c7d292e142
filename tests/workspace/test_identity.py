"""Who calls, and what a client learns before it has a token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import Unauthenticated

from tests.support.server import WorkspaceServer


def test_host_metadata_needs_no_token_and_names_the_workspace(server: WorkspaceServer) -> None:
    with urllib.request.urlopen(f"{server.host}/.well-known/databricks-config", timeout=5) as response:
        metadata = json.loads(response.read())
    assert metadata["oidc_endpoint"] == f"{server.host}/oidc"
    assert metadata["cloud"] == "AWS"
    assert metadata["workspace_id"] == json.loads((server.state / "workspace.json").read_text())["workspace_id"]


def test_me_is_the_caller_with_the_workspace_id_in_the_headers(
    client: WorkspaceClient, server: WorkspaceServer
) -> None:
    me = client.current_user.me()
    assert me.user_name == "owner@embedded.workspace"
    assert me.active
    assert {group.display for group in me.groups or []} == {"admins", "users"}
    assert str(client.get_workspace_id()) == json.loads((server.state / "workspace.json").read_text())["workspace_id"]


@pytest.mark.parametrize("authorization", [None, "Bearer dapi0000", "Basic Zm9vOmJhcg==", "Bearer "])
def test_without_the_token_every_api_answers_401_in_the_services_shape(
    server: WorkspaceServer, authorization: str | None
) -> None:
    request = urllib.request.Request(f"{server.host}/api/2.0/preview/scim/v2/Me")
    if authorization:
        request.add_header("Authorization", authorization)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    assert refused.value.code == 401
    assert json.loads(refused.value.read())["error_code"] == "UNAUTHENTICATED"


def test_the_sdk_sees_a_wrong_token_as_unauthenticated(server: WorkspaceServer) -> None:
    with pytest.raises(Unauthenticated, match="Invalid access token"):
        server.client(token="dapi0000").current_user.me()


def test_an_unknown_path_is_refused_by_name(client: WorkspaceClient) -> None:
    with pytest.raises(Exception, match=r"does not implement GET /api/2\.0/no/such/path") as refused:
        client.api_client.do("GET", "/api/2.0/no/such/path")
    assert type(refused.value).__name__ == "NotImplemented"
