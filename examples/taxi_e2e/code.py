"""Which modules notebooks import, found in their source: what has to be beside them in the workspace, and no more."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path


def imported_files(notebooks: Iterable[Path], package: Path) -> list[Path]:
    """Files of `package` that notebooks import, those that these import, and the `__init__` above each.

    Args:
        notebooks: Python files.
        package: folder of the package, such as `pipelines`.

    Raises:
        SyntaxError: a file is no Python.
    """
    found: set[Path] = set()
    waiting = list(notebooks)
    while waiting:
        for file in _imports_of(waiting.pop(), package):
            if file not in found:
                found.add(file)
                waiting.append(file)
    return sorted(found)


def _imports_of(file: Path, package: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            # `from a.b import c`: c may be a module, or a name in b.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            yield from _files_of(name, package)


def _files_of(module: str, package: Path) -> Iterator[Path]:
    """The module's file and the `__init__` of every package above it; none for modules of others."""
    parts = module.split(".")
    if parts[0] != package.name:
        return
    folder = package.parent
    for depth, part in enumerate(parts):
        folder = folder / part
        file = folder.with_suffix(".py")
        if depth == len(parts) - 1 and file.is_file():
            yield file
        elif (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
