"""Tables synced from Delta into a Lakebase branch: what their specs may say, and how they are shown.

Fields: databricks-sdk 0.156 `postgres.SyncedTableSyncedTableSpec`, `SyncedTableSyncedTableStatus`. Behaviour of keys,
of rows that share one, and of modes: docs "Serve lakehouse data with synced tables".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from workspace.clock import Clock
from workspace.errors import ApiError, already_exists, invalid, not_found
from workspace.feature_store.online_tables import OnlineTables
from workspace.feature_store.publishing import MODES, SYNCED, check_name, check_source
from workspace.feature_store.status import Status
from workspace.http import Json
from workspace.lakebase import names
from workspace.lakebase.specs import timestamp

if TYPE_CHECKING:
    from workspace.unity_catalog.table import Table
    from workspace.unity_catalog.tables import Tables

PREFIX = "synced_tables/"
DEFAULT_DATABASE = "databricks_postgres"
_FIELDS = (
    "accelerated_sync",
    "branch",
    "create_database_objects_if_missing",
    "existing_pipeline_id",
    "extra_columns",
    "new_pipeline_spec",
    "postgres_database",
    "primary_key_columns",
    "scheduling_policy",
    "source_table_full_name",
    "timeseries_key",
    "type_overrides",
)
# Accepted there and not carried out here: refused, so that nobody believes they have an effect.
_NOT_IMPLEMENTED = ("existing_pipeline_id", "extra_columns", "type_overrides")


class OnlineStorage(Protocol):
    """What Lakebase asks of the feature store."""

    @property
    def online_tables(self) -> OnlineTables: ...

    @property
    def status(self) -> Status: ...


class SyncedTables:
    """The synced tables of one workspace, by the full name of their entry in Unity Catalog."""

    def __init__(self, tables: Tables, storage: OnlineStorage, clock: Clock) -> None:
        self._tables = tables
        self._online = storage.online_tables
        self._status = storage.status
        self._clock = clock

    def create(self, table_id: str | None, spec: Json, creator: str) -> str:
        """Make a synced table and start its first sync; its resource name. The branch was looked up by the caller.

        Raises ApiError 400 naming the field that forbids it, 404 for the source or the schema, 409 for a taken name,
        501 for what is not implemented.
        """
        if not table_id:
            raise invalid("Missing required query parameter: synced_table_id")
        check_name("synced_table_id", table_id)
        source = self._checked(spec)
        self._online.clear_dropped()
        if self._tables.find(table_id) is not None:
            raise already_exists(f"Table '{table_id}' already exists.")
        if source.full_name.lower() == table_id.lower():
            raise invalid(f"synced_table_id '{table_id}' is the source table itself; choose another name")
        self._refuse_missing_objects(table_id, spec)
        described: Json = {
            "kind": SYNCED,
            "name": table_id,
            "source_table": source.full_name,
            "online_store": spec["branch"],
            "postgres_database": spec["postgres_database"],
            "publish_mode": spec["scheduling_policy"],
            "primary_key": list(spec["primary_key_columns"]),
            "timeseries_key": spec.get("timeseries_key"),
            "creator": creator,
            "created_at": self._clock.now(),
        }
        return PREFIX + str(self._online.create(described, source)["name"])

    def show(self, name: str) -> Json:
        """As `GET /api/2.0/postgres/synced_tables/{name}` shows it; ApiError 404."""
        table = self._online.find(name.removeprefix(PREFIX), SYNCED)
        if table is None:
            raise not_found(f"Synced table '{name}' does not exist.")
        found, state = self._tables.get(table["name"]), self._status.of(table)
        status: Json = {
            "detailed_state": f"SYNCED_TABLE_{state.word}",
            "message": state.message,
            "pipeline_id": table["pipeline_id"],
            "project": names.project_of(table["online_store"]),
            "unity_catalog_provisioning_state": "ACTIVE",
        }
        reached = state.position
        if reached is not None:
            status |= {
                "last_processed_commit_version": reached.version,
                **_time("last_sync_time", reached.ended_ms),
                "last_sync": {
                    **_time("sync_start_time", reached.started_ms),
                    **_time("sync_end_time", reached.ended_ms),
                    "delta_table_sync_info": {
                        "delta_commit_version": reached.version,
                        **_time("delta_commit_time", reached.commit_ms),
                    },
                },
            }
        return {
            "name": PREFIX + table["name"],
            "synced_table_id": table["name"],
            "uid": found.table_id,
            "create_time": timestamp(table["created_at"]),
            "status": status,
        }

    def delete(self, name: str) -> None:
        self._online.remove(name.removeprefix(PREFIX), SYNCED)

    def of_branch(self, branch: str) -> list[str]:
        """Names of the tables synced into a branch."""
        return [one["name"] for one in self._online.all(SYNCED) if one["online_store"] == branch]

    def _checked(self, spec: Json) -> Table:
        """The source table of a spec that can be carried out."""
        unknown = sorted(set(spec) - set(_FIELDS))
        if unknown:
            raise invalid(f"unknown field '{unknown[0]}' of synced table spec; the fields are {', '.join(_FIELDS)}")
        for field in _NOT_IMPLEMENTED:
            if spec.get(field):
                raise ApiError(501, "NOT_IMPLEMENTED", f"the embedded workspace does not implement spec.{field}")
        for field in ("source_table_full_name", "postgres_database", "scheduling_policy", "primary_key_columns"):
            if not spec.get(field):
                raise invalid(f"Missing required field: spec.{field}")
        mode = spec["scheduling_policy"]
        if mode not in MODES:
            raise invalid(f"scheduling_policy '{mode}' is not valid: one of {', '.join(MODES)}")
        source = self._tables.get(str(spec["source_table_full_name"]))
        check_source(source, mode)
        columns = [column.name for column in source.columns]
        if not isinstance(spec["primary_key_columns"], list):
            raise invalid(f"primary_key_columns is a list of columns; received {spec['primary_key_columns']!r}")
        newest_by = spec.get("timeseries_key")
        for name in [*spec["primary_key_columns"], *([newest_by] if newest_by else [])]:
            if name not in columns:
                raise invalid(
                    f"column '{name}' of primary_key_columns or timeseries_key is no column of {source.full_name}; it "
                    f"has {', '.join(columns)}"
                )
        if [name for name in spec["primary_key_columns"] if name != newest_by] == []:
            raise invalid("primary_key_columns needs a column beside the timeseries_key")
        return source

    def _refuse_missing_objects(self, table_id: str, spec: Json) -> None:
        """`create_database_objects_if_missing: false` takes only what is there already."""
        if spec.get("create_database_objects_if_missing", True) is not False:
            return
        database, schema = spec["postgres_database"], table_id.split(".")[1]
        there = {
            (one["postgres_database"], one["name"].split(".")[1])
            for one in self._online.all(SYNCED)
            if one["online_store"] == spec["branch"]
        } | {(DEFAULT_DATABASE, "public")}
        if (database, schema) not in there:
            raise invalid(
                f"schema '{schema}' of database '{database}' does not exist in branch '{spec['branch']}', and "
                "create_database_objects_if_missing is false"
            )


def _time(name: str, millis: int | None) -> Json:
    return {name: timestamp(millis / 1000)} if millis is not None else {}
