"""`adopt`: what a stack declares and somebody has made already, as a file for `pulumi import`.

The engine's own preview says what it would create (`--import-file`: components, parents and logical names, with a place
for every id). Here each of those is looked for in the workspace by the name that the program gives it. What is there
goes into the file with its id; what is not there is left out, and `pulumi up` makes it. Reads only.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.errors.base import DatabricksError

from apps.ops.findings import Finding, OpsError, words
from apps.ops.stack import StackFile

Inputs = Mapping[str, Any]
_DYNAMIC = "pulumi-python:dynamic"
# Whose creation is a call that replaces what is there.
_WRITTEN_OVER = frozenset(
    f"databricks:index/{kind[0].lower()}{kind[1:]}:{kind}"
    for kind in ("Grant", "Grants", "Notebook", "Permissions", "Secret", "SecretAcl", "WorkspaceFile")
)


class AmbiguousError(Exception):
    """Several things have the name, and only a person knows which one is meant."""


def adopt(file: StackFile, client: WorkspaceClient, target: Path) -> list[Finding]:
    """Write the import file of a stack whose resources exist already.

    Args:
        target: where the file goes.

    Returns:
        One finding for each resource that preview would create: `pass` where it is in the file or will be made,
        `unknown` where a person has to say which one is meant, or where it could not be looked for.

    Raises:
        OpsError: there is no engine, or preview fails.
    """
    document, inputs = _planned(file)
    findings: list[Finding] = []
    kept: list[dict[str, Any]] = []
    for entry in document.get("resources", []):
        if entry.get("component"):
            kept.append(entry)
            continue
        name = str(entry.get("logicalName") or entry["name"])
        finding, identity = _looked_up(client, str(entry["type"]), name, inputs.get((entry["type"], name), {}))
        findings.append(finding)
        if identity is not None:
            kept.append({**entry, "id": identity})
    target.write_text(json.dumps({**document, "resources": kept}, indent=2) + "\n", encoding="utf-8")
    return findings


def next_steps(file: StackFile, target: Path) -> str:
    """The commands that follow."""
    where = f"--stack {file.stack}"
    return (
        f"\nwritten: {target}\nnext, in {file.folder}:\n"
        f"  pulumi import --file {target} --protect=false --generate-code=false {where}\n"
        f"  pulumi preview --diff {where}   # go on only where nothing is replaced or deleted\n"
        f"  pulumi up {where}"
    )


def _planned(file: StackFile) -> tuple[dict[str, Any], dict[tuple[str, str], Inputs]]:
    """The engine's import file, and the inputs of every resource that it would create, by type and logical name."""
    with tempfile.TemporaryDirectory() as folder:
        planned = Path(folder) / "import.json"
        done = file.pulumi("preview", "--json", "--import-file", str(planned), "--non-interactive")
        if done.returncode:
            raise OpsError(f"preview of stack {file.stack} failed:\n{_why(done)}")
        if not planned.exists():
            return {"resources": []}, {}
        document: dict[str, Any] = json.loads(planned.read_text(encoding="utf-8"))
    inputs = {
        (str(state["type"]), str(step["urn"]).rpartition("::")[2]): state.get("inputs") or {}
        for step in json.loads(done.stdout).get("steps", [])
        if (state := step.get("newState")) is not None
    }
    return document, inputs


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """The errors of a failed preview; with `--json` they are in the document on stdout."""
    try:
        diagnostics = json.loads(done.stdout).get("diagnostics") or []
    except ValueError:
        diagnostics = []
    errors = [str(one["message"]).strip() for one in diagnostics if one.get("severity") == "error"]
    return "\n".join(errors) or (done.stderr or done.stdout).strip()[-3000:]


def _looked_up(client: WorkspaceClient, kind: str, name: str, inputs: Inputs) -> tuple[Finding, str | None]:
    subject = f"{kind.rpartition(':')[2]} {name}"
    look = _LOOKUPS.get(kind)
    if look is None:
        return _not_looked_up(kind, subject), None
    try:
        identity = look(client, inputs)
    except (NotFound, KeyError):
        identity = None
    except AmbiguousError as error:
        fix = "delete the one that nobody uses, or write the right id into the file"
        return Finding("ambiguous", subject, "unknown", str(error), fix), None
    except (DatabricksError, requests.RequestException, TimeoutError) as error:
        # A refusal is no answer: left out of the file, it would be made a second time, or fail `up`.
        fix = "check the rights of the caller and that the workspace answers, then run adopt again"
        return Finding("not known", subject, "unknown", f"{type(error).__name__}: {words(error)}", fix), None
    if identity is None:
        return Finding("left out", subject, "pass", "is not there; `pulumi up` makes it"), None
    return Finding("adopted", subject, "pass", identity), identity


