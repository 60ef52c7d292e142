"""The table of chunks with their vectors, and the search index that follows it."""

import json
import time
from collections.abc import Sequence
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.vectorsearch import (
    DeltaSyncVectorIndexSpecRequest,
    EmbeddingVectorColumn,
    EndpointStatusState,
    EndpointType,
    PipelineType,
    VectorIndex,
    VectorIndexType,
)

from pipelines.errors import PipelineError
from pipelines.rag.documents import Chunk
from pipelines.sql import SqlRunner

TABLE: Final = "rag_chunks"
KEY: Final = "chunk_id"
VECTOR: Final = "embedding"
_CREATE: Final = """CREATE TABLE IF NOT EXISTS rag_chunks (
  chunk_id STRING NOT NULL,
  source STRING,
  text STRING,
  embedding ARRAY<FLOAT>,
  CONSTRAINT rag_chunks_key PRIMARY KEY (chunk_id)
)
TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"""
# One text parameter for all rows: a statement takes at most 256 parameters.
# Equal rows are not written again: the index would embed and copy them once more.
_MERGE: Final = """MERGE INTO rag_chunks AS target
USING (SELECT row.chunk_id, row.source, row.text, row.embedding FROM (
  SELECT explode(from_json(
    :rows, 'array<struct<chunk_id: string, source: string, text: string, embedding: array<float>>>'
  )) AS row
)) AS given
ON target.chunk_id = given.chunk_id
WHEN MATCHED AND (target.source <> given.source OR target.text <> given.text OR target.embedding <> given.embedding)
  THEN UPDATE SET source = given.source, text = given.text, embedding = given.embedding
WHEN NOT MATCHED THEN INSERT (chunk_id, source, text, embedding)
  VALUES (given.chunk_id, given.source, given.text, given.embedding)
WHEN NOT MATCHED BY SOURCE THEN DELETE"""
_POLL_SECONDS: Final = 0.5


def write_chunks(warehouse: SqlRunner, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]) -> None:
    """Make the table hold exactly these chunks, in one commit."""
    rows = [
        {KEY: chunk.chunk_id, "source": chunk.source, "text": chunk.text, VECTOR: list(vector)}
        for chunk, vector in zip(chunks, vectors, strict=True)
    ]
    warehouse.run(_CREATE)
    warehouse.run(_MERGE, {"rows": json.dumps(rows)})


def ensure_index(
    workspace: WorkspaceClient, endpoint: str, index: str, source_table: str, width: int, patience_seconds: float
) -> bool:
    """Bring the delta sync index in step with its table, and wait for it; the endpoint and it are made when missing.

    Returns whether the index was made. Raises PipelineError when either is not there in time, and when an index of this
    name has other vectors (which cannot be changed).
    """
    deadline = time.monotonic() + patience_seconds
    _ensure_endpoint(workspace, endpoint, deadline)
    found = find_index(workspace, index)
    if found is not None:
        _require_width(found, index, width)
        _wait_ready(workspace, index, deadline)
        workspace.vector_search_indexes.sync_index(index)
    else:
        workspace.vector_search_indexes.create_index(
            index,
            endpoint,
            KEY,
            VectorIndexType.DELTA_SYNC,
            delta_sync_index_spec=DeltaSyncVectorIndexSpecRequest(
                source_table=source_table,
                pipeline_type=PipelineType.TRIGGERED,
                embedding_vector_columns=[EmbeddingVectorColumn(name=VECTOR, embedding_dimension=width)],
            ),
        )
    _wait_ready(workspace, index, deadline)
    return found is None


def sync_index(workspace: WorkspaceClient, index: str, width: int, patience_seconds: float) -> bool:
    """Bring an index that somebody else makes in step with its table; whether it is there yet.

    Where it is not, whoever makes it fills it from the table as it is. Raises PipelineError when it is not in step in
    time, and when it has other vectors.
    """
    found = find_index(workspace, index)
    if found is None:
        return False
    deadline = time.monotonic() + patience_seconds
    _require_width(found, index, width)
    _wait_ready(workspace, index, deadline)
    spec = found.delta_sync_index_spec
    # A continuous one syncs by itself, and refuses to be told to.
    if spec is None or spec.pipeline_type is not PipelineType.CONTINUOUS:
        workspace.vector_search_indexes.sync_index(index)
        _wait_ready(workspace, index, deadline)
    return True


def find_index(workspace: WorkspaceClient, index: str) -> VectorIndex | None:
    """The index, or None where there is none of this name."""
    try:
        return workspace.vector_search_indexes.get_index(index)
    except NotFound:
        return None


def _ensure_endpoint(workspace: WorkspaceClient, endpoint: str, deadline: float) -> None:
    try:
        workspace.vector_search_endpoints.get_endpoint(endpoint)
    except NotFound:
        workspace.vector_search_endpoints.create_endpoint(endpoint, EndpointType.STANDARD)
    while True:
        status = workspace.vector_search_endpoints.get_endpoint(endpoint).endpoint_status
        if status is not None and status.state is EndpointStatusState.ONLINE:
            return
        _require_time(deadline, f"vector search endpoint {endpoint} is {status.state if status else 'without a state'}")
        time.sleep(_POLL_SECONDS)


def _wait_ready(workspace: WorkspaceClient, index: str, deadline: float) -> None:
    while True:
        status = workspace.vector_search_indexes.get_index(index).status
        if status is not None and status.ready:
            return
        _require_time(deadline, f"index {index} is not ready: {status.message if status else 'no status'}")
        time.sleep(_POLL_SECONDS)


def _require_width(found: VectorIndex, index: str, width: int) -> None:
    spec = found.delta_sync_index_spec
    columns = (spec.embedding_vector_columns if spec else None) or []
    widths = [column.embedding_dimension for column in columns]
    if widths != [width]:
        raise PipelineError(
            f"Index {index} holds vectors of {widths} numbers and the embedding model gives {width}: an index cannot "
            "be changed. Delete it (`databricks vector-search-indexes delete-index`), or name another with --index."
        )


def _require_time(deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise PipelineError(f"{what}, and the time for it is over. Look at it in the workspace, or raise --patience.")
