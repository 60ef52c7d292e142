"""Moves rows from a Delta table to the keyed store of its online table.

SNAPSHOT copies everything. TRIGGERED and CONTINUOUS copy everything once, then apply the table's change data feed since
the version they last applied. Both end in one transaction of the keyed store, with the version noted in it: a sync that
is killed leaves the rows and the version of the sync before.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from workspace.feature_store.keyed import KeyedWriter, Layout, Row
from workspace.unity_catalog.tables import Table

BATCH_ROWS = 10_000


class SyncError(Exception):
    """The sync cannot go on; the message is what the pipeline's event says."""


@dataclass(frozen=True)
class Synced:
    """What a sync did: the source version it reached, and how."""

    version: int
    snapshot: bool
    changes: int


def layout_of(table: Table) -> Layout:
    """The layout of a source table's online table; the timeseries column is part of the primary key, not of lookups."""
    key = tuple(name for name in table.primary_key if name != table.timeseries)
    return Layout(tuple((column.name, column.type_text) for column in table.columns), key, table.timeseries)


def sync(path: Path, table: Table, open_delta: Callable[[], DeltaTable], *, full: bool) -> Synced:
    """Bring the keyed store at `path` to the newest version of `table`; `full` copies everything, whatever is there.

    Raises SyncError where rows share a primary key, or the change data feed does not reach back to the last sync.
    """
    writer = KeyedWriter(path)
    try:
        delta = open_delta()
        version = delta.version()
        synced = writer.synced()
        layout = layout_of(table)
        if full or synced is None:
            return _snapshot(writer, delta, layout, table)
        last_version, table_id = synced
        if table_id != table.table_id:
            raise SyncError(
                f"source table {table.full_name} was replaced since the last sync; start an update with full_refresh"
            )
        if version == last_version:
            return Synced(version, snapshot=False, changes=0)
        return _apply_changes(writer, delta, layout, table, last_version)
    finally:
        writer.close()


def _snapshot(writer: KeyedWriter, delta: DeltaTable, layout: Layout, table: Table) -> Synced:
    version = delta.version()
    rows = _rows(delta.to_pyarrow_table().to_batches(BATCH_ROWS))
    try:
        with writer.transaction():
            writer.clear()
            count = writer.insert(layout, rows)
            writer.set_synced(layout, version, table.table_id)
    except sqlite3.IntegrityError as error:
        raise SyncError(_duplicates(delta, table)) from error
    return Synced(version, snapshot=True, changes=count)


def _apply_changes(writer: KeyedWriter, delta: DeltaTable, layout: Layout, table: Table, since: int) -> Synced:
    version = delta.version()
    try:
        changes = pa.table(delta.load_cdf(starting_version=since + 1, ending_version=version)).to_pylist()
    except (DeltaError, OSError, ValueError) as error:
        raise SyncError(
            f"the change data feed of {table.full_name} cannot be read from version {since + 1} to {version}: {error}; "
            "start an update with full_refresh"
        ) from error
    by_version = itemgetter("_commit_version")
    with writer.transaction():
        for _, group in groupby(sorted(changes, key=by_version), key=by_version):
            commit = list(group)
            # Within one commit what goes, goes first: a merge may delete a key and insert it again.
            writer.delete(layout, [row for row in commit if row["_change_type"] in ("delete", "update_preimage")])
            writer.upsert(layout, [row for row in commit if row["_change_type"] in ("insert", "update_postimage")])
        writer.set_synced(layout, version, table.table_id)
    return Synced(version, snapshot=False, changes=len(changes))


def _rows(batches: list[Any]) -> Iterator[Row]:
    for batch in batches:
        yield from batch.to_pylist()


def _duplicates(delta: DeltaTable, table: Table) -> str:
    keys = delta.to_pyarrow_table(columns=table.primary_key).to_pylist()
    counts = Counter(tuple(row[name] for name in table.primary_key) for row in keys)
    (key, count) = counts.most_common(1)[0]
    return (
        f"source table {table.full_name} has {count} rows with primary key "
        f"{dict(zip(table.primary_key, key, strict=True))}; a primary key is not enforced on write: remove the "
        "duplicates, or declare a TIMESERIES column, of which the newest row is kept"
    )
