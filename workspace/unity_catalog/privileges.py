"""Who may do what in Unity Catalog: ownership, grants, and what is inherited from the containers above.

Sources: page "Unity Catalog privileges and securable objects" (inheritance, what ALL PRIVILEGES and MANAGE leave out),
page "Manage Unity Catalog object ownership", and the requirements in the docstrings of databricks-sdk 0.156
`service/catalog.py`, which say for each call what the caller needs.
"""

from __future__ import annotations

from workspace.errors import ApiError
from workspace.http import Caller
from workspace.identity.caller import OWNER
from workspace.identity.directory import ACCOUNT_USERS, ADMINS, USERS
from workspace.unity_catalog import names
from workspace.unity_catalog.grants import Grants
from workspace.unity_catalog.securables import (
    CATALOG,
    FUNCTION,
    METASTORE,
    NOT_IN_ALL,
    SCHEMA,
    TABLE,
    VOLUME,
    Securable,
    Securables,
)

_TYPE_NAMES = {FUNCTION: "Routine or Model"}
# What lets a caller read about an object, beside owning it.
_READ = {CATALOG: "USE_CATALOG", SCHEMA: "USE_SCHEMA", TABLE: "SELECT", VOLUME: "READ_VOLUME", FUNCTION: "EXECUTE"}


class PrivilegeError(ApiError):
    """403 in Unity Catalog's words, with the details that the service sends along."""

    def __init__(self, privilege: str, kind: str, name: str) -> None:
        wanted, what = privilege.replace("_", " "), _TYPE_NAMES.get(kind, kind.capitalize())
        super().__init__(403, "PERMISSION_DENIED", f"User does not have {wanted} on {what} '{name}'.")
        self._metadata = {"principalName": "User", "msg": wanted, "resourceType": what, "resourceName": name}

    def body(self) -> dict[str, object]:
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "PERMISSION_DENIED",
            "domain": "unity-catalog.databricks.com",
            "metadata": self._metadata,
        }
        return {**super().body(), "details": [info]}


