"""Going back: the version before takes the place of the one that runs, by the stack file and one `up`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from apps.deploy.project import ROOT, DeployError, DeployProject, Say, say


@dataclass(frozen=True)
class RollbackResult:
    """What became of going back."""

    status: Literal["success", "failed"]
    endpoint_name: str
    alias: str
    left_version: str
    model_version: str

    def document(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def roll_back(stack: str, *, folder: Path = ROOT, tell: Say = say) -> RollbackResult:
    """Serve the version that ran before, and move the alias to it.

    With `endpoint.rollout` this is one config update while the version stands by (docs/releases.md); otherwise the
    version is deployed again, which takes as long as a deployment. Called twice, it goes forth again.

    Args:
        stack: whose outputs name the version before, and whose file gets its number.
        folder: of the Pulumi project.

    Raises:
        DeployError: there is no such stack, it serves several versions, or it has not run another version before;
            nothing was written.
    """
    project = DeployProject.open(folder, stack)
    alias = project.alias()
    model, outputs = str(project.settings()["model"]["name"]), project.outputs()
    running, before = str(outputs.get("resolvedVersion", "")), _before(outputs, alias)
    if not before or before == running:
        raise DeployError(
            f"stack {stack} knows no version before {running or 'the first one'} of {model}: "
            f"name one under model.aliases.{alias} and run `pulumi up`"
        )
    tell(f"endpoint {project.endpoint_name}: back from version {running} to version {before} of {model}")
    if project.up_with(model, before, tell) is None:
        return RollbackResult("failed", project.endpoint_name, alias, running, before)
    tell(f"alias {alias}: version {before}")
    return RollbackResult("success", project.endpoint_name, alias, running, before)


def _before(outputs: Mapping[str, Any], alias: str) -> str:
    release = outputs.get("release") or {}
    return str(release.get("previousVersion") or outputs.get("previousVersions", {}).get(alias, ""))
