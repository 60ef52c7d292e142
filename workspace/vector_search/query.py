"""Queries of an index: by vector, or by text that its embedding endpoint makes one of; and scans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workspace.documents import Document
from workspace.errors import ApiError, bad_request, invalid
from workspace.http import Json
from workspace.vector_search import filters
from workspace.vector_search.embedding import Embedder, EmbeddingError
from workspace.vector_search.specs import SPEC_OF, embedding_of, schema_of
from workspace.vector_search.vectors import Vectors

DEFAULT_RESULTS = 10
MAX_RESULTS = 10_000
_NOT_KNOWN = ("columns_to_rerank", "facets", "query_columns", "reranker", "sort_columns")


def answer(index: Document, vectors: Vectors, asked: Mapping[str, Any], embedder: Embedder) -> Json:
    """`QueryVectorIndexResponse`: the columns asked for and a score, nearest first."""
    for name in _NOT_KNOWN:
        if asked.get(name):
            raise ApiError(501, "NOT_IMPLEMENTED", f"the embedded workspace does not know {name} of a query")
    kind = asked.get("query_type", "ANN")
    if kind != "ANN":
        raise ApiError(501, "NOT_IMPLEMENTED", f"the embedded workspace answers ANN queries (exactly), not {kind}")
    if not index["status"]["ready"]:
        raise bad_request(f"Index {index['name']} is not ready: {index['status']['message']}")
    known = _columns(index, vectors)
    wanted = asked.get("columns")
    if not isinstance(wanted, list) or not wanted:
        raise invalid(f"columns must be a list of columns of the index; received {wanted!r}")
    for name in wanted:
        if known and name not in known:
            raise invalid(f"columns: '{name}' is no column of the index; its columns are {', '.join(known)}")
    matches = filters.parse(asked.get("filters_json") or asked.get("filters"), known or wanted)
    hits = vectors.nearest(_vector(index, asked, embedder), _count(asked), matches, _threshold(asked))
    columns = [{"name": name} for name in (*wanted, "score")]
    return {
        "manifest": {"column_count": len(columns), "columns": columns},
        "result": {
            "row_count": len(hits),
            "data_array": [[*(hit.row.get(name) for name in wanted), hit.score] for hit in hits],
        },
    }


def scan(index: Document, vectors: Vectors, asked: Mapping[str, Any]) -> Json:
    """`ScanVectorIndexResponse`: rows with their vectors, in the order of their keys."""
    last = asked.get("last_primary_key")
    entries = vectors.page(_as_key(last), _count(asked))
    name = embedding_of(index[SPEC_OF[index["index_type"]]])["name"]
    data = []
    for entry in entries:
        row = dict(entry.row)
        if entry.vector is not None and not isinstance(row.get(name), str):
            row[name] = list(entry.vector)
        data.append({"fields": [{"key": key, "value": _value(value)} for key, value in row.items()]})
    return {"data": data, **({"last_primary_key": str(entries[-1].key)} if entries else {})}


def _columns(index: Document, vectors: Vectors) -> list[str]:
    if index["index_type"] == "DIRECT_ACCESS":
        return list(schema_of(index["direct_access_index_spec"]))
    # The columns of the rows themselves, as the source may have others by now.
    return list(entries[0].row) if (entries := vectors.page(None, 1)) else []


def _vector(index: Document, asked: Mapping[str, Any], embedder: Embedder) -> list[float]:
    vector, text = asked.get("query_vector"), asked.get("query_text")
    if (vector is None) == (text is None):
        raise invalid("A query needs exactly one of query_vector and query_text")
    embedding = embedding_of(index[SPEC_OF[index["index_type"]]])
    dimension = embedding.get("embedding_dimension")
    if vector is not None:
        numbers = isinstance(vector, list) and all(
            isinstance(one, int | float) and not isinstance(one, bool) for one in vector
        )
        if not numbers or (dimension is not None and len(vector) != dimension):
            raise invalid(f"query_vector must be a list of {dimension or 'as many'} numbers; received {_short(vector)}")
        return list(vector)
    endpoint = embedding.get("model_endpoint_name_for_query") or embedding.get("embedding_model_endpoint_name")
    if endpoint is None:
        raise invalid(
            f"Index {index['name']} holds self-managed vectors, so a text cannot be looked for: give query_vector"
        )
    try:
        (embedded,) = embedder.embed(endpoint, [str(text)], index["creator"])
    except EmbeddingError as error:
        raise bad_request(str(error)) from error
    return embedded


def _short(vector: Any) -> str:
    return f"{len(vector)} values" if isinstance(vector, list) else repr(vector)


def _count(asked: Mapping[str, Any]) -> int:
    count = asked.get("num_results", DEFAULT_RESULTS)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_RESULTS:
        raise invalid(f"num_results must be a whole number from 1 to {MAX_RESULTS}; received {count!r}")
    return count


def _threshold(asked: Mapping[str, Any]) -> float:
    threshold = asked.get("score_threshold", 0.0)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise invalid(f"score_threshold must be a number; received {threshold!r}")
    return float(threshold)


def _as_key(text: Any) -> Any:
    """The key that a scan named as text: clients send it as the scan before gave it."""
    return int(text) if isinstance(text, str) and text.isdecimal() else text


def _value(value: Any) -> Json:
    """A value of a protobuf Struct, as `scan` gives rows."""
    match value:
        case None:
            return {}
        case bool():
            return {"bool_value": value}
        case int() | float():
            return {"number_value": value}
        case list():
            return {"list_value": {"values": [_value(one) for one in value]}}
        case dict():
            fields = [{"key": key, "value": _value(one)} for key, one in value.items()]
            return {"struct_value": {"fields": fields}}
        case _:
            return {"string_value": str(value)}