class Privileges:
    """Answers and refuses. The owner of the workspace is the metastore's admin."""

    def __init__(self, securables: Securables, grants: Grants, metastore_name: str) -> None:
        self._securables = securables
        self._grants = grants
        self._metastore_name = metastore_name

    # --- refusals: raise PrivilegeError 403, ApiError 404 where the object is not there ------------------------------

    def require(self, caller: Caller, privilege: str, kind: str, full_name: str) -> None:
        """The privilege on an object, and the way to it: USE CATALOG and USE SCHEMA on what is above."""
        securable = self._securables.find(kind, full_name)
        self._require_way(caller, securable)
        if not self._has(caller, privilege, securable):
            raise self._refusal(privilege, securable)

    def require_way(self, caller: Caller, kind: str, full_name: str) -> None:
        """USE CATALOG and USE SCHEMA on what is above an object."""
        self._require_way(caller, self._securables.find(kind, full_name))

    def require_create(self, caller: Caller, privilege: str, kind: str, container: str) -> None:
        """To make something in a container: the privilege on it, USE of it, and of what is above."""
        securable = self._securables.find(kind, container)
        self._require_way(caller, securable)
        use = {CATALOG: "USE_CATALOG", SCHEMA: "USE_SCHEMA"}.get(kind)
        for wanted in (use, privilege) if use else (privilege,):
            if not self._has(caller, wanted, securable):
                raise self._refusal(wanted, securable)

    def require_manage(self, caller: Caller, kind: str, full_name: str) -> None:
        """To change, drop, grant: ownership of the object or of a container above it, or MANAGE."""
        securable = self._securables.find(kind, full_name)
        if self.is_metastore_admin(caller):
            return
        self._require_way(caller, securable)
        if not self._manages(caller, securable):
            raise self._refusal("MANAGE", securable)

    def require_read(self, caller: Caller, kind: str, full_name: str) -> None:
        """To read about an object (not what is in it)."""
        securable = self._securables.find(kind, full_name)
        if not self._sees(caller, securable):
            self._require_way(caller, securable)
            raise self._refusal(_READ[kind], securable)

    def require_metastore(self, caller: Caller, privilege: str) -> None:
        """A privilege on the metastore, which its admin has."""
        if not self._has(caller, privilege, self._securables.metastore):
            raise self._refusal(privilege, self._securables.metastore)

    # --- questions ---------------------------------------------------------------------------------------------------

    def has(self, caller: Caller, privilege: str, kind: str, full_name: str) -> bool:
        """The privilege on an object, owned, granted or inherited; the way to it is another question."""
        return self._has(caller, privilege, self._securables.find(kind, full_name))

    def manages(self, caller: Caller, kind: str, full_name: str) -> bool:
        return self.is_metastore_admin(caller) or self._manages(caller, self._securables.find(kind, full_name))

    def sees(self, caller: Caller, kind: str, full_name: str) -> bool:
        """Whether a list shows the object to the caller; False for one that is gone."""
        try:
            return self._sees(caller, self._securables.find(kind, full_name))
        except ApiError as error:
            if error.status != 404:
                raise
            return False

    def is_metastore_admin(self, caller: Caller) -> bool:
        return caller.id == OWNER.id

    # --- rules -------------------------------------------------------------------------------------------------------

    def _sees(self, caller: Caller, securable: Securable) -> bool:
        if self.is_metastore_admin(caller) or any(self._owns(caller, one) for one in self._line(securable)[1:]):
            return True
        if self._has(caller, "BROWSE", securable):
            return True
        if any(not self._uses(caller, container) for container in self._securables.above(securable)):
            return False
        return self._has(caller, _READ[securable.kind], securable) or self._manages(caller, securable)

    def _require_way(self, caller: Caller, securable: Securable) -> None:
        for container in reversed(self._securables.above(securable)):
            if not self._uses(caller, container):
                raise self._refusal(_READ[container.kind], container)

    def _uses(self, caller: Caller, container: Securable) -> bool:
        return self._has(caller, _READ[container.kind], container)

    def _manages(self, caller: Caller, securable: Securable) -> bool:
        return any(self._owns(caller, one) for one in self._line(securable)) or self._granted(
            caller, "MANAGE", securable
        )

    def _has(self, caller: Caller, privilege: str, securable: Securable) -> bool:
        """Owners have every privilege on what is theirs; what is in it is another object, with an owner of its own."""
        return self._owns(caller, securable) or self._granted(caller, privilege, securable)

    def _granted(self, caller: Caller, privilege: str, securable: Securable) -> bool:
        who = principals_of(caller)
        for holder in self._line(securable):
            for principal, privileges in self._grants.direct(holder).items():
                if principal.casefold() not in who:
                    continue
                if privilege in privileges or ("ALL_PRIVILEGES" in privileges and privilege not in NOT_IN_ALL):
                    return True
        return False

    def _owns(self, caller: Caller, securable: Securable) -> bool:
        return self._securables.owner(securable).casefold() in principals_of(caller)

    def _line(self, securable: Securable) -> list[Securable]:
        return [securable, *self._securables.above(securable)]

    def _refusal(self, privilege: str, securable: Securable) -> PrivilegeError:
        name = self._metastore_name if securable.kind == METASTORE else securable.full_name
        return PrivilegeError(privilege, securable.kind, name)


def principals_of(caller: Caller) -> frozenset[str]:
    """The names under which a caller is granted to. The workspace's own groups are none of the account's."""
    groups = (name for name in caller.groups if name not in (ADMINS, USERS))
    return frozenset(name.casefold() for name in (caller.user_name, *groups, ACCOUNT_USERS))


def schema_of(full_name: str, what: str) -> str:
    """The full name of the schema that an object of this full name is in. ApiError 400 where it is no such name."""
    catalog, schema, _ = names.split(full_name, 3, what)
    return f"{catalog}.{schema}"
