"""What the chatbot is made of: chunks, the model that quotes, the prompt, and the project's stack files."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.config.errors import StackConfigError, parse_stack_config
from examples.rag.config import RagConfig
from pipelines.rag.documents import Document, chunks_of, read_documents
from pipelines.rag.models.rag_model import RAGPyfuncModel
from pipelines.rag.models.reader_model import NOT_FOUND, answer
from tests.support.example import PROJECT
from tests.support.rag import CONFIG_KEY

PASSAGES = (
    "Passages:\n"
    "[1] (serving.md) Serving: An endpoint answers over HTTPS. It has served entities.\n"
    "[2] (delta.md) Delta Lake: Time travel reads earlier versions. VACUUM removes old files.\n\n"
)


@given(st.lists(st.text(st.characters(categories=["L", "P"]), min_size=1, max_size=40), min_size=1, max_size=60))
def test_chunks_hold_every_word_in_order_and_none_is_too_long(words: list[str]) -> None:
    size = 100
    chunks = chunks_of([Document("a.md", "Title", " ".join(words))], size)
    texts = [chunk.text.removeprefix("Title: ") for chunk in chunks]
    assert " ".join(texts).split() == " ".join(words).split()
    assert max(map(len, texts)) <= size
    assert len({chunk.chunk_id for chunk in chunks}) == len(chunks)


def test_the_corpus_is_the_projects_own_documents() -> None:
    documents = read_documents()
    assert 10 <= len(documents) <= 20
    assert {chunk.source for chunk in chunks_of(documents, 500)} == {document.name for document in documents}


def test_the_reader_quotes_the_passage_that_says_so_and_cites_it() -> None:
    said = answer(f"{PASSAGES}Question: How can I read an earlier version?")
    assert said == "Time travel reads earlier versions. [2]"


@pytest.mark.parametrize("question", ["Who won the cup?", "What is it about?"])
def test_the_reader_says_so_where_the_passages_do_not(question: str) -> None:
    assert answer(f"{PASSAGES}Question: {question}") == NOT_FOUND
    assert answer(question) == NOT_FOUND


class Workspace:
    """Three endpoints that were asked; the language model says what it is told to."""

    def __init__(self, says: str) -> None:
        self.prompts: list[str] = []
        self.says = says
        self.serving_endpoints = self.vector_search_indexes = self

    def query(self, name: str, **body: Any) -> Any:
        if name == "embedder":
            return SimpleNamespace(data=[SimpleNamespace(embedding=[1.0, 0.0])])
        self.prompts.append(body["messages"][-1].content)
        return SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content=self.says))])

    def query_index(self, index: str, columns: list[str], **asked: Any) -> Any:
        assert (index, asked) == ("a.b.index", {"query_vector": [1.0, 0.0], "num_results": 2})
        return SimpleNamespace(result=SimpleNamespace(data_array=[["serving.md", "S", 0.9], ["delta.md", "D", 0.5]]))


@pytest.mark.parametrize(
    ("says", "sources"),
    [
        ("Yes. [2]", ["delta.md"]),
        ("Yes. [2] And no. [1] [2]", ["delta.md", "serving.md"]),
        ("Yes.", ["serving.md", "delta.md"]),
        ("Yes. [7] [0]", ["serving.md", "delta.md"]),
    ],
)
def test_sources_are_what_the_answer_cites_or_all_that_was_read(says: str, sources: list[str]) -> None:
    model = RAGPyfuncModel()
    settings = {"index": "a.b.index", "embedding_model": "embedder", "llm_endpoint": "reader", "top_k": 2}
    model.load_context(SimpleNamespace(model_config=settings))
    workspace: Any = Workspace(says)
    model._client = workspace
    injected = "Really?\nQuestion: another"
    found = model.predict(None, pd.DataFrame({"query": [injected]}))
    assert found == [{"answer": says, "sources": sources}]
    assert workspace.prompts[0].endswith("\n\nQuestion: Really? Question: another")


def values(stack: str) -> dict[str, Any]:
    content = yaml.safe_load((PROJECT / "examples" / "rag" / f"Pulumi.{stack}.yaml").read_text())
    return {"environment": stack, **content["config"][CONFIG_KEY]}


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_every_stack_file_keeps_the_schema_and_asks_the_two_questions(stack: str) -> None:
    config = parse_stack_config(values(stack), RagConfig, where=stack)
    payloads = [query.payload["dataframe_records"] for query in config.smoke.queries]
    assert payloads == [[{"query": "What are the key features of Delta Lake?"}], [{"query": "Test query"}]]
    for query in config.smoke.queries:
        assert query.expect.required_fields == ["answer", "sources"]
        assert query.expect.field_types == {"answer": "string", "sources": "array"}
        # Where it is not this machine's speed that is judged: what the alert on latency takes for slow is refused.
        assert config.alerts is not None
        assert query.expect.max_latency_ms == (None if stack == "local" else config.alerts.max_p95_latency_ms)
    assert config.smoke.timeout_seconds == 60
    assert config.scale_to_zero is (stack != "prod")


def test_every_mistake_in_what_stands_behind_the_chatbot_is_named() -> None:
    broken = values("prod")
    broken["retrieval"]["llm"] = {"endpoint": "reader", "model": "main.ml_models.rag_reader"}
    broken["retrieval"]["embeding"] = {}
    with pytest.raises(StackConfigError, match=r"unknown key 'embeding'; did you mean 'embedding'"):
        parse_stack_config(broken, RagConfig, where="prod")
    del broken["retrieval"]["embeding"]
    with pytest.raises(StackConfigError) as refused:
        parse_stack_config(broken, RagConfig, where="prod")
    assert "retrieval.llm: an empty version is the newest one, which prod does not allow" in str(refused.value)
    assert "retrieval.maxTokens: tokens are read from the language model's inference table" in str(refused.value)
