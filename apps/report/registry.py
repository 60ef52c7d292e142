"""Versions of the model, and where its aliases have been: from the registry and the journal that its tags are.

Source: Unity Catalog's model API and, for tags, MLflow's `unity-catalog/model-versions/get`, as databricks-sdk 0.156.0
and MLflow 3.17.2 send them. A version's tag `promoted_<alias>` holds its last move (docs/aliases.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apps.report.source import Reading, Source, moment

_TAGS = "/api/2.0/mlflow/unity-catalog/model-versions/get"
_JOURNAL = "promoted_"


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of the model."""

    number: int
    created_at: datetime | None
    status: str
    aliases: tuple[str, ...]
    """What points to it now."""
    tags: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Move:
    """An alias that was pointed to a version."""

    alias: str
    at: datetime
    by: str
    before: str
    """The version before; empty where there was none."""
    version: int


@dataclass(frozen=True, kw_only=True)
class History:
    """All versions, the oldest first, and the moves that their tags tell of."""

    versions: list[Version]
    moves: list[Move]


def read_history(source: Source, model: str) -> Reading[History]:
    """The history of one registered model."""
    nothing = History(versions=[], moves=[])
    client = source.client
    listed = source.many(f"versions of {model}", lambda: client.model_versions.list(model))
    if listed.missing:
        return Reading(nothing, listed.missing)
    aliases = source.many(
        f"aliases of {model}", lambda: client.registered_models.get(model, include_aliases=True).aliases or []
    )
    pointing: dict[int, list[str]] = {}
    for alias in aliases.value:
        pointing.setdefault(int(alias.version_num or 0), []).append(alias.alias_name or "")
    versions = []
    for found in listed.value:
        number = int(found.version or 0)
        versions.append(
            Version(
                number=number,
                created_at=datetime.fromtimestamp(found.created_at / 1000, UTC) if found.created_at else None,
                status=found.status.value if found.status else "UNKNOWN",
                aliases=tuple(sorted(pointing.get(number, []))),
                tags=_tags(source, model, number),
            )
        )
    versions.sort(key=lambda one: one.number)
    moves = sorted((move for version in versions for move in moves_of(version.tags)), key=lambda one: one.at)
    missing = aliases.missing if versions else f"model {model} has no version"
    return Reading(History(versions=versions, moves=moves), missing)


def moves_of(tags: Mapping[str, str]) -> Iterable[Move]:
    """The moves that a version's tags tell of; what is no entry of the journal is passed over."""
    for key, text in sorted(tags.items()):
        if not key.startswith(_JOURNAL):
            continue
        try:
            entry: Any = json.loads(text)
        except ValueError:
            continue
        if not isinstance(entry, dict) or not {"at", "to"} <= set(entry) or not str(entry["to"]).isdigit():
            continue
        yield Move(
            alias=key.removeprefix(_JOURNAL),
            at=moment(str(entry["at"])),
            by=str(entry.get("by", "")),
            before=str(entry.get("from", "")),
            version=int(entry["to"]),
        )


def _tags(source: Source, model: str, number: int) -> dict[str, str]:
    query = {"name": model, "version": str(number)}
    found: Any = source.one("tags", lambda: source.client.api_client.do("GET", _TAGS, query=query)).value
    version = found.get("model_version") if isinstance(found, dict) else None
    tags = version.get("tags") if isinstance(version, dict) else None
    return {str(tag["key"]): str(tag.get("value", "")) for tag in tags or []}
