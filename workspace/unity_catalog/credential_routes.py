"""Where the rows of a table lie, for engines that read and write them by themselves.

On Databricks these are short-lived credentials for cloud storage. Here storage is a folder of this machine, which needs
none: the answer has its address and a time, and the caller's privileges are what decides.
"""

from __future__ import annotations

import time

from starlette.routing import BaseRoute

from workspace.errors import invalid, not_found
from workspace.http import Call, Json, api
from workspace.unity_catalog.privileges import Privileges
from workspace.unity_catalog.requests import BASE
from workspace.unity_catalog.securables import TABLE
from workspace.unity_catalog.tables import Tables

PATHS = (f"{BASE}/temporary-table-credentials", "/api/2.0/unity-catalog/temporary-table-credentials")
"""As documented, and as databricks-sdk asks."""
OPERATIONS = {"READ": ("SELECT",), "READ_WRITE": ("SELECT", "MODIFY")}
"""Privileges on the table that an operation needs."""
LIFETIME_MS = 3_600_000


class CredentialRoutes:
    """`POST temporary-table-credentials`."""

    def __init__(self, tables: Tables, privileges: Privileges) -> None:
        self._tables = tables
        self._privileges = privileges

    def all(self) -> list[BaseRoute]:
        return [api("POST", path, self._table) for path in PATHS]

    def _table(self, call: Call) -> Json:
        table_id, operation = call.text("table_id"), call.text("operation")
        if operation not in OPERATIONS:
            raise invalid(f"operation is one of {', '.join(OPERATIONS)}, received '{operation}'")
        full_name = self._tables.name_of(table_id)
        if full_name is None:
            raise not_found(f"Table '{table_id}' does not exist.")
        for privilege in OPERATIONS[operation]:
            self._privileges.require(call.caller, privilege, TABLE, full_name)
        location = self._tables.get(full_name).storage_location
        if location is None:
            raise invalid(f"'{full_name}' has no storage of its own: it is no Delta table")
        return {"url": location, "expiration_time": int(time.time() * 1000) + LIFETIME_MS}
