"""Access tokens and OAuth for machines: what they open, when they end, what is never shown twice."""

from __future__ import annotations

import base64
import json
import stat
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied, Unauthenticated

from tests.support.principals import Person, machine, signed_in, with_token
from tests.support.server import WorkspaceServer


@pytest.fixture
def somebody(client: WorkspaceClient) -> Iterator[Person]:
    with signed_in(client) as person:
        yield person


@pytest.fixture
def robot(client: WorkspaceClient) -> Iterator[Person]:
    with machine(client) as person:
        yield person


def advance(client: WorkspaceClient, seconds: float) -> None:
    client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": seconds})


def test_a_token_is_shown_once_and_opens_the_workspace_for_its_user(server: WorkspaceServer, somebody: Person) -> None:
    made = somebody.client.tokens.create(comment="laptop")
    assert made.token_value is not None
    assert made.token_info is not None
    assert made.token_value.startswith("dapi")
    assert made.token_info.expiry_time == -1
    me = with_token(somebody.client, made.token_value).current_user.me()
    assert (me.id, me.user_name) == (somebody.id, somebody.name)
    listed = {info.token_id: info for info in somebody.client.tokens.list()}
    assert listed[made.token_info.token_id].comment == "laptop"
    assert made.token_value not in json.dumps([info.as_dict() for info in listed.values()])
    kept = b"".join(path.read_bytes() for path in server.state.glob("documents.db*"))
    assert made.token_value.encode() not in kept


def test_the_comment_of_a_token_is_changed(somebody: Person) -> None:
    made = somebody.client.tokens.create(comment="before").token_info
    assert made is not None
    body = {"token": {"comment": "after"}, "update_mask": "comment"}
    somebody.client.api_client.do("PATCH", f"/api/2.0/token/{made.token_id}", body=body)
    assert [info.comment for info in somebody.client.tokens.list() if info.token_id == made.token_id] == ["after"]


def test_a_revoked_token_opens_nothing(somebody: Person) -> None:
    made = somebody.client.tokens.create()
    assert made.token_info is not None
    held = with_token(somebody.client, str(made.token_value))
    held.current_user.me()
    somebody.client.tokens.delete(str(made.token_info.token_id))
    with pytest.raises(Unauthenticated, match="Invalid access token"):
        held.current_user.me()
    with pytest.raises(NotFound):
        somebody.client.tokens.delete(str(made.token_info.token_id))


def test_a_token_ends_when_its_lifetime_does(start_server: Callable[[], WorkspaceServer]) -> None:
    owner = start_server().client()
    made = owner.tokens.create(lifetime_seconds=600)
    assert made.token_info is not None
    assert int(made.token_info.expiry_time or 0) - int(made.token_info.creation_time or 0) == 600_000
    held = with_token(owner, str(made.token_value))
    advance(owner, 599)
    held.current_user.me()
    advance(owner, 2)
    with pytest.raises(Unauthenticated):
        held.current_user.me()
    assert list(owner.tokens.list()) == []


@pytest.mark.parametrize("lifetime", [0, -5, 63_072_001])
def test_a_lifetime_that_cannot_be_is_refused(client: WorkspaceClient, lifetime: int) -> None:
    with pytest.raises(BadRequest, match="lifetime_seconds"):
        client.tokens.create(lifetime_seconds=lifetime)


def test_nobody_revokes_the_tokens_of_others_but_admins(client: WorkspaceClient, somebody: Person) -> None:
    mine = client.tokens.create(comment="mine").token_info
    theirs = somebody.client.tokens.create(comment="theirs").token_info
    assert mine is not None
    assert theirs is not None
    with pytest.raises(NotFound):
        somebody.client.tokens.delete(str(mine.token_id))
    with pytest.raises(PermissionDenied):
        list(somebody.client.token_management.list())
    managed = {info.token_id: info for info in client.token_management.list()}
    assert managed[theirs.token_id].created_by_username == somebody.name
    client.token_management.delete(str(theirs.token_id))
    assert theirs.token_id not in {info.token_id for info in somebody.client.tokens.list()}


def test_an_admin_makes_a_token_for_a_service_principal(client: WorkspaceClient, robot: Person) -> None:
    made = client.token_management.create_obo_token(robot.name, comment="for the robot")
    assert with_token(client, str(made.token_value)).current_user.me().user_name == robot.name
    with pytest.raises(PermissionDenied):
        robot.client.token_management.create_obo_token(robot.name)


