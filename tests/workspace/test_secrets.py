"""Secrets by the official client: who reads them, what their limits are, and that values are nowhere else."""

from __future__ import annotations

import base64
import json
import stat
import urllib.request
import uuid
from collections.abc import Callable, Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    InvalidParameterValue,
    NotFound,
    PermissionDenied,
    ResourceAlreadyExists,
    ResourceDoesNotExist,
)
from databricks.sdk.service.workspace import AclPermission, ScopeBackendType

from tests.support.principals import Person, machine, signed_in
from tests.support.server import WorkspaceServer

VALUE = "s3cr3t-Välue-42"


@pytest.fixture
def scope(client: WorkspaceClient) -> str:
    name = f"scope-{uuid.uuid4().hex[:8]}"
    client.secrets.create_scope(name)
    return name


@pytest.fixture(scope="module")
def ada(client: WorkspaceClient) -> Iterator[Person]:
    with signed_in(client) as person:
        yield person


@pytest.fixture(scope="module")
def robot(client: WorkspaceClient) -> Iterator[Person]:
    with machine(client) as person:
        yield person


def value(client: WorkspaceClient, scope: str, key: str) -> str:
    return base64.b64decode(str(client.secrets.get_secret(scope, key).value)).decode()


def test_a_secret_is_written_listed_read_written_over_and_deleted(client: WorkspaceClient, scope: str) -> None:
    client.secrets.put_secret(scope, "key", string_value=VALUE)
    assert value(client, scope, "key") == VALUE
    (listed,) = client.secrets.list_secrets(scope)
    assert (listed.key, (listed.last_updated_timestamp or 0) > 1_700_000_000_000) == ("key", True)
    assert VALUE not in json.dumps(listed.as_dict())
    client.secrets.put_secret(scope, "key", bytes_value=base64.b64encode(b"other").decode())
    assert value(client, scope, "key") == "other"
    client.secrets.delete_secret(scope, "key")
    with pytest.raises(ResourceDoesNotExist, match=f"Failed to get secret key for scope {scope}"):
        client.secrets.get_secret(scope, "key")
    with pytest.raises(ResourceDoesNotExist, match=f"Secret does not exist with scope: {scope} and key: key"):
        client.secrets.delete_secret(scope, "key")


def test_a_scope_goes_with_all_that_is_in_it(client: WorkspaceClient, scope: str) -> None:
    client.secrets.put_secret(scope, "key", string_value=VALUE)
    client.secrets.put_acl(scope, "somebody", AclPermission.READ)
    assert (scope, ScopeBackendType.DATABRICKS) in {(s.name, s.backend_type) for s in client.secrets.list_scopes()}
    with pytest.raises(ResourceAlreadyExists, match=f"Scope {scope} already exists!"):
        client.secrets.create_scope(scope)
    client.secrets.delete_scope(scope)
    with pytest.raises(ResourceDoesNotExist, match=f"Scope {scope} does not exist!"):
        client.secrets.list_secrets(scope)
    client.secrets.create_scope(scope)
    assert list(client.secrets.list_secrets(scope)) == []
    assert [acl.principal for acl in client.secrets.list_acls(scope)] == [client.current_user.me().user_name]


@pytest.mark.parametrize(
    ("permission", "allowed"), [(AclPermission.READ, 1), (AclPermission.WRITE, 2), (AclPermission.MANAGE, 3)]
)
def test_each_permission_allows_what_it_says_and_no_more(
    client: WorkspaceClient, scope: str, robot: Person, permission: AclPermission, allowed: int
) -> None:
    client.secrets.put_secret(scope, "key", string_value=VALUE)
    calls: list[tuple[str, Callable[[], object]]] = [
        ("READ", lambda: value(robot.client, scope, "key")),
        ("WRITE", lambda: robot.client.secrets.put_secret(scope, "new", string_value="x")),
        ("MANAGE", lambda: robot.client.secrets.put_acl(scope, "others", AclPermission.READ)),
    ]
    for wanted, call in calls:
        with pytest.raises(PermissionDenied, match=f"{robot.name} does not have {wanted} permission on scope {scope}"):
            call()
    client.secrets.put_acl(scope, robot.name, permission)
    assert client.secrets.get_acl(scope, robot.name).permission is permission
    for number, (wanted, call) in enumerate(calls):
        if number < allowed:
            call()
        else:
            with pytest.raises(PermissionDenied, match=wanted):
                call()
    client.secrets.delete_acl(scope, robot.name)
    with pytest.raises(PermissionDenied, match="READ"):
        robot.client.secrets.list_secrets(scope)
    with pytest.raises(NotFound):
        client.secrets.get_acl(scope, robot.name)


