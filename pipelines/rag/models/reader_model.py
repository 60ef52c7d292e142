"""`Reader`: a chat model that answers from the passages in its prompt, in their own sentences, and cites them.

It stands where a hosted language model stands: same messages in, same completion out, with the tokens it used. It
quotes and never writes sentences of its own, so it cannot make anything up. Logged as code; imports nothing of the
project.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

import mlflow
from mlflow.pyfunc.model import ChatModel
from mlflow.types.llm import ChatChoice, ChatCompletionResponse, ChatMessage, TokenUsageStats

MODEL = "rag_reader"
NOT_FOUND = "The documents do not say."
SENTENCES = 3
# Share of the best sentence's score that another one needs to be quoted beside it.
LEAST = 0.6
LONGEST_TITLE = 80
_PASSAGE = re.compile(r"^\[(\d+)\] \([^)]*\) (.+)$", re.MULTILINE)
_QUESTION = re.compile(r"^Question: (.+)$", re.MULTILINE)
_WORD = re.compile(r"[a-z0-9]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "do",
        "does",
        "for",
        "from",
        "has",
        "have",
        "how",
        "i",
        "in",
        "is",
        "it",
        "its",
        "key",
        "main",
        "of",
        "on",
        "or",
        "our",
        "that",
        "the",
        "their",
        "there",
        "they",
        "this",
        "to",
        "was",
        "we",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "you",
        "your",
        "me",
        "tell",
        "about",
        "explain",
        "describe",
    ]
)


class Reader(ChatModel):
    """Picks the sentences that share most with the question; rare words count more than frequent ones."""

    # MLflow's own signature of chat models is another than the one of its base class.
    def predict(self, context: Any, messages: list[Any], params: Any) -> ChatCompletionResponse:  # type: ignore[override]
        prompt = "\n".join(str(message.content) for message in messages)
        text = answer(prompt)
        read, written = len(prompt.split()), len(text.split())
        return ChatCompletionResponse(
            choices=[ChatChoice(index=0, message=ChatMessage(role="assistant", content=text), finish_reason="stop")],
            usage=TokenUsageStats(prompt_tokens=read, completion_tokens=written, total_tokens=read + written),
            model=MODEL,
        )


def answer(prompt: str) -> str:
    """The best sentences of the passages, each followed by the number of its passage."""
    asked = _QUESTION.findall(prompt)
    sentences = [
        (int(number), title, sentence)
        for number, passage in _PASSAGE.findall(prompt)
        for title, sentence in _sentences(passage)
    ]
    if not asked or not sentences:
        return NOT_FOUND
    question = set(_words(asked[-1]))
    bags = [set(_words(sentence)) for _, _, sentence in sentences]
    counts = Counter(word for bag in bags for word in bag)
    weights = {word: math.log(1 + len(bags) / count) for word, count in counts.items()}
    scores = [
        _score(question & bag, bag, weights) * (1 + len(question & set(_words(title))) / (1 + len(question)))
        for bag, (_, title, _) in zip(bags, sentences, strict=True)
    ]
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    best = [index for index in order[:SENTENCES] if scores[index] > 0 and scores[index] >= LEAST * scores[order[0]]]
    if not best:
        return NOT_FOUND
    return " ".join(f"{sentences[index][2]} [{sentences[index][0]}]" for index in best)


def _sentences(passage: str) -> list[tuple[str, str]]:
    """Title and text of each sentence. A sentence under a title that the question names is more likely about it."""
    title, separator, text = passage.partition(": ")
    if not separator or len(title) >= LONGEST_TITLE:
        title, text = "", passage
    return [(title, sentence) for sentence in _SENTENCE_END.split(text)]


def _score(shared: set[str], bag: set[str], weights: dict[str, float]) -> float:
    # A long sentence shares more words by chance alone.
    return sum(weights[word] for word in shared) / math.sqrt(1 + len(bag)) if shared else 0.0


def _words(text: str) -> list[str]:
    """Lower-case words without the common ones, and without the plural's s: `features` is `feature`."""
    return [word.removesuffix("s") for word in _WORD.findall(text.lower()) if word not in _COMMON]


mlflow.models.set_model(Reader())