def test_a_deleted_or_inactive_user_has_no_way_in(client: WorkspaceClient) -> None:
    with signed_in(client) as person:
        client.users.update(person.id, user_name=person.name, active=False)
        with pytest.raises(Unauthenticated, match="inactive"):
            person.client.current_user.me()
    with pytest.raises(Unauthenticated, match="Invalid access token"):
        person.client.current_user.me()


def test_tokens_survive_a_kill(start_server: Callable[[], WorkspaceServer]) -> None:
    server = start_server()
    owner = server.client()
    token = str(owner.tokens.create().token_value)
    with signed_in(owner) as person:
        server.restart()
        assert with_token(owner, token).current_user.me().user_name == "owner@embedded.workspace"
        assert person.client.current_user.me().id == person.id


def test_the_sdk_signs_a_service_principal_in_with_its_secret(robot: Person) -> None:
    me = robot.client.current_user.me()
    assert (me.user_name, me.id) == (robot.name, robot.id)
    assert robot.client.config.auth_type == "oauth-m2m"


def granted(
    server: WorkspaceServer, form: dict[str, str], basic: tuple[str, str] | None = None
) -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(f"{server.host}/oidc/v1/token", urllib.parse.urlencode(form).encode())
    if basic:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(basic).encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


FORM = {"grant_type": "client_credentials", "scope": "all-apis"}


def test_the_token_endpoint_refuses_as_oauth_says(
    server: WorkspaceServer, client: WorkspaceClient, robot: Person
) -> None:
    secret = str(client.service_principal_secrets_proxy.create(robot.id).secret)
    status, token = granted(server, FORM, (robot.name, secret))
    assert (status, token["token_type"], token["expires_in"]) == (200, "Bearer", 3600)
    assert granted(server, {**FORM, "client_id": robot.name, "client_secret": secret})[0] == 200
    assert granted(server, FORM, (robot.name, "wrong")) == (
        401,
        {"error": "invalid_client", "error_description": "Client authentication failed"},
    )
    assert granted(server, FORM)[0] == 401
    assert (
        granted(server, {**FORM, "grant_type": "password"}, (robot.name, secret))[1]["error"]
        == "unsupported_grant_type"
    )
    assert granted(server, {**FORM, "scope": "moon"}, (robot.name, secret))[1]["error"] == "invalid_scope"


def test_an_oauth_token_lasts_an_hour_and_a_restart(start_server: Callable[[], WorkspaceServer]) -> None:
    server = start_server()
    owner = server.client()
    with machine(owner) as robot:
        secret = str(owner.service_principal_secrets_proxy.create(robot.id).secret)
        held = with_token(owner, str(granted(server, FORM, (robot.name, secret))[1]["access_token"]))
        server.restart()
        advance(owner, 3590)
        held.current_user.me()
        advance(owner, 20)
        with pytest.raises(Unauthenticated, match="expired"):
            held.current_user.me()
    assert stat.S_IMODE((server.state / "oauth_key").stat().st_mode) == 0o600


def test_a_forged_token_is_refused(server: WorkspaceServer, client: WorkspaceClient, robot: Person) -> None:
    secret = str(client.service_principal_secrets_proxy.create(robot.id).secret)
    token = str(granted(server, FORM, (robot.name, secret))[1]["access_token"])
    head, claims, signature = token.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    mine = json.dumps({**decoded, "principal_id": "1000000001"}).encode()
    forged = f"{head}.{base64.urlsafe_b64encode(mine).decode().rstrip('=')}.{signature}"
    with pytest.raises(Unauthenticated, match="Invalid access token"):
        with_token(client, forged).current_user.me()


def test_secrets_of_a_service_principal_are_shown_once_limited_and_deleted(
    server: WorkspaceServer, client: WorkspaceClient, robot: Person
) -> None:
    proxy = client.service_principal_secrets_proxy
    made = [proxy.create(robot.id, lifetime="3600s") for _ in range(4)]
    with pytest.raises(BadRequest, match="at most 5"):
        proxy.create(robot.id)
    listed = list(proxy.list(robot.id))
    assert {info.id for info in made} < {info.id for info in listed}
    assert all(str(one.secret) not in json.dumps([info.as_dict() for info in listed]) for one in made)
    proxy.delete(robot.id, str(made[0].id))
    assert granted(server, FORM, (robot.name, str(made[0].secret)))[0] == 401
    assert granted(server, FORM, (robot.name, str(made[1].secret)))[0] == 200
    with pytest.raises(PermissionDenied):
        robot.client.service_principal_secrets_proxy.create(robot.id)
