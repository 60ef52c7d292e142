"""Between the rows of MLflow's registry tables and the registry's entities; the hidden tag is known here only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.utils.validation import MAX_MODEL_REGISTRY_TAG_KEY_LENGTH, MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH
from sqlalchemy.orm import Session

from workspace.errors import invalid
from workspace.mlflow_api.entities import ModelVersion, RegisteredModel
from workspace.mlflow_api.names import ModelName
from workspace.mlflow_api.tables import SqlModelVersionTag, SqlRegisteredModelTag

HIDDEN_TAG = "__workspace__"


def check_tags(tags: Mapping[str, str]) -> None:
    """ApiError 400 for a key or value that the registry does not take."""
    for key, value in tags.items():
        if not key or len(key) > MAX_MODEL_REGISTRY_TAG_KEY_LENGTH or key == HIDDEN_TAG:
            raise invalid(f"Invalid tag key {key!r}: a key has 1 to {MAX_MODEL_REGISTRY_TAG_KEY_LENGTH} characters")
        if len(value) > MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH:
            raise invalid(
                f"The value of tag {key!r} has {len(value)} characters; "
                f"at most {MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH} are allowed"
            )


def model_tags(name: ModelName, tags: Mapping[str, str], extra: Mapping[str, Any] | None) -> list[Any]:
    return [SqlRegisteredModelTag(name=name.full, key=key, value=value) for key, value in _with_extra(tags, extra)]


def version_tags(name: ModelName, number: int, tags: Mapping[str, str], extra: Mapping[str, Any] | None) -> list[Any]:
    pairs = _with_extra(tags, extra)
    return [SqlModelVersionTag(name=name.full, version=number, key=key, value=value) for key, value in pairs]


def change_tags(session: Session, tags: Iterable[Any], remove: Sequence[str], add: Iterable[Any]) -> None:
    """Remove the named tags and set others; removing one that is not there changes nothing."""
    kept = {}
    for tag in tags:
        if tag.key in remove and tag.key != HIDDEN_TAG:
            session.delete(tag)
        else:
            kept[tag.key] = tag
    session.flush()
    for tag in add:
        if tag.key in kept:
            kept[tag.key].value = tag.value
        else:
            session.add(tag)


def update_extra(tags: Iterable[Any], changes: Mapping[str, Any]) -> None:
    hidden = next(tag for tag in tags if tag.key == HIDDEN_TAG)
    hidden.value = json.dumps(json.loads(hidden.value) | dict(changes))


def to_model(name: ModelName, row: Any) -> RegisteredModel:
    extra = _extra(row.registered_model_tags)
    return RegisteredModel(
        name=name,
        id=extra["id"],
        comment=row.description or "",
        owner=extra["owner"],
        created_at=row.creation_time,
        created_by=extra["created_by"],
        updated_at=row.last_updated_time,
        updated_by=extra["updated_by"],
        tags=_visible(row.registered_model_tags),
        aliases={alias.alias: alias.version for alias in sorted(row.registered_model_aliases, key=lambda a: a.alias)},
        deployment_job_id=extra["deployment_job_id"],
    )


def to_version(name: ModelName, row: Any, folder: Path) -> ModelVersion:
    extra = _extra(row.model_version_tags)
    aliases = row.registered_model.registered_model_aliases
    return ModelVersion(
        name=name,
        version=row.version,
        id=extra["id"],
        status=row.status,
        status_message=row.status_message or "",
        folder=folder,
        source=row.source or "",
        run_id=row.run_id or "",
        run_workspace_id=extra["run_workspace_id"],
        model_id=extra["model_id"],
        comment=row.description or "",
        created_at=row.creation_time,
        created_by=row.user_id or "",
        updated_at=row.last_updated_time,
        updated_by=extra["updated_by"],
        tags=_visible(row.model_version_tags),
        aliases=tuple(sorted(alias.alias for alias in aliases if alias.version == row.version)),
        dependencies=extra["dependencies"],
    )


def _with_extra(tags: Mapping[str, str], extra: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    hidden = [] if extra is None else [(HIDDEN_TAG, json.dumps(extra))]
    return [*tags.items(), *hidden]


def _extra(tags: Iterable[Any]) -> dict[str, Any]:
    extra: dict[str, Any] = json.loads(next(tag.value for tag in tags if tag.key == HIDDEN_TAG))
    return extra


def _visible(tags: Iterable[Any]) -> dict[str, str]:
    return {tag.key: tag.value or "" for tag in sorted(tags, key=lambda tag: tag.key) if tag.key != HIDDEN_TAG}
