"""Moves rows from a Delta table to the keyed store of its online table.

SNAPSHOT copies everything. TRIGGERED and CONTINUOUS copy everything once, then apply the table's change data feed since
the version they last applied. Both end in one transaction of the keyed store, with the version noted in it: a sync that
is killed leaves the rows and the version of the sync before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from workspace.feature_store.keyed import Layout, Position, Row
from workspace.feature_store.writer import DuplicateKeyError, KeyedWriter, UnstorableValueError
from workspace.unity_catalog.table import Table

BATCH_ROWS = 10_000
FULL_REFRESH = "start an update with full_refresh"
_REMOVED = ("delete", "update_preimage")


class SyncError(Exception):
    """The sync cannot go on; the message is what the pipeline's event says."""


@dataclass(frozen=True)
class Synced:
    """What a sync did: the source version it reached, and how."""

    version: int
    snapshot: bool
    changes: int
    layout: Layout


def layout_of(table: Table, primary_key: list[str] | None = None, timeseries: str | None = None) -> Layout:
    """The layout of a source table's online table.

    `primary_key` and `timeseries` stand for the table's own, where a synced table declares others. The timeseries
    column is part of the primary key, not of lookups.
    """
    declared = table.primary_key if primary_key is None else primary_key
    newest_by = table.timeseries if primary_key is None else timeseries
    key = tuple(name for name in declared if name != newest_by)
    return Layout(tuple((column.name, column.type_text) for column in table.columns), key, newest_by)


def sync(
    path: Path,
    table: Table,
    layout: Layout,
    open_delta: Callable[[], DeltaTable],
    now_ms: Callable[[], int],
    *,
    full: bool,
) -> Synced:
    """Bring the keyed store at `path` to the newest version of `table`; `full` copies everything, whatever is there.

    Raises SyncError where rows share a primary key, where the change data feed does not reach back to the last sync,
    or where the table's columns or key changed in another way than by new columns.
    """
    writer = KeyedWriter(path)
    started_ms = now_ms()
    try:
        delta = open_delta()
        version = delta.version()
        synced = writer.synced()

        def position() -> Position:
            return Position(version, table.table_id, _committed_ms(delta), started_ms, now_ms())

        if full or synced is None:
            return _snapshot(writer, delta, layout, table, position)
        before, last = synced
        if last.table_id != table.table_id:
            raise SyncError(f"source table {table.full_name} was replaced since the last sync; {FULL_REFRESH}")
        _refuse_other_columns(before, layout, table)
        if version == last.version and layout == before:
            return Synced(version, snapshot=False, changes=0, layout=layout)
        return _apply_changes(writer, delta, layout, table, last.version, position)
    finally:
        writer.close()


def _snapshot(
    writer: KeyedWriter, delta: DeltaTable, layout: Layout, table: Table, position: Callable[[], Position]
) -> Synced:
    rows = _rows(delta.to_pyarrow_table().to_batches(BATCH_ROWS))
    try:
        with writer.transaction():
            count = writer.replace(layout, rows)
            writer.set_synced(layout, position())
    except (DuplicateKeyError, UnstorableValueError) as error:
        raise SyncError(_unfit(error, delta, layout, table)) from error
    return Synced(delta.version(), snapshot=True, changes=count, layout=layout)


def _apply_changes(
    writer: KeyedWriter,
    delta: DeltaTable,
    layout: Layout,
    table: Table,
    since: int,
    position: Callable[[], Position],
) -> Synced:
    version = delta.version()
    changes = _feed(delta, table, since + 1) if version > since else []
    # Within one commit what goes, goes first: a merge may delete a key and insert it again.
    ordered = sorted(changes, key=lambda row: (row["_commit_version"], row["_change_type"] not in _REMOVED))
    try:
        with writer.transaction():
            writer.apply(layout, ((row["_change_type"] not in _REMOVED, row) for row in ordered))
            writer.set_synced(layout, position())
    except (DuplicateKeyError, UnstorableValueError) as error:
        raise SyncError(_unfit(error, delta, layout, table)) from error
    return Synced(version, snapshot=False, changes=len(changes), layout=layout)


def _feed(delta: DeltaTable, table: Table, first: int) -> list[Row]:
    """The change data feed from version `first` on. SyncError in words that tell why there is none."""
    version = delta.version()
    try:
        changes: list[Row] = pa.table(delta.load_cdf(starting_version=first, ending_version=version)).to_pylist()
    except (DeltaError, OSError, ValueError) as error:
        text = str(error)
        span = f"from version {first} to {version}"
        if "Change Data not enabled" in text:
            enabled = "it is off now" if not table.change_data_feed else "it was off for some of them"
            raise SyncError(
                f"the change data feed of {table.full_name} does not record all changes {span}: {enabled}. Turn it on "
                f"(ALTER TABLE {table.full_name} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')), then "
                f"{FULL_REFRESH}"
            ) from error
        if "not found" in text or "Invalid table version" in text:
            raise SyncError(
                f"the change data feed of {table.full_name} cannot be read {span}: its files were removed by VACUUM, "
                f"or its log was cleaned up; {FULL_REFRESH}, and keep changes longer than the time between syncs"
            ) from error
        raise SyncError(
            f"the change data feed of {table.full_name} cannot be read {span}: {text}; {FULL_REFRESH}"
        ) from error
    return changes


def _refuse_other_columns(before: Layout, now: Layout, table: Table) -> None:
    """Columns may be added; anything else needs all rows anew (docs "Serve lakehouse data with synced tables")."""
    if (before.key, before.timeseries) != (now.key, now.timeseries):
        raise SyncError(
            f"the primary key of source table {table.full_name} changed from {_key_text(before)} to {_key_text(now)}; "
            f"{FULL_REFRESH}"
        )
    types = dict(now.columns)
    for name, type_text in before.columns:
        if name not in types:
            raise SyncError(f"column {name} of source table {table.full_name} was dropped; {FULL_REFRESH}")
        if types[name] != type_text:
            raise SyncError(
                f"column {name} of source table {table.full_name} changed from {type_text} to {types[name]}; only new "
                f"columns are taken over: {FULL_REFRESH}"
            )


def _key_text(layout: Layout) -> str:
    columns = ", ".join(layout.key)
    return f"({columns}, {layout.timeseries} TIMESERIES)" if layout.timeseries else f"({columns})"


def _committed_ms(delta: DeltaTable) -> int:
    return int(delta.history(1)[0]["timestamp"])


def _rows(batches: list[Any]) -> Iterator[Row]:
    for batch in batches:
        yield from batch.to_pylist()


def _unfit(error: DuplicateKeyError | UnstorableValueError, delta: DeltaTable, layout: Layout, table: Table) -> str:
    if isinstance(error, UnstorableValueError):
        return f"source table {table.full_name} has {error}: remove the byte, for example with replace(column, '\\0')"
    names = [*layout.key, *([layout.timeseries] if layout.timeseries else [])]
    keys = delta.to_pyarrow_table(columns=names).to_pylist()
    (key, count) = Counter(tuple(row[name] for name in names) for row in keys).most_common(1)[0]
    return (
        f"source table {table.full_name} has {count} rows with primary key {dict(zip(names, key, strict=True))}; a "
        "primary key is not enforced on write: remove the duplicates, or declare a TIMESERIES column, of which the "
        "newest row is kept"
    )