def _not_looked_up(kind: str, subject: str) -> Finding:
    if kind.startswith(_DYNAMIC):
        return Finding("left out", subject, "pass", "adopts by itself")
    if kind in _WRITTEN_OVER:
        return Finding("left out", subject, "pass", "is written by `pulumi up`, over what is there")
    fix = "where it exists: write its entry and id (the provider's page, section Import) into the file"
    return Finding("not looked for", subject, "unknown", "adopt cannot tell whether it is there already", fix)


def _three_parts(inputs: Inputs) -> str:
    return f"{inputs['catalogName']}.{inputs['schemaName']}.{inputs['name']}"


def _only(what: str, name: str, ids: Iterable[str]) -> str | None:
    found = list(ids)
    if len(found) > 1:
        raise AmbiguousError(f"{len(found)} {what} are called {name!r}: {', '.join(found)}")
    return found[0] if found else None


def _jobs(client: WorkspaceClient, name: str) -> Iterator[str]:
    # The service's filter takes no notice of case.
    return (str(job.job_id) for job in client.jobs.list(name=name) if job.settings and job.settings.name == name)


def _queries(client: WorkspaceClient, name: str) -> Iterator[str]:
    return (str(one.id) for one in client.queries.list() if one.display_name == name)


def _alerts(client: WorkspaceClient, name: str) -> Iterator[str]:
    return (str(one.id) for one in client.alerts_v2.list_alerts() if one.display_name == name)


def _dashboards(client: WorkspaceClient, name: str) -> Iterator[str]:
    return (str(one.dashboard_id) for one in client.lakeview.list() if one.display_name == name)


def _experiment(client: WorkspaceClient, inputs: Inputs) -> str | None:
    found = client.experiments.get_by_name(inputs["name"]).experiment
    return None if found is None else found.experiment_id


def _scope(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return next((scope.name for scope in client.secrets.list_scopes() if scope.name == inputs["name"]), None)


_LOOKUPS: Mapping[str, Callable[[WorkspaceClient, Inputs], str | None]] = {
    "databricks:index/modelServing:ModelServing": lambda w, i: w.serving_endpoints.get(i["name"]).name,
    "databricks:index/modelServingProvisionedThroughput:ModelServingProvisionedThroughput": lambda w, i: (
        w.serving_endpoints.get(i["name"]).name
    ),
    "databricks:index/vectorSearchEndpoint:VectorSearchEndpoint": lambda w, i: (
        w.vector_search_endpoints.get_endpoint(i["name"]).name
    ),
    "databricks:index/vectorSearchIndex:VectorSearchIndex": lambda w, i: (
        w.vector_search_indexes.get_index(i["name"]).name
    ),
    "databricks:index/dashboard:Dashboard": lambda w, i: _only(
        "dashboards", i["displayName"], _dashboards(w, i["displayName"])
    ),
    "databricks:index/onlineStore:OnlineStore": lambda w, i: w.feature_store.get_online_store(i["name"]).name,
    "databricks:index/sqlTable:SqlTable": lambda w, i: w.tables.get(_three_parts(i)).full_name,
    "databricks:index/qualityMonitor:QualityMonitor": lambda w, i: w.quality_monitors.get(i["tableName"]).table_name,
    "databricks:index/registeredModel:RegisteredModel": lambda w, i: w.registered_models.get(_three_parts(i)).full_name,
    "databricks:index/mlflowExperiment:MlflowExperiment": _experiment,
    "databricks:index/secretScope:SecretScope": _scope,
    "databricks:index/job:Job": lambda w, i: _only("jobs", i["name"], _jobs(w, i["name"])),
    "databricks:index/query:Query": lambda w, i: _only(
        "saved queries", i["displayName"], _queries(w, i["displayName"])
    ),
    "databricks:index/alertV2:AlertV2": lambda w, i: _only("alerts", i["displayName"], _alerts(w, i["displayName"])),
}
