"""Texts to vectors, by an embedding endpoint of the same workspace, over its REST API like any other client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import httpx

BATCH = 32
TIMEOUT_SECONDS = 300.0


class EmbeddingError(Exception):
    """Texts could not be embedded; the message names the endpoint and what it answered."""


class Credentials(Protocol):
    """How the workspace is reached in somebody's name (`workspace.jobs.RunAs`)."""

    def variables(self, run_as: str) -> Mapping[str, str]:
        """`DATABRICKS_HOST` and `DATABRICKS_TOKEN`."""
        ...


class Embedder:
    """Asks embedding endpoints in the name of an index's creator."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def embed(self, endpoint: str, texts: Sequence[str], user_name: str) -> list[list[float]]:
        """One vector for each text; raises EmbeddingError."""
        given = self._credentials.variables(user_name)
        url = f"{given['DATABRICKS_HOST']}/serving-endpoints/{endpoint}/invocations"
        headers = {"Authorization": f"Bearer {given['DATABRICKS_TOKEN']}"}
        found: list[list[float]] = []
        with httpx.Client(headers=headers, timeout=TIMEOUT_SECONDS) as client:
            for start in range(0, len(texts), BATCH):
                batch = list(texts[start : start + BATCH])
                try:
                    answer = client.post(url, json={"input": batch})
                except httpx.HTTPError as error:
                    raise EmbeddingError(f"embedding endpoint {endpoint} cannot be asked: {error}") from error
                if answer.is_error:
                    raise EmbeddingError(f"embedding endpoint {endpoint} answered {answer.status_code}: {answer.text}")
                found += _vectors(endpoint, answer.json(), len(batch))
        return found


def _vectors(endpoint: str, answer: Any, count: int) -> list[list[float]]:
    """The vectors of an OpenAI-style answer (`data[].embedding`)."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or len(data) != count or not all(isinstance(one, dict) for one in data):
        raise EmbeddingError(f"embedding endpoint {endpoint} did not answer with {count} embeddings in 'data'")
    ordered = sorted(data, key=lambda one: one.get("index", 0))
    return [[float(value) for value in one["embedding"]] for one in ordered]
