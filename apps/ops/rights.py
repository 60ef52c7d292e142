"""What the caller may do with an object of Unity Catalog, its groups and its ownership included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied

from apps.ops.findings import Finding

_KINDS = {"function": "model"}
_OBJECTS = {"function": "FUNCTION", "table": "TABLE", "schema": "SCHEMA", "catalog": "CATALOG"}
EVERYTHING = "ALL_PRIVILEGES"


class Rights:
    """The rights of whoever the client's credentials are."""

    def __init__(self, client: WorkspaceClient) -> None:
        self._client = client
        me = client.current_user.me()
        self.name = str(me.user_name)
        self._principals = [self.name, *(group.display for group in me.groups or [] if group.display), "account users"]

    def of(
        self, kind: str, full_name: str, privileges: Sequence[str], *, owner: str | None = None
    ) -> Iterator[Finding]:
        """One finding: whether all of `privileges` are there. An object that the caller may not even see lacks them.

        Args:
            kind: catalog, schema, table, or function (a registered model is one to the grants API).
            owner: of the object, where it was read already; owners need no grant.
        """
        check = {"table": "feature table"}.get(kind, _KINDS.get(kind, kind))
        try:
            owner = owner if owner is not None else self._owner(kind, full_name)
            held = self._effective(kind, full_name)
        except PermissionDenied as error:
            yield self._lacking(check, kind, full_name, privileges, f" ({str(error).partition(' Config: ')[0]})")
            return
        if owner in self._principals:
            yield Finding(check, full_name, "pass", f"{self.name} owns it")
        elif missing := [one for one in privileges if not {one, EVERYTHING} & held]:
            yield self._lacking(check, kind, full_name, missing)
        else:
            yield Finding(check, full_name, "pass", f"{self.name} has {', '.join(privileges)}")

    def _lacking(self, check: str, kind: str, full_name: str, missing: Sequence[str], why: str = "") -> Finding:
        grant = "; ".join(
            f"GRANT {one.replace('_', ' ')} ON {_OBJECTS[kind]} {full_name} TO `{self.name}`" for one in missing
        )
        return Finding(check, full_name, "fail", f"{self.name} lacks {', '.join(missing)}{why}", grant)

    def _owner(self, kind: str, full_name: str) -> str | None:
        if kind == "catalog":
            return self._client.catalogs.get(full_name).owner
        if kind == "schema":
            return self._client.schemas.get(full_name).owner
        return None

    def _effective(self, kind: str, full_name: str) -> set[str]:
        """Of all principals that the caller is: the API gives those of one name, and not of its groups."""
        found: set[str] = set()
        answer = self._client.grants.get_effective(kind, full_name)
        for assignment in answer.privilege_assignments or []:
            if assignment.principal in self._principals:
                found |= {one.privilege.value for one in assignment.privileges or [] if one.privilege is not None}
        return found
