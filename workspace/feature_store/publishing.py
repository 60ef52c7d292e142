"""What is published where: the rules of `publish_table`, and the documents of online tables.

An online table is PUBLISHED to an online store, or SYNCED to a Lakebase database (`workspace/lakebase`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from workspace.clock import Clock
from workspace.documents import Documents
from workspace.errors import already_exists, invalid, invalid_state, not_found
from workspace.feature_store.keyed import delete_store
from workspace.feature_store.online_stores import OnlineStores
from workspace.http import Json

if TYPE_CHECKING:
    from workspace.unity_catalog.tables import Table, Tables

KIND = "online_table"
PUBLISHED = "PUBLISHED"
SYNCED = "SYNCED"
MAX_NAME_BYTES = 63
MODES = ("SNAPSHOT", "TRIGGERED", "CONTINUOUS")
# What the change data feed is turned on with, word for word as a user would run it.
ENABLE_FEED = "ALTER TABLE {} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"


class Publishing:
    """The published tables of one workspace, by the full name of the online table, in lower case."""

    def __init__(self, documents: Documents, tables: Tables, stores: OnlineStores, folder: Path, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock
        self._tables = tables
        self._stores = stores
        self._folder = folder

    def check(self, source_name: str, spec: Json) -> tuple[Table, str]:
        """The source table and the online table's name of a publish request; ApiError naming what forbids it."""
        for field in ("online_store", "online_table_name", "publish_mode"):
            if not spec.get(field):
                raise invalid(f"Missing required field: publish_spec.{field}")
        mode = spec["publish_mode"]
        if mode not in MODES:
            raise invalid(f"publish_mode '{mode}' is not valid: one of {', '.join(MODES)}")
        online_name = str(spec["online_table_name"])
        check_name("online_table_name", online_name)
        source = self._tables.get(source_name)
        if source.full_name.lower() == online_name.lower():
            raise invalid(f"online_table_name '{online_name}' is the source table itself; choose another name")
        _check_key(source)
        check_source(source, mode)
        store = self._stores.get(str(spec["online_store"]))
        if store["state"] not in ("AVAILABLE", "UPDATING"):
            raise invalid_state(
                f"Online store '{store['name']}' is {store['state']}; tables can be published when it is AVAILABLE."
            )
        return source, online_name

    def existing(self, source: Table, online_name: str, spec: Json) -> Json | None:
        """The online table of that name where the request asks for the same again; 409 where it is another one."""
        published = self.find(online_name)
        if published is None:
            if self._tables.find(online_name) is not None:
                raise already_exists(f"Table '{online_name}' already exists and is not an online table.")
            return None
        if published["kind"] != PUBLISHED:
            raise already_exists(
                f"Table '{online_name}' already exists as a synced table of {published['online_store']}."
            )
        for field, asked in (
            ("source_table", source.full_name),
            ("online_store", spec["online_store"]),
            ("publish_mode", spec["publish_mode"]),
        ):
            if published[field].lower() != str(asked).lower():
                raise already_exists(
                    f"Online table '{online_name}' already exists with {field} '{published[field]}', not '{asked}'. "
                    "Delete the online table before publishing it differently."
                )
        return published

    def described(self, source: Table, online_name: str, spec: Json, creator: str) -> Json:
        """The document of a new published table, without its pipeline."""
        return {
            "kind": PUBLISHED,
            "name": online_name,
            "source_table": source.full_name,
            "online_store": spec["online_store"],
            "publish_mode": spec["publish_mode"],
            "primary_key": None,
            "timeseries_key": None,
            "creator": creator,
            "created_at": self._clock.now(),
        }

    def record(self, published: Json, source: Table) -> Json:
        """Keep an online table, and show it in Unity Catalog with its source's columns. ApiError where it cannot be."""
        key, newest_by = published["primary_key"], published["timeseries_key"]
        if key is None:
            key, newest_by = source.primary_key, source.timeseries
        elif newest_by is not None and newest_by not in key:
            key = [*key, newest_by]
        self._tables.register_foreign(
            published["name"],
            source.columns,
            primary_key=key,
            timeseries=newest_by,
            comment=f"Online table of {source.full_name}",
        )
        self._documents.put(KIND, published["name"].lower(), published)
        return published

    def remove(self, online_name: str, kind: str, and_then: Callable[[Json], None]) -> Json:
        """Forget an online table, its entry in Unity Catalog, and what `and_then` removes, all at once."""
        # The table's lock first: whoever writes a table takes it before the documents.
        with self._tables.locked(online_name), self._documents.transaction():
            published = self.find(online_name)
            if published is None or published["kind"] != kind:
                what = "Online" if kind == PUBLISHED else "Synced"
                raise not_found(f"{what} table '{online_name}' does not exist.")
            if self._tables.find(online_name) is not None:
                self._tables.drop(online_name)
            self._documents.delete(KIND, online_name.lower())
            and_then(published)
        return published

    def dropped(self, and_then: Callable[[Json], None]) -> list[Json]:
        """Online tables whose entry in Unity Catalog was dropped, alone or with its schema; forgotten from now on,
        with what `and_then` removes.
        """
        gone = self.all(lambda published: self._tables.find(published["name"]) is None)
        with self._documents.transaction():
            for published in gone:
                self._documents.delete(KIND, published["name"].lower())
                and_then(published)
        return gone

    def show_columns(self, published: Json, source: Table) -> None:
        """Make the entry in Unity Catalog show the columns that the copy has since its last sync."""
        shown = self._tables.find(published["name"])
        if shown is not None and [(one.name, one.type_text) for one in shown.columns] != [
            (one.name, one.type_text) for one in source.columns
        ]:
            self._tables.show_columns(published["name"], source.columns)

    def remove_orphans(self) -> None:
        """Delete the rows of online tables that a killed server had forgotten but not cleaned up; at start only."""
        known = {self.path(published) for published in self.all()}
        for found in self._folder.glob("*/*.db"):
            if found not in known:
                delete_store(found)

    def find(self, online_name: str) -> Json | None:
        return self._documents.get(KIND, online_name.lower())

    def all(self, matches: Callable[[Json], bool] = lambda _: True) -> list[Json]:
        return [published for _, published in self._documents.list(KIND) if matches(published)]

    def of_source(self, source_name: str) -> list[Json]:
        """The online tables of a source table, oldest first."""
        found = self.all(lambda published: published["source_table"].lower() == source_name.lower())
        return sorted(found, key=lambda published: float(published["created_at"]))

    def path(self, published: Json) -> Path:
        """Where the rows of an online table are kept: by its name, so that it is found again when republished."""
        name = quote(published["name"].lower(), safe=".")
        return self._folder / quote(published["online_store"], safe="") / f"{name}.db"


