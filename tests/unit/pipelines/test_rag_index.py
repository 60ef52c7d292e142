"""An index that the stack makes: the pipeline leaves it alone where it is missing, and syncs it where it is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from databricks.sdk.errors import NotFound
from databricks.sdk.service.vectorsearch import (
    DeltaSyncVectorIndexSpecResponse,
    EmbeddingVectorColumn,
    PipelineType,
    VectorIndex,
    VectorIndexStatus,
)

from components.config.errors import StackConfigError, parse_stack_config
from examples.rag.config import RagConfig
from pipelines.errors import PipelineError
from pipelines.rag.index import sync_index
from tests.support.example import PROJECT
from tests.support.rag import CONFIG_KEY

INDEX = "main.ml_models.rag_chunks_index"


@dataclass
class Indexes:
    """`w.vector_search_indexes` with one index, or none."""

    found: VectorIndex | None = None
    calls: list[str] = field(default_factory=list)

    def get_index(self, name: str) -> VectorIndex:
        if self.found is None:
            raise NotFound(f"{name} not found")
        return self.found

    def sync_index(self, name: str) -> None:
        self.calls.append(f"sync {name}")

    def create_index(self, *_: Any, **__: Any) -> None:
        self.calls.append("create")


@dataclass
class Workspace:
    vector_search_indexes: Indexes


def index(*, width: int = 4, pipeline: PipelineType = PipelineType.TRIGGERED, ready: bool = True) -> VectorIndex:
    spec = DeltaSyncVectorIndexSpecResponse(
        embedding_vector_columns=[EmbeddingVectorColumn(name="embedding", embedding_dimension=width)],
        pipeline_type=pipeline,
    )
    return VectorIndex(
        name=INDEX, delta_sync_index_spec=spec, status=VectorIndexStatus(ready=ready, message="first sync")
    )


def sync(found: VectorIndex | None, patience_seconds: float = 0.0) -> tuple[bool, list[str]]:
    indexes = Indexes(found)
    workspace: Any = Workspace(indexes)
    return sync_index(workspace, INDEX, 4, patience_seconds), indexes.calls


def test_a_missing_index_is_left_to_who_makes_it() -> None:
    assert sync(None) == (False, [])


def test_an_index_that_is_there_is_told_to_sync_unless_it_does_so_by_itself() -> None:
    assert sync(index()) == (True, [f"sync {INDEX}"])
    assert sync(index(pipeline=PipelineType.CONTINUOUS)) == (True, [])


def test_vectors_of_another_width_and_a_sync_that_does_not_end_are_errors() -> None:
    with pytest.raises(PipelineError, match=r"holds vectors of \[8\] numbers"):
        sync(index(width=8))
    with pytest.raises(PipelineError, match="is not ready: first sync"):
        sync(index(ready=False), patience_seconds=-1.0)


def test_a_stack_file_may_take_the_index_over() -> None:
    file = PROJECT / "examples" / "rag" / "Pulumi.local.yaml"
    values = yaml.safe_load(file.read_text())["config"][CONFIG_KEY]
    retrieval = {**values["retrieval"], "managedIndex": {"sourceTable": "main.ml_models.rag_chunks", "dimension": 64}}
    config = parse_stack_config({"environment": "local", **values, "retrieval": retrieval}, RagConfig, where="file")
    managed = config.retrieval.managed_index
    assert managed is not None
    assert (managed.endpoint, managed.primary_key, managed.vector_column) == ("rag-search", "chunk_id", "embedding")
    retrieval["managedIndex"] = {"sourceTable": "rag_chunks", "dimension": 0}
    with pytest.raises(StackConfigError) as refused:
        parse_stack_config({"environment": "local", **values, "retrieval": retrieval}, RagConfig, where="file")
    for words in ("managedIndex.sourceTable", "managedIndex.dimension"):
        assert words in str(refused.value)
