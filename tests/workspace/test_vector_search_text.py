"""Indexes that embed texts by an endpoint of the same workspace, as a retrieval stack has them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest
from databricks.sdk.service.serving import (
    EndpointCoreConfigInput,
    ExternalModel,
    ExternalModelProvider,
    OpenAiConfig,
    ServedEntityInput,
)
from databricks.sdk.service.vectorsearch import (
    DeltaSyncVectorIndexSpecRequest,
    EmbeddingSourceColumn,
    EndpointType,
    PipelineType,
    VectorIndexType,
)

from tests.support.embeddings import embedding_provider
from tests.support.warehouse import Warehouse

PATIENCE_SECONDS = 120


@pytest.fixture
def asked(client: WorkspaceClient) -> Iterator[tuple[str, list[Any]]]:
    """The name of an embedding endpoint, and the texts that its provider was asked for."""
    name = f"embed-{uuid.uuid4().hex[:8]}"
    with embedding_provider() as (address, texts):
        model = ExternalModel(
            provider=ExternalModelProvider.OPENAI,
            name="words",
            task="llm/v1/embeddings",
            openai_config=OpenAiConfig(openai_api_base=address, openai_api_key_plaintext="key"),
        )
        entity = ServedEntityInput(name="words", external_model=model)
        client.serving_endpoints.create(
            name, config=EndpointCoreConfigInput(name=name, served_entities=[entity])
        ).result()
        yield name, texts
        client.serving_endpoints.delete(name)


@pytest.fixture
def endpoint(client: WorkspaceClient) -> Iterator[str]:
    name = f"vs-{uuid.uuid4().hex[:8]}"
    client.vector_search_endpoints.create_endpoint_and_wait(name, EndpointType.STANDARD)
    yield name
    for index in client.vector_search_indexes.list_indexes(name):
        client.vector_search_indexes.delete_index(index.name or "")
    client.vector_search_endpoints.delete_endpoint(name)


def text_index(client: WorkspaceClient, sql: Warehouse, endpoint: str, embedding_endpoint: str) -> str:
    sql.execute(
        f"CREATE TABLE {sql.full('texts')} (id STRING, text STRING) TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    )
    sql.execute(
        f"INSERT INTO {sql.full('texts')} VALUES ('a', 'cat dog cat'), ('b', 'train car'), ('c', 'fish'), ('d', NULL)"
    )
    name = sql.full("texts_index")
    client.vector_search_indexes.create_index(
        name,
        endpoint,
        "id",
        VectorIndexType.DELTA_SYNC,
        delta_sync_index_spec=DeltaSyncVectorIndexSpecRequest(
            source_table=sql.full("texts"),
            pipeline_type=PipelineType.TRIGGERED,
            embedding_source_columns=[
                EmbeddingSourceColumn(name="text", embedding_model_endpoint_name=embedding_endpoint)
            ],
        ),
    )
    return name


def said(client: WorkspaceClient, index: str, words: str) -> str:
    """The message of the index's status, once it has these words."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        status = client.vector_search_indexes.get_index(index).status
        message = (status.message if status else None) or ""
        if words in message or time.monotonic() > deadline:
            return message
        time.sleep(0.05)


def nearest(client: WorkspaceClient, index: str, text: str, count: int = 1) -> list[str]:
    answer = client.vector_search_indexes.query_index(index, ["id", "text"], query_text=text, num_results=count)
    assert answer.result is not None
    return [row[0] for row in answer.result.data_array or []]


def test_texts_are_embedded_when_they_are_synced_and_when_they_are_asked_for(
    client: WorkspaceClient, sql: Warehouse, endpoint: str, asked: tuple[str, list[Any]]
) -> None:
    embedding_endpoint, texts = asked
    index = text_index(client, sql, endpoint, embedding_endpoint)
    assert "is at version 1" in said(client, index, "version 1")
    assert sorted(texts[0]) == ["cat dog cat", "fish", "train car"]
    assert nearest(client, index, "car") == ["b"]
    assert nearest(client, index, "cat cat") == ["a"]
    assert nearest(client, index, "fish fish", count=10) == ["c", "b", "a"]
    texts.clear()
    sql.execute(f"UPDATE {sql.full('texts')} SET text = 'plane' WHERE id = 'c'")
    client.vector_search_indexes.sync_index(index)
    said(client, index, "version 2")
    assert texts == [["plane"]]
    assert nearest(client, index, "plane") == ["c"]


def test_an_embedding_endpoint_that_is_not_there_is_the_reason_of_the_index(
    client: WorkspaceClient, sql: Warehouse, endpoint: str
) -> None:
    index = text_index(client, sql, endpoint, "no-such-endpoint")
    assert "embedding endpoint no-such-endpoint answered 404" in said(client, index, "answered")
    with pytest.raises(BadRequest, match="is not ready: embedding endpoint"):
        nearest(client, index, "cat")
