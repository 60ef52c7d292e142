"""The REST face of Unity Catalog: `/api/2.1/unity-catalog/...`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from starlette.routing import BaseRoute

from workspace.errors import ApiError, invalid
from workspace.http import Call, Json, api
from workspace.state import State
from workspace.unity_catalog import names
from workspace.unity_catalog.containers import Containers
from workspace.unity_catalog.grants import Grants
from workspace.unity_catalog.securables import CATALOG, SCHEMA
from workspace.unity_catalog.table_info import table_info, table_summary
from workspace.unity_catalog.tables import Table, Tables

BASE = "/api/2.1/unity-catalog"
DEFAULT_PAGE = 100
METASTORE_NAME = "embedded"
REGION = "local"

Item = TypeVar("Item")


class Routes:
    """Paths to functions; the rules are the stores'."""

    def __init__(self, state: State, containers: Containers, tables: Tables, grants: Grants) -> None:
        self._state = state
        self._containers = containers
        self._tables = tables
        self._grants = grants

    def all(self) -> list[BaseRoute]:
        containers, tables, grants = self._containers, self._tables, self._grants
        permissions = "/{securable_type}/{full_name}"
        return [
            api("POST", f"{BASE}/catalogs", self._create_catalog),
            api("GET", f"{BASE}/catalogs", lambda call: _page(call, "catalogs", containers.catalogs(), _name)),
            api("GET", f"{BASE}/catalogs/{{name}}", lambda call: containers.catalog(call.path["name"])),
            api("PATCH", f"{BASE}/catalogs/{{name}}", lambda call: self._change(CATALOG, call, "name")),
            api("DELETE", f"{BASE}/catalogs/{{name}}", self._delete_catalog),
            api("POST", f"{BASE}/schemas", self._create_schema),
            api("GET", f"{BASE}/schemas", self._list_schemas),
            api(
                "GET", f"{BASE}/schemas/{{full_name}}", lambda call: containers.schema(*_schema(call.path["full_name"]))
            ),
            api("PATCH", f"{BASE}/schemas/{{full_name}}", lambda call: self._change(SCHEMA, call, "full_name")),
            api("DELETE", f"{BASE}/schemas/{{full_name}}", self._delete_schema),
            api("GET", f"{BASE}/tables", self._list_tables),
            api("GET", f"{BASE}/tables/{{full_name}}", lambda call: self._info(tables.get(_full(call)))),
            api("GET", f"{BASE}/tables/{{full_name}}/exists", self._table_exists),
            api("PATCH", f"{BASE}/tables/{{full_name}}", self._change_table),
            api("DELETE", f"{BASE}/tables/{{full_name}}", self._delete_table),
            api("GET", f"{BASE}/table-summaries", self._summaries),
            api("GET", f"{BASE}/permissions{permissions}", lambda call: _assignments(call, grants.get)),
            api("PATCH", f"{BASE}/permissions{permissions}", self._change_grants),
            api("GET", f"{BASE}/effective-permissions{permissions}", lambda call: _assignments(call, grants.effective)),
            api("GET", f"{BASE}/current-metastore-assignment", self._assignment),
            api("GET", f"{BASE}/metastore_summary", self._metastore),
        ]

    def _info(self, table: Table) -> Json:
        return table_info(table, self._state.metastore_id)

    def _create_catalog(self, call: Call) -> Json:
        call.require("name")
        return self._containers.create_catalog(call.body, call.caller.user_name)

    def _create_schema(self, call: Call) -> Json:
        call.require("name", "catalog_name")
        return self._containers.create_schema(call.body, call.caller.user_name)

    def _change(self, kind: str, call: Call, parameter: str) -> Json:
        return self._containers.change(kind, call.path[parameter], call.body, call.caller.user_name)

    def _delete_catalog(self, call: Call) -> Json:
        self._containers.delete_catalog(call.path["name"], force=_flag(call, "force"))
        return {}

    def _delete_schema(self, call: Call) -> Json:
        self._containers.delete_schema(call.path["full_name"], force=_flag(call, "force"))
        return {}

    def _list_schemas(self, call: Call) -> Json:
        return _page(call, "schemas", self._containers.schemas(_asked(call, "catalog_name")), _name)

    def _list_tables(self, call: Call) -> Json:
        schema = self._containers.schema(_asked(call, "catalog_name"), _asked(call, "schema_name"))
        page = _page(
            call, "tables", self._tables.list(schema["catalog_name"], schema["name"]), lambda table: table.name
        )
        infos = [self._info(table) for table in page["tables"]]
        for name, parameter in (("columns", "omit_columns"), ("properties", "omit_properties")):
            if _flag(call, parameter):
                for info in infos:
                    info.pop(name, None)
        return {**page, "tables": infos}

    def _table_exists(self, call: Call) -> Json:
        catalog, schema, _ = names.split(_full(call), 3, "table")
        self._containers.schema(catalog, schema)
        return {"table_exists": self._tables.find(_full(call)) is not None}

    def _change_table(self, call: Call) -> Json:
        unknown = set(call.body) - {"owner", "full_name"}
        if unknown:
            raise invalid(
                f"only the owner of a table is changed here, received {sorted(unknown)}; use ALTER TABLE in SQL"
            )
        (owner,) = call.require("owner")
        self._tables.set_owner(_full(call), owner)
        return self._info(self._tables.get(_full(call)))

    def _delete_table(self, call: Call) -> Json:
        self._tables.drop(_full(call))
        return {}

    def _summaries(self, call: Call) -> Json:
        schemas = self._containers.schemas(_asked(call, "catalog_name"))
        wanted_schema = _like(call.query.get("schema_name_pattern"))
        wanted_table = _like(call.query.get("table_name_pattern"))
        found = [
            table
            for schema in schemas
            if wanted_schema(schema["name"])
            for table in self._tables.list(schema["catalog_name"], schema["name"])
            if wanted_table(table.name)
        ]
        page = _page(call, "tables", found, lambda table: table.full_name)
        return {**page, "tables": [table_summary(table) for table in page["tables"]]}

    def _change_grants(self, call: Call) -> Json:
        changes = call.body.get("changes") or []
        changed = self._grants.change(call.path["securable_type"], call.path["full_name"], changes)
        return {"privilege_assignments": changed}

    def _assignment(self, _: Call) -> Json:
        return {
            "workspace_id": int(self._state.workspace_id),
            "metastore_id": self._state.metastore_id,
            "default_catalog_name": "main",
        }

    def _metastore(self, call: Call) -> Json:
        return {
            "metastore_id": self._state.metastore_id,
            "name": METASTORE_NAME,
            "global_metastore_id": f"aws:{REGION}:{self._state.metastore_id}",
            "cloud": "aws",
            "region": REGION,
            "owner": call.caller.user_name,
            "privilege_model_version": "1.0",
            "delta_sharing_scope": "INTERNAL",
        }


