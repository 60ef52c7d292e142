"""How well the chatbot finds what it answers from: questions whose document is known, asked of the chunks.

The language model is not judged here: it may be an endpoint that is served only after this run. What it is given can be
judged before anything is served, and no answer is better than the passages that it is made from.
"""

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from pipelines.errors import PipelineError
from pipelines.rag.documents import Chunk

FILE: Final = "questions.csv"
HIT_RATE: Final = "retrieval_hit_rate"
_COLUMNS: Final = ["question", "source"]


@dataclass(frozen=True)
class Question:
    """What somebody may ask, and the document that says so."""

    text: str
    source: str


@dataclass(frozen=True, kw_only=True)
class RetrievalQuality:
    """Measures over questions whose document is known."""

    questions: int
    hit_rate: float
    """Share of questions whose document is among the `top_k` chunks that an answer is made from."""
    mean_reciprocal_rank: float
    """Mean of 1 / place of the first chunk of that document; 0 where it is not among them."""

    def metrics(self) -> dict[str, float]:
        """By the names of MLflow metrics."""
        return {
            HIT_RATE: self.hit_rate,
            "retrieval_mean_reciprocal_rank": self.mean_reciprocal_rank,
            "retrieval_questions": float(self.questions),
        }

    def tags(self) -> dict[str, str]:
        """The same for whoever looks at the version, and for gates of a promotion."""
        return {name: f"{value:.6g}" for name, value in self.metrics().items()}

    def __str__(self) -> str:
        return (
            f"the right document for {self.hit_rate:.0%} of {self.questions} questions, mean reciprocal rank "
            f"{self.mean_reciprocal_rank:.2f}"
        )


def read_questions(sources: Collection[str], folder: Path | None = None) -> list[Question]:
    """The questions beside the documents (`questions.csv`: question, source); none where there is no such file.

    Args:
        sources: names of the documents.
        folder: of the documents; the project's own corpus when it is None.

    Raises PipelineError where the file has other columns, or a line without a question or with an unknown document.
    """
    where: Traversable = resources.files(__package__).joinpath("corpus") if folder is None else folder
    file = where.joinpath(FILE)
    if not file.is_file():
        return []
    reader = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    if reader.fieldnames != _COLUMNS:
        raise PipelineError(f"{file} has the columns {reader.fieldnames}; write {','.join(_COLUMNS)} into its head")
    found = []
    for row in reader:
        question, source = (row["question"] or "").strip(), (row["source"] or "").strip()
        if not question or source not in sources:
            raise PipelineError(
                f"{file}, line {reader.line_num}: question {question!r}, source {source!r}; a line is a question and "
                f"the name of a document beside it ({', '.join(sorted(sources)[:3])} ...)"
            )
        found.append(Question(question, source))
    return found


def retrieval_quality(
    questions: Sequence[Question],
    asked: Sequence[Sequence[float]],
    chunks: Sequence[Chunk],
    vectors: Sequence[Sequence[float]],
    top_k: int,
) -> RetrievalQuality:
    """Ask every question of all chunks, as the index does: by Euclidean distance, nearest first.

    Args:
        asked: a vector for each question, by the model that the chunks were embedded with.
        vectors: a vector for each chunk.
        top_k: chunks that an answer is made from.

    Raises ValueError where there is no question.
    """
    if not questions:
        raise ValueError("no question to judge by")
    places = [
        _place(question.source, np.asarray(vector), chunks, np.asarray(vectors), top_k)
        for question, vector in zip(questions, asked, strict=True)
    ]
    return RetrievalQuality(
        questions=len(questions),
        hit_rate=sum(place is not None for place in places) / len(places),
        mean_reciprocal_rank=sum(0.0 if place is None else 1 / place for place in places) / len(places),
    )


def _place(
    source: str,
    question: npt.NDArray[np.float64],
    chunks: Sequence[Chunk],
    vectors: npt.NDArray[np.float64],
    top_k: int,
) -> int | None:
    """Place of the nearest chunk of a document, from 1; None where none of the first `top_k` is of it."""
    nearest = np.argsort(np.linalg.norm(vectors - question, axis=1), kind="stable")[:top_k]
    return next((place for place, number in enumerate(nearest, start=1) if chunks[number].source == source), None)
