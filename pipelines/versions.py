"""Versions of a registered model, found again by what they were made of."""

from collections.abc import Mapping
from typing import Any, Final, cast

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import ModelVersionInfoStatus

# Versions are read newest first, one request each.
_VERSIONS_READ: Final = 20
_GET_VERSION: Final = "/api/2.0/mlflow/unity-catalog/model-versions/get"
_SET_TAG: Final = "/api/2.0/mlflow/unity-catalog/model-versions/set-tag"


def find_version(workspace: WorkspaceClient, full_name: str, digests: Mapping[str, str]) -> str | None:
    """The number of the newest READY version of `full_name` whose tags hold `digests`; None when there is none."""
    try:
        found = list(workspace.model_versions.list(full_name))
    except NotFound:
        return None
    numbers = sorted((v.version for v in found if v.version and v.status is ModelVersionInfoStatus.READY), reverse=True)
    for number in numbers[:_VERSIONS_READ]:
        tags = version_tags(workspace, full_name, str(number))
        if all(tags.get(name) == digest for name, digest in digests.items()):
            return str(number)
    return None


def version_tags(workspace: WorkspaceClient, full_name: str, version: str) -> dict[str, str]:
    """The tags of a version, by name."""
    # The request of MLflow's own client (mlflow 3.17.2, store/_unity_catalog/registry/rest_store.py). The SDK has no
    # call that gives a version's tags, and importing MLflow would take longer than all the rest of a run that has
    # nothing to do.
    answer = workspace.api_client.do("GET", _GET_VERSION, query={"name": full_name, "version": version})
    document = cast("dict[str, Any]", answer)
    return {tag["key"]: tag["value"] for tag in document["model_version"].get("tags", [])}


def tag_version(workspace: WorkspaceClient, full_name: str, version: str, name: str, value: str) -> None:
    """Set one tag of a version, by the same client's request."""
    body = {"name": full_name, "version": version, "key": name, "value": value}
    workspace.api_client.do("POST", _SET_TAG, body=body)


def document_model(workspace: WorkspaceClient, full_name: str, comment: str) -> None:
    """Say what a registered model is for, where nobody has said it yet: what people wrote stays."""
    if not (workspace.registered_models.get(full_name).comment or "").strip():
        workspace.registered_models.update(full_name, comment=comment)
