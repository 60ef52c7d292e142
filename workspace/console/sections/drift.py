"""What monitors measured, beside the limits of alerts: drift by column, what alerts found, and what was decided.

Metric tables are read by SQL, as a client would. A monitor's numbers change with its refreshes only, so they are kept
until the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workspace.console.reading import Rows, Workspace
from workspace.console.sections.judged import Judged, judged
from workspace.console.sections.monitors import Monitor, TableNames, monitors
from workspace.console.sparkline import Sparkline, sparkline
from workspace.errors import ApiError
from workspace.http import Json

MEASURES = ("js_distance", "population_stability_index")
"""Of columns of texts and of numbers."""
WINDOWS, DECISIONS = 30, 8
_NAME = re.compile(r"[A-Za-z0-9_.]+")


@dataclass(frozen=True)
class Column:
    """One column of a monitored table against the window before it."""

    name: str
    measure: str
    values: Sequence[tuple[str, float]]
    """(beginning of the window, value), the oldest first."""
    limit: float | None

    @property
    def latest(self) -> float:
        return self.values[-1][1]

    @property
    def line(self) -> Sparkline:
        return sparkline([value for _, value in self.values], self.limit)


@dataclass(frozen=True)
class Watched:
    """A monitored table."""

    table: str
    columns: Sequence[Column]
    reason: str
    """Why there are no columns."""
    judged: Sequence[Judged] = ()
    """What alerts on it have found."""

    @property
    def violations(self) -> list[str]:
        """The windows with something beyond the limit of an alert, the newest first."""
        return sorted({window for one in self.judged for window in one.beyond_windows}, reverse=True)


@dataclass(frozen=True)
class Decision:
    """A row of a journal of decisions (docs/loop.md)."""

    at: str
    event: str
    outcome: str
    explanation: str
    violations: str
    retrains: bool


@dataclass(frozen=True)
class Drift:
    """What the section shows."""

    tables: Sequence[Watched]
    decisions: Sequence[Decision]
    violations: int
    """Windows with something beyond a limit, of all tables."""


class DriftReader:
    """Reads metric tables once for each refresh."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, Rows]] = {}

    async def read(self, workspace: Workspace, names: TableNames) -> Drift:
        alerts = await workspace.all("/api/2.0/alerts", "alerts")
        tables = [await self._table(workspace, one, alerts) for one in await monitors(workspace, names)]
        return Drift(tables, await _decisions(workspace), sum(len(one.violations) for one in tables))

    async def _table(self, workspace: Workspace, monitor: Monitor, alerts: Iterable[Json]) -> Watched:
        known = list(alerts)
        try:
            rows = await self._rows(workspace, monitor)
        except ApiError as error:
            return Watched(monitor.table, [], error.message)
        columns = list(_columns(rows, monitor.drift_table, known))
        reason = "" if columns else "no window has another one before it yet"
        return Watched(monitor.table, columns, reason, await judged(workspace, known, monitor.drift_table))

    async def _rows(self, workspace: Workspace, monitor: Monitor) -> Rows:
        refresh = monitor.last.id if monitor.last is not None and monitor.last.state == "SUCCESS" else 0
        kept = self._kept.get(monitor.table)
        if kept is not None and refresh and kept[0] == refresh:
            return kept[1]
        rows = await workspace.rows(_statement(monitor.drift_table))
        self._kept[monitor.table] = (refresh, rows)
        return rows


def _statement(table: str) -> str:
    if not _NAME.fullmatch(table):
        raise ApiError(400, "BAD_REQUEST", f"{table} is no plain name of a table")
    measured = ", ".join(f"max({name}) AS {name}" for name in MEASURES)
    return (
        f"SELECT CAST(window.start AS STRING) AS window_start, column_name, {measured} FROM {table} "
        "WHERE drift_type = 'CONSECUTIVE' AND slice_key IS NULL AND column_name <> ':table' "
        "GROUP BY window_start, column_name ORDER BY window_start"
    )


def _columns(rows: Rows, drift_table: str, alerts: Iterable[Json]) -> Iterable[Column]:
    values: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for record in rows.records():
        for measure in MEASURES:
            value = record[measure]
            if value is not None:
                key = (str(record["column_name"]), measure)
                values.setdefault(key, []).append((str(record["window_start"])[:16], float(value)))
    known = list(alerts)
    for (name, measure), found in sorted(values.items()):
        limits = [limit for alert in known if (limit := _limit(alert, drift_table, name, measure)) is not None]
        yield Column(name, measure, found[-WINDOWS:], min(limits, default=None))


def _limit(alert: Json, drift_table: str, column: str, measure: str) -> float | None:
    """The limit of an alert whose query names the table, the column and the measure, and that fires above it."""
    query = str(alert.get("query_text", "")).replace("`", "")
    evaluation = alert.get("evaluation") or {}
    if alert.get("lifecycle_state") == "DELETED" or evaluation.get("comparison_operator") != "GREATER_THAN":
        return None
    if drift_table not in query or f"'{column}'" not in query or measure not in query:
        return None
    value = ((evaluation.get("threshold") or {}).get("value") or {}).get("double_value")
    return None if value is None else float(value)


async def _decisions(workspace: Workspace) -> list[Decision]:
    """The newest rows of the journals that jobs name by their parameter `journal`."""
    found: list[Decision] = []
    for table in await _journals(workspace):
        statement = (
            "SELECT CAST(decided_at AS STRING) AS at, event, outcome, explanation, violations_found, retrain "
            f"FROM {table} ORDER BY decided_at DESC LIMIT {DECISIONS}"
        )
        try:
            rows = await workspace.rows(statement)
        except ApiError:
            # No run has made the table yet, or it is none that this page knows.
            continue
        found += [
            Decision(
                at=str(record["at"])[:16],
                event=record["event"] or "",
                outcome=record["outcome"] or "",
                explanation=record["explanation"] or "",
                violations=record["violations_found"] or "",
                retrains=record["retrain"] == "true",
            )
            for record in rows.records()
        ]
    return sorted(found, key=lambda one: one.at, reverse=True)[:DECISIONS]


async def _journals(workspace: Workspace) -> list[str]:
    names: dict[str, None] = {}
    for listed in await workspace.all("/api/2.2/jobs/list", "jobs"):
        job = await workspace.get("/api/2.2/jobs/get", job_id=str(listed["job_id"]))
        settings = job.get("settings") or {}
        parameters = {one["name"]: str(one.get("default", "")) for one in settings.get("parameters") or []}
        journal, metrics = parameters.get("journal", ""), parameters.get("drift_metrics_table", "")
        if journal and journal.count(".") == 0 and metrics.count(".") == 2:
            # In the catalog and schema of the tables that it is about.
            journal = f"{metrics.rpartition('.')[0]}.{journal}"
        if journal.count(".") == 2 and _NAME.fullmatch(journal):
            names[journal] = None
    return list(names)
