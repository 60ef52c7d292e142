"""`deploy_rag_model`: the whole way of a chatbot's version onto its endpoint, and a question to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import httpx

from apps.deploy.model_uri import ModelUri
from apps.deploy.project import ROOT, DeployError, DeployProject, Say, say

WorkloadSize = Literal["Small", "Medium", "Large"]
TEST_PAYLOAD = {"dataframe_records": [{"query": "Test query"}]}
TEST_SECONDS = 60.0
PROJECT = ROOT / "examples" / "rag"


@dataclass(frozen=True)
class RagResult:
    """What became of a deployment."""

    endpoint_name: str
    action: Literal["created", "updated"]
    status: Literal["success", "failed"]
    """`success` when everything went well and the question was answered with status 200."""
    model_version: int

    def document(self) -> str:
        """As JSON, exactly these four fields."""
        return json.dumps(asdict(self), separators=(",", ":"))


def deploy_rag_model(
    model_name: str,
    model_version: int,
    endpoint_name: str,
    workload_size: WorkloadSize = "Medium",
    *,
    folder: Path = PROJECT,
    stack: str | None = None,
    tell: Say = say,
) -> RagResult:
    """Serve a version of a chatbot on an endpoint, prove it, and ask it a question.

    The version, the model and the size are written into the stack file; everything else is as the file says, whether
    the endpoint is made or changed.

    Args:
        model_name: registered model, `catalog.schema.model`.
        endpoint_name: as the file of the stack names it.
        folder: of the Pulumi project.
        stack: needed where several stack files name the endpoint.
        tell: gets status lines.

    Raises:
        DeployError: the arguments do not fit together; nothing was written or sent.
    """
    if workload_size not in get_args(WorkloadSize):
        raise DeployError(f"workload_size is {workload_size!r}; use {', '.join(get_args(WorkloadSize))}")
    if model_version < 1:
        raise DeployError(f"model_version is {model_version!r}; use a version number, from 1")
    uri = ModelUri.parse(f"{model_name}/{model_version}")
    project = DeployProject.open(folder, stack) if stack else DeployProject.with_endpoint(folder, endpoint_name)
    if project.endpoint_name != endpoint_name:
        raise DeployError(
            f"stack {project.stack} in {folder} serves {project.endpoint_name}, not {endpoint_name}: name the stack of "
            "that endpoint"
        )
    action: Literal["created", "updated"] = "updated" if project.endpoint_exists() else "created"
    verb = "is updated" if action == "updated" else "is created"
    tell(f"endpoint {endpoint_name} {verb}: {uri}, {workload_size}, stack {project.stack}")
    outputs = project.up_with(uri.model, str(model_version), tell, workloadSize=workload_size)
    if outputs is None and action == "updated":
        tell(f"where stack {project.stack} has not made {endpoint_name} itself, take it over first: docs/adoption.md")
    answered = outputs is not None and _answers(project, str(outputs["endpointUrl"]), tell)
    result = RagResult(endpoint_name, action, "success" if answered else "failed", model_version)
    tell(f"endpoint {endpoint_name} {action}, version {model_version}: {result.status}")
    return result


def _answers(project: DeployProject, url: str, tell: Say) -> bool:
    headers = project.client().config.authenticate()
    try:
        answer = httpx.post(url, json=TEST_PAYLOAD, headers=headers, timeout=TEST_SECONDS)
    except httpx.HTTPError as error:
        tell(f"test query failed: {type(error).__name__}: {error}")
        return False
    if answer.status_code != httpx.codes.OK:
        tell(f"test query was answered {answer.status_code}: {answer.text[:2000]}")
        return False
    return True
