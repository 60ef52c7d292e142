"""`doctor`: what has to be there before a stack is set up. Reads only; every failure names its fix."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import Unauthenticated

from apps.ops.findings import Check, Finding, OpsError, run
from apps.ops.machine import engine_checks, tool
from apps.ops.model_files import model_version
from apps.ops.rights import Rights
from apps.ops.stack import StackFile

PYTHONS = ((3, 11), (3, 12))
_PACKAGES = ("pulumi", "pulumi-databricks", "databricks-sdk")


def doctor(file: StackFile, *, tools: Sequence[str] = ()) -> list[Finding]:
    """Tools, versions, backend and plugin of this machine; then workspace, credentials, rights and objects.

    Args:
        tools: further programs that have to be on PATH, for example `databricks`.
    """
    findings = [_python(), *_packages(), *engine_checks(file)]
    findings += [tool(name) for name in tools]
    client, reached = _workspace(file)
    findings += reached
    if client is None:
        return findings
    who = run("credentials", str(client.config.host), lambda: _who(client))
    findings += who
    # Without a name for the caller every further question would end in the same refusal.
    return findings if who[0].verdict != "pass" else [*findings, *_objects(file, client)]


def _python() -> Finding:
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    good = sys.version_info[:2] in PYTHONS
    return Finding("python", sys.executable, "pass" if good else "fail", found, "use Python 3.11 or 3.12")


def _packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        try:
            yield Finding("package", name, "pass", version(name))
        except PackageNotFoundError:
            yield Finding("package", name, "fail", "is not installed", "`uv sync` in the clone")


def _workspace(file: StackFile) -> tuple[WorkspaceClient | None, list[Finding]]:
    where = file.host or "the environment's workspace"
    try:
        client = file.client()
    except OpsError as error:
        fix = (
            "check databricks:host in the stack file, DATABRICKS_HOST and DATABRICKS_TOKEN (or a profile), the network"
        )
        return None, [Finding("workspace", where, "fail", str(error), fix)]
    return client, [Finding("workspace", str(client.config.host), "pass", f"answers; {client.config.auth_type}")]


def _who(client: WorkspaceClient) -> Iterator[Finding]:
    try:
        me = client.current_user.me()
    except Unauthenticated as error:
        fix = "check DATABRICKS_TOKEN, or the profile: it is wrong or has expired"
        yield Finding("credentials", str(client.config.host), "fail", str(error).partition(" Config: ")[0], fix)
        return
    yield Finding("credentials", str(client.config.host), "pass", f"are those of {me.user_name}")


def _objects(file: StackFile, client: WorkspaceClient) -> Iterator[Finding]:
    settings = file.settings
    rights = Rights(client)
    catalog, schema = str(settings.get("catalog")), f"{settings.get('catalog')}.{settings.get('schema')}"
    if file.warehouse_id is not None:
        yield from run("warehouse", file.warehouse_id, lambda: _warehouse(client, str(file.warehouse_id)))
    yield from run("catalog", catalog, lambda: rights.of("catalog", catalog, ["USE_CATALOG"]))
    yield from run("schema", schema, lambda: rights.of("schema", schema, ["USE_SCHEMA", "CREATE_TABLE"]))
    for table in settings.get("featureTables") or []:
        name = str(table["source"])
        full_name = name if "." in name else f"{schema}.{name}"
        keys = [str(key) for key in table.get("primaryKeys") or []]
        yield from run("feature table", full_name, _feature_table(client, rights, full_name, keys))
    model = str((settings.get("model") or {}).get("name"))
    yield from run("model", model, lambda: rights.of("function", model, ["EXECUTE"], owner=_model_owner(client, model)))
    has_lookups = bool(settings.get("featureTables"))
    for alias, stated in ((settings.get("model") or {}).get("aliases") or {}).items():
        if re.fullmatch(r"\d+", str(stated)):
            yield from run("version", f"{model}/{stated}", _version(client, model, str(stated), has_lookups))
        else:
            found = "others move it" if stated == "observed" else "the newest READY version, at preview"
            yield Finding("version", f"{model}@{alias}", "pass", found)


def _warehouse(client: WorkspaceClient, identity: str) -> Iterator[Finding]:
    found = client.warehouses.get(identity)
    state = found.state.value if found.state else "UNKNOWN"
    gone = state in ("DELETED", "DELETING")
    fix = "name another warehouse under warehouseId"
    # A stopped one starts with the first statement.
    yield Finding("warehouse", identity, "fail" if gone else "pass", f"{found.name}, {state}", fix)


def _feature_table(client: WorkspaceClient, rights: Rights, full_name: str, keys: Sequence[str]) -> Check:
    def look() -> Iterator[Finding]:
        table = client.tables.get(full_name)
        yield from rights.of("table", full_name, ["SELECT"], owner=table.owner)
        columns = {(column.name or "").lower() for column in table.columns or []}
        missing = [key for key in keys if key.lower() not in columns]
        if missing:
            fix = "correct primaryKeys, or add the column where the table is written"
            yield Finding("feature table", full_name, "fail", f"has no column {', '.join(missing)}", fix)

    return look


def _version(client: WorkspaceClient, model: str, number: str, has_lookups: bool) -> Check:
    return lambda: model_version(client, model, number, has_lookups=has_lookups)


def _model_owner(client: WorkspaceClient, model: str) -> str | None:
    return client.registered_models.get(model).owner
