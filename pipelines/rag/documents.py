"""Documents, and the chunks that they are cut into."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from pipelines.errors import PipelineError

_SENTENCE_END: Final = re.compile(r"(?<=[.!?:])\s+")


@dataclass(frozen=True)
class Document:
    """A text with the name that answers give as their source."""

    name: str
    title: str
    text: str


@dataclass(frozen=True)
class Chunk:
    """A part of a document. `chunk_id` is stable as long as the document is cut in the same way."""

    chunk_id: str
    source: str
    text: str


def read_documents(folder: Path | None = None) -> list[Document]:
    """The Markdown files of `folder`, by name; the project's own corpus when it is None.

    Raises PipelineError when there are none, or one has no `# title` or no text.
    """
    where: Traversable = resources.files(__package__).joinpath("corpus") if folder is None else folder
    if not where.is_dir():
        raise PipelineError(f"{where} is no folder; name one with the documents (*.md)")
    files = sorted((file for file in where.iterdir() if file.name.endswith(".md")), key=lambda file: file.name)
    if not files:
        raise PipelineError(f"{where} has no *.md file; put at least one document there")
    return [_document(file) for file in files]


def chunks_of(documents: Iterable[Document], chunk_size: int) -> list[Chunk]:
    """Whole sentences, as many as fit into `chunk_size` characters; never of two documents.

    Each chunk begins with its document's title, which often is the only place that names the subject; the title is not
    counted. A sentence longer than `chunk_size` is cut between words.
    """
    return [
        Chunk(f"{document.name}#{number}", document.name, f"{document.title}: {text}")
        for document in documents
        for number, text in enumerate(_packed(_pieces(document.text, chunk_size), chunk_size), start=1)
    ]


def digest_of(documents: Sequence[Document]) -> str:
    """sha256 of names and texts."""
    hashed = hashlib.sha256()
    for document in documents:
        for text in (document.name, document.title, document.text):
            hashed.update(text.encode() + b"\0")
    return hashed.hexdigest()


def _document(file: Traversable) -> Document:
    head, _, text = file.read_text(encoding="utf-8").partition("\n")
    if not head.startswith("# ") or not text.strip():
        raise PipelineError(f"{file}: a document is a first line `# title` and a text; the first line is {head!r}")
    return Document(file.name, head.removeprefix("# ").strip(), text.strip())


def _pieces(text: str, size: int) -> Iterable[str]:
    for sentence in _SENTENCE_END.split(" ".join(text.split())):
        yield from _packed(sentence.split(" "), size) if len(sentence) > size else [sentence]


def _packed(pieces: Iterable[str], size: int) -> list[str]:
    packed: list[str] = []
    for piece in pieces:
        if packed and len(packed[-1]) + 1 + len(piece) <= size:
            packed[-1] = f"{packed[-1]} {piece}"
        else:
            packed.append(piece)
    return packed
