"""The index as a resource of the stack, where the stack file says so: up before the chatbot that asks it."""

from __future__ import annotations

from components.vector_index import DeltaSyncArgs, RetrievalIndex, RetrievalIndexArgs
from examples.rag.config import RagConfig


def make_index(config: RagConfig) -> RetrievalIndex | None:
    """Endpoint and index, and SELECT for the serving principal, in whose name the chatbot asks; None where the pipeline
    makes them.
    """
    managed = config.retrieval.managed_index
    if managed is None:
        return None
    return RetrievalIndex(
        "rag-index",
        RetrievalIndexArgs(
            name=config.retrieval.index,
            endpoint=managed.endpoint,
            primary_key=managed.primary_key,
            source=DeltaSyncArgs(
                source_table=managed.source_table, pipeline_type="CONTINUOUS" if managed.continuous else "TRIGGERED"
            ),
            vector_column=managed.vector_column,
            dimension=managed.dimension,
            readers=[config.serving_principal],
            timeout=config.defaults.endpoint_timeout,
        ),
    )
