"""What proves a version where no endpoint answers for it: what its validation wrote on it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pulumi

from components.dynamic.errors import WorkspaceError
from components.dynamic.registry_calls import version_facts

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

VALIDATION = "validation"


def validation_evidence(client: WorkspaceClient, model: str, version: str) -> str:
    """A digest of the version's validation tags (pipelines/validation), for the alias that moves on them.

    Raises pulumi.RunError where the version was not validated, or the workspace does not say.
    """
    try:
        tags = version_facts(client, model, version).tags
    except WorkspaceError as error:
        raise pulumi.RunError(str(error)) from None
    said = {name: value for name, value in tags.items() if name.startswith(VALIDATION)}
    if not said:
        raise pulumi.RunError(
            f"version {version} of {model} has no tag {VALIDATION}: nobody has validated it; run the pipeline, or "
            "pipelines.validation, on it"
        )
    text = json.dumps({"model": model, "version": version, **said}, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
