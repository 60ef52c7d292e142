"""The registry calls behind `ModelAlias`: one function a question, with "not there" told apart from "could not be
asked".

Source: Unity Catalog's model API (`models/{full_name}/versions/{n}`, `models/{full_name}/aliases/{alias}`) and, for
tags, the MLflow dialect (`mlflow/unity-catalog/model-versions/get`, `set-tag`), as databricks-sdk 0.156.0 and MLflow
3.17.2 send them: the Unity Catalog API of that SDK shows no tags of a version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import AbsentError, ProviderError, WorkspaceError, asking
from .waiting import Clock

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

# A write may take a moment to be seen by the next read.
_READ_BACK_ATTEMPTS = 5
_READ_BACK_SECONDS = 1.0
# What Unity Catalog takes as the value of a tag.
_LONGEST_TAG_VALUE = 1000
_MLFLOW_VERSIONS = "/api/2.0/mlflow/unity-catalog/model-versions"


@dataclass(frozen=True, kw_only=True)
class VersionFacts:
    """What a model version says about itself."""

    tags: Mapping[str, str]
    run_id: str
    """The run that logged the model; empty where there is none."""


def live_version(client: WorkspaceClient, model: str, alias: str) -> str | None:
    """The version that the alias points to, None where there is no such alias (or no such model).

    Raises:
        WorkspaceError: the workspace did not say.
    """
    try:
        with asking(f"reading alias {alias} of {model}"):
            found = client.model_versions.get_by_alias(model, alias)
    except AbsentError:
        return None
    if found.version is None:
        raise ProviderError(f"reading alias {alias} of {model}: the answer names no version")
    return str(found.version)


def version_problem(client: WorkspaceClient, model: str, version: str) -> tuple[str, str] | None:
    """Why this version cannot carry an alias: the property at fault (`model` or `version`) and the reason.

    Raises:
        WorkspaceError: the workspace did not say.
    """
    from databricks.sdk.service.catalog import ModelVersionInfoStatus

    try:
        with asking(f"reading version {version} of {model}"):
            found = client.model_versions.get(model, int(version))
    except AbsentError:
        return _absence(client, model, version)
    if found.status != ModelVersionInfoStatus.READY:
        status = found.status.value if found.status else "of unknown status"
        return "version", (
            f"version {version} of {model} is {status}, expected READY: finish its registration, or name another"
        )
    return None


def version_facts(client: WorkspaceClient, model: str, version: str) -> VersionFacts:
    """Tags and origin of a version.

    Raises:
        AbsentError: there is no such version.
        WorkspaceError: the workspace did not say.
    """
    with asking(f"reading the tags of version {version} of {model}"):
        answer: Any = client.api_client.do(
            "GET", f"{_MLFLOW_VERSIONS}/get", query={"name": model, "version": version}, headers=_headers(client)
        )
    found = answer.get("model_version") if isinstance(answer, dict) else None
    if not isinstance(found, dict):
        raise ProviderError(f"reading the tags of version {version} of {model}: the answer names no model_version")
    tags = {tag["key"]: tag.get("value", "") for tag in found.get("tags") or []}
    return VersionFacts(tags=tags, run_id=found.get("run_id") or "")


def who_am_i(client: WorkspaceClient) -> str:
    """The user or service principal that the credentials belong to. Raises WorkspaceError."""
    with asking("reading the current user"):
        return client.current_user.me().user_name or "unknown"


def point_alias(client: WorkspaceClient, model: str, alias: str, version: str, clock: Clock) -> None:
    """Points the alias at the version, and reads it back.

    Raises:
        WorkspaceError: the write was refused, or nobody can say whether it happened and the alias does not show it.
        ProviderError: the write was accepted, but the alias points elsewhere.
    """
    doubt: WorkspaceError | None = None
    try:
        with asking(f"pointing alias {alias} of {model} at version {version}"):
            client.registered_models.set_alias(model, alias, int(version))
    except WorkspaceError as error:
        if not error.may_have_taken_effect:
            raise
        doubt = error
    seen = None
    for attempt in range(_READ_BACK_ATTEMPTS):
        if attempt:
            clock.sleep(_READ_BACK_SECONDS)
        seen = live_version(client, model, alias)
        if seen == version:
            return
    if doubt is not None:
        raise doubt
    raise ProviderError(
        f"alias {alias} of {model} was pointed at version {version}, but reads back as {seen or 'absent'}",
        "Somebody else may be moving it: `pulumi refresh` shows where it is",
    )


def remove_alias(client: WorkspaceClient, model: str, alias: str) -> None:
    """Removes the alias; one that is gone already is fine. Raises WorkspaceError."""
    try:
        with asking(f"removing alias {alias} of {model}"):
            client.registered_models.delete_alias(model, alias)
    except AbsentError:
        return


def tag_version(client: WorkspaceClient, model: str, version: str, key: str, entry: Mapping[str, object]) -> None:
    """Writes one journal entry as a tag of the model version. Raises WorkspaceError."""
    value = json.dumps(entry, separators=(",", ":"))[:_LONGEST_TAG_VALUE]
    with asking(f"tagging version {version} of {model}"):
        client.api_client.do(
            "POST",
            f"{_MLFLOW_VERSIONS}/set-tag",
            headers=_headers(client),
            body={"name": model, "version": version, "key": key, "value": value},
        )


def _headers(client: WorkspaceClient) -> dict[str, str]:
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if client.config.workspace_id:
        headers["X-Databricks-Workspace-Id"] = client.config.workspace_id
    return headers


def _absence(client: WorkspaceClient, model: str, version: str) -> tuple[str, str]:
    try:
        with asking(f"reading model {model}"):
            client.registered_models.get(model)
    except AbsentError:
        return "model", (
            f"registered model {model} does not exist in {client.config.host}: train and register it first, "
            "or correct its name"
        )
    return "version", f"{model} has no version {version}: name one that is registered"
