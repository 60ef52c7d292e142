"""How well the chatbot finds its passages: measured by questions whose document is known, before anything is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import PipelineError
from pipelines.rag.documents import Chunk, chunks_of, read_documents
from pipelines.rag.embedding import fit, vectors_of
from pipelines.rag.evaluation import Question, read_questions, retrieval_quality

CHUNKS = [Chunk(f"{name}#1", name, name) for name in ("a.md", "b.md", "c.md")]
VECTORS = [[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]]


def test_a_hit_is_among_the_chunks_of_an_answer_and_nearer_ones_count_more() -> None:
    asked = {"first": [0.1, 0.0], "second": [0.1, 0.0], "missed": [0.1, 0.0]}
    questions = [Question("first", "a.md"), Question("second", "b.md"), Question("missed", "c.md")]
    found = retrieval_quality(questions, list(asked.values()), CHUNKS, VECTORS, top_k=2)
    assert found.mean_reciprocal_rank == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert retrieval_quality(questions, list(asked.values()), CHUNKS, VECTORS, top_k=3).hit_rate == 1
    assert found.metrics() == {
        "retrieval_hit_rate": pytest.approx(2 / 3),
        "retrieval_mean_reciprocal_rank": pytest.approx(1 / 2),
        "retrieval_questions": 3.0,
    }
    assert found.tags()["retrieval_hit_rate"] == "0.666667"


def test_the_nearest_of_a_documents_chunks_counts() -> None:
    chunks = [*CHUNKS, Chunk("c.md#2", "c.md", "c")]
    found = retrieval_quality([Question("q", "c.md")], [[0.1, 0.0]], chunks, [*VECTORS, [0.1, 0.05]], top_k=3)
    assert found.mean_reciprocal_rank == 1


def test_the_projects_own_questions_are_answered_from_the_right_documents() -> None:
    documents = read_documents()
    questions = read_questions({document.name for document in documents})
    assert {question.source for question in questions} == {document.name for document in documents}
    chunks = chunks_of(documents, 500)
    model = fit([chunk.text for chunk in chunks])
    vectors = vectors_of(model, [chunk.text for chunk in chunks])
    asked = vectors_of(model, [question.text for question in questions])
    assert retrieval_quality(questions, asked, chunks, vectors, top_k=5).hit_rate >= 0.95
    # Another question's vector is not enough: it is the words that find the document.
    assert retrieval_quality(questions, [*asked[1:], asked[0]], chunks, vectors, top_k=5).hit_rate < 0.6


def test_documents_of_ones_own_may_have_no_questions(tmp_path: Path) -> None:
    assert read_questions({"a.md"}, tmp_path) == []
    with pytest.raises(ValueError, match="no question"):
        retrieval_quality([], [], CHUNKS, VECTORS, top_k=1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("query,source\n", r"has the columns \['query', 'source'\]; write question,source"),
        ("", "has the columns None"),
        ("question,source\nHow?,a.md\nWhy?,z.md\n", r"line 3: question 'Why\?', source 'z\.md'"),
        ("question,source\n,a.md\n", "line 2: question ''"),
        ("question,source\nHow?\n", "source ''"),
    ],
)
def test_a_file_of_questions_that_cannot_be_judged_by_is_refused_with_its_line(
    text: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "questions.csv").write_text(text)
    with pytest.raises(PipelineError, match=says):
        read_questions({"a.md"}, tmp_path)
