"""What an index is declared as: checked, and completed.

Source: `VectorSearchIndexesAPI.create_index` and its data classes in databricks-sdk 0.156; the Databricks page "Create
vector search endpoints and indexes" (a primary key of one column, change data feed for standard endpoints).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from workspace.documents import Document
from workspace.errors import ApiError, invalid
from workspace.unity_catalog.table import Column, Table

DELTA_SYNC, DIRECT_ACCESS = "DELTA_SYNC", "DIRECT_ACCESS"
TRIGGERED, CONTINUOUS = "TRIGGERED", "CONTINUOUS"
SPEC_OF = {DELTA_SYNC: "delta_sync_index_spec", DIRECT_ACCESS: "direct_access_index_spec"}
_VECTOR_TYPES = ("array<float>", "array<double>")
_NAME_PARTS = 3


def check_name(name: object) -> str:
    if not isinstance(name, str) or len([part for part in name.split(".") if part]) != _NAME_PARTS:
        raise invalid(f"name of an index must be <catalog>.<schema>.<index>; received {name!r}")
    return name


def complete_delta_sync(body: Mapping[str, Any], primary_key: str, source: Table) -> Document:
    """The spec of a delta-sync index; ApiError 400 where it does not fit its source table."""
    spec = dict(body)
    if spec.get("pipeline_type", TRIGGERED) not in (TRIGGERED, CONTINUOUS):
        raise invalid(f"pipeline_type must be {TRIGGERED} or {CONTINUOUS}; received {spec['pipeline_type']!r}")
    for name in ("embedding_writeback_table", "columns_to_index"):
        if spec.get(name):
            raise ApiError(501, "NOT_IMPLEMENTED", f"the embedded workspace does not know {name} of an index")
    if not source.change_data_feed:
        raise invalid(
            f"Source table {source.full_name} must have the change data feed: run ALTER TABLE {source.full_name} SET "
            "TBLPROPERTIES (delta.enableChangeDataFeed = true)"
        )
    columns = {column.name: column for column in source.columns}
    _check_column("primary_key", primary_key, columns, source.full_name)
    embedding = _check_embedding(spec)
    column = _check_column("embedding column", embedding["name"], columns, source.full_name)
    if "embedding_dimension" in embedding and column.type_text not in _VECTOR_TYPES:
        raise invalid(f"{column.name} of {source.full_name} is {column.type_text}, not {' or '.join(_VECTOR_TYPES)}")
    if "embedding_model_endpoint_name" in embedding and column.type_text != "string":
        raise invalid(f"{column.name} of {source.full_name} is {column.type_text}; only a string can be embedded")
    for name in spec.get("columns_to_sync", []):
        _check_column("columns_to_sync", name, columns, source.full_name)
    return {**spec, "source_table": source.full_name, "pipeline_type": spec.get("pipeline_type", TRIGGERED)}


def complete_direct_access(body: Mapping[str, Any], primary_key: str) -> Document:
    """The spec of a direct-access index."""
    columns = schema_of(body)
    embedding = _check_embedding(body)
    for name in (primary_key, embedding["name"]):
        if name not in columns:
            raise invalid(f"schema_json has no column '{name}'; it has {', '.join(columns)}")
    return dict(body)


def schema_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Column types by name of a direct-access index."""
    try:
        columns = json.loads(spec.get("schema_json") or "")
    except (ValueError, TypeError) as error:
        raise invalid(
            f"schema_json must be a JSON object of column types; received {spec.get('schema_json')!r}"
        ) from error
    if not isinstance(columns, dict) or not columns:
        raise invalid(f"schema_json must be a JSON object of column types; received {spec.get('schema_json')!r}")
    return columns


def embedding_of(spec: Mapping[str, Any]) -> Document:
    """The one column that is searched: with `embedding_dimension`, or with the endpoints that embed its text."""
    given: Sequence[Document] = spec.get("embedding_vector_columns") or spec.get("embedding_source_columns") or ()
    return given[0]


def synced_columns(spec: Mapping[str, Any], primary_key: str, source: Table) -> list[str]:
    """The columns of the source that the index keeps: all, or those named, the key and the embedded column."""
    named = spec.get("columns_to_sync")
    kept = {primary_key, embedding_of(spec)["name"], *(named or ())}
    return [column.name for column in source.columns if not named or column.name in kept]


def _check_embedding(spec: Mapping[str, Any]) -> Document:
    vectors, sources = spec.get("embedding_vector_columns") or [], spec.get("embedding_source_columns") or []
    if len(vectors) + len(sources) != 1:
        raise invalid(
            "An index needs exactly one column in embedding_vector_columns or embedding_source_columns; received "
            f"{len(vectors)} and {len(sources)}"
        )
    embedding: Document = (vectors or sources)[0]
    if vectors:
        dimension = embedding.get("embedding_dimension")
        if isinstance(dimension, bool) or not isinstance(dimension, int) or dimension < 1:
            raise invalid(f"embedding_dimension must be a whole number of 1 or more; received {dimension!r}")
    elif not embedding.get("embedding_model_endpoint_name"):
        raise invalid("embedding_source_columns: embedding_model_endpoint_name is missing")
    if not embedding.get("name"):
        raise invalid("the embedding column needs a name")
    return embedding


def _check_column(what: str, name: str, columns: Mapping[str, Column], table: str) -> Column:
    if name not in columns:
        raise invalid(f"{what}: '{name}' is no column of {table}; its columns are {', '.join(columns)}")
    return columns[name]