def test_a_group_s_permission_is_its_members(client: WorkspaceClient, scope: str, ada: Person) -> None:
    client.secrets.put_secret(scope, "key", string_value=VALUE)
    client.secrets.put_acl(scope, "users", AclPermission.READ)
    assert value(ada.client, scope, "key") == VALUE


def test_whoever_makes_a_scope_manages_it_and_admins_all(client: WorkspaceClient, ada: Person, robot: Person) -> None:
    mine, shared = f"mine-{uuid.uuid4().hex[:8]}", f"shared-{uuid.uuid4().hex[:8]}"
    ada.client.secrets.create_scope(mine)
    ada.client.secrets.put_secret(mine, "key", string_value=VALUE)
    assert [(a.principal, a.permission) for a in ada.client.secrets.list_acls(mine)] == [
        (ada.name, AclPermission.MANAGE)
    ]
    assert value(client, mine, "key") == VALUE
    with pytest.raises(PermissionDenied):
        robot.client.secrets.list_secrets(mine)
    ada.client.secrets.create_scope(shared, initial_manage_principal="users")
    robot.client.secrets.put_secret(shared, "key", string_value="x")
    with pytest.raises(InvalidParameterValue, match="can only be 'users'"):
        ada.client.secrets.create_scope("other", initial_manage_principal=ada.name)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 129, "ä"])
def test_names_that_cannot_be_are_refused(client: WorkspaceClient, scope: str, name: str) -> None:
    with pytest.raises(BadRequest):
        client.secrets.create_scope(name)
    with pytest.raises(BadRequest):
        client.secrets.put_secret(scope, name, string_value="x")


def test_a_value_is_at_most_128_kilobytes_and_given_once(client: WorkspaceClient, scope: str) -> None:
    client.secrets.put_secret(scope, "long", string_value="x" * 128 * 1024)
    with pytest.raises(InvalidParameterValue, match="exceeds the limit"):
        client.secrets.put_secret(scope, "long", string_value="x" * (128 * 1024 + 1))
    with pytest.raises(BadRequest, match="Exactly one"):
        client.secrets.put_secret(scope, "none")
    with pytest.raises(BadRequest, match="Exactly one"):
        client.secrets.put_secret(scope, "both", string_value="x", bytes_value="eA==")


def test_no_refusal_repeats_a_value(client: WorkspaceClient, scope: str) -> None:
    for body in ({"bytes_value": VALUE}, {"string_value": [VALUE]}, {"string_value": VALUE, "bytes_value": VALUE}):
        with pytest.raises(BadRequest) as refused:
            client.api_client.do("POST", "/api/2.0/secrets/put", body={"scope": scope, "key": "k", **body})
        assert VALUE not in str(refused.value)


def test_another_backend_is_refused(client: WorkspaceClient) -> None:
    with pytest.raises(InvalidParameterValue, match="AZURE_KEYVAULT"):
        client.secrets.create_scope("vault", scope_backend_type=ScopeBackendType.AZURE_KEYVAULT)


def test_values_are_in_one_file_that_nobody_else_reads_and_survive_a_kill(
    start_server: Callable[[], WorkspaceServer],
) -> None:
    server = start_server()
    server.client().secrets.create_scope("kept")
    server.client().secrets.put_secret("kept", "key", string_value=VALUE)
    request = urllib.request.Request(f"{server.host}/_workspace/requests")
    request.add_header("Authorization", f"Bearer {server.token}")
    with urllib.request.urlopen(request, timeout=5) as response:
        assert VALUE not in response.read().decode()
    server.restart()
    assert value(server.client(), "kept", "key") == VALUE
    forms = [VALUE.encode(), base64.b64encode(VALUE.encode()), json.dumps(VALUE).encode()[1:-1]]
    holding = {
        path.name
        for path in server.state.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms)
    }
    assert holding
    for name in holding:
        assert name.startswith("secrets.db")
        assert stat.S_IMODE((server.state / name).stat().st_mode) == 0o600
