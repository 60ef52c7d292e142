"""A registered version: READY, and with the files that serving needs.

Source: Databricks Files API (`GET /api/2.0/fs/files/Models/<catalog>/<schema>/<model>/<version>/...`), the way that
MLflow's own client for Unity Catalog reads artifacts (`DatabricksSDKModelsArtifactRepository`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import ModelVersionInfoStatus

from apps.ops.findings import Finding

LOOKUPS = ("databricks.feature_store.", "databricks.feature_engineering.", "databricks.ml_features.")


def model_version(client: WorkspaceClient, model: str, number: str, *, has_lookups: bool) -> Iterator[Finding]:
    """Status, requirements, feature lookups, and the runtime that it was logged on.

    Args:
        has_lookups: whether the stack publishes feature tables, so that its model has to look features up.
    """
    subject = f"{model}/{number}"
    status = client.model_versions.get(model, int(number)).status
    ready = status == ModelVersionInfoStatus.READY
    fix = "finish its registration, or name another version"
    yield Finding("version", subject, "pass" if ready else "fail", status.value if status else "UNKNOWN", fix)
    folder = f"/Models/{model.replace('.', '/')}/{number}"
    description = yaml.safe_load(_text(client, f"{folder}/MLmodel"))
    requirements = _text(client, f"{folder}/requirements.txt", missing="").strip()
    yield Finding(
        "requirements",
        subject,
        "pass" if requirements else "fail",
        f"{len(requirements.splitlines())} packages" if requirements else "there is no requirements.txt",
        "log the model with its pip_requirements and register a new version",
    )
    if has_lookups:
        yield _lookups(subject, description)
    yield _runtime(subject, description)


def _lookups(subject: str, description: dict[str, Any]) -> Finding:
    loader = str(description.get("flavors", {}).get("python_function", {}).get("loader_module", ""))
    good = loader.startswith(LOOKUPS)
    return Finding(
        "feature lookup",
        subject,
        "pass" if good else "fail",
        "looks its features up" if good else f"is loaded by {loader or 'nothing'}, which looks nothing up",
        "log it with its training set (FeatureEngineeringClient.log_model) and register a new version",
    )


def _runtime(subject: str, description: dict[str, Any]) -> Finding:
    runtime = description.get("databricks_runtime")
    if not runtime:
        return Finding(
            "runtime",
            subject,
            "unknown",
            "was logged outside of a Databricks cluster",
            "where feature lookups fail on Databricks, log it from a job on an ML runtime, for example 17.1.x ML",
        )
    good = "-ml" in str(runtime)
    fix = "log it from a job on an ML runtime (17.1.x-cpu-ml-...) and register a new version"
    return Finding("runtime", subject, "pass" if good else "fail", str(runtime), fix)


def _text(client: WorkspaceClient, path: str, *, missing: str | None = None) -> str:
    try:
        # The SDK's own download asks for a presigned address first, which is a POST and not allowed everywhere.
        answer: Any = client.api_client.do(
            "GET", f"/api/2.0/fs/files{path}", headers={"Accept": "application/octet-stream"}, raw=True
        )
    except NotFound:
        if missing is None:
            raise
        return missing
    with answer["contents"] as contents:
        return str(contents.read().decode())
