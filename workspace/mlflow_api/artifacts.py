"""Lists of the artifacts of runs and logged models, from the files that clients put there through the Files API."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workspace.errors import invalid

# Where mlflow's client puts artifacts of these URIs (store/artifact/databricks_{run,logged_model}_artifact_repo.py).
_LOGGED_MODEL = re.compile(r"dbfs:/databricks/mlflow-tracking/([^/]+)/logged_models/([^/]+)(/.*)?")
_RUN = re.compile(r"dbfs:/databricks/mlflow-tracking/([^/]+)/([^/]+)(/.*)?")
_VOLUME = re.compile(r"dbfs:(/Volumes/.+)")


class ArtifactLists:
    """`path` is the Files service's, from API paths to places on disk."""

    def __init__(self, path: Callable[[str], Path]) -> None:
        self._path = path

    def entries(self, root_uri: str, relative: str) -> list[dict[str, Any]]:
        """What is directly under `relative`, as fields of MLflow's FileInfo; paths are relative to the root."""
        api_root = _api_root(root_uri)
        root = self._path(api_root)
        folder = self._path(f"{api_root}/{relative.strip('/')}") if relative.strip("/") else root
        if not folder.is_dir():
            return []
        return [_file_info(root, entry) for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)]


def _api_root(root_uri: str) -> str:
    if found := _LOGGED_MODEL.fullmatch(root_uri):
        return f"/WorkspaceInternal/Mlflow/Artifacts/{found[1]}/LoggedModels/{found[2]}{found[3] or ''}"
    if found := _RUN.fullmatch(root_uri):
        return f"/WorkspaceInternal/Mlflow/Artifacts/{found[1]}/Runs/{found[2]}{found[3] or ''}"
    if found := _VOLUME.fullmatch(root_uri):
        return found[1]
    raise invalid(f"The artifacts at {root_uri} are not kept in this workspace, so it cannot list them")


def _file_info(root: Path, entry: Path) -> dict[str, Any]:
    info: dict[str, Any] = {"path": entry.relative_to(root).as_posix(), "is_dir": entry.is_dir()}
    return info if entry.is_dir() else info | {"file_size": entry.stat().st_size}
