"""The environment of a model process: this project's, whose differences from what the model asks for are told."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

REQUIREMENTS_FILE = "requirements.txt"


def unmet_requirements(model_folder: Path) -> list[str]:
    """Lines for the build log: packages of the model's requirements.txt that are missing, or of another version.

    Databricks builds an image with the model's requirements. Here the packages are those that the server runs with: a
    model that needs another one fails when it loads, and says so itself.
    """
    path = model_folder / REQUIREMENTS_FILE
    if not path.exists():
        return []
    found = [_difference(line.partition("#")[0].strip()) for line in path.read_text().splitlines()]
    return [line for line in found if line]


def _difference(text: str) -> str:
    if not text or text.startswith("-"):
        return ""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return f"WARNING: requirement '{text}' cannot be read; the model runs with the packages of the workspace."
    if requirement.marker is not None and not requirement.marker.evaluate():
        return ""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"WARNING: requirement '{text}' is not installed where the workspace runs; nothing is installed for it."
    if requirement.specifier.contains(version, prereleases=True):
        return ""
    return f"WARNING: requirement '{text}' is not met: the model runs with {requirement.name} {version}."
