"""The access control lists that were set, and the one that an object has before anyone sets any.

A list is kept as direct entries only; what admins inherit is added when it is read, because nobody can change it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from workspace.access.object_types import MANAGE_LEVEL, OWNER_LEVEL, ObjectType
from workspace.documents import Documents
from workspace.errors import invalid, not_found
from workspace.http import Caller
from workspace.identity.directory import ADMINS, USERS

CreatorOf = Callable[[str], str | None]
"""The user name of an object's creator by the object's id, or None where there is no such object."""

PRINCIPALS = ("user_name", "group_name", "service_principal_name")

_KIND = "access_control_list"

Entry = dict[str, str]
"""`{kind: one of PRINCIPALS, name, level}`: one direct permission."""


class AccessControlLists:
    """The lists of one kind of object."""

    def __init__(self, documents: Documents, object_type: ObjectType, creator_of: CreatorOf) -> None:
        self._documents = documents
        self._type = object_type
        self._creator_of = creator_of
        self._writing = threading.Lock()

    @property
    def object_type(self) -> ObjectType:
        return self._type

    def get(self, object_id: str) -> dict[str, Any]:
        """The object's permissions as the API words them. Raises ApiError 404 where there is no such object."""
        return self._answer(object_id, self._entries(object_id))

    def replace(self, object_id: str, requested: object) -> dict[str, Any]:
        """PUT: the requested entries are all that remain (an owned kind needs exactly one owner among them)."""
        self._require_object(object_id)
        entries = self._parse(requested)
        with self._writing:
            return self._store(object_id, entries)

    def merge(self, object_id: str, requested: object) -> dict[str, Any]:
        """PATCH: the principals named get the requested level instead of theirs; the others keep what they have."""
        changes = self._parse(requested)
        named = {_principal(entry) for entry in changes}
        with self._writing:
            kept = [entry for entry in self._entries(object_id) if _principal(entry) not in named]
            return self._store(object_id, kept + changes)

    def levels(self, object_id: str) -> list[dict[str, str]]:
        self._require_object(object_id)
        return [{"permission_level": level, "description": text} for level, text in self._type.levels.items()]

    def level_of(self, caller: Caller, object_id: str) -> str | None:
        """The highest level of a caller on an object, None for none. ApiError 404 where there is no such object."""
        entries = self._entries(object_id)
        if caller.admin:
            return MANAGE_LEVEL
        names = {("user_name", caller.user_name.casefold()), ("service_principal_name", caller.user_name.casefold())}
        mine = names | {("group_name", name.casefold()) for name in caller.groups}
        held = [entry["level"] for entry in entries if _principal(entry) in mine]
        return max(held, key=self._type.rank, default=None)

    def _require_object(self, object_id: str) -> str:
        creator = self._creator_of(object_id)
        if creator is None:
            raise not_found(
                f"{self._type.name} with id '{object_id}' does not exist. "
                "Permissions are set on an object's id, not its name."
            )
        return creator

    def _entries(self, object_id: str) -> list[Entry]:
        creator = self._require_object(object_id)
        stored = self._documents.get(_KIND, self._key(object_id))
        if stored is None:
            return self._first_entries(creator)
        entries: list[Entry] = stored["entries"]
        return entries

    def _first_entries(self, creator: str) -> list[Entry]:
        kind = "service_principal_name" if _is_application_id(creator) else "user_name"
        entries = [{"kind": kind, "name": creator, "level": self._type.creator_level}]
        if self._type.for_users:
            entries.append({"kind": "group_name", "name": USERS, "level": self._type.for_users})
        return entries

    def _store(self, object_id: str, entries: list[Entry]) -> dict[str, Any]:
        if self._type.has_owner:
            owners = [entry["name"] for entry in entries if entry["level"] == OWNER_LEVEL]
            if len(owners) != 1:
                raise invalid(
                    f"The {self._type.name} must have exactly one owner; this list would leave {len(owners)} "
                    f"({', '.join(owners)}). Send the whole list with PUT, one entry in it with {OWNER_LEVEL}."
                )
        self._documents.put(_KIND, self._key(object_id), {"entries": entries})
        return self._answer(object_id, entries)

    def _parse(self, requested: object) -> list[Entry]:
        if requested is None:
            return []
        if not isinstance(requested, list) or not all(isinstance(item, dict) for item in requested):
            raise invalid("access_control_list must be a list of objects")
        entries: list[Entry] = []
        for item in requested:
            entry = self._parse_entry(item)
            if entry not in entries:
                entries.append(entry)
        return entries

    def _parse_entry(self, item: dict[str, Any]) -> Entry:
        named = {kind: item[kind] for kind in PRINCIPALS if item.get(kind)}
        if len(named) != 1:
            raise invalid(
                f"An entry of access_control_list needs exactly one of {', '.join(PRINCIPALS)}; "
                f"received {named or 'none'}"
            )
        (kind, name), *_ = named.items()
        level = item.get("permission_level")
        if level not in self._type.levels:
            raise invalid(
                f"Invalid permission_level '{level}' for {name}: "
                f"a {self._type.name} knows {', '.join(self._type.levels)}"
            )
        if kind == "group_name" and name == ADMINS:
            raise invalid(
                f"Group {ADMINS} inherits {MANAGE_LEVEL} on every {self._type.name}; "
                "leave it out of access_control_list"
            )
        return {"kind": kind, "name": str(name), "level": str(level)}

    def _answer(self, object_id: str, entries: list[Entry]) -> dict[str, Any]:
        by_principal: dict[tuple[str, str], dict[str, Any]] = {}
        for entry in entries:
            shown = by_principal.setdefault(_principal(entry), {entry["kind"]: entry["name"], "all_permissions": []})
            shown["all_permissions"].append({"permission_level": entry["level"], "inherited": False})
        inherited = {
            "permission_level": MANAGE_LEVEL,
            "inherited": True,
            "inherited_from_object": [f"/{self._type.path}/"],
        }
        return {
            "object_id": f"/{self._type.path}/{object_id}",
            "object_type": self._type.name,
            "access_control_list": [*by_principal.values(), {"group_name": ADMINS, "all_permissions": [inherited]}],
        }

    def _key(self, object_id: str) -> str:
        return f"{self._type.path}/{object_id}"


def _principal(entry: Entry) -> tuple[str, str]:
    """User names compare without regard to case (terraform-provider-databricks issue 5183)."""
    return entry["kind"], entry["name"].casefold()


def _is_application_id(name: str) -> bool:
    """Users have addresses for names; whatever has none is a service principal."""
    return "@" not in name
