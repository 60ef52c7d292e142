"""How far an online table is: the words of synced tables, which is what online tables are on Databricks.

Fields and states: databricks-sdk 0.156 `database.SyncedDatabaseTable`, `database.SyncedTableStatus`,
`database.SyncedTableState` (`GET /api/2.0/database/synced_tables/{name}`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workspace.feature_store.keyed import Position, position
from workspace.feature_store.pipelines import Pipelines, iso
from workspace.feature_store.publishing import Publishing
from workspace.feature_store.sync import layout_of
from workspace.http import Json

if TYPE_CHECKING:
    from workspace.unity_catalog.tables import Tables

_STARTING = ("QUEUED", "INITIALIZING")
_FAILED = ("FAILED", "CANCELED")
# The state of the copy -> the field with its details (docstrings of `database.SyncedTable...Status`).
_DETAILS = {
    "PROVISIONING_PIPELINE_RESOURCES": "provisioning_status",
    "PROVISIONING_INITIAL_SNAPSHOT": "provisioning_status",
    "ONLINE_CONTINUOUS_UPDATE": "continuous_update_status",
    "ONLINE_UPDATING_PIPELINE_RESOURCES": "continuous_update_status",
    "ONLINE_TRIGGERED_UPDATE": "triggered_update_status",
    "ONLINE_NO_PENDING_UPDATE": "triggered_update_status",
    "ONLINE_PIPELINE_FAILED": "failed_status",
    "OFFLINE_FAILED": "failed_status",
}


@dataclass(frozen=True)
class SyncStatus:
    """An online table's state, without any API's spelling."""

    word: str
    """For example ONLINE_NO_PENDING_UPDATE."""
    message: str
    position: Position | None
    """The last sync that succeeded."""


class Status:
    """Reads the state of online tables from their pipelines and their rows."""

    def __init__(self, publishing: Publishing, pipelines: Pipelines, tables: Tables) -> None:
        self._publishing = publishing
        self._pipelines = pipelines
        self._tables = tables

    def of(self, published: Json) -> SyncStatus:
        updates = self._pipelines.updates(published["pipeline_id"])
        latest = updates[0]["state"] if updates else None
        reached = position(self._publishing.path(published))
        word = _word(latest, published["publish_mode"], is_online=reached is not None)
        message = updates[0].get("message", "") if latest in _FAILED and updates else _message(word, reached)
        return SyncStatus(word, message, reached)

    def shown(self, published: Json) -> Json:
        """As `GET /api/2.0/database/synced_tables/{name}` shows it."""
        status = self.of(published)
        source = self._tables.find(published["source_table"])
        layout = layout_of(source, published["primary_key"], published["timeseries_key"]) if source else None
        spec: Json = {
            "source_table_full_name": published["source_table"],
            "scheduling_policy": published["publish_mode"],
            "primary_key_columns": list(layout.key) if layout else [],
        }
        if layout is not None and layout.timeseries:
            spec["timeseries_key"] = layout.timeseries
        database = published["name"].split(".")[0]
        return {
            "name": published["name"],
            "database_instance_name": published["online_store"],
            "effective_database_instance_name": published["online_store"],
            "logical_database_name": database,
            "effective_logical_database_name": database,
            "spec": spec,
            "unity_catalog_provisioning_state": "ACTIVE",
            "data_synchronization_status": _synchronisation(status, published["pipeline_id"]),
        }

    def lag(self, published: Json) -> Json:
        """How many commits, and for how long, the copy is behind its source; nulls where one of them is not there."""
        status = self.of(published)
        source = self._tables.find(published["source_table"])
        behind: Json = {"source_version": None, "lag_versions": None, "lag_seconds": None}
        if source is not None and status.position is not None and source.table_id == status.position.table_id:
            behind = self._behind(source.full_name, status.position)
        return {
            "name": published["name"],
            "source_table": published["source_table"],
            "online_store": published["online_store"],
            "publish_mode": published["publish_mode"],
            "pipeline_id": published["pipeline_id"],
            "state": status.word,
            "message": status.message,
            "synced_version": status.position.version if status.position else None,
            "synced_ms": status.position.ended_ms if status.position else None,
            **behind,
        }

    def _behind(self, source: str, reached: Position) -> Json:
        delta = self._tables.delta(source)
        versions = delta.version() - reached.version
        waiting = delta.history(versions) if versions > 0 else []
        return {
            "source_version": delta.version(),
            "lag_versions": versions,
            # The age of the oldest commit that the copy does not have, up to the newest one.
            "lag_seconds": (waiting[0]["timestamp"] - waiting[-1]["timestamp"]) / 1000 if waiting else 0.0,
        }


def _word(latest: str | None, mode: str, *, is_online: bool) -> str:
    if latest is None:
        return "ONLINE" if is_online else "PROVISIONING"
    if latest in _FAILED:
        return "ONLINE_PIPELINE_FAILED" if is_online else "OFFLINE_FAILED"
    if latest in _STARTING:
        return "ONLINE_UPDATING_PIPELINE_RESOURCES" if is_online else "PROVISIONING_PIPELINE_RESOURCES"
    if latest == "RUNNING":
        if not is_online:
            return "PROVISIONING_INITIAL_SNAPSHOT"
        return "ONLINE_CONTINUOUS_UPDATE" if mode == "CONTINUOUS" else "ONLINE_TRIGGERED_UPDATE"
    return "ONLINE_NO_PENDING_UPDATE"


def _message(word: str, reached: Position | None) -> str:
    if reached is None:
        return f"{word.replace('_', ' ').capitalize()}: no sync has ended yet."
    return f"{word.replace('_', ' ').capitalize()}: the rows are those of source version {reached.version}."


def _synchronisation(status: SyncStatus, pipeline_id: str) -> Json:
    shown: Json = {
        "detailed_state": f"SYNCED_TABLE_{status.word}",
        "message": status.message,
        "pipeline_id": pipeline_id,
    }
    reached = status.position
    if reached is not None:
        shown["last_sync"] = {
            **_time("sync_start_timestamp", reached.started_ms),
            **_time("sync_end_timestamp", reached.ended_ms),
            "delta_table_sync_info": {
                "delta_commit_version": reached.version,
                **_time("delta_commit_timestamp", reached.commit_ms),
            },
        }
    if (details := _DETAILS.get(status.word)) is not None:
        shown[details] = (
            {"last_processed_commit_version": reached.version, **_time("timestamp", reached.ended_ms)}
            if reached is not None and details != "provisioning_status"
            else {}
        )
    return shown


def _time(name: str, millis: int | None) -> Json:
    return {name: iso(millis)} if millis is not None else {}
