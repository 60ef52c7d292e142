"""What a version's own files say, looked at before it is served: its packages, its signature, its feature lookups.

Reads only. A workspace that does not let the files be read is no reason to refuse: that is said, and nothing concluded.
Source: Files API (`GET /api/2.0/fs/files/Models/<catalog>/<schema>/<model>/<version>/...`), as MLflow's client for
Unity Catalog reads artifacts (mlflow 3.17.2 `DatabricksSDKModelsArtifactRepository`); the MLmodel file is MLflow's, and
models with lookups are loaded by the modules below (databricks-feature-engineering 0.18.2 `log_model`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import yaml

from .dynamic.errors import AbsentError, WorkspaceError, asking

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

LOOKUP_LOADERS = ("databricks.feature_store.", "databricks.feature_engineering.", "databricks.ml_features.")
# The client that a serving container looks features up with; either of the others brings it along.
_LOOKUP_PACKAGES = re.compile(r"databricks[-_.]feature[-_.](?:lookup|engineering|store)\b", re.IGNORECASE)


class ModelFilesError(pulumi.RunError):
    """A version could not do what the stack needs of it: which, why, what to do. Shown without a traceback."""


@dataclass(frozen=True)
class VersionFiles:
    """What the MLmodel file and the requirements of a version say."""

    loader: str
    """Module that loads the python_function."""
    inputs: Mapping[str, bool] | None
    """Named input to whether a request must have it; None where the inputs have no names (a tensor)."""
    has_signature: bool
    has_requirements: bool
    has_lookup_client: bool

    @property
    def looks_features_up(self) -> bool:
        return self.loader.startswith(LOOKUP_LOADERS)


def check_files(
    model: str,
    versions: Sequence[str],
    client: WorkspaceClient,
    *,
    needs_lookup: bool,
    payloads: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Every version has what serving needs, and the smoke queries fit its signature.

    Args:
        model: registered model, three parts.
        needs_lookup: whether callers send keys and the model has to find its features.
        payloads: bodies of the smoke queries; those with `dataframe_records` are held to the signature.

    Raises:
        ModelFilesError: naming every version and everything that it lacks.
    """
    problems: list[str] = []
    for version in versions:
        try:
            found = _read(client, model, version)
        except WorkspaceError as error:
            # The Files API may be closed to this identity, or to models.
            pulumi.log.warn(f"the files of {model} version {version} were not looked at: {error}")
            continue
        problems += [f"{model} version {version} {one}" for one in _problems(found, needs_lookup, payloads)]
        for stranger in _strangers(found, payloads):
            pulumi.log.warn(
                f"smoke queries send {stranger}, which the signature of {model} version {version} does not have: the "
                "model never sees it (or it is a label, or a feature that is looked up)"
            )
    if problems:
        raise ModelFilesError("\n".join(problems))


def _problems(found: VersionFiles, needs_lookup: bool, payloads: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not found.has_signature:
        yield "has no signature: log it with one (`infer_signature`) and register a new version"
    if not found.has_requirements:
        yield "has no requirements.txt: log it with pip_requirements and register a new version"
    if found.has_requirements and found.looks_features_up and not found.has_lookup_client:
        # A served model runs in a container of its packages and on no cluster: no runtime brings the client there.
        yield (
            "looks features up and has no databricks-feature-lookup in its requirements.txt, so that its container "
            'ends in "Feature lookup setup failed": log it with FeatureEngineeringClient.log_model from a job on a '
            "Databricks ML runtime (for example 17.1.x ML) and register a new version"
        )
    if needs_lookup and not found.looks_features_up:
        yield (
            f"is loaded by {found.loader or 'nothing'} and looks no feature up, but the stack publishes feature "
            "tables: log it with its training set (FeatureEngineeringClient.log_model) and register a new version, or "
            "set model.featureLookup to false where it gets its features in another way"
        )
    required = {name for name, is_required in (found.inputs or {}).items() if is_required}
    for number, record in enumerate(_records(payloads)):
        if missing := sorted(required - set(record)):
            yield f"needs {', '.join(missing)}, which record {number} of the smoke queries does not send: add it"


def _strangers(found: VersionFiles, payloads: Sequence[Mapping[str, Any]]) -> list[str]:
    if not found.inputs:
        return []
    sent = {name for record in _records(payloads) for name in record}
    return sorted(sent - set(found.inputs))


def _records(payloads: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [record for payload in payloads for record in payload.get("dataframe_records") or []]


def _read(client: WorkspaceClient, model: str, version: str) -> VersionFiles:
    folder = f"/Models/{model.replace('.', '/')}/{version}"
    description = yaml.safe_load(_file(client, f"{folder}/MLmodel")) or {}
    try:
        requirements = _file(client, f"{folder}/requirements.txt")
    except AbsentError:
        requirements = ""
    signature = description.get("signature") or {}
    return VersionFiles(
        loader=str(description.get("flavors", {}).get("python_function", {}).get("loader_module", "")),
        inputs=_inputs(signature.get("inputs")),
        has_signature=bool(signature.get("inputs")),
        has_requirements=bool(requirements.strip()),
        has_lookup_client=any(_LOOKUP_PACKAGES.match(line.strip()) for line in requirements.splitlines()),
    )


def _inputs(text: str | None) -> Mapping[str, bool] | None:
    columns = json.loads(text) if text else []
    if not columns or any("name" not in column for column in columns):
        return None
    return {str(column["name"]): bool(column.get("required", True)) for column in columns}


def _file(client: WorkspaceClient, path: str) -> str:
    with asking(f"reading {path}"):
        # The SDK's own download asks for a presigned address first, with a POST, which preview does not send.
        answer: Any = client.api_client.do(
            "GET", f"/api/2.0/fs/files{path}", headers={"Accept": "application/octet-stream"}, raw=True
        )
        with answer["contents"] as contents:
            return str(contents.read().decode())