def check_name(field: str, online_name: str) -> None:
    """ApiError 400 for a name that no online table can have.

    The limit: databricks-feature-engineering 0.18.2, `FeatureEngineeringClient.publish_table`.
    """
    parts = online_name.split(".")
    if len(parts) != 3 or not all(parts):
        raise invalid(f"{field} '{online_name}' is not a three-level name: catalog.schema.table")
    for part in parts:
        if len(part.encode()) > MAX_NAME_BYTES:
            raise invalid(
                f"{field} '{online_name}' is not valid: '{part}' has {len(part.encode())} bytes; catalog, schema and "
                f"table of an online table have at most {MAX_NAME_BYTES} each"
            )


def check_source(source: Table, mode: str) -> None:
    """ApiError 400 for a table that cannot be kept in step in that mode."""
    name = source.full_name
    if source.table_type != "MANAGED":
        raise invalid(f"Table '{name}' is {source.table_type}, not a Delta table; an online table copies Delta tables")
    if mode != "SNAPSHOT" and not source.change_data_feed:
        raise invalid(
            f"Table '{name}' has no change data feed, which publish_mode {mode} needs. Enable it: "
            f"{ENABLE_FEED.format(name)}; or publish with SNAPSHOT"
        )


def _check_key(source: Table) -> None:
    name = source.full_name
    if not source.primary_key:
        raise invalid(
            f"Table '{name}' has no primary key constraint, which an online table needs. Add one: "
            f"ALTER TABLE {name} ADD CONSTRAINT pk PRIMARY KEY (<columns>)"
        )
    nullable = [column.name for column in source.columns if column.name in source.primary_key and column.nullable]
    if nullable:
        raise invalid(
            f"Primary key columns {nullable} of table '{name}' are nullable, which an online table does not allow. "
            f"Set them NOT NULL: ALTER TABLE {name} ALTER COLUMN {nullable[0]} SET NOT NULL"
        )
