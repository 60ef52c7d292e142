"""The one owner of tables: Delta tables on disk, and entries for what is stored elsewhere.

A managed table's columns, properties and comment are kept in its Delta log and nowhere else, so that one commit
changes them. What Delta has no place for (id, owner, primary key) is kept in a document.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, Schema, write_deltalake
from deltalake.exceptions import TableNotFoundError

from workspace.documents import Document, Documents
from workspace.errors import bad_request, invalid
from workspace.identity.caller import current_caller
from workspace.unity_catalog import constraints, delta_log, names, types
from workspace.unity_catalog.conform import arrow_schema, conform
from workspace.unity_catalog.partitions import checked as kept_apart
from workspace.unity_catalog.properties import checked as checked_properties
from workspace.unity_catalog.table import FOREIGN, MANAGED, VIEW, Column, ForeignKey, Table

__all__ = ["Column", "Table", "Tables"]

_KIND = "table"


class Tables:
    """Tables by full name, which is not told apart by case. Safe for use from many threads."""

    def __init__(self, documents: Documents, folder: Path, require_schema: Callable[[str, str], object]) -> None:
        self._documents = documents
        self._folder = folder
        self._require_schema = require_schema
        self._locks: dict[str, threading.RLock] = {}
        self._locks_guard = threading.Lock()

    def get(self, full_name: str) -> Table:
        """Raises ApiError 404 naming the table."""
        table = self.find(full_name)
        if table is None:
            raise names.missing("table", full_name)
        return table

    def find(self, full_name: str) -> Table | None:
        document = self._documents.get(_KIND, _key(full_name))
        return None if document is None else self._table(document)

    def exists(self, full_name: str) -> bool:
        """Without a look into its Delta log."""
        return self._documents.get(_KIND, _key(full_name)) is not None

    def identity(self, full_name: str) -> str:
        """The id of the table, without a look into its Delta log. Raises ApiError 404."""
        return str(self._stored(full_name)["table_id"])

    def name_of(self, table_id: str) -> str | None:
        """The full name of the table with this id; None where there is none."""
        return next((key for key, one in self._documents.list(_KIND) if one["table_id"] == table_id), None)

    def owner(self, full_name: str) -> str:
        """Raises ApiError 404."""
        return str(self._stored(full_name)["owner"])

    def names(self, catalog: str, schema: str) -> list[str]:
        """Full names of the tables of a schema."""
        return [key for key, _ in self._documents.list(_KIND, f"{catalog}.{schema}.".lower())]

    def list(self, catalog: str, schema: str) -> list[Table]:
        """The tables of a schema, by name."""
        prefix = f"{catalog}.{schema}.".lower()
        return [self._table(document) for _, document in self._documents.list(_KIND, prefix)]

    def create(
        self,
        full_name: str,
        columns: Sequence[Column],
        *,
        primary_key: Sequence[str] = (),
        primary_key_name: str | None = None,
        timeseries: str | None = None,
        properties: Mapping[str, str] | None = None,
        comment: str | None = None,
        table_type: str = MANAGED,
        rows: pa.Table | None = None,
        replace: bool = False,
        partitions: Sequence[str] = (),
    ) -> Table:
        """A new Delta table, with its first rows where they are given.

        The columns of the primary key become NOT NULL. `replace` makes the table anew in one commit where there is
        one: same id, same history, nothing kept of columns, properties and rows. `partitions` are the columns that
        files are kept apart by.

        Raises ApiError 404 where the schema is missing, 400 where the name is taken or a column cannot be.
        """
        if table_type != MANAGED:
            raise invalid(
                f"table type {table_type} is not created with rows of its own; use register_foreign or register_view"
            )
        key = self._free_name(full_name, replace=replace)
        declared = constraints.declared(columns, primary_key, timeseries)
        with self.locked(key):
            existing = self._documents.get(_KIND, key)
            if existing is not None and (not replace or existing["table_type"] != MANAGED):
                raise names.taken("table", key)
            folder = self._folder / str(uuid.uuid4())
            try:
                _create_delta(folder, key, declared, properties or {}, comment, kept_apart(declared, partitions))
                if rows is not None and rows.num_rows:
                    _append(folder, declared, rows, key)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            constraint = constraints.primary_key(key, primary_key, primary_key_name, timeseries)
            if existing is None:
                self._documents.put(_KIND, key, self._document(key, MANAGED, folder.name) | {"primary_key": constraint})
            else:
                delta_log.replace_with(self._folder / existing["table_id"], folder)
                self._change(key, lambda document: document.update(primary_key=constraint))
            return self.get(key)

    def register_foreign(
        self,
        full_name: str,
        columns: Sequence[Column],
        properties: Mapping[str, str] | None = None,
        *,
        primary_key: Sequence[str] = (),
        timeseries: str | None = None,
        comment: str | None = None,
    ) -> Table:
        """An entry for a table whose rows live elsewhere (an online table): visible and droppable, without Delta
        storage.
        """
        return self._register(full_name, FOREIGN, columns, properties, comment, primary_key, timeseries, {})

    def show_columns(self, full_name: str, columns: Sequence[Column]) -> None:
        """Let a foreign table have the columns that it has where its rows live by now."""
        shown = [[column.name, column.type_text, column.nullable, column.comment] for column in columns]
        self._change(full_name, lambda document: document.update(columns=shown))

    def register_view(
        self, full_name: str, columns: Sequence[Column], definition: str, *, comment: str | None = None
    ) -> Table:
        return self._register(full_name, VIEW, columns, None, comment, (), None, {"view_definition": definition})

    def drop(self, full_name: str) -> None:
        """Raises ApiError 404 where there is no such table."""
        key = _key(full_name)
        with self.locked(key):
            document = self._documents.get(_KIND, key)
            if document is None or not self._documents.delete(_KIND, key):
                raise names.missing("table", full_name)
            if document["table_type"] == MANAGED:
                shutil.rmtree(self._folder / document["table_id"], ignore_errors=True)

    def delta(self, full_name: str) -> DeltaTable:
        """The Delta table, opened at its newest version; ApiError 404 where it is missing, 400 where it is not
        Delta.
        """
        return DeltaTable(self._delta_folder(self._stored(full_name)))

    def append(self, full_name: str, rows: pa.Table) -> None:
        """Add rows in one commit. Columns that are missing become NULL.

        Raises ApiError 400 where the rows do not fit (unknown column, other type, NULL where NOT NULL is declared).
        """
        with self.locked(full_name):
            table = self.get(full_name)
            _append(self._delta_folder(self._stored(full_name)), table.columns, rows, table.full_name)

    def overwrite(self, full_name: str, rows: pa.Table) -> None:
        """Put `rows` in the place of all rows, in one commit; refusals as in `append`."""
        with self.locked(full_name):
            table = self.get(full_name)
            folder = self._delta_folder(self._stored(full_name))
            write_deltalake(folder, _conformed(folder, table.columns, rows, table.full_name), mode="overwrite")

    def change_rows(self, full_name: str, operation: str, rows: pa.Table, changes: pa.Table) -> None:
        """Make `rows` the contents of the table and `changes` (with `_change_type`) its change data feed: one commit.

        The caller holds the table's lock since it read the rows. Refusals as in `append`.
        """
        with self.locked(full_name):
            table = self.get(full_name)
            folder = self._delta_folder(self._stored(full_name))
            kinds = changes.column("_change_type")
            fitting = _conformed(folder, table.columns, changes.drop_columns(["_change_type"]), table.full_name)
            whole = _conformed(folder, table.columns, rows, table.full_name)
            delta_log.change_rows(folder, operation, whole, fitting.append_column("_change_type", kinds))

    def set_properties(self, full_name: str, values: Mapping[str, str]) -> None:
        changed = checked_properties(values)
        if not changed:
            return
        with self._altered(full_name) as folder:
            # delta-rs raises the protocol version that a property needs.
            DeltaTable(folder).alter.set_table_properties(changed, raise_if_not_exists=False)

    def unset_properties(self, full_name: str, removed: Sequence[str], *, if_exists: bool = False) -> None:
        present = self.get(full_name).properties
        unknown = [name for name in removed if name not in present]
        if unknown and not if_exists:
            raise invalid(
                f"[UNSET_NONEXISTENT_PROPERTIES] Attempted to unset non-existent properties {unknown} in "
                f"table '{full_name}'"
            )
        with self._altered(full_name) as folder:
            delta_log.change_metadata(
                folder,
                "UNSET TBLPROPERTIES",
                configuration=lambda settings: {name: settings[name] for name in settings if name not in removed},
            )

    def set_comment(self, full_name: str, comment: str | None) -> None:
        with self._altered(full_name) as folder:
            delta_log.change_metadata(folder, "SET TABLE COMMENT", description=lambda _: comment)

    def change_columns(
        self, full_name: str, operation: str, change: Callable[[delta_log.Fields], delta_log.Fields]
    ) -> None:
        """Rewrite the Delta schema's fields; the caller has made sure that the rows there are obey the new ones."""
        with self._altered(full_name) as folder:
            delta_log.change_metadata(folder, operation, fields=change)

    def set_primary_key(
        self, full_name: str, columns: Sequence[str], *, timeseries: str | None = None, name: str | None = None
    ) -> None:
        """Declare the primary key; 400 where there is one already, or a column is missing or nullable."""
        with self.locked(full_name):
            table = self.get(full_name)
            if table.primary_key:
                raise invalid(
                    f"Table '{table.full_name}' already has a primary key constraint '{table.primary_key_name}'"
                )
            constraints.declared(table.columns, columns, timeseries)
            nullable = [column for column in columns if (found := table.column(column)) and found.nullable]
            if nullable:
                listed = ", ".join(f"`{column}`" for column in nullable)
                raise invalid(
                    f"Cannot create the primary key because its child column(s) {listed} is nullable. "
                    "Please change the column nullability and retry: "
                    f"ALTER TABLE {table.full_name} ALTER COLUMN {nullable[0]} SET NOT NULL"
                )
            constraint = constraints.primary_key(table.full_name, columns, name, timeseries)
            self._change(full_name, lambda document: document.update(primary_key=constraint))

    def drop_primary_key(self, full_name: str, *, cascade: bool = False) -> None:
        """Drop the primary key; foreign keys that refer to it only with `cascade`, otherwise 400 naming them."""
        children = self._referring(full_name)
        if children and not cascade:
            raise invalid(
                f"Cannot drop the primary key of '{full_name}': foreign keys of {', '.join(sorted(children))} refer to "
                "it. Drop them first, or drop it with CASCADE."
            )
        for child in children:
            kept = [key for key in self.get(child).foreign_keys if key.parent_table != _key(full_name)]
            self._set_foreign_keys(child, kept)
        self._change(full_name, lambda document: document.update(primary_key=None))

    def add_foreign_key(self, full_name: str, key: ForeignKey) -> None:
        """Declare a foreign key to a table's primary key. ApiError 404 for the parent, 400 for what cannot be."""
        with self.locked(full_name):
            table = self.get(full_name)
            checked = constraints.foreign_key(table, self.get(key.parent_table), key)
            self._set_foreign_keys(full_name, [*table.foreign_keys, checked])

    def drop_foreign_key(self, full_name: str, name: str) -> None:
        kept = [key for key in self.get(full_name).foreign_keys if key.name.lower() != name.lower()]
        self._set_foreign_keys(full_name, kept)

    def set_owner(self, full_name: str, owner: str) -> None:
        self._change(full_name, lambda document: document.update(owner=owner))

    @contextmanager
    def locked(self, full_name: str) -> Iterator[None]:
        """The table's write lock; a thread that has it may take it again."""
        with self._locks_guard:
            lock = self._locks.setdefault(full_name.lower(), threading.RLock())
        with lock:
            yield

    def remove_orphans(self) -> None:
        """Delete the folders that a killed server had begun to fill, or had not finished deleting; at start only."""
        known = {document["table_id"] for _, document in self._documents.list(_KIND)}
        for folder in self._folder.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder)

    def _free_name(self, full_name: str, *, replace: bool) -> str:
        catalog, schema, name = names.split(full_name, 3, "table")
        names.identifier(name, "table")
        self._require_schema(catalog, schema)
        key = f"{catalog}.{schema}.{name}"
        if not replace and self._documents.get(_KIND, key) is not None:
            raise names.taken("table", key)
        return key

    def _register(
        self,
        full_name: str,
        table_type: str,
        columns: Sequence[Column],
        values: Mapping[str, str] | None,
        comment: str | None,
        primary_key: Sequence[str],
        timeseries: str | None,
        more: Document,
    ) -> Table:
        key = self._free_name(full_name, replace=False)
        declared = constraints.declared(columns, primary_key, timeseries)
        document = self._document(key, table_type, str(uuid.uuid4())) | {
            "columns": [[c.name, c.type_text, c.nullable, c.comment] for c in declared],
            "properties": dict(values or {}),
            "comment": comment,
            "primary_key": constraints.primary_key(key, primary_key, None, timeseries),
            **more,
        }
        if not self._documents.insert(_KIND, key, document):
            raise names.taken("table", key)
        return self.get(key)

    def _set_foreign_keys(self, full_name: str, keys: Sequence[ForeignKey]) -> None:
        stored = [[key.name, key.columns, key.parent_table, key.parent_columns] for key in keys]
        self._change(full_name, lambda document: document.update(foreign_keys=stored))

    def _referring(self, full_name: str) -> set[str]:
        """Full names of the tables with foreign keys to this one."""
        return {
            name
            for name, document in self._documents.list(_KIND)
            if any(key[2] == _key(full_name) for key in document.get("foreign_keys", []))
        }

    @contextmanager
    def _altered(self, full_name: str) -> Iterator[Path]:
        with self.locked(full_name):
            folder = self._delta_folder(self._stored(full_name))
            yield folder
            self._change(full_name, lambda _: None)

    def _change(self, full_name: str, change: Callable[[Document], None]) -> None:
        def apply(document: Document) -> None:
            change(document)
            document["updated_at"] = _now()

        if self._documents.update(_KIND, _key(full_name), apply) is None:
            raise names.missing("table", full_name)

    def _stored(self, full_name: str) -> Document:
        document = self._documents.get(_KIND, _key(full_name))
        if document is None:
            raise names.missing("table", full_name)
        return document

    def _delta_folder(self, document: Document) -> Path:
        if document["table_type"] != MANAGED:
            raise bad_request(
                f"'{document['full_name']}' is a {document['table_type']} table and has no Delta storage here"
            )
        return self._folder / str(document["table_id"])

    def _document(self, key: str, table_type: str, table_id: str) -> Document:
        now = _now()
        return {
            "full_name": key,
            "table_id": table_id,
            "table_type": table_type,
            "owner": current_caller().user_name,
            "created_by": current_caller().user_name,
            "created_at": now,
            "updated_at": now,
            "primary_key": None,
            "foreign_keys": [],
        }

    def _table(self, document: Document) -> Table:
        catalog, schema, name = document["full_name"].split(".")
        key = document["primary_key"] or {}
        location = None
        if document["table_type"] == MANAGED:
            folder = self._folder / document["table_id"]
            location = folder.as_uri()
            try:
                columns, values, comment, partitions = _read_delta(folder)
            except TableNotFoundError as error:
                # Dropped between the two looks.
                raise names.missing("table", document["full_name"]) from error
        else:
            columns = [Column(*column) for column in document["columns"]]
            values, comment, partitions = document["properties"], document["comment"], []
        return Table(
            catalog_name=catalog,
            schema_name=schema,
            name=name,
            table_id=document["table_id"],
            table_type=document["table_type"],
            columns=columns,
            primary_key=list(key.get("columns", [])),
            primary_key_name=key.get("name"),
            timeseries=key.get("timeseries"),
            properties=values,
            comment=comment,
            partitions=partitions,
            foreign_keys=[ForeignKey(*key) for key in document.get("foreign_keys", [])],
            owner=document["owner"],
            created_by=str(document.get("created_by") or document["owner"]),
            created_at=document["created_at"],
            updated_at=document["updated_at"],
            storage_location=location,
            view_definition=document.get("view_definition"),
        )


