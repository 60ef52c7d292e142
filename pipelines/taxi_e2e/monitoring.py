"""The monitoring task: monitors refreshed, features checked again, and what has drifted, in one document.

Who hears of it is the business of alerts; the task fails where feature tables are not what they are declared to be.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import MonitorRefreshInfoState

from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.sql import SqlRunner
from pipelines.taxi_e2e.feature_step import FEATURE_TABLES
from pipelines.taxi_e2e.feature_tables import broken_rows, check_table
from pipelines.taxi_e2e.settings import Settings

_POLL_SECONDS: Final = 1.0
_REFRESH_SECONDS: Final = 3_600.0
_UNFINISHED: Final = (MonitorRefreshInfoState.PENDING, MonitorRefreshInfoState.RUNNING)
_TABLE: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far a column of a monitored table has moved, in the newest window that says so."""

    table: str
    column: str
    measure: str
    value: float


def monitor_all(
    settings: Settings, workspace: WorkspaceClient, progress: Progress, tables: Sequence[str]
) -> dict[str, Any]:
    """Refresh the monitors of `tables`, check the feature tables, and say what has drifted.

    Args:
        tables: monitored tables, three parts; one without a monitor is an error.

    Raises PipelineError where a monitor fails, or a feature table is not as declared.
    """
    warehouse = settings.warehouse(workspace)
    drifts: list[Drift] = []
    for table in tables:
        refresh(workspace, table)
        found = newest_drift(workspace, warehouse, table)
        drifts += found
        worst = max(found, key=lambda one: one.value, default=None)
        progress.say("monitor", f"{table}: " + (f"{worst.column} {worst.value:.3f}" if worst else "no drift measured"))
    problems = feature_problems(settings, workspace, warehouse)
    if problems:
        raise PipelineError("Feature tables are not as declared: " + "; ".join(problems))
    progress.say("features", "columns, types, keys and values are as declared")
    return {
        "monitors": list(tables),
        "drift": [
            {"table": one.table, "column": one.column, "measure": one.measure, "value": one.value} for one in drifts
        ],
    }


def feature_problems(settings: Settings, workspace: WorkspaceClient, warehouse: SqlRunner) -> list[str]:
    """What is wrong with the feature tables: their schema and types, then their rows."""
    problems: list[str] = []
    for table in FEATURE_TABLES:
        full_name = f"{settings.full_schema}.{table.name}"
        try:
            check_table(workspace, full_name, table)
        except (PipelineError, NotFound) as error:
            problems.append(str(error))
            continue
        problems += [f"{full_name}: {count} rows with {what}" for what, count in broken_rows(warehouse, table).items()]
    return problems


def refresh(workspace: WorkspaceClient, table: str) -> None:
    """Compute a monitor's metrics now, and wait for them. Raises PipelineError."""
    try:
        started = workspace.quality_monitors.run_refresh(table)
    except NotFound as error:
        raise PipelineError(f"Table {table} has no monitor: the stack makes it, after a first deployment.") from error
    deadline = time.monotonic() + _REFRESH_SECONDS
    state, message = started.state, started.message
    while state in _UNFINISHED:
        if time.monotonic() > deadline:
            raise PipelineError(f"The monitor of {table} has not been refreshed within an hour.")
        time.sleep(_POLL_SECONDS)
        found = workspace.quality_monitors.get_refresh(table, started.refresh_id)
        state, message = found.state, found.message
    if state is not MonitorRefreshInfoState.SUCCESS:
        raise PipelineError(f"The refresh of the monitor of {table} ended {state.value}: {message or 'no message'}")


def newest_drift(workspace: WorkspaceClient, warehouse: SqlRunner, table: str) -> list[Drift]:
    """Drift of every column against the window before, in the newest window; categorical and numeric measures."""
    metrics = workspace.quality_monitors.get(table).drift_metrics_table_name
    if not _TABLE.fullmatch(metrics) or not workspace.tables.exists(metrics).table_exists:
        return []
    rows = warehouse.run(
        f"""SELECT column_name, js_distance, wasserstein_distance FROM {metrics}
WHERE drift_type = 'CONSECUTIVE' AND slice_key IS NULL AND column_name <> ':table'
  AND window.start = (SELECT max(window.start) FROM {metrics} WHERE drift_type = 'CONSECUTIVE')
ORDER BY column_name"""
    ).rows
    return [
        Drift(table=table, column=str(column), measure=measure, value=float(str(value)))
        for column, js, wasserstein in rows
        for measure, value in (("js_distance", js), ("wasserstein_distance", wasserstein))
        if value is not None
    ]
