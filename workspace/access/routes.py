"""`/api/2.0/permissions/{type}/{id}`: one set of routes for each kind of object that this workspace keeps."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import BaseRoute

from workspace.access.object_types import OBJECT_TYPES
from workspace.access.rights import ObjectRights
from workspace.access.store import AccessControlLists, CreatorOf
from workspace.http import Call, Json, api
from workspace.state import State


class Access:
    """Object permissions; `rights` says what they allow.

    `creators` says, by the path of an object type (`jobs`, `sql/warehouses`), which object ids exist and who
    made them. A type that is not in it gets no routes: the workspace then refuses its paths as not implemented.
    """

    def __init__(self, state: State, creators: Mapping[str, CreatorOf]) -> None:
        unknown = creators.keys() - {object_type.path for object_type in OBJECT_TYPES}
        if unknown:
            raise ValueError(f"no such object types: {', '.join(sorted(unknown))}")
        self._lists = {
            object_type.path: AccessControlLists(state.documents, object_type, creators[object_type.path])
            for object_type in OBJECT_TYPES
            if object_type.path in creators
        }
        self.rights = ObjectRights(self._lists)

    def start(self) -> None:
        """Nothing runs here."""

    def stop(self) -> None:
        """Nothing runs here."""

    def routes(self) -> list[BaseRoute]:
        return [
            route
            for lists in self._lists.values()
            for path in (lists.object_type.path, *lists.object_type.other_paths)
            for route in _routes(f"/api/2.0/permissions/{path}/{{object_id}}", lists, self.rights)
        ]


def _routes(path: str, lists: AccessControlLists, rights: ObjectRights) -> list[BaseRoute]:
    def managed(call: Call) -> str:
        object_id = call.path["object_id"]
        rights.require_manage(call.caller, lists.object_type.path, object_id)
        return object_id

    def put(call: Call) -> Json:
        return lists.replace(managed(call), call.body.get("access_control_list"))

    def patch(call: Call) -> Json:
        return lists.merge(managed(call), call.body.get("access_control_list"))

    return [
        api("GET", path, lambda call: lists.get(managed(call))),
        api("PUT", path, put),
        api("PATCH", path, patch),
        api("GET", f"{path}/permissionLevels", lambda call: {"permission_levels": lists.levels(managed(call))}),
    ]