def _page(call: Call, field: str, items: Sequence[Item], key: Callable[[Item], str]) -> Json:
    """One page of items that come sorted by `key`; the token is the key of the last one."""
    try:
        size = int(call.query.get("max_results") or 0) or DEFAULT_PAGE
    except ValueError as error:
        raise invalid(f"max_results must be a number, received '{call.query['max_results']}'") from error
    after = call.query.get("page_token", "")
    rest = [item for item in items if key(item) > after]
    page = rest[:size]
    return {field: page, **({"next_page_token": key(page[-1])} if len(rest) > size else {})}


def _assignments(call: Call, read: Callable[[str, str, str | None], list[Json]]) -> Json:
    principal = call.query.get("principal")
    return {"privilege_assignments": read(call.path["securable_type"], call.path["full_name"], principal)}


def _name(document: Json) -> str:
    return str(document["name"])


def _full(call: Call) -> str:
    full_name = call.path["full_name"]
    names.split(full_name, 3, "table")
    return full_name


def _schema(full_name: str) -> tuple[str, str]:
    catalog, schema = names.split(full_name, 2, "schema")
    return catalog, schema


def _flag(call: Call, name: str) -> bool:
    return call.query.get(name, "false").lower() == "true"


def _asked(call: Call, name: str) -> str:
    value = call.query.get(name)
    if not value:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Missing required parameter: {name}")
    return value


def _like(pattern: str | None) -> Callable[[str], bool]:
    """SQL LIKE: % for any text, _ for any one character."""
    if not pattern:
        return lambda _: True
    escaped = "".join({"%": ".*", "_": "."}.get(mark, re.escape(mark)) for mark in pattern.lower())
    return lambda name: re.fullmatch(escaped, name) is not None
