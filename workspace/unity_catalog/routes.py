"""The REST face of Unity Catalog: catalogs, schemas, the metastore; with the parts that have modules of their own."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from workspace.errors import invalid
from workspace.http import Call, Json, api
from workspace.identity.caller import OWNER
from workspace.state import State
from workspace.unity_catalog.containers import Containers
from workspace.unity_catalog.grants import Grants
from workspace.unity_catalog.privileges import Privileges
from workspace.unity_catalog.requests import BASE, asked, flag, page, schema_name
from workspace.unity_catalog.securables import CATALOG, SCHEMA

METASTORE_NAME = "embedded"
REGION = "local"


class Routes:
    """Paths to functions; the rules are the stores' and `Privileges`'."""

    def __init__(self, state: State, containers: Containers, privileges: Privileges, grants: Grants) -> None:
        self._state = state
        self._containers = containers
        self._privileges = privileges
        self._grants = grants

    def all(self) -> list[BaseRoute]:
        catalog, schema = f"{BASE}/catalogs/{{name}}", f"{BASE}/schemas/{{full_name}}"
        return [
            api("POST", f"{BASE}/catalogs", self._create_catalog),
            api("GET", f"{BASE}/catalogs", self._list_catalogs),
            api("GET", catalog, self._get_catalog),
            api("PATCH", catalog, lambda call: self._change(CATALOG, _catalog(call), call)),
            api("DELETE", catalog, self._delete_catalog),
            api("POST", f"{BASE}/schemas", self._create_schema),
            api("GET", f"{BASE}/schemas", self._list_schemas),
            api("GET", schema, self._get_schema),
            api("PATCH", schema, lambda call: self._change(SCHEMA, ".".join(_schema(call)), call)),
            api("DELETE", schema, self._delete_schema),
            api("GET", f"{BASE}/current-metastore-assignment", self._assignment),
            api("GET", f"{BASE}/metastore_summary", self._metastore),
        ]

    def _create_catalog(self, call: Call) -> Json:
        call.require("name")
        self._privileges.require_metastore(call.caller, "CREATE_CATALOG")
        return self._containers.create_catalog(call.body, call.caller.user_name)

    def _list_catalogs(self, call: Call) -> Json:
        found = self._visible(call, CATALOG, self._containers.catalogs())
        return page(call, "catalogs", found, _name)

    def _get_catalog(self, call: Call) -> Json:
        found = self._containers.catalog(call.path["name"])
        self._privileges.require_read(call.caller, CATALOG, found["name"])
        return found

    def _delete_catalog(self, call: Call) -> Json:
        self._privileges.require_manage(call.caller, CATALOG, _catalog(call))
        self._containers.delete_catalog(_catalog(call), force=flag(call, "force"))
        return {}

    def _create_schema(self, call: Call) -> Json:
        call.text("name")
        catalog = call.text("catalog_name")
        self._containers.catalog(catalog)
        if not self._privileges.is_metastore_admin(call.caller):
            self._privileges.require_create(call.caller, "CREATE_SCHEMA", CATALOG, catalog)
        return self._containers.create_schema(call.body, call.caller.user_name)

    def _list_schemas(self, call: Call) -> Json:
        catalog = asked(call, "catalog_name")
        found = self._containers.schemas(catalog)
        shown = self._visible(call, SCHEMA, found)
        if not shown:
            self._privileges.require_read(call.caller, CATALOG, catalog.strip("`").lower())
        return page(call, "schemas", shown, _name)

    def _get_schema(self, call: Call) -> Json:
        found = self._containers.schema(*_schema(call))
        self._privileges.require_read(call.caller, SCHEMA, found["full_name"])
        return found

    def _delete_schema(self, call: Call) -> Json:
        full_name = ".".join(_schema(call))
        self._privileges.require_manage(call.caller, SCHEMA, full_name)
        self._containers.delete_schema(full_name, force=flag(call, "force"))
        return {}

    def _change(self, kind: str, full_name: str, call: Call) -> Json:
        self._privileges.require_manage(call.caller, kind, full_name)
        if "owner" in call.body:
            _check_owner(call.body["owner"])
        return self._containers.change(kind, full_name, call.body, call.caller.user_name)

    def _visible(self, call: Call, kind: str, found: Sequence[Json]) -> list[Json]:
        key = "name" if kind == CATALOG else "full_name"
        return [one for one in found if self._privileges.sees(call.caller, kind, one[key])]

    def _assignment(self, _: Call) -> Json:
        return {
            "workspace_id": int(self._state.workspace_id),
            "metastore_id": self._state.metastore_id,
            "default_catalog_name": "main",
        }

    def _metastore(self, _: Call) -> Json:
        return {
            "metastore_id": self._state.metastore_id,
            "name": METASTORE_NAME,
            "global_metastore_id": f"aws:{REGION}:{self._state.metastore_id}",
            "cloud": "aws",
            "region": REGION,
            "owner": OWNER.user_name,
            "privilege_model_version": "1.0",
            "delta_sharing_scope": "INTERNAL",
        }


def _name(document: Json) -> str:
    return str(document["name"])


def _catalog(call: Call) -> str:
    return call.path["name"].strip("`").lower()


def _schema(call: Call) -> tuple[str, str]:
    return schema_name(call.path["full_name"])


def _check_owner(owner: object) -> None:
    if not isinstance(owner, str) or not owner:
        raise invalid(f"owner is the name of a user, service principal or group; received {owner!r}")
