"""`/api/2.1/unity-catalog/tables/{table}/monitor` and its refreshes: monitors by the table's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import BaseRoute

from workspace.http import Call, Json, api
from workspace.identity import current_caller
from workspace.monitors.refreshes import SHOWN, shown
from workspace.unity_catalog.securables import TABLE
from workspace.unity_catalog.service import UnityCatalog
from workspace.unity_catalog.table import Table

if TYPE_CHECKING:
    from workspace.monitors.service import Monitors

_MONITOR = "/api/2.1/unity-catalog/tables/{table}/monitor"
_REFRESHES = f"{_MONITOR}/refreshes"
_DASHBOARD = "/api/2.1/quality-monitoring/tables/{table}/monitor/dashboard"


class QualityMonitors:
    """The API that `databricks.sdk.service.catalog.QualityMonitorsAPI` speaks to."""

    def __init__(self, monitors: Monitors, catalog: UnityCatalog) -> None:
        self._monitors = monitors
        self._catalog = catalog

    def routes(self) -> list[BaseRoute]:
        monitors = self._monitors
        return [
            api("POST", _MONITOR, lambda call: monitors.create(self._managed(call, reads=True), call.body)),
            api("GET", _MONITOR, lambda call: monitors.store.get(self._read(call))),
            api("PUT", _MONITOR, lambda call: monitors.update(self._managed(call, reads=True), call.body)),
            api("DELETE", _MONITOR, self._delete),
            api("POST", _REFRESHES, lambda call: shown(monitors.refresh(self._managed(call)))),
            api("GET", _REFRESHES, self._list),
            api("GET", f"{_REFRESHES}/{{refresh}}", self._get),
            api("POST", f"{_REFRESHES}/{{refresh}}/cancel", self._cancel),
            api("POST", _DASHBOARD, self._regenerate),
        ]

    def _delete(self, call: Call) -> Json:
        self._monitors.delete(self._managed(call))
        return {}

    def _list(self, call: Call) -> Json:
        table = self._read(call)
        self._monitors.store.require(table)
        return {"refreshes": [shown(one) for one in self._monitors.refreshes.of(table.table_id)[:SHOWN]]}

    def _get(self, call: Call) -> Json:
        table = self._read(call)
        self._monitors.store.require(table)
        return shown(self._monitors.refreshes.get(table.table_id, call.path["refresh"]))

    def _cancel(self, call: Call) -> Json:
        table = self._managed(call)
        self._monitors.store.require(table)
        self._monitors.refreshes.cancel(table.table_id, call.path["refresh"])
        return {}

    def _regenerate(self, call: Call) -> Json:
        """Another dashboard id; the dashboard itself is not drawn here."""
        table = self._managed(call)
        self._monitors.store.require(table)
        folder = self._monitors.store.get(table)["assets_dir"]
        return {"dashboard_id": self._monitors.store.new_dashboard(table), "parent_folder": folder}

    def _managed(self, call: Call, *, reads: bool = False) -> Table:
        """The table, for a caller who may change its monitor; who makes one must be able to read the table too."""
        table = self._catalog.tables.get(call.path["table"])
        self._catalog.privileges.require_manage(current_caller(), TABLE, table.full_name)
        if reads:
            self._catalog.privileges.require(current_caller(), "SELECT", TABLE, table.full_name)
        return table

    def _read(self, call: Call) -> Table:
        table = self._catalog.tables.get(call.path["table"])
        self._catalog.privileges.require(current_caller(), "SELECT", TABLE, table.full_name)
        return table
