"""The code that notebooks of a job import, in the workspace beside them: a notebook's own folder is on its path.

Only what is imported is taken. A change of any other module of the package is then no change of the stack.
"""

from __future__ import annotations

import ast
import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pulumi

from . import databricks


def imported_files(sources: Iterable[Path], package: Path) -> list[Path]:
    """Files of `package` that sources import, those that these import, and the `__init__` above each; in order.

    Args:
        sources: Python files, notebooks in source form among them.
        package: folder of the package, such as `pipelines`.

    Raises:
        SyntaxError: a file is no Python.
    """
    found: set[Path] = set()
    waiting = list(sources)
    while waiting:
        for file in _imports_of(waiting.pop(), package):
            if file not in found:
                found.add(file)
                waiting.append(file)
    return sorted(found)


def code_files(
    sources: Iterable[Path],
    package: Path,
    folder: str,
    *,
    data: Sequence[str] = (),
    more: Mapping[str, bytes] | None = None,
    prefix: str = "code",
    opts: pulumi.ResourceOptions | None = None,
) -> list[databricks.WorkspaceFile]:
    """What the sources import, as files of the workspace at `<folder>/<package>/...`.

    Args:
        sources: Python files, notebooks in source form among them.
        package: folder of the package that they import from; modules of others come with the job's environment.
        folder: of the workspace, in which the notebooks are.
        data: files that modules read, as patterns relative to the package: statements, tables.
        more: files that are made, by path relative to the package.
        prefix: of the resources' names.
        opts: of every file.
    """
    files = {*imported_files(sources, package), *(path for pattern in data for path in package.glob(pattern))}
    contents = {path.relative_to(package).as_posix(): path.read_bytes() for path in files} | dict(more or {})
    return [
        databricks.WorkspaceFile(
            f"{prefix}-{name}",
            path=f"{folder}/{package.name}/{name}",
            content_base64=base64.b64encode(content).decode(),
            opts=opts,
        )
        for name, content in sorted(contents.items())
    ]


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
