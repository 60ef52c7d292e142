"""Users, service principals and groups, as the official client and the provider handle them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied, ResourceConflict
from databricks.sdk.service.iam import ComplexValue, Group, Patch, PatchOp, PatchSchema, ServicePrincipal, User

from tests.support.principals import Person, signed_in

PATCH = [PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def somebody(client: WorkspaceClient) -> Iterator[Person]:
    with signed_in(client) as person:
        yield person


def member(principal_id: str | None) -> ComplexValue:
    return ComplexValue(value=principal_id)


def test_a_user_is_made_found_changed_and_deleted(client: WorkspaceClient) -> None:
    name = f"{unique('ada')}@example.com"
    made = client.users.create(user_name=name, display_name="Ada")
    assert made.id is not None
    assert made.active is True
    assert [user.id for user in client.users.list(filter=f'userName eq "{name.upper()}"')] == [made.id]
    client.users.update(made.id, user_name=name, display_name="Ada L.", active=True)
    assert client.users.get(made.id).display_name == "Ada L."
    client.users.patch(made.id, schemas=PATCH, operations=[Patch(op=PatchOp.REPLACE, path="active", value="false")])
    assert client.users.get(made.id).active is False
    client.users.delete(made.id)
    with pytest.raises(NotFound, match=f"User with id {made.id} not found"):
        client.users.get(made.id)


def test_a_user_s_name_is_an_address(client: WorkspaceClient) -> None:
    with pytest.raises(BadRequest, match="userName is an email address, received 'ada'"):
        client.users.create(user_name="ada")


def test_a_service_principal_gets_an_application_id_and_keeps_it(client: WorkspaceClient) -> None:
    made = client.service_principals.create(display_name=unique("robot"))
    assert made.id is not None
    assert str(uuid.UUID(made.application_id)) == made.application_id
    client.service_principals.update(made.id, display_name="renamed", active=True, application_id=str(uuid.uuid4()))
    after = client.service_principals.get(made.id)
    assert (after.display_name, after.application_id) == ("renamed", made.application_id)
    found = client.service_principals.list(filter=f"applicationId eq '{made.application_id}'".replace("'", '"'))
    assert [one.id for one in found] == [made.id]


def test_an_application_id_that_is_given_is_kept(client: WorkspaceClient) -> None:
    application = str(uuid.uuid4())
    assert client.service_principals.create(application_id=application).application_id == application
    with pytest.raises(ResourceConflict, match=application):
        client.service_principals.create(application_id=application)


def test_the_provider_s_deactivation_is_understood(client: WorkspaceClient) -> None:
    made = client.service_principals.create(display_name=unique("robot"))
    body = {
        "schemas": [PATCH[0].value],
        "Operations": [{"op": "replace", "path": "active", "value": [{"value": "false"}]}],
    }
    client.api_client.do("PATCH", f"/api/2.0/preview/scim/v2/ServicePrincipals/{made.id}", body=body)
    assert client.service_principals.get(str(made.id)).active is False


def test_entitlements_are_replaced_and_removed_as_the_provider_does(client: WorkspaceClient) -> None:
    made = client.service_principals.create(
        display_name=unique("robot"), entitlements=[ComplexValue(value="workspace-access")]
    )
    path = f"/api/2.0/preview/scim/v2/ServicePrincipals/{made.id}"

    def patch(verb: str, *names: str) -> list[str | None]:
        change = {"op": verb, "path": "entitlements", "value": [{"value": name} for name in names]}
        client.api_client.do("PATCH", path, body={"schemas": [PATCH[0].value], "Operations": [change]})
        return [item.value for item in client.service_principals.get(str(made.id)).entitlements or []]

    assert patch("replace", "databricks-sql-access", "allow-cluster-create") == [
        "databricks-sql-access",
        "allow-cluster-create",
    ]
    assert patch("remove", "allow-cluster-create") == ["databricks-sql-access"]
    with pytest.raises(BadRequest, match="root-access"):
        patch("add", "root-access")


def test_members_of_a_group_are_added_and_removed(client: WorkspaceClient) -> None:
    first = client.users.create(user_name=f"{unique('a')}@example.com")
    second = client.service_principals.create(display_name="b")
    group = client.groups.create(display_name=unique("team"), members=[member(first.id)])
    assert group.id is not None
    add = Patch(op=PatchOp.ADD, value={"members": [{"value": second.id}]})
    client.groups.patch(group.id, schemas=PATCH, operations=[add])
    assert {item.value for item in client.groups.get(group.id).members or []} == {first.id, second.id}
    remove = Patch(op=PatchOp.REMOVE, path=f'members[value eq "{first.id}"]')
    client.groups.patch(group.id, schemas=PATCH, operations=[remove])
    assert [item.value for item in client.groups.get(group.id).members or []] == [second.id]
    assert [item.value for item in client.service_principals.get(str(second.id)).groups or []] == [
        group.id,
        users(client),
    ]
    client.service_principals.delete(str(second.id))
    assert not client.groups.get(group.id).members


def users(client: WorkspaceClient) -> str | None:
    (group,) = client.groups.list(filter='displayName eq "users"')
    return group.id


def test_membership_goes_through_groups_also_in_circles(client: WorkspaceClient, somebody: Person) -> None:
    inner = client.groups.create(display_name=unique("inner"), members=[member(somebody.id)])
    outer = client.groups.create(display_name=unique("outer"), members=[member(inner.id)])
    client.groups.patch(
        str(inner.id), schemas=PATCH, operations=[Patch(op=PatchOp.ADD, value={"members": [{"value": outer.id}]})]
    )
    groups = {group.display for group in somebody.client.current_user.me().groups or []}
    assert groups == {"users", inner.display_name, outer.display_name}


def test_a_member_that_is_nobody_is_refused(client: WorkspaceClient) -> None:
    with pytest.raises(BadRequest, match=r"Member 4711 is no principal"):
        client.groups.create(display_name=unique("team"), members=[member("4711")])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('displayName eq "{p}-One"', {"One"}),
        ('displayName sw "{p}"', {"One", "two"}),
        ('displayName co "{p}" and not (displayName ew "two")', {"One"}),
        ('displayName eq "{p}-one" or displayName eq "{p}-two"', {"One", "two"}),
        ('displayName sw "{p}" and externalId pr', {"two"}),
        ('displayName sw "{p}" and displayName ne "{p}-one"', {"two"}),
    ],
)
def test_filters_choose_as_scim_says(client: WorkspaceClient, text: str, found: set[str]) -> None:
    prefix = unique("f")
    client.groups.create(display_name=f"{prefix}-One")
    client.groups.create(display_name=f"{prefix}-two", external_id="e")
    names = {str(g.display_name).rpartition("-")[2] for g in client.groups.list(filter=text.format(p=prefix))}
    assert names == found


@pytest.mark.parametrize(
    "text", ["displayName", 'displayName like "a"', '(displayName eq "a"', 'displayName eq "a" "b"']
)
def test_a_filter_that_is_not_understood_is_refused(client: WorkspaceClient, text: str) -> None:
    with pytest.raises(BadRequest, match="Invalid filter"):
        list(client.groups.list(filter=text))


def test_pages_and_attributes_are_as_asked(client: WorkspaceClient) -> None:
    prefix = unique("page")
    for number in range(3):
        client.groups.create(display_name=f"{prefix}-{number}")
    wanted = f'displayName sw "{prefix}"'
    query = {"filter": wanted, "startIndex": 2, "count": 1, "sortBy": "displayName"}
    answer = client.api_client.do(
        "GET", "/api/2.0/preview/scim/v2/Groups", query={**query, "attributes": "displayName"}
    )
    assert isinstance(answer, dict)
    assert (answer["totalResults"], answer["startIndex"], answer["itemsPerPage"]) == (3, 2, 1)
    assert [set(one) for one in answer["Resources"]] == [{"id", "schemas", "displayName"}]
    assert len(list(client.groups.list(filter=wanted, count=2))) == 3


def test_only_admins_change_the_directory(client: WorkspaceClient, somebody: Person) -> None:
    theirs = somebody.client
    with pytest.raises(PermissionDenied):
        theirs.users.create(user_name=f"{unique('x')}@example.com")
    with pytest.raises(PermissionDenied):
        theirs.groups.delete(str(users(client)))
    (admins,) = client.groups.list(filter='displayName eq "admins"')
    joins = Patch(op=PatchOp.ADD, value={"members": [{"value": somebody.id}]})
    client.groups.patch(str(admins.id), schemas=PATCH, operations=[joins])
    theirs.users.create(user_name=f"{unique('x')}@example.com")


def test_what_belongs_to_the_workspace_stays(client: WorkspaceClient) -> None:
    me = client.current_user.me()
    with pytest.raises(PermissionDenied, match="belongs to the workspace"):
        client.users.delete(str(me.id))
    with pytest.raises(PermissionDenied, match="belongs to the workspace"):
        client.groups.delete(str(users(client)))


def test_an_attribute_that_is_not_carried_out_is_refused_by_name(client: WorkspaceClient) -> None:
    for kind in (User, Group, ServicePrincipal):
        path = f"/api/2.0/preview/scim/v2/{kind.__name__}s"
        with pytest.raises(BadRequest, match=r"has no attribute.*shoeSize"):
            client.api_client.do("POST", path, body={"shoeSize": 43})
