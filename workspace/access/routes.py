"""`/api/2.0/permissions/{type}/{id}`: one set of routes for each kind of object that this workspace keeps."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import BaseRoute

from workspace.access.object_types import OBJECT_TYPES
from workspace.access.store import AccessControlLists, CreatorOf
from workspace.http import Call, Json, api
from workspace.state import State


class Access:
    """Object permissions.

    `creators` says, by the path of an object type (`jobs`, `sql/warehouses`), which object ids exist and who
    made them. A type that is not in it gets no routes: the workspace then refuses its paths as not implemented.
    """

    def __init__(self, state: State, creators: Mapping[str, CreatorOf]) -> None:
        unknown = creators.keys() - {object_type.path for object_type in OBJECT_TYPES}
        if unknown:
            raise ValueError(f"no such object types: {', '.join(sorted(unknown))}")
        self._lists = [
            AccessControlLists(state.documents, object_type, creators[object_type.path])
            for object_type in OBJECT_TYPES
            if object_type.path in creators
        ]

    def start(self) -> None:
        """Nothing runs here."""

    def stop(self) -> None:
        """Nothing runs here."""

    def routes(self) -> list[BaseRoute]:
        return [
            route
            for lists in self._lists
            for path in (lists.object_type.path, *lists.object_type.other_paths)
            for route in _routes(f"/api/2.0/permissions/{path}/{{object_id}}", lists)
        ]


def _routes(path: str, lists: AccessControlLists) -> list[BaseRoute]:
    def get(call: Call) -> Json:
        return lists.get(call.path["object_id"])

    def put(call: Call) -> Json:
        return lists.replace(call.path["object_id"], call.body.get("access_control_list"))

    def patch(call: Call) -> Json:
        return lists.merge(call.path["object_id"], call.body.get("access_control_list"))

    def levels(call: Call) -> Json:
        return {"permission_levels": lists.levels(call.path["object_id"])}

    return [
        api("GET", path, get),
        api("PUT", path, put),
        api("PATCH", path, patch),
        api("GET", f"{path}/permissionLevels", levels),
    ]
