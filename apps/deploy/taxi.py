"""The calls that deploy taxi fares: online tables alone, or with the endpoint; and the older name of the second."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from databricks.sdk.errors import NotFound

from apps.deploy.model_uri import ModelUri
from apps.deploy.project import ROOT, DeployError, DeployFailedError, DeployProject, Say, say

ENVIRONMENTS = ("staging", "prod", "local")
#: What costs money as soon as it is there.
ONLINE = frozenset({"databricks:index/onlineStore:OnlineStore", "pulumi-python:dynamic/serving:PublishedTable"})

_TABLES = ("FeatureOnlineStore", "FeatureOnlineTable")


@dataclass(frozen=True)
class TaxiResult:
    """What became of a deployment."""

    status: Literal["success", "failed"]
    endpoint_name: str
    model_version: str
    online_tables: dict[str, str] = field(default_factory=dict)
    """Table to state."""

    def document(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def deploy_with_online_tables(model_uri: str, env: str, *, folder: Path = ROOT, tell: Say = say) -> TaxiResult:
    """Online tables, endpoint, smoke queries, alias, monitor: everything that the stack file of `env` says.

    Args:
        model_uri: `catalog.schema.model/15`, `models:/catalog.schema.model/15`, or with `@alias` in place of `/15`.
        env: `staging` or `prod`; `local` is the embedded workspace.

    Raises:
        ModelUriError: the URI is none.
        DeployError: there is no such environment, version or alias; nothing was written or sent.
    """
    project, uri = _project(env, folder), ModelUri.parse(model_uri)
    return _deploy(project, uri.model, _version(project, uri), tell)


def deploy(model_uri: str, env: str, *, online_tables: bool = True, folder: Path = ROOT, tell: Say = say) -> TaxiResult:
    """The older name of `deploy_with_online_tables`. It makes online tables too, and they cost money.

    Args:
        online_tables: False refuses to make an online store or table that is not there yet.
    """
    notice = "deploy() is deprecated: it makes online tables now, which cost money; call deploy_with_online_tables()"
    warnings.warn(notice, DeprecationWarning, stacklevel=2)
    tell(f"{notice}, or give online_tables=False (--no-online-tables) to be refused where some would be made")
    project, uri = _project(env, folder), ModelUri.parse(model_uri)
    version = _version(project, uri)
    if not online_tables and (made := project.creates(ONLINE)):
        raise DeployError(
            f"stack {project.stack} would make {', '.join(sorted(made))}, and online_tables is False: call "
            "create_online_tables() first, or leave the argument out"
        )
    return _deploy(project, uri.model, version, tell)


def create_online_tables(env: str, *, folder: Path = ROOT, tell: Say = say) -> dict[str, str]:
    """The online store and one online table for each feature table of the stack file; table to state.

    Raises:
        DeployError: there is no such environment, or the stack cannot be opened; nothing was tried.
        DeployFailedError: the engine failed.
    """
    project = _project(env, folder)
    outputs = project.up(tell, only=_TABLES)
    if outputs is None:
        raise DeployFailedError(f"the online tables of stack {project.stack} could not be made; see above")
    return _states(project, outputs, tell)


def _project(env: str, folder: Path) -> DeployProject:
    if env not in ENVIRONMENTS:
        raise DeployError(f"env is {env!r}; use staging or prod (or local, the embedded workspace)")
    return DeployProject.open(folder, env)


def _version(project: DeployProject, uri: ModelUri) -> str:
    if uri.version is not None:
        return uri.version
    try:
        return str(project.client().model_versions.get_by_alias(uri.model, str(uri.alias)).version)
    except NotFound as error:
        raise DeployError(f"{uri} does not exist: {error}") from None


def _deploy(project: DeployProject, model: str, version: str, tell: Say) -> TaxiResult:
    tell(f"endpoint {project.endpoint_name}: {model} version {version}, stack {project.stack}")
    outputs = project.up_with(model, version, tell)
    if outputs is None:
        return TaxiResult("failed", project.endpoint_name, version)
    states = _states(project, outputs, tell)
    smoke = outputs["smokeResult"]
    tell(f"validation: {smoke['status']}, {int(smoke['queriesSent'])} queries")
    return TaxiResult("success", project.endpoint_name, version, states)


def _states(project: DeployProject, outputs: Mapping[str, Any], tell: Say) -> dict[str, str]:
    states = {str(name): str(state) for name, state in outputs.get("onlineTableStates", {}).items()}
    for name, state in states.items():
        tell(f"online table {name}: {state}")
    return states
