"""Rows that are written straight to a direct-access index, and deleted from it."""

from __future__ import annotations

import json
from typing import Any

from workspace.documents import Document
from workspace.errors import invalid
from workspace.http import Json
from workspace.vector_search.specs import embedding_of, schema_of
from workspace.vector_search.vectors import Entry, Vectors

_WHOLE = ("int", "integer", "long", "bigint", "smallint", "tinyint", "short", "byte")


def upsert(index: Document, vectors: Vectors, inputs_json: Any) -> Json:
    """`UpsertDataVectorIndexResponse`: rows that fit are written, the keys of the others are named."""
    try:
        rows = json.loads(inputs_json)
    except (ValueError, TypeError) as error:
        raise invalid(f"inputs_json must be a JSON list of rows: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise invalid("inputs_json must be a JSON list of rows")
    spec, key = index["direct_access_index_spec"], index["primary_key"]
    columns, name = schema_of(spec), embedding_of(spec)["name"]
    dimension = embedding_of(spec).get("embedding_dimension")
    good, failed = [], []
    for row in rows:
        vector = row.get(name)
        fits = (
            row.get(key) is not None
            and set(row) <= set(columns)
            and isinstance(vector, list)
            and all(isinstance(one, int | float) and not isinstance(one, bool) for one in vector)
            and dimension in (None, len(vector))
        )
        if fits:
            good.append(Entry(row[key], row, vector))
        else:
            failed.append(str(row.get(key)))
    vectors.change(good)
    return _result(len(good), failed)


def delete(index: Document, vectors: Vectors, keys: Any) -> Json:
    """`DeleteDataVectorIndexResponse`; a key that is not there is no failure."""
    if not isinstance(keys, list) or not keys:
        raise invalid("primary_keys must be a list of keys")
    whole = schema_of(index["direct_access_index_spec"])[index["primary_key"]].lower() in _WHOLE
    typed = [int(key) if whole and str(key).lstrip("-").isdecimal() else key for key in keys]
    return _result(vectors.change(deletes=typed), [])


def _result(count: int, failed: list[str]) -> Json:
    status = "SUCCESS" if not failed else ("PARTIAL_SUCCESS" if count else "FAILURE")
    result: Json = {"success_row_count": count}
    if failed:
        result["failed_primary_keys"] = failed
    return {"status": status, "result": result}
