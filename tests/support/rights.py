"""Rights that a test gives to a caller."""

from __future__ import annotations

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import PermissionsChange, Privilege
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel

from tests.support.principals import Person


def allow(client: WorkspaceClient, kind: str, object_id: str, person: Person, level: PermissionLevel) -> None:
    """A level on a workspace object."""
    key = "user_name" if "@" in person.name else "service_principal_name"
    entry = AccessControlRequest.from_dict({key: person.name, "permission_level": level.value})
    client.permissions.update(kind, object_id, access_control_list=[entry])


def grant(client: WorkspaceClient, kind: str, name: str, person: Person, *privileges: Privilege) -> None:
    client.grants.update(kind, name, changes=[PermissionsChange(principal=person.name, add=list(privileges))])


def revoke(client: WorkspaceClient, kind: str, name: str, person: Person, *privileges: Privilege) -> None:
    client.grants.update(kind, name, changes=[PermissionsChange(principal=person.name, remove=list(privileges))])


def let_in(client: WorkspaceClient, full_name: str, person: Person) -> None:
    """USE CATALOG and USE SCHEMA: the way to an object."""
    catalog, schema, _ = full_name.split(".")
    grant(client, "catalog", catalog, person, Privilege.USE_CATALOG)
    grant(client, "schema", f"{catalog}.{schema}", person, Privilege.USE_SCHEMA)
