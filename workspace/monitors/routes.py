"""`/api/2.1/unity-catalog/tables/{table}/monitor` and its refreshes."""

from __future__ import annotations

from starlette.routing import BaseRoute

from workspace.errors import not_found, not_implemented
from workspace.http import Call, Json, api
from workspace.monitors.store import CatalogView, MonitorStore
from workspace.state import State

_MONITOR = "/api/2.1/unity-catalog/tables/{table}/monitor"
_REFRESHES = f"{_MONITOR}/refreshes"


class Monitors:
    """Quality monitors.

    `provisioning_seconds` is how long a new monitor stays PENDING. Metrics are not computed: a refresh is refused, so
    that no client takes an empty metrics table for a healthy one.
    """

    def __init__(self, state: State, catalog: CatalogView, *, provisioning_seconds: float = 0.0) -> None:
        self._store = MonitorStore(state.documents, catalog, provisioning_seconds)

    def start(self) -> None:
        """Nothing runs here."""

    def stop(self) -> None:
        """Nothing runs here."""

    def routes(self) -> list[BaseRoute]:
        return [
            api("POST", _MONITOR, lambda call: self._store.create(call.path["table"], call.body)),
            api("GET", _MONITOR, lambda call: self._store.get(call.path["table"])),
            api("PUT", _MONITOR, lambda call: self._store.update(call.path["table"], call.body)),
            api("DELETE", _MONITOR, self._delete),
            api("POST", _REFRESHES, self._refresh),
            api("GET", _REFRESHES, self._refreshes),
            api("GET", f"{_REFRESHES}/{{refresh}}", self._no_refresh),
            api("POST", f"{_REFRESHES}/{{refresh}}/cancel", self._no_refresh),
        ]

    def _delete(self, call: Call) -> Json:
        self._store.delete(call.path["table"])
        return {}

    def _refresh(self, call: Call) -> Json:
        self._store.get(call.path["table"])
        raise not_implemented("POST", f"{_REFRESHES.format(table=call.path['table'])}: it computes no metrics")

    def _refreshes(self, call: Call) -> Json:
        self._store.get(call.path["table"])
        return {"refreshes": []}

    def _no_refresh(self, call: Call) -> Json:
        self._store.get(call.path["table"])
        raise not_found(f"Refresh {call.path['refresh']} of the monitor on {call.path['table']} does not exist.")
