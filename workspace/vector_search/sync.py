"""Brings an index to the newest version of its source table: everything once, then the change data feed.

One sync ends in one transaction of the index, with the version noted in it, so that a kill only repeats work.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from workspace.documents import Document
from workspace.unity_catalog.table import Table
from workspace.vector_search.embedding import Embedder
from workspace.vector_search.specs import embedding_of, synced_columns
from workspace.vector_search.vectors import Entry, Row, Vectors

_GONE = ("delete", "update_preimage")


class SyncError(Exception):
    """The sync cannot go on; the message is what the index's status says."""


class Tables(Protocol):
    """Delta tables as indexes see them (`workspace.unity_catalog.tables.Tables`)."""

    def get(self, full_name: str) -> Table: ...

    def delta(self, full_name: str) -> DeltaTable: ...


def sync(index: Document, vectors: Vectors, tables: Tables, embedder: Embedder) -> int:
    """The version of the source that the index has now; raises SyncError, EmbeddingError, ApiError."""
    spec = index["delta_sync_index_spec"]
    source = tables.get(spec["source_table"])
    delta = tables.delta(source.full_name)
    version, synced = delta.version(), vectors.synced()
    if synced is not None and synced[1] != source.table_id:
        raise SyncError(f"source table {source.full_name} was replaced since the last sync; create the index anew")
    if synced is not None and synced[0] == version:
        return version
    prepare = _Preparing(index, source, embedder)
    if synced is None:
        entries = prepare.entries(delta.to_pyarrow_table().to_pylist())
        vectors.change(entries, clear=True, synced=(version, source.table_id))
        return version
    last = _newest(_changes(delta, source, synced[0], version), index["primary_key"])
    gone = [key for key, row in last.items() if row is None]
    kept = [row for row in last.values() if row is not None]
    vectors.change(prepare.entries(kept), gone, synced=(version, source.table_id))
    return version


def _changes(delta: DeltaTable, source: Table, since: int, version: int) -> list[Row]:
    try:
        changes: list[Row] = pa.table(delta.load_cdf(starting_version=since + 1, ending_version=version)).to_pylist()
    except (DeltaError, OSError, ValueError) as error:
        raise SyncError(
            f"the change data feed of {source.full_name} cannot be read from version {since + 1} to {version}: {error}"
        ) from error
    return changes


def _newest(changes: Iterable[Row], primary_key: str) -> dict[Any, Row | None]:
    """What is left of each key that changed: its newest row, None where it was deleted."""
    last: dict[Any, Row | None] = {}
    by_version = itemgetter("_commit_version")
    for _, group in groupby(sorted(changes, key=by_version), key=by_version):
        commit = list(group)
        # Within one commit what goes, goes first: a merge may delete a key and insert it again.
        for row in commit:
            if row["_change_type"] in _GONE:
                last[row[primary_key]] = None
        for row in commit:
            if row["_change_type"] not in _GONE:
                last[row[primary_key]] = row
    return last


class _Preparing:
    """Rows of the source as entries of the index."""

    def __init__(self, index: Document, source: Table, embedder: Embedder) -> None:
        spec = index["delta_sync_index_spec"]
        self._creator = index["creator"]
        self._key = index["primary_key"]
        self._embedding = embedding_of(spec)
        self._columns = synced_columns(spec, self._key, source)
        self._source = source.full_name
        self._embedder = embedder

    def entries(self, rows: list[Row]) -> list[Entry]:
        keys = [plain(row[self._key]) for row in rows]
        for key in keys:
            if key is None:
                raise SyncError(f"source table {self._source} has a row without its primary key {self._key}")
        if len(set(keys)) < len(keys):
            double = next(key for key in keys if keys.count(key) > 1)
            raise SyncError(f"source table {self._source} has several rows with {self._key} = {double!r}")
        kept = [{name: plain(row[name]) for name in self._columns} for row in rows]
        return [Entry(key, row, vector) for key, row, vector in zip(keys, kept, self._vectors(rows), strict=True)]

    def _vectors(self, rows: list[Row]) -> list[list[float] | None]:
        name = self._embedding["name"]
        if endpoint := self._embedding.get("embedding_model_endpoint_name"):
            texts = [row[name] for row in rows if row[name] is not None]
            embedded = iter(self._embedder.embed(endpoint, texts, self._creator)) if texts else iter(())
            return [None if row[name] is None else next(embedded) for row in rows]
        dimension = self._embedding["embedding_dimension"]
        for row in rows:
            if row[name] is not None and len(row[name]) != dimension:
                raise SyncError(
                    f"{name} of {self._source} has {len(row[name])} values where {self._key} = {row[self._key]!r}; "
                    f"the index declares {dimension}"
                )
        return [row[name] for row in rows]


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return value
