"""Which version is asked, as a number, and where its files are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import mlflow
import yaml
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from mlflow.exceptions import MlflowException

from pipelines.batch_scoring.request import BatchRequest
from pipelines.errors import PipelineError
from pipelines.feature_model import RAW_MODEL, SPEC_FILE

_DATA: Final = Path("data", "feature_store")


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a model."""

    model: str
    number: int
    alias: str | None
    """What it was asked for by."""

    @property
    def uri(self) -> str:
        """With the number: an alias that moves while rows are scored changes nothing."""
        return f"models:/{self.model}/{self.number}"


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """A version's files on the driver's disk."""

    folder: Path

    @property
    def spec(self) -> dict[str, Any] | None:
        """`feature_spec.yaml`; None for a model without feature lookups."""
        path = self.folder / _DATA / SPEC_FILE
        if not path.is_file():
            return None
        document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        return document

    @property
    def scoring_uri(self) -> str:
        """What is loaded on the workers: the model itself, without the lookup that is done by a join before."""
        return str(self.folder if self.spec is None else self.folder / _DATA / RAW_MODEL)

    def input_names(self) -> list[str]:
        """Columns that the model's signature names. Raises PipelineError where it has none."""
        schema = mlflow.models.Model.load(str(self.folder)).get_input_schema()  # type: ignore[no-untyped-call]
        if schema is None or not schema.has_input_names():
            raise PipelineError(f"The model in {self.folder} names no inputs: log it with a signature.")
        return [str(name) for name in schema.input_names()]


def resolve(request: BatchRequest, workspace: WorkspaceClient) -> Version:
    """The version that is asked for. Raises PipelineError where there is none, or no such alias."""
    try:
        if request.alias is not None:
            found = workspace.model_versions.get_by_alias(request.model, request.alias)
        else:
            found = workspace.model_versions.get(request.model, int(request.version or 0))
    except NotFound as error:
        asked = f"alias {request.alias}" if request.alias is not None else f"version {request.version}"
        raise PipelineError(
            f"{request.model} has no {asked}: {error} Set the alias on a version (case matters), or name another."
        ) from error
    # The API has it as a number, MLflow as a text.
    return Version(model=request.model, number=int(found.version or 0), alias=request.alias)


def download(version: Version) -> ModelFiles:
    """The version's files. Raises PipelineError with MLflow's own words."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow.set_registry_uri("databricks-uc")
    try:
        return ModelFiles(folder=Path(mlflow.artifacts.download_artifacts(version.uri)))
    except MlflowException as error:
        raise PipelineError(f"{version.uri} cannot be read: {error}") from error
