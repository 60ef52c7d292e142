"""Online stores, and what is published to them: mode, state of the sync, how far behind the source it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workspace.console.reading import Workspace, gathered
from workspace.console.sections.times import epoch_ms
from workspace.http import Json

STORES = "/api/2.0/feature-store/online-stores"
PIPELINES = "/api/2.0/pipelines"
DONE = ("COMPLETED", "RUNNING")


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
    """Age of the oldest of them."""


@dataclass(frozen=True)
class OnlineTable:
    name: str
    source: str
    mode: str
    state: str
    cause: str
    """Why the last update failed; empty where it did not."""
    synced_ms: int | None
    """When the last successful update began; None before the first."""
    lag: Lag | None


@dataclass(frozen=True)
class Online:
    stores: Sequence[Store]
    tables: Sequence[OnlineTable]


async def online(workspace: Workspace) -> Online:
    stores = await workspace.all(STORES, "online_stores")
    statuses = await workspace.all(PIPELINES, "statuses")
    pipelines = await gathered([workspace.get(f"{PIPELINES}/{one['pipeline_id']}") for one in statuses])
    published = [one for one in pipelines if "online_table" in one["spec"].get("configuration", {})]
    tables = [_table(one) for one in published]
    return Online(
        stores=[_store(one) for one in stores],
        tables=sorted(tables, key=lambda one: one.name),
    )


def _store(shown: Json) -> Store:
    return Store(shown["name"], shown["state"], shown["capacity"], int(shown.get("read_replica_count") or 0))


def _table(shown: Json) -> OnlineTable:
    configuration = shown["spec"]["configuration"]
    updates = shown.get("latest_updates", [])
    return OnlineTable(
        name=configuration["online_table"],
        source=configuration["source_table"],
        mode=configuration["publish_mode"],
        state=shown["state"],
        cause=shown.get("cause", ""),
        synced_ms=next((epoch_ms(one["creation_time"]) for one in updates if one["state"] in DONE), None),
        lag=None,
    )
