"""Online tables, monitor, alerts and jobs of a stack: that they are there, on, and up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from apps.ops.findings import Finding
from apps.ops.warehouse import rows

MAX_LAG_SECONDS = 3600.0
"""Limit for tables whose stack file names none."""
_ONLINE = ("ONLINE",)
_OFF = ("FAILED", "OFFLINE")


def online_table(
    client: WorkspaceClient, name: str, *, limits: Mapping[str, float], warehouse_id: str | None
) -> Iterator[Finding]:
    """One online copy: its detailed state, and how far it is behind its source.

    Args:
        limits: source table to the lag that its stack file allows, in seconds.
    """
    client.tables.get(name)
    state, message, source, held, version = _sync(client, name)
    # The words of both APIs end in those of Databricks' online tables (SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE).
    is_off = any(word in state for word in _OFF)
    verdict = "fail" if is_off else "pass" if any(word in state for word in _ONLINE) else "unknown"
    yield Finding(
        "online table",
        name,
        verdict,  # type: ignore[arg-type]
        f"{state}{f': {message}' if message and verdict != 'pass' else ''}",
        "look at its pipeline: PROVISIONING passes by itself; after a failure mend the cause, then `pulumi up`",
    )
    if source is not None:
        yield _lag(client, name, source, held, version, limits=limits, warehouse_id=warehouse_id)


def monitor(client: WorkspaceClient, outputs: Mapping[str, Any]) -> Iterator[Finding]:
    """The monitor of the monitored table is active, runs by its schedule, and has its metric tables."""
    table = str(outputs["monitorTable"])
    status, paused, failure = _monitor(client, table)
    active = status.endswith("ACTIVE")
    yield Finding(
        "monitor",
        table,
        "pass" if active and not paused else "unknown" if status.endswith("PENDING") else "fail",
        f"{status}{', its schedule is paused' if paused else ''}{f': {failure}' if failure and not active else ''}",
        "resume its schedule; after a failure look at its last refresh",
    )
    for key in ("profileMetricsTable", "driftMetricsTable"):
        if name := outputs.get(key):
            client.tables.get(str(name))
            yield Finding("metrics", str(name), "pass", "is there")


def alert(client: WorkspaceClient, short: str, alert_id: str) -> Iterator[Finding]:
    """One alert: there, not in the trash, asked by its schedule; whether it fires is told and no failure of its own."""
    found = client.alerts_v2.get_alert(alert_id)
    lifecycle = found.lifecycle_state.value if found.lifecycle_state else "ACTIVE"
    pause = found.schedule.pause_status.value if found.schedule.pause_status else "UNPAUSED"
    state = found.evaluation.state.value if found.evaluation.state else "not evaluated yet"
    good = lifecycle == "ACTIVE" and pause == "UNPAUSED"
    yield Finding(
        "alert",
        f"{short} ({alert_id})",
        "pass" if good else "fail",
        f"{lifecycle}, {pause}, {state}",
        "resume it, or take it out of the trash; `pulumi up --refresh` makes it anew",
    )


def job(client: WorkspaceClient, short: str, job_id: str) -> Iterator[Finding]:
    """One job: there, its last run no failure, its schedule on or paused."""
    settings = client.jobs.get(int(job_id)).settings
    schedule = settings.schedule if settings else None
    pause = schedule.pause_status.value if schedule and schedule.pause_status else "by hand" if not schedule else "on"
    last = next(iter(client.jobs.list_runs(job_id=int(job_id), limit=1)), None)
    result = last.state.result_state.value if last and last.state and last.state.result_state else "no run is over yet"
    failed = result in ("FAILED", "TIMEDOUT", "INTERNAL_ERROR")
    yield Finding(
        "job",
        f"{short} ({job_id})",
        # A stack file may want a job paused, and the outputs do not say so.
        "fail" if failed else "unknown" if pause == "PAUSED" else "pass",
        f"schedule {pause}, last run: {result}",
        "look at the run's output; resume its schedule, unless the stack file pauses it",
    )


def _sync(client: WorkspaceClient, name: str) -> tuple[str, str, str | None, datetime | None, int | None]:
    """State, message, source, and time and version of the commit that the copy holds."""
    try:
        found = client.database.get_synced_database_table(name)
    except NotFound:
        synced = client.postgres.get_synced_table(f"synced_tables/{name}")
        status, spec = synced.status, synced.spec
        last = status.last_sync.delta_table_sync_info if status and status.last_sync else None
        held = last.delta_commit_time.ToDatetime(tzinfo=UTC) if last and last.delta_commit_time else None
        state = status.detailed_state.value if status and status.detailed_state else "UNKNOWN"
        source = spec.source_table_full_name if spec else None
        return (
            state,
            (status.message or "") if status else "",
            source,
            held,
            last.delta_commit_version if last else None,
        )
    progress = found.data_synchronization_status
    info = progress.last_sync.delta_table_sync_info if progress and progress.last_sync else None
    return (
        progress.detailed_state.value if progress and progress.detailed_state else "UNKNOWN",
        (progress.message or "") if progress else "",
        found.spec.source_table_full_name if found.spec else None,
        _moment(info.delta_commit_timestamp) if info and info.delta_commit_timestamp else None,
        info.delta_commit_version if info else None,
    )


def _lag(
    client: WorkspaceClient,
    name: str,
    source: str,
    held: datetime | None,
    version: int | None,
    *,
    limits: Mapping[str, float],
    warehouse_id: str | None,
) -> Finding:
    limit = limits.get(source.lower(), MAX_LAG_SECONDS)
    if held is None or warehouse_id is None:
        why = "does not say which commit it holds" if held is None else "no warehouse is named to read the source with"
        return Finding("lag", name, "unknown", why, "look at the pipeline's last update; set warehouseId")
    quoted = ".".join(f"`{part}`" for part in source.split("."))
    newest = rows(client, warehouse_id, f"DESCRIBE HISTORY {quoted}", limit=1)[0]
    behind = 0.0 if version is not None and version >= int(newest[0]) else (_moment(newest[1]) - held).total_seconds()
    behind = max(behind, 0.0)
    return Finding(
        "lag",
        name,
        "pass" if behind <= limit else "fail",
        f"{behind:.0f} s behind {source}, at most {limit:g} s" if behind else f"in step with {source}",
        "start its pipeline, or let `pulumi up` sync it: another value under triggers",
    )


def _monitor(client: WorkspaceClient, table: str) -> tuple[str, bool, str]:
    """Status, whether its schedule is paused, and the last failure; by whichever API has it."""
    try:
        by_name = client.quality_monitors.get(table)
    except NotFound:
        identity = client.tables.get(table).table_id or ""
        config = client.data_quality.get_monitor("table", identity).data_profiling_config
        status = config.status.value if config and config.status else "UNKNOWN"
        schedule = config.schedule if config else None
        paused = bool(schedule and schedule.pause_status and schedule.pause_status.value.endswith("_PAUSED"))
        return status, paused, (config.latest_monitor_failure_message or "") if config else ""
    paused = bool(
        by_name.schedule and by_name.schedule.pause_status and by_name.schedule.pause_status.value == "PAUSED"
    )
    return by_name.status.value, paused, by_name.latest_monitor_failure_msg or ""


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
