"""Online stores: created STARTING, AVAILABLE after the provisioning time, kept while tables are published to them.

Fields and states: https://docs.databricks.com/api/workspace/featurestore (OnlineStore, OnlineStoreState).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from workspace.clock import Clock
from workspace.documents import Documents
from workspace.errors import already_exists, invalid, invalid_state, not_found
from workspace.http import Json
from workspace.settings import Settings

KIND = "online_store"
CAPACITIES = ("CU_1", "CU_2", "CU_4", "CU_8")
CHANGEABLE = ("capacity", "read_replica_count", "usage_policy_id")
MAX_READ_REPLICAS = 3
# An online store is a Lakebase instance, and takes the instance's names.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")


class OnlineStores:
    """The stores of one workspace."""

    def __init__(self, documents: Documents, settings: Settings, clock: Clock) -> None:
        self._documents = documents
        self._settings = settings
        self._clock = clock

    def create(self, body: Json, creator: str) -> Json:
        name = str(body["name"])
        if not NAME.fullmatch(name):
            raise invalid(
                f"online store name '{name}' is not valid: 1 to 63 letters, digits and hyphens, the first one a letter"
            )
        store = {
            "name": name,
            "capacity": body["capacity"],
            "read_replica_count": body.get("read_replica_count", 0),
            "usage_policy_id": body.get("usage_policy_id"),
            "creator": creator,
            "created_at": self._clock.now(),
            "settled_at": self._clock.now() + self._settings.get("online_store_provisioning_seconds"),
            "settling": "STARTING",
        }
        _check(store)
        if not self._documents.insert(KIND, name, store):
            raise already_exists(f"Online store '{name}' already exists.")
        return self._shown(store)

    def get(self, name: str) -> Json:
        """The store as clients see it; 404 naming it where there is none."""
        store = self._documents.get(KIND, name)
        if store is None:
            raise not_found(f"Online store '{name}' does not exist.")
        return self._shown(store)

    def all(self) -> list[Json]:
        return [self._shown(store) for _, store in self._documents.list(KIND)]

    def update(self, name: str, body: Json, mask: Sequence[str]) -> Json:
        unknown = [field for field in mask if field not in CHANGEABLE]
        if unknown or not mask:
            raise invalid(f"update_mask {list(mask)} is not valid: name any of {', '.join(CHANGEABLE)}")
        if (state := self.get(name)["state"]) != "AVAILABLE":
            raise invalid_state(f"Online store '{name}' is {state}; it can be changed when AVAILABLE.")

        def change(store: Json) -> None:
            before = {field: store[field] for field in CHANGEABLE}
            store.update({field: body.get(field) for field in mask})
            if store["read_replica_count"] is None:
                store["read_replica_count"] = 0
            _check(store)
            if {field: store[field] for field in ("capacity", "read_replica_count")}.items() <= before.items():
                # Nothing that runs has to change.
                return
            store["settling"] = "UPDATING"
            store["settled_at"] = self._clock.now() + self._settings.get("online_store_provisioning_seconds")

        self._documents.update(KIND, name, change)
        return self.get(name)

    def delete(self, name: str, published: Sequence[str]) -> None:
        """Delete a store; 400 while tables are published to it."""
        self.get(name)
        if published:
            raise invalid_state(
                f"Online store '{name}' cannot be deleted: {', '.join(published)} are published to it. "
                "Delete the online tables first."
            )
        self._documents.delete(KIND, name)

    def _shown(self, store: Json) -> Json:
        settled = self._clock.now() >= store["settled_at"]
        shown = {
            "name": store["name"],
            "capacity": store["capacity"],
            "read_replica_count": store["read_replica_count"],
            "creator": store["creator"],
            "creation_time": datetime.fromtimestamp(store["created_at"], UTC).isoformat().replace("+00:00", "Z"),
            "state": "AVAILABLE" if settled else store["settling"],
        }
        if store["usage_policy_id"]:
            shown["usage_policy_id"] = store["usage_policy_id"]
        return shown


def _check(store: Json) -> None:
    if store["capacity"] not in CAPACITIES:
        raise invalid(f"capacity '{store['capacity']}' is not valid: one of {', '.join(CAPACITIES)}")
    replicas = store["read_replica_count"]
    if isinstance(replicas, bool) or not isinstance(replicas, int) or not 0 <= replicas <= MAX_READ_REPLICAS:
        raise invalid(f"read_replica_count {replicas!r} is not valid: 0 to {MAX_READ_REPLICAS}")
