"""The directory: users, service principals and groups of the workspace, and who is in which group.

Read on every request, written seldom: a snapshot is kept in memory and made anew after each change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from workspace.documents import Document, Documents
from workspace.http import Caller
from workspace.identity.caller import OWNER

USER, SERVICE_PRINCIPAL, GROUP = "User", "ServicePrincipal", "Group"
KINDS = (USER, SERVICE_PRINCIPAL, GROUP)
NAME_OF = {USER: "userName", SERVICE_PRINCIPAL: "applicationId", GROUP: "displayName"}
"""What a principal is called in access control lists and grants, by its kind."""

ADMINS, USERS, ACCOUNT_USERS = "admins", "users", "account users"
_KIND = "principal"
_SEQUENCE = "principal"
_FIRST_ID = 1_000_000_000


@dataclass(frozen=True)
class Principal:
    """A user, a service principal or a group as it is stored."""

    kind: str
    id: str
    resource: Document
    """The SCIM resource as it was written: no groups, no meta, members of a group as `{"value": id}`."""

    @property
    def name(self) -> str:
        return str(self.resource[NAME_OF[self.kind]])

    @property
    def active(self) -> bool:
        return bool(self.resource.get("active", True))


@dataclass(frozen=True)
class _Snapshot:
    by_id: dict[str, Principal]
    by_name: dict[tuple[str, str], Principal]
    parents: dict[str, list[str]]
    """Ids of the groups that list a principal as their member, by the principal's id."""
    callers: dict[str, Caller] = field(default_factory=dict)
    """Principals as callers, made when they first ask."""


class Directory:
    """Principals by kind and id. Safe for use from many threads."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._lock = threading.RLock()
        self._snapshot: _Snapshot | None = None
        self._seed()

    def all(self, kind: str) -> list[Principal]:
        """In the order in which they were made."""
        return [one for one in self._now().by_id.values() if one.kind == kind]

    def get(self, kind: str, principal_id: str) -> Principal | None:
        found = self._now().by_id.get(principal_id)
        return found if found is not None and found.kind == kind else None

    def named(self, name: str, *kinds: str) -> Principal | None:
        """The principal of that name: user name, application id or group name; not told apart by case."""
        by_name = self._now().by_name
        found = (by_name.get((kind, name.casefold())) for kind in kinds or KINDS)
        return next((one for one in found if one is not None), None)

    def create(self, kind: str, resource: Document) -> Principal:
        """Store a new principal under the next id; the caller has checked that the name is free."""
        with self._lock:
            principal_id = str(_FIRST_ID + self._documents.next_number(_SEQUENCE))
            self._put(kind, principal_id, resource)
        return Principal(kind, principal_id, resource)

    def replace(self, principal: Principal, resource: Document) -> Principal:
        with self._lock:
            self._put(principal.kind, principal.id, resource)
        return Principal(principal.kind, principal.id, resource)

    def delete(self, principal: Principal) -> None:
        """Remove a principal, also from the groups that list it."""
        with self._lock:
            self._documents.delete(_KIND, principal.id)
            self._snapshot = None
            for group in self.all(GROUP):
                members = group.resource.get("members") or []
                kept = [member for member in members if member["value"] != principal.id]
                if len(kept) != len(members):
                    self._put(GROUP, group.id, {**group.resource, "members": kept})

    def change(self, principal: Principal, change: Callable[[Document], Document]) -> Principal:
        """Replace a principal by `change` of what is stored now, atomically."""
        with self._lock:
            found = self.get(principal.kind, principal.id)
            return self.replace(principal, change(dict(found.resource if found else principal.resource)))

    def groups_of(self, principal: Principal, *, direct: bool = False) -> list[Principal]:
        """The groups a principal is in, through other groups too unless `direct`; `users` holds all but groups."""
        now = self._now()
        found: dict[str, Principal] = {}
        waiting = list(now.parents.get(principal.id, []))
        while waiting:
            group_id = waiting.pop(0)
            if group_id in found:
                continue
            found[group_id] = now.by_id[group_id]
            if not direct:
                waiting.extend(now.parents.get(group_id, []))
        everybody = now.by_name[GROUP, USERS]
        if principal.kind != GROUP:
            found.setdefault(everybody.id, everybody)
        return list(found.values())

    def caller(self, principal: Principal) -> Caller:
        """The principal as a caller of the workspace."""
        known = self._now().callers
        if principal.id not in known:
            known[principal.id] = self._caller(principal)
        return known[principal.id]

    def _caller(self, principal: Principal) -> Caller:
        groups = tuple(sorted(group.name for group in self.groups_of(principal)))
        return Caller(
            user_name=principal.name,
            id=principal.id,
            groups=groups,
            admin=ADMINS in groups,
            service_principal=principal.kind == SERVICE_PRINCIPAL,
            display_name=str(principal.resource.get("displayName") or principal.name),
        )

    def _put(self, kind: str, principal_id: str, resource: Document) -> None:
        self._documents.put(_KIND, principal_id, {"kind": kind, "resource": resource})
        self._snapshot = None

    def _now(self) -> _Snapshot:
        snapshot = self._snapshot
        if snapshot is None:
            with self._lock:
                snapshot = self._snapshot = _read(self._documents.list(_KIND))
        return snapshot

    def _seed(self) -> None:
        """The owner and the two groups that every workspace has; also in a folder that has no directory yet."""
        with self._lock:
            if self.get(USER, OWNER.id) is None:
                owner = {"userName": OWNER.user_name, "displayName": OWNER.user_name, "active": True}
                self._documents.next_number(_SEQUENCE)
                self._put(USER, OWNER.id, owner)
            for name, members in ((ADMINS, [{"value": OWNER.id}]), (USERS, [])):
                if self.named(name, GROUP) is None:
                    self.create(GROUP, {"displayName": name, "members": members})


def _read(stored: Iterable[tuple[str, Document]]) -> _Snapshot:
    found = [Principal(document["kind"], key, document["resource"]) for key, document in stored]
    by_id = {one.id: one for one in sorted(found, key=lambda one: int(one.id))}
    parents: dict[str, list[str]] = {}
    for group in by_id.values():
        for member in group.resource.get("members") or []:
            parents.setdefault(member["value"], []).append(group.id)
    return _Snapshot(by_id, {(one.kind, one.name.casefold()): one for one in by_id.values()}, parents)
