"""An index says which of its kinds it is, and is refused before anything is made where it is none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.names import InvalidNameError
from components.vector_index import (
    DeltaSyncArgs,
    DirectAccessArgs,
    RetrievalIndex,
    RetrievalIndexArgs,
    RetrievalIndexError,
)
from tests.unit.recording import Recording, record

INDEX = "main.ml_models.rag_chunks_index"


def args(**changes: Any) -> RetrievalIndexArgs:
    values: dict[str, Any] = {
        "name": INDEX,
        "endpoint": "rag-search",
        "primary_key": "chunk_id",
        "source": DeltaSyncArgs(source_table="main.ml_models.rag_chunks"),
        "vector_column": "embedding",
        "dimension": 64,
        "readers": ["sp-serving"],
        **changes,
    }
    return RetrievalIndexArgs(**values)


def made(**changes: Any) -> Recording:
    return record(lambda: RetrievalIndex("chunks", args(**changes)).index_name)


def test_an_index_of_vectors_follows_its_table_on_an_endpoint_of_its_own() -> None:
    recording = made()
    assert recording.one(":VectorSearchEndpoint") == {"name": "rag-search", "endpointType": "STANDARD"}
    index = recording.one(":VectorSearchIndex")
    assert (index["name"], index["endpointName"], index["indexType"]) == (INDEX, "rag-search", "DELTA_SYNC")
    assert index["deltaSyncIndexSpec"] == {
        "sourceTable": "main.ml_models.rag_chunks",
        "pipelineType": "TRIGGERED",
        "embeddingVectorColumns": [{"name": "embedding", "embeddingDimension": 64}],
    }
    assert "directAccessIndexSpec" not in index
    assert recording.one(":Grant") == {"table": INDEX, "principal": "sp-serving", "privileges": ["SELECT"]}


def test_texts_are_embedded_by_an_endpoint() -> None:
    texts = {"vector_column": None, "dimension": None, "text_column": "text", "embedding_endpoint": "bge"}
    source = DeltaSyncArgs(source_table="main.ml_models.rag_chunks", pipeline_type="CONTINUOUS", columns=["source"])
    spec = made(**texts, source=source).one(":VectorSearchIndex")["deltaSyncIndexSpec"]
    assert spec == {
        "sourceTable": "main.ml_models.rag_chunks",
        "pipelineType": "CONTINUOUS",
        "columnsToSyncs": ["source"],
        "embeddingSourceColumns": [{"name": "text", "embeddingModelEndpointName": "bge"}],
    }


def test_a_direct_access_index_declares_its_columns() -> None:
    schema = {"chunk_id": "string", "embedding": "array<float>"}
    index = made(source=DirectAccessArgs(schema=schema)).one(":VectorSearchIndex")
    assert index["indexType"] == "DIRECT_ACCESS"
    assert json.loads(index["directAccessIndexSpec"]["schemaJson"]) == schema
    assert index["directAccessIndexSpec"]["embeddingVectorColumns"] == [{"name": "embedding", "embeddingDimension": 64}]
    assert "deltaSyncIndexSpec" not in index


def test_an_endpoint_that_several_share_is_not_made() -> None:
    recording = made(make_endpoint=False, readers=[])
    assert recording.of_type(":VectorSearchEndpoint") == []
    assert recording.of_type(":Grant") == []
    assert recording.one(":VectorSearchIndex")["endpointName"] == "rag-search"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vector_column": None, "dimension": None}, "neither"),
        ({"text_column": "text", "embedding_endpoint": "bge"}, "names both"),
        ({"dimension": None}, "go together"),
        ({"vector_column": None, "dimension": None, "text_column": "text"}, "go together"),
        ({"dimension": 0}, "1 or more"),
        ({"source": DirectAccessArgs(schema={"chunk_id": "string"})}, "lacks embedding"),
    ],
)
def test_what_makes_no_index_is_refused_before_anything_is_made(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RetrievalIndexError, match=words):
        made(**changes)


@pytest.mark.parametrize("changes", [{"name": "index"}, {"source": DeltaSyncArgs(source_table="chunks")}])
def test_names_have_three_parts(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidNameError):
        made(**changes)
