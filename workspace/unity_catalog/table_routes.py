"""Tables and their constraints: `/api/2.1/unity-catalog/{tables,table-summaries,constraints}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.routing import BaseRoute

from workspace.errors import invalid, not_found
from workspace.http import Call, Json, api
from workspace.unity_catalog.containers import Containers
from workspace.unity_catalog.privileges import Privileges, schema_of
from workspace.unity_catalog.requests import BASE, asked, flag, full_name, page
from workspace.unity_catalog.securables import SCHEMA, TABLE
from workspace.unity_catalog.table import ForeignKey, Table
from workspace.unity_catalog.table_info import table_info, table_summary
from workspace.unity_catalog.tables import Tables


class TableRoutes:
    """Paths to functions. Tables are made in SQL; here they are read, handed over and dropped."""

    def __init__(self, metastore_id: str, containers: Containers, tables: Tables, privileges: Privileges) -> None:
        self._metastore_id = metastore_id
        self._containers = containers
        self._tables = tables
        self._privileges = privileges

    def all(self) -> list[BaseRoute]:
        one = f"{BASE}/tables/{{full_name}}"
        return [
            api("GET", f"{BASE}/tables", self._list),
            api("GET", one, self._get),
            api("GET", f"{one}/exists", self._exists),
            api("PATCH", one, self._change),
            api("DELETE", one, self._delete),
            api("GET", f"{BASE}/table-summaries", self._summaries),
            api("POST", f"{BASE}/constraints", self._create_constraint),
            api("DELETE", f"{BASE}/constraints/{{full_name}}", self._delete_constraint),
        ]

    def _info(self, table: Table) -> Json:
        return table_info(table, self._metastore_id)

    def _list(self, call: Call) -> Json:
        schema = self._containers.schema(asked(call, "catalog_name"), asked(call, "schema_name"))
        self._privileges.require_read(call.caller, SCHEMA, schema["full_name"])
        found = self._seen(call, schema)
        answer = page(call, "tables", found, lambda table: table.name)
        infos = [self._info(table) for table in answer["tables"]]
        for name, parameter in (("columns", "omit_columns"), ("properties", "omit_properties")):
            if flag(call, parameter):
                for info in infos:
                    info.pop(name, None)
        return {**answer, "tables": infos}

    def _get(self, call: Call) -> Json:
        table = self._tables.get(full_name(call, "table"))
        self._privileges.require_read(call.caller, TABLE, table.full_name)
        return self._info(table)

    def _exists(self, call: Call) -> Json:
        name = full_name(call, "table")
        catalog, schema = schema_of(name, "table").split(".")
        self._containers.schema(catalog, schema)
        there = self._tables.find(name) is not None
        if there:
            self._privileges.require_read(call.caller, TABLE, name)
        else:
            self._privileges.require_read(call.caller, SCHEMA, f"{catalog}.{schema}")
        return {"table_exists": there}

    def _change(self, call: Call) -> Json:
        unknown = set(call.body) - {"owner", "full_name"}
        if unknown:
            raise invalid(
                f"only the owner of a table is changed here, received {sorted(unknown)}; use ALTER TABLE in SQL"
            )
        (owner,) = call.require("owner")
        name = full_name(call, "table")
        self._privileges.require_manage(call.caller, TABLE, name)
        self._tables.set_owner(name, str(owner))
        return self._info(self._tables.get(name))

    def _delete(self, call: Call) -> Json:
        name = full_name(call, "table")
        self._privileges.require_manage(call.caller, TABLE, name)
        self._tables.drop(name)
        return {}

    def _summaries(self, call: Call) -> Json:
        wanted_schema = _like(call.query.get("schema_name_pattern"))
        wanted_table = _like(call.query.get("table_name_pattern"))
        found = [
            table
            for schema in self._containers.schemas(asked(call, "catalog_name"))
            if wanted_schema(schema["name"])
            for table in self._seen(call, schema)
            if wanted_table(table.name)
        ]
        answer = page(call, "tables", found, lambda table: table.full_name)
        return {**answer, "tables": [table_summary(table) for table in answer["tables"]]}

    def _seen(self, call: Call, schema: Mapping[str, Any]) -> list[Table]:
        found = self._tables.list(schema["catalog_name"], schema["name"])
        return [table for table in found if self._privileges.sees(call.caller, TABLE, table.full_name)]

    def _create_constraint(self, call: Call) -> Json:
        """A primary or a foreign key. As in SQL, nothing checks the rows against them."""
        name, constraint = call.text("full_name_arg"), call.object("constraint")
        kinds = [kind for kind in ("primary_key_constraint", "foreign_key_constraint") if constraint.get(kind)]
        if len(kinds) != 1 or len(constraint) != 1:
            raise invalid(
                "constraint has exactly one of primary_key_constraint and foreign_key_constraint here, "
                f"received {sorted(constraint)}"
            )
        table = self._tables.get(str(name))
        self._privileges.require_manage(call.caller, TABLE, table.full_name)
        key = _object(constraint[kinds[0]], kinds[0])
        columns = _texts(key, "child_columns")
        if not columns or not key.get("name"):
            raise invalid(f"{kinds[0]} needs name and child_columns, received {sorted(key)}")
        if kinds[0] == "primary_key_constraint":
            series = _texts(key, "timeseries_columns")
            if len(series) > 1:
                raise invalid(f"a primary key has at most one timeseries column, received {series}")
            self._tables.set_primary_key(
                table.full_name, columns, timeseries=series[0] if series else None, name=str(key["name"])
            )
            return {"primary_key_constraint": key}
        parent = self._tables.get(str(key.get("parent_table")))
        self._privileges.require_manage(call.caller, TABLE, parent.full_name)
        self._tables.add_foreign_key(
            table.full_name,
            ForeignKey(str(key["name"]), columns, parent.full_name, _texts(key, "parent_columns")),
        )
        return {"foreign_key_constraint": key}

    def _delete_constraint(self, call: Call) -> Json:
        table = self._tables.get(full_name(call, "table"))
        self._privileges.require_manage(call.caller, TABLE, table.full_name)
        name = asked(call, "constraint_name")
        if name.lower() in {key.name.lower() for key in table.foreign_keys}:
            self._tables.drop_foreign_key(table.full_name, name)
            return {}
        if (table.primary_key_name or "").lower() != name.lower():
            raise not_found(f"Constraint '{name}' does not exist on table '{table.full_name}'.")
        self._tables.drop_primary_key(table.full_name, cascade=flag(call, "cascade"))
        return {}


def _object(value: Any, what: str) -> Json:
    if not isinstance(value, dict):
        raise invalid(f"{what} is an object, received {value!r}")
    return value


def _texts(key: Json, field: str) -> list[str]:
    value = key.get(field) or []
    if not isinstance(value, list):
        raise invalid(f"{field} is a list of column names, received {value!r}")
    return [str(item) for item in value]


def _like(pattern: str | None) -> Callable[[str], bool]:
    """SQL LIKE: % for any text, _ for any one character."""
    if not pattern:
        return lambda _: True
    escaped = "".join({"%": ".*", "_": "."}.get(mark, re.escape(mark)) for mark in pattern.lower())
    return lambda name: re.fullmatch(escaped, name) is not None
