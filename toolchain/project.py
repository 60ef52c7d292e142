"""What the toolchain has to know of a Pulumi project without running it: its name, its folder, its stack files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from toolchain.files import read_record, write_atomically
from toolchain.layout import Layout
from toolchain.report import ToolchainError

EXAMPLES = "examples"
#: What the project in the clone's root is called by.
ROOT_PROJECT = "taxi"
#: Projects of examples whose own jobs make what a later part of their stack needs: what brings such a stack up, step by
#: step, in place of one `pulumi up`. Run as `python -m <module> --stack S`.
DRIVERS = {"taxi_e2e": "apps.run_e2e"}


@dataclass(frozen=True)
class Project:
    """A folder with a `Pulumi.yaml`."""

    folder: Path
    name: str

    def stack_file(self, stack: str) -> Path:
        return self.folder / f"Pulumi.{stack}.yaml"

    def state_file(self, layout: Layout, stack: str) -> Path:
        """Where the file backend keeps the stack."""
        return layout.state / ".pulumi" / "stacks" / self.name / f"{stack}.json"


@dataclass(frozen=True)
class Pipeline:
    """What makes a project's tables and models before its stack is brought up.

    Args:
        module: run as `python -m <module> --catalog C --schema S`.
    """

    module: str
    catalog: str
    schema: str


def find_project(layout: Layout, named: str) -> Project:
    """The project that is called `named`.

    Args:
        named: a folder of `examples`, by its name (`-` stands for `_` too); else a folder, relative to the clone; the
            clone's root when it is `taxi` or empty.

    Raises:
        ToolchainError: there is no Pulumi project there.
    """
    examples = [layout.root / EXAMPLES / name for name in (named, named.replace("-", "_")) if named]
    example = next((folder for folder in examples if (folder / "Pulumi.yaml").is_file()), None)
    if named == ROOT_PROJECT:
        folder = layout.root.resolve()
    elif example is not None:
        folder = example.resolve()
    else:
        folder = (layout.root / named).resolve()
    file = folder / "Pulumi.yaml"
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ToolchainError(
            f"PROJECT is {named or '.'!r}, but {file} cannot be read ({error.strerror}). "
            f"Use {', '.join([ROOT_PROJECT, *_examples(layout)])}, or name a folder that has a Pulumi.yaml, relative "
            "to this clone or absolute, or leave PROJECT out."
        ) from error
    match = re.search(r"^name:\s*[\"']?([\w.-]+)", text, re.MULTILINE)
    if match is None:
        raise ToolchainError(f"{file} has no `name:` at its top level; a Pulumi project needs one.")
    return Project(folder, match.group(1))


def driver_of(layout: Layout, project: Project) -> str | None:
    """The module that brings a project's stack up step by step; None where one `pulumi up` does."""
    if project.folder.parent != (layout.root / EXAMPLES).resolve():
        return None
    return DRIVERS.get(project.folder.name)


def pipeline_of(layout: Layout, project: Project, stack: str) -> Pipeline | None:
    """The pipeline of one of the clone's own projects; None where it has none.

    It is `pipelines/<folder of the project>`, with `_` for `-`, and writes where the stack file says.

    Raises:
        ToolchainError: the stack file names no catalog and schema.
    """
    if project.folder == layout.root.resolve():
        name = ROOT_PROJECT
    elif project.folder.parent == (layout.root / EXAMPLES).resolve():
        name = project.folder.name.replace("-", "_")
    else:
        return None
    if not (layout.root / "pipelines" / name / "__main__.py").is_file():
        return None
    catalog, schema = _place(project.stack_file(stack))
    return Pipeline(f"pipelines.{name}", catalog, schema)


def _place(stack_file: Path) -> tuple[str, str]:
    """Catalog and schema of a stack, from the only object in its file that has both."""
    try:
        content: Any = yaml.safe_load(stack_file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ToolchainError(
            f"{stack_file} cannot be read ({error.strerror}); the pipeline writes where it says. Bring it back, for "
            "example with `git restore`."
        ) from error
    except yaml.YAMLError as error:
        raise ToolchainError(f"{stack_file} is no YAML; correct it: {error}") from error
    try:
        settings = [value for value in content["config"].values() if isinstance(value, dict)]
        ((catalog, schema),) = [
            (one["catalog"], one["schema"]) for one in settings if "catalog" in one and "schema" in one
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ToolchainError(
            f"{stack_file} does not say where the pipeline writes ({type(error).__name__}: {error}). "
            "Put catalog and schema under config, in the object <project>:serving."
        ) from error
    return str(catalog), str(schema)


def _examples(layout: Layout) -> list[str]:
    return sorted(file.parent.name.replace("_", "-") for file in (layout.root / EXAMPLES).glob("*/Pulumi.yaml"))


def has_resources(state_file: Path) -> bool:
    """Whether the stack in this state file still has resources."""
    latest = read_record(state_file).get("checkpoint", {}).get("latest") or {}
    return bool(latest.get("resources"))


def drop_salt(stack_file: Path) -> None:
    """Takes the engine's `encryptionsalt` out of a stack file that holds no secret values.

    The engine writes it into the file of every new stack, for the passphrase of the moment. The stack file is shared
    and the passphrase is not, so that in another clone, or after `make clean`, the line would only be refused
    ("incorrect passphrase"). Without secret values nothing depends on it: the state keeps its own copy, and the engine
    makes a new one.
    """
    try:
        text = stack_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    if re.search(r"^\s*(?:- )?secure:", text, re.MULTILINE):
        return
    kept = re.sub(r"^encryptionsalt:.*\n?", "", text, flags=re.MULTILINE)
    if kept != text:
        write_atomically(stack_file, kept.encode())
