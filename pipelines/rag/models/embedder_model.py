"""`Embedder`: texts to vectors, by latent semantic analysis of the corpus (tf-idf and SVD).

Takes and gives what embedding endpoints do (`{"input": [...]}`, `{"data": [{"embedding": [...]}]}`; Databricks
documentation, "Foundation model REST API reference"), so that a hosted model can take its place. Logged as code: this
file is what runs in the endpoint, and it imports nothing of the project.
"""

from __future__ import annotations

from typing import Any

import joblib
import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel


class Embedder(PythonModel):
    """A fitted scikit-learn pipeline behind the shape of an embedding endpoint."""

    def load_context(self, context: Any) -> None:
        self._pipeline = joblib.load(context.artifacts["pipeline"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> dict[str, Any]:
        texts = _texts(model_input)
        vectors = self._pipeline.transform(texts)
        tokens = sum(len(text.split()) for text in texts)
        return {
            "object": "list",
            "model": "rag_embedder",
            "data": [
                {"object": "embedding", "index": index, "embedding": [float(value) for value in vector]}
                for index, vector in enumerate(vectors)
            ],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }


def _texts(model_input: pd.DataFrame | dict[str, Any]) -> list[str]:
    # MLflow gives a frame where the signature is enforced, a dictionary where the request came in the unified form.
    given = model_input["input"]
    if isinstance(given, str):
        return [given]
    texts: list[str] = []
    for value in given:
        texts.extend(value if isinstance(value, list | tuple | np.ndarray) else [value])
    return [str(text) for text in texts]


mlflow.models.set_model(Embedder())
