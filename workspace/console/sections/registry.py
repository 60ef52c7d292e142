"""Registered models of Unity Catalog: versions, newest first, with their aliases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workspace.console.reading import Workspace, gathered
from workspace.http import Json

PATH = "/api/2.1/unity-catalog/models"
SHOWN_VERSIONS = 8


@dataclass(frozen=True)
class Version:
    number: int
    status: str
    aliases: Sequence[str]
    created_ms: int
    created_by: str
    run_id: str


@dataclass(frozen=True)
class Model:
    name: str
    versions: Sequence[Version]
    """The newest ones, and every one that has an alias."""
    count: int


async def models(workspace: Workspace) -> list[Model]:
    listed = await workspace.all(PATH, "registered_models")
    found = await gathered([_model(workspace, str(one["full_name"])) for one in listed])
    return sorted(found, key=lambda one: one.name)


async def _model(workspace: Workspace, name: str) -> Model:
    model = await workspace.get(f"{PATH}/{name}", include_aliases="true")
    aliases: dict[int, list[str]] = {}
    for alias in model.get("aliases", []):
        aliases.setdefault(int(alias["version_num"]), []).append(alias["alias_name"])
    listed = await workspace.all(f"{PATH}/{name}/versions", "model_versions")
    versions = sorted((_version(one, aliases) for one in listed), key=lambda one: -one.number)
    return Model(
        name=name,
        versions=[one for place, one in enumerate(versions) if place < SHOWN_VERSIONS or one.aliases],
        count=len(versions),
    )


def _version(shown: Json, aliases: dict[int, list[str]]) -> Version:
    number = int(shown["version"])
    return Version(
        number=number,
        status=shown.get("status", "UNKNOWN"),
        aliases=sorted(aliases.get(number, [])),
        created_ms=int(shown["created_at"]),
        created_by=shown.get("created_by", ""),
        run_id=shown.get("run_id", ""),
    )
