"""Online stores, and what is published to them: mode, state of the sync, how far behind the source it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workspace.console.reading import Workspace
from workspace.http import Json

STORES = "/api/2.0/feature-store/online-stores"
TABLES = "/_workspace/online-tables"


@dataclass(frozen=True)
class Store:
    name: str
    state: str
    capacity: str
    replicas: int


@dataclass(frozen=True)
class Lag:
    """How far an online table is behind its source."""

    versions: int
    """Commits of the source that are not in the online table; 0 where it is up to date."""
    seconds: float
    """Between the oldest and the newest of them."""


@dataclass(frozen=True)
class OnlineTable:
    name: str
    source: str
    mode: str
    state: str
    message: str
    """What the state means; the reason where a sync failed."""
    synced_ms: int | None
    """When the last successful sync ended; None where that is not known."""
    lag: Lag | None
    """None before the first sync, and where the source is gone or another one."""

    @property
    def failed(self) -> bool:
        return "FAILED" in self.state


@dataclass(frozen=True)
class Online:
    stores: Sequence[Store]
    tables: Sequence[OnlineTable]


async def online(workspace: Workspace) -> Online:
    stores = await workspace.all(STORES, "online_stores")
    tables = await workspace.all(TABLES, "online_tables")
    return Online([_store(one) for one in stores], sorted(map(_table, tables), key=lambda one: one.name))


def _store(shown: Json) -> Store:
    return Store(shown["name"], shown["state"], shown["capacity"], int(shown.get("read_replica_count") or 0))


def _table(shown: Json) -> OnlineTable:
    versions, synced = shown["lag_versions"], shown["synced_ms"]
    return OnlineTable(
        name=shown["name"],
        source=shown["source_table"],
        mode=shown["publish_mode"],
        state=shown["state"],
        message=shown["message"] or "",
        synced_ms=int(synced) if synced else None,
        lag=None if versions is None else Lag(int(versions), float(shown["lag_seconds"])),
    )
