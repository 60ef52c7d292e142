"""`verify`: a deployed stack against its outputs. `status`: the same, told on one screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from databricks.sdk import WorkspaceClient

from apps.ops import serving_checks, watching_checks
from apps.ops.findings import Check, Finding, as_text, run
from apps.ops.stack import StackFile

_DOTS = 2


def verify(
    file: StackFile, outputs: Mapping[str, Any], client: WorkspaceClient, *, query: bool = True
) -> list[Finding]:
    """Everything that the outputs name, looked at in the workspace.

    Args:
        query: whether the endpoint is asked. It wakes an entity that is scaled to zero.
    """
    name, warehouse = str(outputs["endpointName"]), file.warehouse_id
    findings = run("endpoint", name, lambda: serving_checks.endpoint(client, outputs))
    findings += run("alias", str(outputs.get("modelName", "")), lambda: serving_checks.aliases(client, outputs))
    limits = _lag_limits(file)
    # Tables of an external database have no entry in Unity Catalog: the answer is what proves them.
    for table in (name for name in outputs.get("onlineTableNames", []) if name.count(".") == _DOTS):
        findings += run("online table", table, _online(client, table, limits, warehouse))
    findings += serving_checks.lookups(outputs)
    if query:
        findings += run("answer", name, lambda: serving_checks.answers(client, outputs, file.queries))
    if table := outputs.get("payloadTable"):
        findings += run("inference table", table, lambda: serving_checks.inference_table(client, outputs, warehouse))
    if table := outputs.get("monitorTable"):
        findings += run("monitor", table, lambda: watching_checks.monitor(client, outputs))
    for short, identity in (outputs.get("alertIds") or {}).items():
        findings += run("alert", short, _alert(client, short, str(identity)))
    for short, identity in (outputs.get("jobIds") or {}).items():
        findings += run("job", short, _job(client, short, str(identity)))
    return findings


def screen(stack: str, outputs: Mapping[str, Any], findings: list[Finding]) -> str:
    """What is deployed, and how it is, on one screen."""
    smoke, cost = outputs.get("smokeResult") or {}, outputs.get("cost") or {}
    entities = ", ".join(
        f"{one['name']} (version {one['version']}, {one['trafficPercentage']:g} %)"
        for one in outputs.get("servedEntities", [])
    )
    lines = [
        f"stack {stack} ({outputs.get('environment', '?')}): {outputs['endpointName']}",
        f"  url      {outputs.get('endpointUrl')}",
        f"  serves   {entities or 'nothing'}",
        f"  aliases  {_pairs(outputs.get('aliases'))}",
        f"  before   {_pairs(outputs.get('previousVersions'))}",
        f"  proven   {smoke.get('status', 'never')} {smoke.get('passedAt', '')}".rstrip(),
    ]
    if release := outputs.get("release"):
        lines.append(f"  release  {release['id']}: version {release['version']}, {_pairs(release['split'])}")
    if cost:
        lines.append(f"  cost     {_pairs(cost.get('usdPerHour'))} USD an hour at list price of {cost['ratesAsOf']}")
    return "\n".join([*lines, "", as_text(findings, fixes=False)])


def _online(client: WorkspaceClient, table: str, limits: Mapping[str, float], warehouse: str | None) -> Check:
    return lambda: watching_checks.online_table(client, table, limits=limits, warehouse_id=warehouse)


def _alert(client: WorkspaceClient, short: str, identity: str) -> Check:
    return lambda: watching_checks.alert(client, short, identity)


def _job(client: WorkspaceClient, short: str, identity: str) -> Check:
    return lambda: watching_checks.job(client, short, identity)


def _lag_limits(file: StackFile) -> dict[str, float]:
    place = f"{file.settings.get('catalog')}.{file.settings.get('schema')}"
    limits = {}
    for table in file.settings.get("featureTables") or []:
        if (limit := table.get("maxLagSeconds")) is not None:
            source = str(table["source"])
            limits[(source if "." in source else f"{place}.{source}").lower()] = float(limit)
    return limits


def _pairs(values: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in (values or {}).items()) or "none"
