"""`/api/2.1/unity-catalog/volumes`."""

from __future__ import annotations

from starlette.routing import BaseRoute

from workspace.http import Call, Json, api
from workspace.unity_catalog.containers import Containers
from workspace.unity_catalog.privileges import Privileges
from workspace.unity_catalog.requests import BASE, asked, full_name, page
from workspace.unity_catalog.securables import SCHEMA, VOLUME
from workspace.unity_catalog.volumes import Volumes


class VolumeRoutes:
    """Paths to functions."""

    def __init__(self, volumes: Volumes, containers: Containers, privileges: Privileges) -> None:
        self._volumes = volumes
        self._containers = containers
        self._privileges = privileges

    def all(self) -> list[BaseRoute]:
        one = f"{BASE}/volumes/{{name}}"
        return [
            api("POST", f"{BASE}/volumes", self._create),
            api("GET", f"{BASE}/volumes", self._list),
            api("GET", one, self._get),
            api("PATCH", one, self._change),
            api("DELETE", one, self._delete),
        ]

    def _create(self, call: Call) -> Json:
        catalog, schema, _ = call.require("catalog_name", "schema_name", "name")
        container = self._containers.schema(str(catalog), str(schema))
        self._privileges.require_create(call.caller, "CREATE_VOLUME", SCHEMA, container["full_name"])
        return self._volumes.create(call.body, call.caller.user_name)

    def _list(self, call: Call) -> Json:
        schema = self._containers.schema(asked(call, "catalog_name"), asked(call, "schema_name"))
        self._privileges.require_read(call.caller, SCHEMA, schema["full_name"])
        seen = [
            self._volumes.get(name)
            for name in self._volumes.names(schema["full_name"])
            if self._privileges.sees(call.caller, VOLUME, name)
        ]
        return page(call, "volumes", seen, lambda volume: str(volume["name"]))

    def _get(self, call: Call) -> Json:
        found = self._volumes.get(_name(call))
        self._privileges.require_read(call.caller, VOLUME, found["full_name"])
        return found

    def _change(self, call: Call) -> Json:
        self._privileges.require_manage(call.caller, VOLUME, _name(call))
        return self._volumes.change(_name(call), call.body, call.caller.user_name)

    def _delete(self, call: Call) -> Json:
        self._privileges.require_manage(call.caller, VOLUME, _name(call))
        self._volumes.delete(_name(call))
        return {}


def _name(call: Call) -> str:
    return full_name(call, VOLUME, "name")
