"""Vector search as the official client sees it: endpoints, indexes over Delta tables, and exact nearest neighbours."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, ResourceAlreadyExists
from databricks.sdk.errors import NotImplemented as NotImplementedByService
from databricks.sdk.service.vectorsearch import (
    CustomTag,
    DeleteDataStatus,
    DeltaSyncVectorIndexSpecRequest,
    DirectAccessVectorIndexSpec,
    EmbeddingSourceColumn,
    EmbeddingVectorColumn,
    EndpointStatusState,
    EndpointType,
    PipelineType,
    UpsertDataStatus,
    VectorIndex,
    VectorIndexType,
)

from tests.support.served import opened_state, served
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse
from workspace.clock import Clock
from workspace.settings import Settings
from workspace.vector_search import VectorSearch

PATIENCE_SECONDS = 120
WIDTH = 8


@pytest.fixture
def endpoint(client: WorkspaceClient) -> Iterator[str]:
    name = f"vs-{uuid.uuid4().hex[:8]}"
    client.vector_search_endpoints.create_endpoint_and_wait(name, EndpointType.STANDARD)
    yield name
    for index in client.vector_search_indexes.list_indexes(name):
        client.vector_search_indexes.delete_index(index.name or "")
    client.vector_search_endpoints.delete_endpoint(name)


@dataclass(frozen=True)
class Library:
    """An index over a table of documents that no test changes."""

    index: str
    vectors: np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def library(client: WorkspaceClient) -> Iterator[Library]:
    name = f"vs-{uuid.uuid4().hex[:8]}"
    client.vector_search_endpoints.create_endpoint_and_wait(name, EndpointType.STANDARD)
    sql = Warehouse.in_new_schema(client)
    vectors = documents(sql)
    index = delta_sync(client, sql, name)
    ready(client, index)
    yield Library(index, vectors)
    client.vector_search_indexes.delete_index(index)
    client.vector_search_endpoints.delete_endpoint(name)


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
    return found


def ready(client: WorkspaceClient, name: str) -> VectorIndex:
    def look() -> VectorIndex | None:
        index = client.vector_search_indexes.get_index(name)
        assert index.status is not None
        assert "waiting for its first sync" in (index.status.message or "") or index.status.ready, index.status
        return index if index.status.ready else None

    found = until(look)
    assert isinstance(found, VectorIndex)
    return found


def message(client: WorkspaceClient, name: str) -> str:
    status = client.vector_search_indexes.get_index(name).status
    assert status is not None
    return status.message or ""


def documents(sql: Warehouse, rows: int = 40, seed: int = 7) -> np.ndarray[Any, Any]:
    """A table of documents with vectors and change data feed; the vectors by id."""
    vectors = np.random.default_rng(seed).normal(size=(rows, WIDTH)).astype(np.float32)
    sql.execute(
        f"CREATE TABLE {sql.full('docs')} (id BIGINT, text STRING, topic STRING, embedding ARRAY<FLOAT>) "
        "TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    )
    values = ", ".join(f"({n}, 'text {n}', 'topic{n % 3}', {array(vectors[n])})" for n in range(rows))
    sql.execute(f"INSERT INTO {sql.full('docs')} VALUES {values}")
    return vectors


def array(vector: Sequence[float]) -> str:
    return "array(" + ", ".join(f"CAST({float(value)!r} AS FLOAT)" for value in vector) + ")"


def delta_sync(
    client: WorkspaceClient, sql: Warehouse, endpoint: str, pipeline: PipelineType = PipelineType.TRIGGERED, **more: Any
) -> str:
    name = sql.full("docs_index")
    client.vector_search_indexes.create_index(
        name,
        endpoint,
        "id",
        VectorIndexType.DELTA_SYNC,
        delta_sync_index_spec=DeltaSyncVectorIndexSpecRequest(
            source_table=sql.full("docs"),
            pipeline_type=pipeline,
            embedding_vector_columns=[EmbeddingVectorColumn(name="embedding", embedding_dimension=WIDTH)],
            **more,
        ),
    )
    return name


def found(client: WorkspaceClient, index: str, vector: Sequence[float], **asked: Any) -> list[tuple[int, float]]:
    """Ids and scores."""
    answer = client.vector_search_indexes.query_index(
        index, ["id"], query_vector=[float(value) for value in vector], **asked
    )
    assert answer.result is not None
    return [(int(row[0]), float(row[1])) for row in answer.result.data_array or []]


def exact(vectors: np.ndarray[Any, Any], query: Sequence[float], ids: Sequence[int]) -> list[tuple[int, float]]:
    """The same by the definition: nearest first, with the score 1 / (1 + d²)."""
    scored = [(n, float(1 / (1 + np.sum((vectors[n].astype(float) - np.asarray(query, float)) ** 2)))) for n in ids]
    return sorted(scored, key=lambda one: -one[1])


def test_an_endpoint_is_made_found_tagged_and_deleted(client: WorkspaceClient, endpoint: str) -> None:
    api = client.vector_search_endpoints
    shown = api.get_endpoint(endpoint)
    assert shown.endpoint_status is not None
    assert shown.endpoint_status.state is EndpointStatusState.ONLINE
    assert shown.endpoint_type is EndpointType.STANDARD
    assert shown.num_indexes == 0
    assert endpoint in [one.name for one in api.list_endpoints()]
    api.update_endpoint_custom_tags(endpoint, [CustomTag("team", "rag")])
    assert [tag.key for tag in api.get_endpoint(endpoint).custom_tags or []] == ["team"]
    with pytest.raises(ResourceAlreadyExists):
        api.create_endpoint(endpoint, EndpointType.STANDARD)
    with pytest.raises(NotFound):
        api.get_endpoint("no-such-endpoint")


class NoTables:
    """Of a workspace that is asked for endpoints only."""

    def get(self, full_name: str) -> Any:
        raise AssertionError(full_name)

    delta = exists = variables = get


def test_an_endpoint_is_provisioned_by_the_workspaces_clock(tmp_path: Path) -> None:
    with opened_state(tmp_path) as state:
        clock, settings = Clock(state), Settings(state)
        service = VectorSearch(state, clock, settings, NoTables(), lambda *_: None, NoTables())
        with served(state, [clock, settings, service]) as client:
            _is_provisioned_by_the_clock(client)


def _is_provisioned_by_the_clock(client: WorkspaceClient) -> None:
    client.api_client.do("PUT", "/_workspace/settings", body={"vector_search_endpoint_provisioning_seconds": 600})
    client.vector_search_endpoints.create_endpoint("slow", EndpointType.STANDARD)

    def state() -> EndpointStatusState | None:
        status = client.vector_search_endpoints.get_endpoint("slow").endpoint_status
        return status.state if status else None

    assert state() is EndpointStatusState.PROVISIONING
    client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": 601})
    assert state() is EndpointStatusState.ONLINE


def test_a_query_finds_the_exact_neighbours_with_their_scores(client: WorkspaceClient, library: Library) -> None:
    vectors, index = library.vectors, library.index
    shown = ready(client, index)
    assert shown.status is not None
    assert shown.status.indexed_row_count == 40
    assert shown.delta_sync_index_spec is not None
    assert shown.delta_sync_index_spec.pipeline_id
    for query in np.random.default_rng(1).normal(size=(5, WIDTH)):
        expected = exact(vectors, query, range(40))[:6]
        answer = found(client, index, query, num_results=6)
        assert [one for one, _ in answer] == [one for one, _ in expected]
        assert [score for _, score in answer] == pytest.approx([score for _, score in expected], rel=1e-5)
    assert len(found(client, index, vectors[3])) == 10
    nearest, score = found(client, index, vectors[3])[0]
    assert nearest == 3
    assert score == pytest.approx(1.0)
    least = exact(vectors, vectors[3], range(40))[4][1]
    assert len(found(client, index, vectors[3], score_threshold=least - 1e-6)) == 5


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        ({"id": 5}, lambda n: n == 5),
        ({"id": [1, 2, 99]}, lambda n: n in (1, 2)),
        ({"id <": 10, "topic": "topic1"}, lambda n: n < 10 and n % 3 == 1),
        ({"id >=": 30}, lambda n: n >= 30),
        ({"topic NOT": "topic0"}, lambda n: n % 3 != 0),
        ({"topic NOT": ["topic0", "topic1"]}, lambda n: n % 3 == 2),
        ({"id OR topic": [4, "topic2"]}, lambda n: n == 4 or n % 3 == 2),
        ({"text LIKE": "7"}, lambda n: n == 7),
    ],
)
def test_filters_narrow_what_is_searched_and_not_what_was_found(
    client: WorkspaceClient, library: Library, asked: dict[str, Any], holds: Callable[[int], bool]
) -> None:
    vectors, index = library.vectors, library.index
    expected = exact(vectors, vectors[0], [n for n in range(40) if holds(n)])[:5]
    answer = found(client, index, vectors[0], num_results=5, filters_json=json.dumps(asked))
    assert [one for one, _ in answer] == [one for one, _ in expected]


def test_columns_come_back_in_the_order_they_were_asked_for(
    client: WorkspaceClient, sql: Warehouse, endpoint: str
) -> None:
    vectors = documents(sql, rows=3)
    index = delta_sync(client, sql, endpoint, columns_to_sync=["text"])
    ready(client, index)
    answer = client.vector_search_indexes.query_index(
        index, ["text", "id"], query_vector=vectors[2].tolist(), num_results=1
    )
    assert answer.manifest is not None
    assert [column.name for column in answer.manifest.columns or []] == ["text", "id", "score"]
    assert answer.result is not None
    assert (answer.result.data_array or [])[0][:2] == ["text 2", 2]
    with pytest.raises(BadRequest, match="'topic' is no column of the index"):
        client.vector_search_indexes.query_index(index, ["topic"], query_vector=vectors[2].tolist())


def test_a_triggered_index_follows_its_table_when_it_is_told_to(
    client: WorkspaceClient, sql: Warehouse, endpoint: str
) -> None:
    vectors = documents(sql)
    index = delta_sync(client, sql, endpoint)
    ready(client, index)
    sql.execute(f"DELETE FROM {sql.full('docs')} WHERE id = 3")
    sql.execute(f"UPDATE {sql.full('docs')} SET embedding = {array(vectors[3])} WHERE id = 4")
    sql.execute(f"INSERT INTO {sql.full('docs')} VALUES (100, 'new', 't', {array(vectors[3])})")
    assert found(client, index, vectors[3])[0][0] == 3
    client.vector_search_indexes.sync_index(index)
    until(lambda: "version 4" in message(client, index))
    assert {one for one, score in found(client, index, vectors[3]) if score > 0.999} == {4, 100}


def test_a_continuous_index_follows_its_table_by_itself(client: WorkspaceClient, sql: Warehouse, endpoint: str) -> None:
    vectors = documents(sql, rows=5)
    index = delta_sync(client, sql, endpoint, PipelineType.CONTINUOUS)
    ready(client, index)
    sql.execute(f"DELETE FROM {sql.full('docs')} WHERE id = 3")
    until(lambda: found(client, index, vectors[3])[0][0] != 3)
    with pytest.raises(BadRequest, match="syncs by itself"):
        client.vector_search_indexes.sync_index(index)


def test_a_table_that_cannot_be_synced_leaves_the_reason_and_what_was_there(
    client: WorkspaceClient, sql: Warehouse, endpoint: str
) -> None:
    vectors = documents(sql, rows=5)
    index = delta_sync(client, sql, endpoint)
    ready(client, index)
    sql.execute(f"INSERT INTO {sql.full('docs')} VALUES (9, 'short', 't', array(CAST(1 AS FLOAT)))")
    client.vector_search_indexes.sync_index(index)
    until(lambda: "has 1 values where id = 9; the index declares 8" in message(client, index))
    assert found(client, index, vectors[3])[0][0] == 3


def test_an_index_survives_a_kill(start_server: Callable[[], WorkspaceServer]) -> None:
    server = start_server()
    client = server.client()
    client.vector_search_endpoints.create_endpoint("e", EndpointType.STANDARD)
    sql = Warehouse.in_new_schema(client)
    vectors = documents(sql, rows=5)
    index = delta_sync(client, sql, "e")
    ready(client, index)
    before = found(client, index, vectors[1])
    server.restart()
    assert found(server.client(), index, vectors[1]) == before
    sql.execute(f"DELETE FROM {sql.full('docs')} WHERE id = 1")
    client.vector_search_indexes.sync_index(index)
    until(lambda: "version 2" in message(client, index))
    assert 1 not in [one for one, _ in found(client, index, vectors[1])]


def direct(client: WorkspaceClient, sql: Warehouse, endpoint: str) -> str:
    name = sql.full("direct")
    client.vector_search_indexes.create_index(
        name,
        endpoint,
        "id",
        VectorIndexType.DIRECT_ACCESS,
        direct_access_index_spec=DirectAccessVectorIndexSpec(
            embedding_vector_columns=[EmbeddingVectorColumn(name="v", embedding_dimension=2)],
            schema_json=json.dumps({"id": "int", "text": "string", "v": "array<float>"}),
        ),
    )
    return name


def test_a_direct_index_holds_what_is_written_to_it(client: WorkspaceClient, sql: Warehouse, endpoint: str) -> None:
    api = client.vector_search_indexes
    index = direct(client, sql, endpoint)
    rows = [{"id": n, "text": f"t{n}", "v": [n, 0.0]} for n in range(4)]
    written = api.upsert_data_vector_index(index, json.dumps(rows))
    assert written.status is UpsertDataStatus.SUCCESS
    assert written.result is not None
    assert written.result.success_row_count == 4
    partly = api.upsert_data_vector_index(index, json.dumps([{"id": 3, "v": [9, 9]}, {"id": 5, "v": [1]}]))
    assert partly.status is UpsertDataStatus.PARTIAL_SUCCESS
    assert partly.result is not None
    assert partly.result.failed_primary_keys == ["5"]
    assert [one for one, _ in found(client, index, [3, 0])] == [2, 1, 0, 3]
    deleted = api.delete_data_vector_index(index, ["1", "2"])
    assert deleted.status is DeleteDataStatus.SUCCESS
    assert [one for one, _ in found(client, index, [3, 0])] == [0, 3]
    page = api.scan_index(index, num_results=1)
    assert page.last_primary_key == "0"
    rest = api.scan_index(index, num_results=5, last_primary_key="0")
    assert [
        entry.value.number_value
        for one in rest.data or []
        for entry in one.fields or []
        if entry.key == "id" and entry.value
    ] == [3]
    with pytest.raises(BadRequest, match="only DELTA_SYNC indexes can be synced"):
        api.sync_index(index)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"query_vector": [1.0]}, "query_vector must be a list of 8 numbers; received 1 values"),
        ({"query_text": "x"}, "holds self-managed vectors"),
        ({}, "exactly one of query_vector and query_text"),
        ({"query_vector": [1.0] * WIDTH, "num_results": 0}, "num_results must be a whole number from 1"),
        ({"query_vector": [1.0] * WIDTH, "filters_json": '{"z": 1}'}, "'z' is no column of the index"),
        ({"query_vector": [1.0] * WIDTH, "filters_json": '{"id IS": 1}'}, "has the operator 'IS'"),
        ({"query_vector": [1.0] * WIDTH, "filters_json": "{"}, "filters_json is not JSON"),
        ({"query_vector": [1.0] * WIDTH, "query_type": "HYBRID"}, "not HYBRID"),
        ({"query_vector": [1.0] * WIDTH, "facets": ["id"]}, "does not know facets"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(
    client: WorkspaceClient, library: Library, asked: dict[str, Any], text: str
) -> None:
    index = library.index
    with pytest.raises((BadRequest, NotImplementedByService), match=text):
        client.vector_search_indexes.query_index(index, ["id"], **asked)


def test_an_index_that_does_not_fit_is_refused(client: WorkspaceClient, sql: Warehouse, endpoint: str) -> None:
    documents(sql, rows=1)
    sql.execute(f"CREATE TABLE {sql.full('plain')} (id INT, e ARRAY<FLOAT>)")

    def refused(message: str, source: str = "docs", key: str = "id", **spec: Any) -> None:
        spec.setdefault(
            "embedding_vector_columns", [EmbeddingVectorColumn(embedding_dimension=WIDTH, name="embedding")]
        )
        with pytest.raises((BadRequest, NotFound), match=message):
            client.vector_search_indexes.create_index(
                sql.full("bad"),
                endpoint,
                key,
                VectorIndexType.DELTA_SYNC,
                delta_sync_index_spec=DeltaSyncVectorIndexSpecRequest(source_table=sql.full(source), **spec),
            )

    refused("must have the change data feed", source="plain")
    refused("'nothing' is no column", key="nothing")
    refused("is string, not array", embedding_vector_columns=[EmbeddingVectorColumn(8, "text")])
    refused(
        "only a string can be embedded",
        embedding_vector_columns=None,
        embedding_source_columns=[EmbeddingSourceColumn("e", None, "id")],
    )
    refused("exactly one column", embedding_vector_columns=[])
    refused("does not exist", source="no_such_table")
    with pytest.raises(NotFound):
        client.vector_search_indexes.get_index(sql.full("bad"))
    with pytest.raises(NotFound, match="endpoint nowhere"):
        delta_sync(client, sql, "nowhere")
    index = delta_sync(client, sql, endpoint)
    with pytest.raises(ResourceAlreadyExists):
        delta_sync(client, sql, endpoint)
    with pytest.raises(BadRequest, match="has indexes"):
        client.vector_search_endpoints.delete_endpoint(endpoint)
    client.vector_search_indexes.delete_index(index)
    with pytest.raises(NotFound):
        client.vector_search_indexes.get_index(index)
