"""The endpoint against the stack's outputs: state, versions, traffic, aliases, its inference table, and an answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.serving import ServingEndpointDetailed

from apps.ops.findings import Finding
from apps.ops.warehouse import rows

#: A cold endpoint starts first.
QUERY_SECONDS = 300.0
_RECENT_DAYS = 7


def endpoint(client: WorkspaceClient, outputs: Mapping[str, Any]) -> Iterator[Finding]:
    """READY and not updating, every entity deployed, versions and shares as the outputs have them."""
    name = str(outputs["endpointName"])
    found = client.serving_endpoints.get(name)
    yield _state(name, found)
    declared = {str(one["name"]): one for one in outputs.get("servedEntities", [])}
    config = found.config
    served = {str(one.name): one for one in (config.served_entities if config else None) or []}
    for entity, one in served.items():
        state = one.state.deployment.value if one.state and one.state.deployment else "unknown"
        message = (one.state.deployment_state_message or "") if one.state else ""
        yield Finding(
            "deployment",
            f"{name}/{entity}",
            "pass" if state == "DEPLOYMENT_READY" else "fail",
            f"{state} {message}".strip(),
            "look at the entity's build logs and logs: databricks serving-endpoints build-logs, logs",
        )
    yield _same(
        "versions",
        name,
        {entity: str(one.entity_version) for entity, one in served.items()},
        {entity: str(one["version"]) for entity, one in declared.items()},
    )
    routes = (config.traffic_config.routes if config and config.traffic_config else None) or []
    yield _same(
        "traffic",
        name,
        {str(one.served_entity_name or one.served_model_name): int(one.traffic_percentage or 0) for one in routes},
        {entity: int(one["trafficPercentage"]) for entity, one in declared.items()},
    )


def aliases(client: WorkspaceClient, outputs: Mapping[str, Any]) -> Iterator[Finding]:
    """Every alias points to the version that the outputs name."""
    model = str(outputs.get("modelName", ""))
    for alias, version in outputs.get("aliases", {}).items():
        try:
            found = str(client.model_versions.get_by_alias(model, alias).version)
        except NotFound:
            found = "nothing"
        yield Finding(
            "alias",
            f"{model}@{alias}",
            "pass" if found == str(version) else "fail",
            f"points to {found}" + ("" if found == str(version) else f", the stack says {version}"),
            "`pulumi refresh` shows the move, the next `pulumi up` repairs it",
        )


def inference_table(client: WorkspaceClient, outputs: Mapping[str, Any], warehouse_id: str | None) -> Iterator[Finding]:
    """The gateway logs to the declared table, the table is there, and it receives."""
    table, name = str(outputs["payloadTable"]), str(outputs["endpointName"])
    gateway = client.serving_endpoints.get(name).ai_gateway
    config = gateway.inference_table_config if gateway else None
    logged = (
        f"{config.catalog_name}.{config.schema_name}.{config.table_name_prefix}_payload"
        if config and config.enabled
        else "nowhere"
    )
    yield Finding(
        "inference table",
        name,
        "pass" if logged == table else "fail",
        f"requests are logged to {logged}" + ("" if logged == table else f", the stack says {table}"),
        "`pulumi up --refresh`; a table that was moved or switched off by hand cannot come back under its name",
    )
    client.tables.get(table)
    if warehouse_id is None:
        yield Finding("deliveries", table, "unknown", "no warehouse is named to count rows with", "set warehouseId")
        return
    statement = (
        f"SELECT count(*) AS found, max(request_time) AS newest FROM {_quoted(table)} "  # noqa: S608 - quoted names
        f"WHERE request_date >= date_sub(current_date(), {_RECENT_DAYS})"
    )
    ((count, newest),) = rows(client, warehouse_id, statement)
    delivered = int(count or 0)
    yield Finding(
        "deliveries",
        table,
        "pass" if delivered else "unknown",
        f"{delivered} requests of {_RECENT_DAYS} days, the newest of {newest}" if delivered else "no request yet",
        "rows come up to an hour after their request: look again, or ask the endpoint once",
    )


def answers(
    client: WorkspaceClient, outputs: Mapping[str, Any], queries: Iterable[Mapping[str, Any]]
) -> Iterator[Finding]:
    """The first smoke query of the stack file, through the endpoint and of every served entity."""
    query = next(iter(queries), None)
    name = str(outputs["endpointName"])
    if query is None:
        yield Finding("answer", name, "unknown", "the stack file has no smoke query in it", "add one to smoke.queries")
        return
    base = f"{client.config.host}/serving-endpoints/{name}"
    targets = {name: f"{base}/invocations"}
    for one in outputs.get("servedEntities", []):
        targets[f"{name}/{one['name']}"] = f"{base}/served-models/{one['name']}/invocations"
    for target, url in targets.items():
        yield _answer(client, target, url, query)


def lookups(outputs: Mapping[str, Any]) -> Iterator[Finding]:
    """What the last deployment has measured of feature lookups. Nothing where the stack does not measure them."""
    for entity, one in (outputs.get("featureLatency") or {}).items():
        verdict = str(one["verdict"])
        yield Finding(
            "lookup latency",
            f"{outputs['endpointName']}/{entity}",
            "pass" if verdict == "met" else "unknown" if verdict == "unproven" else "fail",
            f"p{one['percentile']:g} at most {one['boundMs']:g} ms, typically {one['typicalMs']:g} ms, "
            f"target {one['targetMs']:g} ms ({one['measuredAt']})",
            "measure from nearer to the workspace, or give the online store more capacity or a read replica",
        )


def _state(name: str, found: ServingEndpointDetailed) -> Finding:
    ready = found.state.ready.value if found.state and found.state.ready else "unknown"
    update = found.state.config_update.value if found.state and found.state.config_update else "unknown"
    good = ready == "READY" and update == "NOT_UPDATING"
    pending = ", a config is pending" if found.pending_config is not None else ""
    return Finding(
        "endpoint",
        name,
        "pass" if good else "fail",
        f"{ready}, {update}{pending}",
        "5 to 10 minutes are normal for an update: look again; UPDATE_FAILED: look at the entity's build logs",
    )


def _same(check: str, name: str, found: Mapping[str, Any], declared: Mapping[str, Any]) -> Finding:
    told = ", ".join(f"{entity}: {value}" for entity, value in found.items()) or "none"
    expected = ", ".join(f"{entity}: {value}" for entity, value in declared.items()) or "none"
    same = dict(found) == dict(declared)
    return Finding(
        check,
        name,
        "pass" if same else "fail",
        told if same else f"{told}; the stack says {expected}",
        "somebody has changed it by hand: `pulumi up --refresh` puts it right",
    )


def _answer(client: WorkspaceClient, target: str, url: str, query: Mapping[str, Any]) -> Finding:
    expect = query.get("expect") or {}
    status = int(expect.get("status", httpx.codes.OK))
    payload = query["payload"]
    started = time.monotonic()
    answer = httpx.post(url, json=payload, headers=client.config.authenticate(), timeout=QUERY_SECONDS)
    took = f"{(time.monotonic() - started) * 1000:.0f} ms"
    if answer.status_code != status:
        found = f"{answer.status_code} instead of {status} after {took}: {answer.text[:300]}"
        return Finding("answer", target, "fail", found, "look at the message, the entity's logs and the online tables")
    wanted = expect.get("predictions", len(payload.get("dataframe_records", [])) or None)
    predictions = _predictions(answer)
    if wanted is not None and len(predictions) != wanted:
        found = f"{len(predictions)} predictions instead of {wanted} after {took}"
        return Finding("answer", target, "fail", found, "compare the model's output with the smoke query's expectation")
    missing = [
        field
        for field in expect.get("requiredFields", [])
        if any(not isinstance(one, dict) or one.get(field.partition(".")[0]) is None for one in predictions)
    ]
    if missing:
        found = f"predictions without {', '.join(missing)} after {took}"
        return Finding("answer", target, "fail", found, "compare the model's output with the smoke query's expectation")
    return Finding("answer", target, "pass", f"{answer.status_code}, {len(predictions)} predictions, {took}")


def _predictions(answer: httpx.Response) -> list[Any]:
    try:
        document = answer.json()
    except ValueError:
        return []
    found = document.get("predictions") if isinstance(document, dict) else None
    return found if isinstance(found, list) else []


def _quoted(table: str) -> str:
    return ".".join(f"`{part.replace('`', '``')}`" for part in table.split("."))
