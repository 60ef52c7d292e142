"""Quality monitors: what they watch, and how their last refresh ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool

from workspace.console.reading import Workspace, gathered
from workspace.console.sections.tone import Tone, tone
from workspace.http import Json

MONITORED = "/api/2.1/unity-catalog/tables/{table}/monitor"
PROFILES = ("inference_log", "time_series", "snapshot")

TableNames = Callable[[], Sequence[str]]
"""The full names of the tables that have a monitor: the API has no list of them."""


@dataclass(frozen=True)
class Refresh:
    id: int
    state: str
    message: str
    started_ms: int
    duration_ms: int | None
    trigger: str


@dataclass(frozen=True)
class Monitor:
    table: str
    profile: str
    status: str
    failure: str
    baseline: str | None
    schedule: str
    drift_table: str
    last: Refresh | None

    @property
    def failed(self) -> bool:
        """Whether the monitor, or its last refresh, is in trouble."""
        return Tone.BAD in (tone(self.status), tone(self.last.state) if self.last else None)


async def monitors(workspace: Workspace, names: TableNames) -> list[Monitor]:
    tables = sorted(await run_in_threadpool(names))
    return await gathered([_monitor(workspace, table) for table in tables])


async def _monitor(workspace: Workspace, table: str) -> Monitor:
    path = MONITORED.format(table=quote(table))
    shown, listed = await workspace.get(path), await workspace.get(f"{path}/refreshes")
    schedule = shown.get("schedule") or {}
    refreshes = sorted(map(_refresh, listed.get("refreshes", [])), key=lambda one: one.started_ms)
    return Monitor(
        table=shown["table_name"],
        profile=next((name for name in PROFILES if name in shown), "").replace("_", " "),
        status=shown["status"],
        failure=shown.get("latest_monitor_failure_msg") or "",
        baseline=shown.get("baseline_table_name"),
        schedule=f"{schedule['quartz_cron_expression']} {schedule['timezone_id']}" if schedule else "",
        drift_table=shown["drift_metrics_table_name"],
        last=refreshes[-1] if refreshes else None,
    )


def _refresh(shown: Json) -> Refresh:
    started, ended = int(shown["start_time_ms"]), shown.get("end_time_ms")
    return Refresh(
        id=int(shown["refresh_id"]),
        state=shown["state"],
        message=shown.get("message") or "",
        started_ms=started,
        duration_ms=int(ended) - started if ended else None,
        trigger=(shown.get("trigger") or "").replace("_", " ").lower(),
    )
