"""The text forms of a notebook: source with cell markers, and Jupyter's JSON.

Source: the Databricks page "Export and import Databricks notebooks" (notebook source header, `COMMAND ----------`,
`MAGIC`) and the nbformat 4 schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from workspace.errors import invalid

EXTENSIONS = {"PYTHON": ".py", "SQL": ".sql", "SCALA": ".scala", "R": ".r"}
JUPYTER_EXTENSION = ".ipynb"
_COMMENTS = {"PYTHON": "#", "SQL": "--", "SCALA": "//", "R": "#"}
_HEADER = "Databricks notebook source"
_SEPARATOR = "COMMAND ----------"


def language_of(path: str, content: bytes) -> str | None:
    """The language of a notebook in source form, told by extension and header; None where it is a plain file."""
    suffix = PurePosixPath(path).suffix.lower()
    for language, extension in EXTENSIONS.items():
        if suffix == extension and content.startswith(f"{_COMMENTS[language]} {_HEADER}".encode()):
            return language
    return None


def with_header(language: str, content: bytes) -> bytes:
    """The source with the header line, which an export always has and an import may lack."""
    header = f"{_COMMENTS[language]} {_HEADER}"
    if content.startswith(header.encode()):
        return content
    return f"{header}\n".encode() + content


def jupyter_language(content: bytes) -> str:
    """The language of a Jupyter notebook. ApiError 400 where the content is none, or is in another language."""
    document = _document(content)
    metadata = document.get("metadata")
    named = metadata.get("language_info", {}) if isinstance(metadata, dict) else {}
    name = str(named.get("name", "python") if isinstance(named, dict) else "python").upper()
    if name not in EXTENSIONS:
        raise invalid(f"The notebook's language is {name.lower()}; supported are {', '.join(EXTENSIONS)}")
    return name


def jupyter_to_source(content: bytes) -> bytes:
    """A Jupyter notebook as source: markdown and magic cells become `MAGIC` lines, outputs are left out."""
    language = jupyter_language(content)
    comment = _COMMENTS[language]
    cells = []
    for cell in _document(content)["cells"]:
        text = _cell_text(cell)
        if cell.get("cell_type") == "markdown":
            text = f"%md\n{text}"
        if text.startswith("%"):
            text = "\n".join(f"{comment} MAGIC {line}".rstrip() for line in text.split("\n"))
        cells.append(text.rstrip("\n"))
    body = f"\n\n{comment} {_SEPARATOR}\n\n".join(cells)
    return f"{comment} {_HEADER}\n{body}\n".encode()


def source_to_jupyter(language: str, content: bytes, name: str) -> bytes:
    """Source as a Jupyter notebook of nbformat 4."""
    comment = _COMMENTS[language]
    text = content.decode("utf-8", errors="replace").removeprefix(f"{comment} {_HEADER}").lstrip("\n")
    cells = [_cell(part, comment) for part in text.split(f"{comment} {_SEPARATOR}")]
    document = {
        "cells": [cell for cell in cells if cell["source"]],
        "metadata": {
            "application/vnd.databricks.v1+notebook": {"language": language.lower(), "notebookName": name},
            "language_info": {"name": language.lower()},
        },
        "nbformat": 4,
        "nbformat_minor": 0,
    }
    return json.dumps(document, indent=1).encode()


def _cell(part: str, comment: str) -> dict[str, Any]:
    lines = part.strip("\n").split("\n")
    if all(line.startswith(f"{comment} MAGIC") for line in lines):
        lines = [line.removeprefix(f"{comment} MAGIC").removeprefix(" ") for line in lines]
    if lines[0].split(" ")[0] == "%md":
        first = lines[0].removeprefix("%md").removeprefix(" ")
        return {"cell_type": "markdown", "metadata": {}, "source": _source_lines([first, *lines[1:]])}
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": _source_lines(lines),
    }


def _source_lines(lines: Iterable[str]) -> list[str]:
    text = "\n".join(lines).strip("\n")
    return text.splitlines(keepends=True)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise invalid(f"The content is not a Jupyter notebook: {error}") from error
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise invalid("The content is not a Jupyter notebook: it has no list of cells (nbformat 4)")
    return dict(document)


def _cell_text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)
