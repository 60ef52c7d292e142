"""Changes of a Delta table that delta-rs does not offer, as commits of the Delta protocol.

Setting a column NOT NULL, adding a column at a place, removing a property: each is one `metaData` action, which
replaces the one before (https://github.com/delta-io/delta/blob/master/PROTOCOL.md#change-metadata).
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from workspace.unity_catalog import partitions

# From these versions on a protocol names its features; lower ones imply them.
_FEATURES_READER = 3
_FEATURES_WRITER = 7
_LEGACY_FEATURES = frozenset({"appendOnly", "invariants", "changeDataFeed"})

Fields = list[dict[str, Any]]


def change_metadata(
    folder: Path,
    operation: str,
    *,
    fields: Callable[[Fields], Fields] | None = None,
    configuration: Callable[[dict[str, str]], dict[str, str]] | None = None,
    description: Callable[[str | None], str | None] | None = None,
) -> int:
    """Commit a new `metaData` action and return the new version; the caller holds the table's lock.

    Raises FileExistsError where somebody else committed in between.
    """
    table = DeltaTable(folder)
    metadata = table.metadata()
    schema = json.loads(table.schema().to_json())
    if fields is not None:
        schema = {**schema, "fields": fields(list(schema["fields"]))}
    settings = dict(metadata.configuration)
    action = {
        "id": metadata.id,
        "name": metadata.name,
        "description": description(metadata.description) if description else metadata.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps(schema),
        "partitionColumns": metadata.partition_columns,
        "createdTime": metadata.created_time,
        "configuration": configuration(settings) if configuration else settings,
    }
    info = {"timestamp": int(time.time() * 1000), "operation": operation, "operationParameters": {}}
    version = int(table.version()) + 1
    _commit(folder / "_delta_log", version, [{"commitInfo": info}, {"metaData": action}])
    return version


def replace_with(folder: Path, other: Path) -> int:
    """Make the table in `folder` what the new table in `other` is, in one commit, and take its files; returns the
    version.

    The id and the history of `folder` stay. `other` is one that was just made, and is gone afterwards.
    """
    old, new = DeltaTable(folder), DeltaTable(other)
    now = int(time.time() * 1000)
    actions: list[dict[str, Any]] = [
        {"commitInfo": {"timestamp": now, "operation": "CREATE OR REPLACE TABLE", "operationParameters": {}}}
    ]
    added = [action for action in _actions(other) if set(action) & {"protocol", "metaData", "add"}]
    for action in added:
        if "metaData" in action:
            action["metaData"]["id"] = old.metadata().id
        if "protocol" in action:
            action["protocol"] = _both(_protocol(old), _protocol(new))
    actions += _removals(old, now)
    for path in new.get_add_actions(flatten=True).column("path").to_pylist():
        (folder / path).parent.mkdir(exist_ok=True, parents=True)
        (other / path).rename(folder / path)
    version = int(old.version()) + 1
    _commit(folder / "_delta_log", version, actions + added)
    shutil.rmtree(other)
    return version


def change_rows(folder: Path, operation: str, rows: pa.Table, changes: pa.Table) -> int:
    """Commit `rows` as the whole contents of the table, `changes` as its change data feed; returns the version.

    Args:
        rows: all rows of the new version, in the table's Arrow schema.
        changes: the same columns and `_change_type` (insert, update_preimage, update_postimage, delete), in the order
            that readers shall see them. Left out where the table has no change data feed.
    """
    table = DeltaTable(folder)
    now = int(time.time() * 1000)
    actions: list[dict[str, Any]] = [
        {"commitInfo": {"timestamp": now, "operation": operation, "operationParameters": {}}},
        *_removals(table, now),
    ]
    kept_apart = table.metadata().partition_columns
    for values, part in partitions.parts(rows, kept_apart) if rows.num_rows else ():
        path = f"part-00000-{uuid.uuid4()}-c000.snappy.parquet"
        pq.write_table(part, folder / path)
        actions.append(
            {
                "add": {
                    "path": path,
                    "partitionValues": values,
                    "size": (folder / path).stat().st_size,
                    "modificationTime": now,
                    "dataChange": True,
                    "stats": json.dumps({"numRecords": part.num_rows}),
                }
            }
        )
    if table.metadata().configuration.get("delta.enableChangeDataFeed") == "true":
        (folder / "_change_data").mkdir(exist_ok=True)
        for values, part in partitions.parts(changes, kept_apart):
            path = f"_change_data/cdc-00000-{uuid.uuid4()}.c000.snappy.parquet"
            pq.write_table(part, folder / path)
            size = (folder / path).stat().st_size
            actions.append({"cdc": {"path": path, "partitionValues": values, "size": size, "dataChange": False}})
    version = int(table.version()) + 1
    _commit(folder / "_delta_log", version, actions)
    return version


def _removals(table: DeltaTable, now: int) -> list[dict[str, Any]]:
    files = table.get_add_actions(flatten=True)
    paths, sizes = files.column("path").to_pylist(), files.column("size_bytes").to_pylist()
    kept_apart = table.metadata().partition_columns
    columns = [files.column(f"partition.{name}").to_pylist() for name in kept_apart]
    values = [dict(zip(kept_apart, row, strict=True)) for row in zip(*columns, strict=True)] or [{} for _ in paths]
    return [
        {
            "remove": {
                "path": path,
                "deletionTimestamp": now,
                "dataChange": True,
                "extendedFileMetadata": True,
                "partitionValues": partitions.values_of(value),
                "size": size,
            }
        }
        for path, size, value in zip(paths, sizes, values, strict=True)
    ]


def _actions(folder: Path) -> list[dict[str, Any]]:
    lines = [line for path in sorted((folder / "_delta_log").glob("*.json")) for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


@dataclass(frozen=True)
class _Protocol:
    reader: int
    writer: int
    reader_features: frozenset[str]
    writer_features: frozenset[str]


def _protocol(table: DeltaTable) -> _Protocol:
    found = table.protocol()
    named = frozenset(found.writer_features or ())
    return _Protocol(
        found.min_reader_version,
        found.min_writer_version,
        frozenset(found.reader_features or ()),
        named if found.min_writer_version >= _FEATURES_WRITER else _LEGACY_FEATURES,
    )


def _both(old: _Protocol, new: _Protocol) -> dict[str, Any]:
    """The protocol that allows what either allows: a table's protocol never goes down."""
    reader, writer = max(old.reader, new.reader), max(old.writer, new.writer)
    action: dict[str, Any] = {"minReaderVersion": reader, "minWriterVersion": writer}
    if reader >= _FEATURES_READER:
        action["readerFeatures"] = sorted(old.reader_features | new.reader_features)
    if writer >= _FEATURES_WRITER:
        action["writerFeatures"] = sorted(old.writer_features | new.writer_features)
    return action


def _commit(log: Path, version: int, actions: list[dict[str, Any]]) -> None:
    """A commit is there as a whole or not at all, and never replaces another."""
    path = log / f"{version:020}.json"
    temporary = log / f".{version:020}.json.{os.getpid()}.tmp"
    temporary.write_text("".join(json.dumps(action) + "\n" for action in actions))
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink()