def _key(full_name: str) -> str:
    return ".".join(part.strip("`") for part in full_name.lower().split("."))


def _now() -> int:
    return int(time.time() * 1000)


def _create_delta(
    folder: Path,
    full_name: str,
    columns: Sequence[Column],
    values: Mapping[str, str],
    comment: str | None,
    partitions: Sequence[str],
) -> None:
    fields = [
        {
            "name": column.name,
            "type": types.parse(column.type_text),
            "nullable": column.nullable,
            "metadata": {"comment": column.comment} if column.comment else {},
        }
        for column in columns
    ]
    DeltaTable.create(
        folder,
        Schema.from_json(json.dumps({"type": "struct", "fields": fields})),
        name=full_name,
        partition_by=list(partitions),
        description=comment,
        configuration=checked_properties(values),
        raise_if_key_not_exists=False,
    )


def _append(folder: Path, columns: Sequence[Column], rows: pa.Table, full_name: str) -> None:
    write_deltalake(folder, _conformed(folder, columns, rows, full_name), mode="append")


def _conformed(folder: Path, columns: Sequence[Column], rows: pa.Table, full_name: str) -> pa.Table:
    return conform(rows, columns, arrow_schema(DeltaTable(folder).schema()), full_name)


def _read_delta(folder: Path) -> tuple[list[Column], dict[str, str], str | None, list[str]]:
    delta = DeltaTable(folder)
    metadata = delta.metadata()
    fields = json.loads(delta.schema().to_json())["fields"]
    columns = [
        Column(field["name"], types.text_of(field["type"]), field["nullable"], field["metadata"].get("comment"))
        for field in fields
    ]
    return columns, dict(metadata.configuration), metadata.description, list(metadata.partition_columns)
