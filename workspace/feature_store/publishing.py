"""What is published where: the rules of `publish_table`, and the documents of online tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from workspace.documents import Documents
from workspace.errors import already_exists, invalid, invalid_state, not_found
from workspace.feature_store.online_stores import OnlineStores
from workspace.http import Json

if TYPE_CHECKING:
    from workspace.unity_catalog.tables import Table, Tables

KIND = "online_table"
MODES = ("SNAPSHOT", "TRIGGERED", "CONTINUOUS")
# What the change data feed is turned on with, word for word as a user would run it.
ENABLE_FEED = "ALTER TABLE {} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"


class Publishing:
    """The published tables of one workspace, by the full name of the online table, in lower case."""

    def __init__(self, documents: Documents, tables: Tables, stores: OnlineStores, folder: Path) -> None:
        self._documents = documents
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
        if len([part for part in online_name.split(".") if part]) != 3:
            raise invalid(f"online_table_name '{online_name}' is not a three-level name: catalog.schema.table")
        source = self._tables.get(source_name)
        if source.full_name.lower() == online_name.lower():
            raise invalid(f"online_table_name '{online_name}' is the source table itself; choose another name")
        _check_source(source, mode)
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

    def add(self, source: Table, online_name: str, spec: Json, pipeline_id: str, creator: str) -> Json:
        """Record a new online table, and show it in Unity Catalog."""
        self._tables.register_foreign(
            online_name,
            source.columns,
            primary_key=source.primary_key,
            timeseries=source.timeseries,
            comment=f"Online table of {source.full_name}",
        )
        published = {
            "name": online_name,
            "source_table": source.full_name,
            "online_store": spec["online_store"],
            "publish_mode": spec["publish_mode"],
            "pipeline_id": pipeline_id,
            "creator": creator,
            "created_at": time.time(),
        }
        self._documents.put(KIND, online_name.lower(), published)
        return published

    def remove(self, online_name: str) -> Json:
        published = self.find(online_name)
        if published is None:
            raise not_found(f"Online table '{online_name}' does not exist.")
        if self._tables.find(online_name) is not None:
            self._tables.drop(online_name)
        self._documents.delete(KIND, online_name.lower())
        return published

    def dropped(self) -> list[Json]:
        """Online tables whose entry in Unity Catalog was dropped, alone or with its schema; forgotten from now on."""
        gone = self.all(lambda published: self._tables.find(published["name"]) is None)
        for published in gone:
            self._documents.delete(KIND, published["name"].lower())
        return gone

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


def _check_source(source: Table, mode: str) -> None:
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
    if mode != "SNAPSHOT" and not source.change_data_feed:
        raise invalid(
            f"Table '{name}' has no change data feed, which publish_mode {mode} needs. Enable it: "
            f"{ENABLE_FEED.format(name)}; or publish with SNAPSHOT"
        )
