"""Runs a notebook in source format: its cells one after the other, in one namespace.

Source: the Databricks pages "Export and import Databricks notebooks" (the format) and "Develop code in Databricks
notebooks" (the magic commands).
"""

from __future__ import annotations

import ast
import linecache
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.task_process.packages import require
from workspace.task_process.sql_cells import SqlCells

_COMMENTS = {"PYTHON": "#", "SQL": "--"}
_HEADER = "Databricks notebook source"
_SEPARATOR = "COMMAND ----------"
_SILENT = ("md", "md-sandbox")


class NotebookError(Exception):
    """A cell that cannot be run here; the message says which and why."""


@dataclass(frozen=True)
class Cell:
    """One part of a cell: `magic` is None for code in the notebook's own language."""

    number: int
    magic: str | None
    text: str


def cells(source: str, language: str) -> Iterator[Cell]:
    """The cells of a notebook in source format."""
    comment = _COMMENTS[language]
    body = source.removeprefix(f"{comment} {_HEADER}")
    for number, part in enumerate(body.split(f"{comment} {_SEPARATOR}"), start=1):
        lines = [line for line in part.split("\n") if not line.startswith(f"{comment} DBTITLE")]
        prefix = f"{comment} MAGIC"
        magic = [line.removeprefix(prefix).removeprefix(" ") for line in lines if line.startswith(prefix)]
        if magic:
            name, _, first = magic[0].lstrip("%").partition(" ")
            yield Cell(number, name, "\n".join([first, *magic[1:]]).strip())
        code = "\n".join("" if line.startswith(prefix) else line for line in lines)
        if code.strip():
            yield Cell(number, None, code)


class Notebook:
    """A notebook and the namespace that its cells share."""

    def __init__(self, namespace: dict[str, Any], sql: SqlCells) -> None:
        self._namespace = namespace
        self._sql = sql

    def run(self, file: Path, shown_path: str, language: str) -> None:
        """Run all cells; raises what a cell raises."""
        if language not in _COMMENTS:
            raise NotebookError(
                f"notebook {shown_path} is in {language}; only Python and SQL notebooks can be run here"
            )
        for cell in cells(file.read_text(), language):
            self._run_cell(cell, file, shown_path, language)

    def _run_cell(self, cell: Cell, file: Path, shown_path: str, language: str) -> None:
        where = f"cell {cell.number} of {shown_path}"
        match cell.magic or language.lower():
            case "python":
                self._python(cell, where)
            case "sql":
                self._sql.run(cell.text, self._namespace["dbutils"].widgets.getAll())
            case "pip":
                _pip(cell.text, where, self._namespace)
            case "run":
                self._run_other(cell.text, file, where)
            case "sh":
                subprocess.run(["bash", "-ec", cell.text], check=True)
            case name if name in _SILENT:
                return
            case name:
                raise NotebookError(f"{where} uses %{name}, which cannot be run here")

    def _python(self, cell: Cell, where: str) -> None:
        """Run code; the value of a last expression is printed, as a notebook shows it."""
        linecache.cache[where] = (len(cell.text), None, cell.text.splitlines(keepends=True), where)
        tree = ast.parse(cell.text, where)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, where, "exec"), self._namespace)  # noqa: S102  # a notebook is code to be run
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), where, "eval"), self._namespace)  # noqa: S307
            if value is not None:
                print(repr(value))

    def _run_other(self, argument: str, file: Path, where: str) -> None:
        """`%run ./other`: the other notebook's cells, in this namespace."""
        name = argument.split()[0].strip("\"'") if argument.split() else ""
        if not name.startswith("."):
            raise NotebookError(f"{where}: %run '{name}' must be relative to the notebook (./name or ../folder/name)")
        for extension, language in ((".py", "PYTHON"), (".sql", "SQL"), ("", "PYTHON")):
            other = file.parent / (name + extension)
            if other.is_file():
                self.run(other, name, language)
                return
        raise NotebookError(f"{where}: %run finds no notebook '{name}'")


def _pip(argument: str, where: str, namespace: Mapping[str, Any]) -> None:
    words = [_filled(word, where, namespace) for word in shlex.split(argument)]
    if words[:1] != ["install"]:
        raise NotebookError(f"{where} uses '%pip {argument}'; only %pip install is known here")
    wanted, rest = list[str](), iter(words[1:])
    for word in rest:
        if word in ("-r", "--requirement"):
            wanted += _requirements(next(rest, ""), where)
        elif not word.startswith("-"):
            wanted.append(word)
    require(wanted, where)


def _filled(word: str, where: str, namespace: Mapping[str, Any]) -> str:
    """A variable of the notebook in the place of `$name`, as magic commands take them."""
    if not word.startswith("$"):
        return word
    name = word[1:].strip("{}")
    if name not in namespace:
        raise NotebookError(f"{where} uses {word}, and the notebook has no variable {name}")
    return str(namespace[name])


def _requirements(name: str, where: str) -> list[str]:
    try:
        lines = Path(name).read_text().splitlines()
    except OSError as error:
        raise NotebookError(f"{where}: the requirements file '{name}' cannot be read: {error.strerror}") from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith(("#", "-"))]
