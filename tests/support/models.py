"""Small models for the registry's tests: their files, and the requests that register them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient

MLMODEL = """\
flavors:
  python_function: {loader_module: tests.nothing}
signature:
  inputs: '[{"type": "double", "name": "a", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
"""
LEGACY = "/api/2.0/mlflow/unity-catalog"


def create_version(client: WorkspaceClient, full_name: str, *, run_id: str = "") -> int:
    """A version that waits for its files."""
    body = {"name": full_name, "source": "dbfs:/somewhere", "run_id": run_id}
    answer: Any = client.api_client.do("POST", f"{LEGACY}/model-versions/create", body=body)
    assert answer["model_version"]["status"] == "PENDING_REGISTRATION"
    return int(answer["model_version"]["version"])


def upload(client: WorkspaceClient, full_name: str, version: int, files: dict[str, str]) -> None:
    folder = f"/Models/{full_name.replace('.', '/')}/{version}"
    for name, text in files.items():
        client.files.upload(f"{folder}/{name}", io.BytesIO(text.encode()), overwrite=True)


def finalize(client: WorkspaceClient, full_name: str, version: int) -> dict[str, Any]:
    body = {"name": full_name, "version": str(version)}
    answer: Any = client.api_client.do("POST", f"{LEGACY}/model-versions/finalize", body=body)
    return dict(answer["model_version"])


def ready_version(client: WorkspaceClient, full_name: str, *, run_id: str = "") -> int:
    """A version that is READY: created, uploaded, finalized."""
    version = create_version(client, full_name, run_id=run_id)
    upload(client, full_name, version, {"MLmodel": MLMODEL})
    assert finalize(client, full_name, version)["status"] == "READY"
    return version


def new_model(client: WorkspaceClient, name: str, *, catalog: str = "models", schema: str = "ml") -> str:
    """A registered model in a schema that is made on the way; its full name."""
    if catalog not in [found.name for found in client.catalogs.list()]:
        client.catalogs.create(catalog)
    if schema not in [found.name for found in client.schemas.list(catalog)]:
        client.schemas.create(schema, catalog)
    return str(client.registered_models.create(name=name, catalog_name=catalog, schema_name=schema).full_name)


def saved_linear_model(folder: Path) -> Any:
    """An MLflow model with a signature, saved to `folder`; the fitted estimator it holds (y = 2a + b + 1)."""
    import mlflow
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    rows = pd.DataFrame({"a": [1.0, 2.0, 3.0, 5.0], "b": [0.0, 1.0, 0.0, 4.0]})
    model = LinearRegression().fit(rows, 2 * rows.a + rows.b + 1)
    signature = mlflow.models.infer_signature(rows, model.predict(rows))
    mlflow.sklearn.save_model(model, str(folder), signature=signature, pip_requirements=["scikit-learn"])
    return model


def register(client: WorkspaceClient, name: str, saved: Path) -> str:
    """The files of a saved model as version 1 of a registered model, through the Files API; its full name."""
    full_name = new_model(client, name, catalog="main", schema="ml")
    version = create_version(client, full_name)
    for path in saved.rglob("*"):
        if path.is_file():
            target = f"/Models/{full_name.replace('.', '/')}/{version}/{path.relative_to(saved)}"
            with path.open("rb") as contents:
                client.files.upload(target, contents, overwrite=True)
    assert finalize(client, full_name, version)["status"] == "READY"
    return full_name
