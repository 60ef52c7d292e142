"""Vectors of chunks: by a fitted model of this pipeline, or by an embedding endpoint that is there already."""

from collections.abc import Sequence
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer

from pipelines.errors import PipelineError

_DIMENSIONS: Final = 64
_BATCH: Final = 100
_SEED: Final = 7


def fit(texts: Sequence[str]) -> Pipeline:
    """Latent semantic analysis of the chunks: unit vectors of at most 64 dimensions, fewer for a small corpus.

    Parts of words are counted, not whole ones, so that `transaction` is near `transactions`.
    """
    words = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2, max_df=0.5)
    width = min(_DIMENSIONS, len(texts) - 1)
    if width < 1:
        raise PipelineError(f"{len(texts)} chunks are too few to learn from; give at least 2")
    pipeline: Pipeline = make_pipeline(words, TruncatedSVD(n_components=width, random_state=_SEED), Normalizer())
    return pipeline.fit(texts)


def vectors_of(pipeline: Pipeline, texts: Sequence[str]) -> list[list[float]]:
    """One vector for each text."""
    return [[float(value) for value in vector] for vector in pipeline.transform(texts)]


def ask(workspace: WorkspaceClient, endpoint: str, texts: Sequence[str]) -> list[list[float]]:
    """One vector for each text, from an embedding endpoint. Raises PipelineError when it is not there or says less."""
    found: list[list[float]] = []
    for start in range(0, len(texts), _BATCH):
        batch = list(texts[start : start + _BATCH])
        try:
            answer = workspace.serving_endpoints.query(endpoint, input=batch)
        except NotFound as error:
            raise PipelineError(
                f"Embedding endpoint {endpoint} is not on {workspace.config.host}: name one that is with "
                "--embedding-model, or leave it out to make and serve rag_embedder."
            ) from error
        vectors = [list(one.embedding or []) for one in answer.data or []]
        if len(vectors) != len(batch) or not all(vectors):
            raise PipelineError(f"Embedding endpoint {endpoint} gave {len(vectors)} vectors for {len(batch)} texts.")
        found += vectors
    return found
