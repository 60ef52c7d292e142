"""What the toolchain has to know of a Pulumi project without running it: its name, its folder, its stack files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from toolchain.files import read_record, write_atomically
from toolchain.layout import Layout
from toolchain.report import ToolchainError


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


def find_project(layout: Layout, named: str) -> Project:
    """The project in the folder `named`, relative to the clone; its root when empty.

    Raises:
        ToolchainError: there is no Pulumi project there.
    """
    folder = (layout.root / named).resolve()
    file = folder / "Pulumi.yaml"
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ToolchainError(
            f"PROJECT is {named or '.'!r}, but {file} cannot be read ({error.strerror}). "
            "Name a folder that has a Pulumi.yaml, relative to this clone or absolute, or leave PROJECT out."
        ) from error
    match = re.search(r"^name:\s*[\"']?([\w.-]+)", text, re.MULTILINE)
    if match is None:
        raise ToolchainError(f"{file} has no `name:` at its top level; a Pulumi project needs one.")
    return Project(folder, match.group(1))


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
