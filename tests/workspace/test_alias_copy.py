"""A proven version gets into another catalog once, with its proof, and its alias moves only on that proof."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from pulumi.dynamic import Config, ConfigureRequest

from components.dynamic.alias_copy import copy_version, main
from components.dynamic.errors import ProviderError
from components.dynamic.model_alias import ModelAliasProvider
from tests.support.models import new_model, saved_linear_model
from tests.support.server import WorkspaceServer

TAG = "promoted_champion"
ROWS = pd.DataFrame({"a": [1.0, 4.0], "b": [2.0, 0.5]})


@pytest.fixture
def registry(server: WorkspaceServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    monkeypatch.setenv("DATABRICKS_HOST", server.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", server.token)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    yield MlflowClient(tracking_uri="databricks", registry_uri="databricks-uc")
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def test_a_version_is_copied_once_with_its_proof_and_promoted_on_it_alone(
    registry: MlflowClient, client: WorkspaceClient, server: WorkspaceServer, tmp_path: Path
) -> None:
    source = new_model(client, "proven")
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    mlflow.set_experiment("/Shared/proven")
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            saved_linear_model(tmp_path / "linear"),
            name="model",
            signature=mlflow.models.infer_signature(ROWS, np.array([1.0, 2.0])),
            registered_model_name=source,
            pip_requirements=["scikit-learn"],
        )
    target = new_model(client, "accepted", catalog="prod_models")
    with pytest.raises(ProviderError, match=f"no digest in tag {TAG}"):
        copy_version(registry, f"{source}/1", target, evidence_tag=TAG)
    assert registry.search_model_versions(f"name='{target}'") == []

    prove(registry, source, "sha256:first")
    registry.set_registered_model_alias(source, "champion", "1")
    assert main([f"{source}@champion", target]) == 0
    assert copy_version(registry, f"{source}/1", target, evidence_tag=TAG) == "1"
    assert [str(one.version) for one in registry.search_model_versions(f"name='{target}'")] == ["1"]

    provider = ModelAliasProvider()
    settings = {"databricks:host": server.host, "databricks:token": server.token}
    provider.configure(ConfigureRequest(Config(settings, "project")))
    wanted: dict[str, Any] = {
        "model": target,
        "alias": "production",
        "version": "1",
        "promoted_from": {"model": source, "alias": "champion", "tag": TAG},
    }
    prove(registry, source, "sha256:second")
    with pytest.raises(ProviderError, match="copied on evidence sha256:first"):
        provider.create(wanted)
    assert copy_version(registry, f"{source}/1", target, evidence_tag=TAG) == "1"
    assert provider.check({}, wanted).failures == []
    provider.create(wanted)
    assert str(registry.get_model_version_by_alias(target, "production").version) == "1"


def prove(registry: MlflowClient, model: str, digest: str) -> None:
    """What a stack's `ModelAlias` writes when it moves the alias."""
    entry = {"model": model, "to": "1", "evidence": digest}
    registry.set_model_version_tag(model, "1", TAG, json.dumps(entry))
