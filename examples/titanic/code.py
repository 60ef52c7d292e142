"""The code that the notebooks of the job import, as it goes into the workspace beside them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
# What modules read and do not import: statements, and the model, which is logged as code.
_DATA = ("titanic/models/*.py", "titanic/sql/*.sql")


def code_of(notebooks: Iterable[Path]) -> dict[str, bytes]:
    """Path below `pipelines` to content: every module that the notebooks come to import, their packages, and data.

    Nothing else of `pipelines` is taken: a change there would be a change of this stack.
    """
    found: set[Path] = {path for pattern in _DATA for path in PIPELINES.glob(pattern)}
    waiting = list(notebooks)
    while waiting:
        for module in _imported(waiting.pop()):
            if module not in found:
                found.add(module)
                waiting.append(module)
    folders = {folder for path in found for folder in path.parents if PIPELINES in (folder, *folder.parents)}
    found |= {package for folder in folders if (package := folder / "__init__.py").is_file()}
    return {path.relative_to(PIPELINES).as_posix(): path.read_bytes() for path in sorted(found)}


def _imported(file: Path) -> Iterator[Path]:
    """Files of this project's pipelines that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or (node.module or "").partition(".")[0] != PIPELINES.name:
            continue
        for name in (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)):
            path = PIPELINES.parent.joinpath(*name.split(".")).with_suffix(".py")
            if path.is_file():
                yield path
