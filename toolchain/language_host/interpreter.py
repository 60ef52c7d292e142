"""Which Python runs a program: the virtual environment its `Pulumi.yaml` names, else the host's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

KNOWN_OPTIONS = {"virtualenv", "toolchain", "typechecker"}


class InterpreterError(Exception):
    """The program's runtime options name an environment that cannot run it."""


@dataclass(frozen=True)
class Interpreter:
    """One Python, and the virtual environment it belongs to, if any."""

    executable: Path
    environment_folder: Path | None

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """The variables of a child: the environment activated, as a shell would."""
        result = dict(base)
        if self.environment_folder is not None:
            result.pop("PYTHONHOME", None)
            result["VIRTUAL_ENV"] = str(self.environment_folder)
            result["PATH"] = os.pathsep.join(
                part for part in (str(self.environment_folder / "bin"), result.get("PATH", "")) if part
            )
        return result

    @cached_property
    def description(self) -> dict[str, str]:
        """`version` and `prefix` of the interpreter, asked from itself."""
        answer: dict[str, str] = json.loads(
            self._ask("dict(version='.'.join(map(str, sys.version_info[:3])), prefix=sys.prefix)")
        )
        return answer

    @cached_property
    def import_folders(self) -> list[Path]:
        """Where it finds installed packages."""
        if Path(sys.executable) == self.executable:
            entries: list[str] = sys.path
        else:
            entries = json.loads(self._ask("sys.path"))
        return [Path(entry) for entry in entries if entry and Path(entry).is_dir()]

    def _ask(self, expression: str) -> str:
        script = f"import json, sys; print(json.dumps({expression}))"
        done = subprocess.run(
            [str(self.executable), "-P", "-c", script], check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout


def interpreter_for(options: Mapping[str, object], root: Path) -> Interpreter:
    """The Python for a program.

    Args:
        options: `runtime.options` of the project, plugin or policy pack.
        root: the folder with its `Pulumi.yaml`; a relative `virtualenv` is relative to it.

    Raises:
        InterpreterError: the named environment does not exist, or an option is not supported here.
    """
    _refuse_unsupported(options)
    named = options.get("virtualenv") or (".venv" if options.get("toolchain") == "uv" else None)
    if named is None:
        return _ambient()
    # The root may be a link (a plugin folder often is); the named path is meant from where the files are.
    folder = Path(os.path.abspath(root.resolve() / str(named)))
    executable = folder / "bin" / "python"
    if not executable.is_file():
        found = "is not a virtual environment (no bin/python in it)" if folder.is_dir() else "does not exist"
        raise InterpreterError(
            f"runtime option 'virtualenv' of {root} is {str(named)!r}, but {folder} {found}. "
            "Make it with `make env` in the project, or with `uv sync --frozen` beside its uv.lock."
        )
    return Interpreter(executable, folder)


def _refuse_unsupported(options: Mapping[str, object]) -> None:
    unknown = sorted(set(options) - KNOWN_OPTIONS)
    if unknown:
        raise InterpreterError(f"unknown runtime option {_quoted(unknown)}; known are {_quoted(sorted(KNOWN_OPTIONS))}")
    toolchain = options.get("toolchain")
    if toolchain not in (None, "pip", "uv"):
        raise InterpreterError(
            f"runtime option 'toolchain' is {toolchain!r}; this host runs 'pip' and 'uv' environments. "
            "Name the environment with 'virtualenv', or install the official Pulumi CLI."
        )
    if options.get("typechecker"):
        raise InterpreterError(
            f"runtime option 'typechecker' is {options['typechecker']!r}; this host does not type-check before a run. "
            "Remove it (`make lint` checks types), or install the official Pulumi CLI."
        )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _ambient() -> Interpreter:
    named = os.environ.get("PULUMI_PYTHON_CMD")
    if not named:
        prefix = Path(sys.prefix)
        return Interpreter(Path(sys.executable), prefix if prefix != Path(sys.base_prefix) else None)
    found = shutil.which(named)
    if found is None:
        raise InterpreterError(
            f"PULUMI_PYTHON_CMD is {named!r}, which is not an executable on PATH. Correct or unset it."
        )
    return Interpreter(Path(found), None)
