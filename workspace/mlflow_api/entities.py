"""What the registry answers with, whichever dialect asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workspace.errors import invalid
from workspace.mlflow_api.names import ModelName

PENDING = "PENDING_REGISTRATION"
READY = "READY"
FAILED = "FAILED_REGISTRATION"


@dataclass(frozen=True, kw_only=True)
class RegisteredModel:
    """A registered model. Times are milliseconds since the epoch."""

    name: ModelName
    id: str
    comment: str
    owner: str
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str
    tags: Mapping[str, str]
    aliases: Mapping[str, int]
    deployment_job_id: str = ""

    @property
    def full_name(self) -> str:
        return self.name.full


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """A model version. `folder` holds its artifacts (`MLmodel` at the top) as soon as they are uploaded."""

    name: ModelName
    version: int
    id: str
    status: str
    status_message: str
    folder: Path
    source: str
    run_id: str
    run_workspace_id: str
    model_id: str
    comment: str
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str
    tags: Mapping[str, str]
    aliases: tuple[str, ...]
    dependencies: list[dict[str, object]] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return self.name.full

    @property
    def storage_location(self) -> str:
        """A URI for display; clients reach the artifacts through the Files API or presigned URLs."""
        return f"dbfs:{self.name.folder}/{self.version}"


def tags_of(value: Any) -> dict[str, str]:
    """Tags of a body; ApiError 400 unless they are a list of objects with keys."""
    tags = value or []
    if not isinstance(tags, list) or not all(isinstance(tag, dict) and tag.get("key") for tag in tags):
        raise invalid(f"tags must be a list of objects with key and value, received {value!r}")
    return {str(tag["key"]): str(tag.get("value") or "") for tag in tags}
