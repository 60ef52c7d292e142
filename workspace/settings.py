"""Times that a real workspace imposes and an embedded one can choose: `GET/PUT /_workspace/settings`."""

from __future__ import annotations

import math

from starlette.routing import BaseRoute

from workspace.errors import invalid
from workspace.http import Call, Json, api
from workspace.state import State

KIND = "settings"
KEY = "times"

# Seconds each. Databricks: minutes for provisioning, half an hour idle before scale to zero, up to an hour for
# inference tables. The defaults here keep the order of events and lose the waiting.
DEFAULTS: dict[str, float] = {
    "online_store_provisioning_seconds": 0.2,
    "endpoint_provisioning_seconds": 0.0,
    "lakebase_provisioning_seconds": 0.0,
    "online_table_provisioning_seconds": 0.0,
    # What one read of an online table takes besides: Databricks names a few milliseconds. Model processes that start
    # afterwards have it.
    "online_lookup_seconds": 0.0,
    "inference_table_delivery_lag_seconds": 1.0,
    "scale_to_zero_idle_seconds": 1800.0,
    "continuous_sync_poll_seconds": 0.5,
    "vector_search_endpoint_provisioning_seconds": 0.0,
    # How long a read may lag behind a write, by class of resources; 0 is immediate (workspace/faults/consistency.py).
    "registry_alias_staleness_seconds": 0.0,
    "serving_endpoint_staleness_seconds": 0.0,
}


class Settings:
    """The settings of one workspace, read fresh at each use; also the service that shows and changes them."""

    def __init__(self, state: State) -> None:
        self._documents = state.documents

    def get(self, name: str) -> float:
        """The setting in seconds; KeyError for a name that is no setting."""
        stored = self._documents.get(KIND, KEY) or {}
        return float(stored.get(name, DEFAULTS[name]))

    def all(self) -> dict[str, float]:
        return {**DEFAULTS, **(self._documents.get(KIND, KEY) or {})}

    def change(self, values: Json) -> dict[str, float]:
        """Change the named settings, leave the others; 400 for an unknown name or a value that is not a time."""
        for name, value in values.items():
            if name not in DEFAULTS:
                raise invalid(f"unknown setting '{name}'; the settings are {', '.join(sorted(DEFAULTS))}")
            number = not isinstance(value, bool) and isinstance(value, int | float)
            if not number or not math.isfinite(value) or value < 0:
                raise invalid(f"setting '{name}' is a number of seconds, 0 or more; received {value!r}")
        self._documents.put(KIND, KEY, {**self.all(), **{name: float(value) for name, value in values.items()}})
        return self.all()

    def routes(self) -> list[BaseRoute]:
        return [
            api("GET", "/_workspace/settings", lambda _: dict(self.all())),
            api("PUT", "/_workspace/settings", self._put),
        ]

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def _put(self, call: Call) -> Json:
        return dict(self.change(call.body))
