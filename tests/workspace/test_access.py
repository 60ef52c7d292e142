"""Permissions as the official client sees them, and as the Databricks provider needs them back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.errors import NotImplemented as NotImplementedByService
from databricks.sdk.service.iam import AccessControlRequest, ObjectPermissions, PermissionLevel

from tests.support.served import CALLER, opened_state, served
from workspace.access import Access

ENDPOINT = "0123456789abcdef"
CREATORS = {
    "serving-endpoints": {ENDPOINT: "me@example.com"}.get,
    "experiments": {"17": "me@example.com"}.get,
    "jobs": {"42": "me@example.com"}.get,
    "sql/warehouses": {"local": "me@example.com"}.get,
    "sql/queries": {"q-1": "me@example.com"}.get,
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[WorkspaceClient]:
    with opened_state(tmp_path) as state, served(state, [Access(state, CREATORS)]) as workspace:
        yield workspace


def direct(permissions: ObjectPermissions) -> dict[str, list[str]]:
    """Direct levels by principal."""
    found: dict[str, list[str]] = {}
    for entry in permissions.access_control_list or []:
        levels = [
            p.permission_level.value for p in entry.all_permissions or [] if p.permission_level and not p.inherited
        ]
        if levels:
            found[entry.user_name or entry.group_name or entry.service_principal_name or ""] = levels
    return found


@pytest.mark.parametrize(
    ("path", "object_id", "object_type"),
    [
        ("serving-endpoints", ENDPOINT, "serving-endpoint"),
        ("experiments", "17", "mlflowExperiment"),
        ("jobs", "42", "job"),
        ("sql/warehouses", "local", "warehouses"),
        ("warehouses", "local", "warehouses"),
        ("sql/queries", "q-1", "query"),
        ("queries", "q-1", "query"),
    ],
)
def test_the_object_type_is_the_string_that_the_provider_compares(
    client: WorkspaceClient, path: str, object_id: str, object_type: str
) -> None:
    assert client.permissions.get(path, object_id).object_type == object_type


def test_a_new_object_belongs_to_its_creator_and_admins_inherit(client: WorkspaceClient) -> None:
    permissions = client.permissions.get("serving-endpoints", ENDPOINT)
    assert permissions.object_id == f"/serving-endpoints/{ENDPOINT}"
    assert direct(permissions) == {CALLER.user_name: ["CAN_MANAGE"]}
    (admins,) = [entry for entry in permissions.access_control_list or [] if entry.group_name == "admins"]
    (inherited,) = admins.all_permissions or []
    assert inherited.inherited is True
    assert inherited.permission_level is PermissionLevel.CAN_MANAGE
    assert inherited.inherited_from_object == ["/serving-endpoints/"]


def test_put_replaces_what_was_there_and_patch_only_whom_it_names(client: WorkspaceClient) -> None:
    mine = AccessControlRequest(user_name=CALLER.user_name, permission_level=PermissionLevel.CAN_MANAGE)
    apps = AccessControlRequest(group_name="grp-apps", permission_level=PermissionLevel.CAN_QUERY)
    robot = AccessControlRequest(service_principal_name="sp-serving", permission_level=PermissionLevel.CAN_VIEW)
    client.permissions.set("serving-endpoints", ENDPOINT, access_control_list=[apps, mine])
    assert direct(client.permissions.get("serving-endpoints", ENDPOINT)) == {
        "grp-apps": ["CAN_QUERY"],
        CALLER.user_name: ["CAN_MANAGE"],
    }

    narrower = AccessControlRequest(group_name="grp-apps", permission_level=PermissionLevel.CAN_VIEW)
    client.permissions.update("serving-endpoints", ENDPOINT, access_control_list=[narrower, robot])
    assert direct(client.permissions.get("serving-endpoints", ENDPOINT)) == {
        "grp-apps": ["CAN_VIEW"],
        "sp-serving": ["CAN_VIEW"],
        CALLER.user_name: ["CAN_MANAGE"],
    }

    client.permissions.set("serving-endpoints", ENDPOINT, access_control_list=[mine])
    assert direct(client.permissions.get("serving-endpoints", ENDPOINT)) == {CALLER.user_name: ["CAN_MANAGE"]}


def test_user_names_compare_without_regard_to_case(client: WorkspaceClient) -> None:
    shouted = AccessControlRequest(user_name=CALLER.user_name.upper(), permission_level=PermissionLevel.CAN_EDIT)
    assert direct(client.permissions.update("experiments", "17", access_control_list=[shouted])) == {
        CALLER.user_name.upper(): ["CAN_EDIT"]
    }


def test_an_empty_put_clears_the_direct_permissions_of_an_experiment(client: WorkspaceClient) -> None:
    cleared = client.permissions.set("experiments", "17")
    assert direct(cleared) == {}
    assert [entry.group_name for entry in cleared.access_control_list or []] == ["admins"]


@pytest.mark.parametrize("owners", [[], ["a@example.com", "b@example.com"]])
def test_a_job_has_exactly_one_owner(client: WorkspaceClient, owners: list[str]) -> None:
    requested = [AccessControlRequest(group_name="callers", permission_level=PermissionLevel.CAN_VIEW)] + [
        AccessControlRequest(user_name=owner, permission_level=PermissionLevel.IS_OWNER) for owner in owners
    ]
    with pytest.raises(BadRequest, match=f"exactly one owner.*leave {len(owners)}"):
        client.permissions.set("jobs", "42", access_control_list=requested)
    assert direct(client.permissions.get("jobs", "42")) == {"me@example.com": ["IS_OWNER"]}


def test_a_level_of_another_kind_of_object_is_refused_and_the_valid_ones_are_named(client: WorkspaceClient) -> None:
    edit = AccessControlRequest(group_name="grp-apps", permission_level=PermissionLevel.CAN_EDIT)
    with pytest.raises(BadRequest, match=r"CAN_EDIT.*CAN_VIEW, CAN_QUERY, CAN_MANAGE"):
        client.permissions.set("serving-endpoints", ENDPOINT, access_control_list=[edit])


@pytest.mark.parametrize(
    "entry",
    [
        {"permission_level": "CAN_VIEW"},
        {"user_name": "a@example.com", "group_name": "grp", "permission_level": "CAN_VIEW"},
        {"group_name": "admins", "permission_level": "CAN_VIEW"},
        {"group_name": "grp"},
    ],
)
def test_an_entry_names_one_principal_and_one_level(client: WorkspaceClient, entry: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        client.api_client.do(
            "PUT", f"/api/2.0/permissions/serving-endpoints/{ENDPOINT}", body={"access_control_list": [entry]}
        )
    assert direct(client.permissions.get("serving-endpoints", ENDPOINT)) == {CALLER.user_name: ["CAN_MANAGE"]}


def test_an_endpoint_name_is_not_an_endpoint_id(client: WorkspaceClient) -> None:
    with pytest.raises(NotFound, match=r"'taxi-fare'.*id, not its name"):
        client.permissions.get("serving-endpoints", "taxi-fare")
    with pytest.raises(NotFound):
        client.permissions.set("serving-endpoints", "taxi-fare", access_control_list=[])


def test_a_kind_that_the_workspace_does_not_keep_is_not_implemented(client: WorkspaceClient) -> None:
    with pytest.raises(NotImplementedByService, match=r"/api/2.0/permissions/pipelines/1"):
        client.permissions.get("pipelines", "1")


def test_the_levels_of_a_kind_are_listed(client: WorkspaceClient) -> None:
    levels = client.permissions.get_permission_levels("serving-endpoints", ENDPOINT).permission_levels or []
    assert [level.permission_level.value for level in levels if level.permission_level] == [
        "CAN_VIEW",
        "CAN_QUERY",
        "CAN_MANAGE",
    ]


def test_permissions_survive_a_restart(tmp_path: Path) -> None:
    apps = AccessControlRequest(group_name="grp-apps", permission_level=PermissionLevel.CAN_QUERY)
    with opened_state(tmp_path) as state, served(state, [Access(state, CREATORS)]) as client:
        client.permissions.set("serving-endpoints", ENDPOINT, access_control_list=[apps])
    with opened_state(tmp_path) as state, served(state, [Access(state, CREATORS)]) as client:
        assert direct(client.permissions.get("serving-endpoints", ENDPOINT)) == {"grp-apps": ["CAN_QUERY"]}
