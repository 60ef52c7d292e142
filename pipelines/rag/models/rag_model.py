"""`RAGPyfuncModel`: a question in, an answer with its sources out.

Embeds the question, finds the nearest chunks in the search index, and lets the language model answer from them. All
three are asked over the workspace's API, with the host and the token of the environment (a secret of the served
entity) or, on Databricks, with the credentials that the endpoint gets for the resources that the model was logged with.
Logged as code; imports nothing of the project.
"""

from __future__ import annotations

import os
import re
from typing import Any

import mlflow
import pandas as pd
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.serving import ChatMessage, ChatMessageRole
from mlflow.pyfunc.model import PythonModel

INSTRUCTION = (
    "Answer the question from the passages only, in at most three sentences. After each sentence give the number of "
    "the passage that it is taken from, like [1]. If the passages do not hold the answer, say that the documents do "
    "not say."
)
MAX_TOKENS = 400
_CITED = re.compile(r"\[(\d+)\]")


class RAGPyfuncModel(PythonModel):
    """One column `query`; one row with `answer` (string) and `sources` (list of document names) for each question.

    `sources` are the documents that the answer cites, first cited first; all that were read where it cites none.
    """

    def load_context(self, context: Any) -> None:
        settings = context.model_config
        self._index = _setting(settings, "index")
        self._embedding_model = _setting(settings, "embedding_model")
        self._llm_endpoint = _setting(settings, "llm_endpoint")
        self._top_k = int(_setting(settings, "top_k"))
        self._client: WorkspaceClient | None = None

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        return [self._answer(str(query)) for query in model_input["query"]]

    def _workspace(self) -> WorkspaceClient:
        # Not while the model is loaded: a version can be validated where there are no credentials.
        if self._client is None:
            self._client = WorkspaceClient()
        return self._client

    def _answer(self, query: str) -> dict[str, Any]:
        passages = self._passages(self._vector(query))
        answer = self._completion(query, passages)
        read = [source for source, _ in passages]
        cited = [read[int(number) - 1] for number in _CITED.findall(answer) if 0 < int(number) <= len(read)]
        return {"answer": answer, "sources": list(dict.fromkeys(cited or read))}

    def _vector(self, query: str) -> list[float]:
        answer = self._workspace().serving_endpoints.query(self._embedding_model, input=[query])
        if not answer.data or not answer.data[0].embedding:
            raise ValueError(f"embedding endpoint {self._embedding_model} gave no vector for the question")
        return list(answer.data[0].embedding)

    def _passages(self, vector: list[float]) -> list[tuple[str, str]]:
        """Source and text of the nearest chunks, nearest first."""
        found = self._workspace().vector_search_indexes.query_index(
            self._index, ["source", "text"], query_vector=vector, num_results=self._top_k
        )
        rows = (found.result.data_array if found.result else None) or []
        return [(str(row[0]), str(row[1])) for row in rows]

    def _completion(self, query: str, passages: list[tuple[str, str]]) -> str:
        listed = "\n".join(f"[{number}] ({source}) {text}" for number, (source, text) in enumerate(passages, start=1))
        # On one line, so that a question cannot pass for another part of the prompt.
        question = " ".join(query.split())
        answer = self._workspace().serving_endpoints.query(
            self._llm_endpoint,
            messages=[
                ChatMessage(role=ChatMessageRole.SYSTEM, content=INSTRUCTION),
                ChatMessage(role=ChatMessageRole.USER, content=f"Passages:\n{listed}\n\nQuestion: {question}"),
            ],
            max_tokens=MAX_TOKENS,
            temperature=0.0,
        )
        message = answer.choices[0].message if answer.choices else None
        if message is None or not message.content:
            raise ValueError(f"language model endpoint {self._llm_endpoint} gave no answer")
        return str(message.content)


def _setting(settings: dict[str, Any], name: str) -> str:
    """The served entity's own (`RAG_INDEX`, `RAG_LLM_ENDPOINT` ...), else what the version was logged with."""
    return os.environ.get(f"RAG_{name.upper()}") or str(settings[name])


mlflow.models.set_model(RAGPyfuncModel())
