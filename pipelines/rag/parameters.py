"""What can be chosen about the chatbot, and the packages that its models are made with."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from pipelines.errors import PipelineError

_PACKAGES: Final = ("mlflow", "databricks-sdk", "scikit-learn", "numpy", "pandas", "scipy", "joblib")
_LEAST_CHUNK: Final = 100


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The parameters that a run logs.

    `embedding_model` and `llm_endpoint` are names of serving endpoints, which the chatbot asks at each question. On
    Databricks those may be foundation models (`databricks-bge-large-en`, `databricks-meta-llama-3-1-70b-instruct`);
    `own_embeddings` says that the first one serves this pipeline's own `rag_embedder`.
    """

    embedding_model: str
    llm_endpoint: str
    own_embeddings: bool
    chunk_size: int = 500
    """Longest chunk, in characters."""
    top_k: int = 5
    """Chunks that an answer is made from."""

    def __post_init__(self) -> None:
        if self.chunk_size < _LEAST_CHUNK:
            raise PipelineError(f"chunk_size is {self.chunk_size}; use {_LEAST_CHUNK} characters or more")
        if self.top_k < 1:
            raise PipelineError(f"top_k is {self.top_k}; an answer needs at least 1 chunk")


def packages() -> dict[str, str]:
    """The installed version of every package that the models need to be loaded again."""
    return {name: version(name) for name in _PACKAGES}
