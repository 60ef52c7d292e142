"""Grants: which principal has which privileges on which securable.

A principal that the workspace's directory does not have is taken for one of the account's: the embedded workspace has
no account to look it up in. Only its own groups are known to be none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workspace.documents import Document, Documents
from workspace.errors import ApiError, invalid
from workspace.identity.directory import ADMINS, USERS
from workspace.unity_catalog.securables import PRIVILEGES, Securable, Securables

_KIND = "grants"


class Grants:
    """Privileges by securable. A grant goes with its object: one made anew under the same name has none."""

    def __init__(self, documents: Documents, securables: Securables) -> None:
        self._documents = documents
        self._securables = securables

    def get(self, kind: str, full_name: str, principal: str | None = None) -> list[dict[str, Any]]:
        """Direct grants, by principal."""
        granted = self.direct(self._securables.find(kind, full_name))
        return [
            {"principal": who, "privileges": privileges}
            for who, privileges in sorted(granted.items())
            if principal in (None, who)
        ]

    def change(self, kind: str, full_name: str, changes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Add and remove privileges, all changes or none; what remains."""
        securable = self._securables.find(kind, full_name)
        if not isinstance(changes, list):
            raise invalid(f"changes is a list, received {changes!r}")
        wanted = [_checked(securable, change) for change in changes]
        self._documents.insert(_KIND, securable.key, {"identity": securable.identity, "granted": {}})

        def apply(document: Document) -> None:
            if document["identity"] != securable.identity:
                document.update(identity=securable.identity, granted={})
            granted: dict[str, list[str]] = document["granted"]
            for principal, add, remove in wanted:
                kept = (set(granted.get(principal, [])) | add) - remove
                granted[principal] = sorted(kept)
                if not kept:
                    del granted[principal]

        self._documents.update(_KIND, securable.key, apply)
        return self.get(kind, full_name)

    def effective(self, kind: str, full_name: str, principal: str | None = None) -> list[dict[str, Any]]:
        """Direct and inherited grants; an inherited one names the container that it comes from."""
        securable = self._securables.find(kind, full_name)
        found: dict[str, list[dict[str, str]]] = {}
        for holder in [securable, *self._securables.above(securable)]:
            origin = (
                {}
                if holder is securable
                else {"inherited_from_type": holder.kind.upper(), "inherited_from_name": holder.full_name}
            )
            for who, privileges in self.direct(holder).items():
                found.setdefault(who, []).extend({"privilege": privilege, **origin} for privilege in privileges)
        return [
            {"principal": who, "privileges": privileges}
            for who, privileges in sorted(found.items())
            if principal in (None, who)
        ]

    def move(self, kind: str, full_name: str, new_name: str) -> None:
        """Let the grants of an object follow it to its new name."""
        document = self._documents.get(_KIND, f"{kind}:{full_name}")
        if document is not None:
            self._documents.put(_KIND, f"{kind}:{new_name}", document)
            self._documents.delete(_KIND, f"{kind}:{full_name}")

    def direct(self, securable: Securable) -> dict[str, list[str]]:
        """Privileges by principal, without what is inherited."""
        document = self._documents.get(_KIND, securable.key)
        if document is None or document["identity"] != securable.identity:
            return {}
        granted: dict[str, list[str]] = document["granted"]
        return granted


def _checked(securable: Securable, change: Mapping[str, Any]) -> tuple[str, set[str], set[str]]:
    if not isinstance(change, Mapping):
        raise invalid(f"a change is an object with principal, add and remove; received {change!r}")
    principal = change.get("principal")
    if not principal:
        raise invalid("Missing required field: changes.principal")
    if principal in (ADMINS, USERS) and change.get("add"):
        # Groups of the workspace are no principals of Unity Catalog, whose principals are the account's.
        raise ApiError(404, "PRINCIPAL_DOES_NOT_EXIST", f"Could not find principal with name {principal}.")
    add, remove = (_privileges(change.get(name)) for name in ("add", "remove"))
    for privilege in sorted(add):
        if privilege not in PRIVILEGES[securable.kind]:
            entity = f"[{securable.full_name}:{securable.kind.upper()}]"
            raise invalid(
                f"Privilege {privilege} is not applicable to this entity {entity}. "
                f"Applicable privileges: {', '.join(sorted(PRIVILEGES[securable.kind]))}",
            )
    return str(principal), add, remove


def _privileges(values: Any) -> set[str]:
    if values is not None and not isinstance(values, list):
        raise invalid(f"privileges are a list of names, received {values!r}")
    return {str(value).upper().replace(" ", "_") for value in values or []}
