"""What callers may do with workspace objects: questions and refusals over the access control lists."""

from __future__ import annotations

from collections.abc import Mapping

from workspace.access.object_types import MANAGE_LEVEL
from workspace.access.store import AccessControlLists
from workspace.errors import ApiError, permission_denied
from workspace.http import Caller


class ObjectRights:
    """Levels of callers on objects, by the path of the object's type (`jobs`, `sql/warehouses`) and its id."""

    def __init__(self, lists: Mapping[str, AccessControlLists]) -> None:
        self._lists = lists

    def level(self, caller: Caller, kind: str, object_id: str) -> str | None:
        """The highest level, None for none. ApiError 404 where there is no such object."""
        return self._lists[kind].level_of(caller, object_id)

    def has(self, caller: Caller, level: str, kind: str, object_id: str) -> bool:
        """Whether the caller has a level; False for an object that is not there."""
        try:
            held = self.level(caller, kind, object_id)
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return held is not None and self._reaches(kind, held, level)

    def require(self, caller: Caller, level: str, kind: str, object_id: str, shown: str | None = None) -> None:
        """Raises ApiError 403 in the service's words (`shown`: what the object is called there), 404 where there is no
        such object."""
        held = self.level(caller, kind, object_id)
        if held is None or not self._reaches(kind, held, level):
            raise permission_denied(self._lists[kind].object_type.refusal(caller.user_name, level, shown or object_id))

    def require_manage(self, caller: Caller, kind: str, object_id: str) -> None:
        """What it takes to read and change an object's permissions."""
        held = self.level(caller, kind, object_id)
        if held is not None and self._reaches(kind, held, MANAGE_LEVEL):
            return
        if kind == "jobs":
            # Another sentence than for the job itself (databricks/cli `libs/testserver/jobs.go`).
            raise permission_denied(
                f"{caller.user_name} does not have Manage permissions on Job with ID: ElasticJobId({object_id}). "
                "Please contact the owner or an administrator for access."
            )
        self.require(caller, MANAGE_LEVEL, kind, object_id)

    def _reaches(self, kind: str, held: str, wanted: str) -> bool:
        rank = self._lists[kind].object_type.rank
        return rank(held) >= rank(wanted)
