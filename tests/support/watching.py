"""Monitors in tests: tables to watch, refreshes to wait for, metric tables to read."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import (
    MonitorInferenceLog,
    MonitorInferenceLogProblemType,
    MonitorRefreshInfo,
)
from deltalake import DeltaTable

from tests.support.served import served
from workspace.alerts import Destinations, Outbox
from workspace.clock import Clock
from workspace.identity import OWNER
from workspace.monitors import Monitors
from workspace.state import State
from workspace.unity_catalog import Column, UnityCatalog

WAIT_SECONDS = 60.0
OVER = ("SUCCESS", "FAILED", "CANCELED")
SCHEMA = "main.watch"

Row = dict[str, Any]


@dataclass(frozen=True)
class Watch:
    """A workspace of tables and monitors, with the schema SCHEMA."""

    client: WorkspaceClient
    catalog: UnityCatalog
    clock: Clock
    outbox: Outbox

    def create(self, name: str, types: Mapping[str, str], rows: pa.Table | None = None, *, feed: bool = False) -> str:
        """A table, with its rows; its full name."""
        properties = {"delta.enableChangeDataFeed": "true"} if feed else {}
        columns = [Column(column, kind) for column, kind in types.items()]
        self.catalog.tables.create(f"{SCHEMA}.{name}", columns, properties=properties, rows=rows)
        return f"{SCHEMA}.{name}"

    def refresh(self, table: str) -> MonitorRefreshInfo:
        """Run a refresh, and wait for its success."""
        self.client.quality_monitors.run_refresh(table)
        newest = refreshed(self.client, table)
        assert newest.state.value == "SUCCESS", newest.message
        return newest

    def rows(self, table: str, **wanted: Any) -> list[Row]:
        """The rows of a table whose columns have these values; `start` stands for the beginning of the window."""
        location = self.client.tables.get(table).storage_location
        assert location is not None
        found = DeltaTable(location).to_pyarrow_table().to_pylist()
        return [row for row in found if all(_value(row, name) == value for name, value in wanted.items())]

    def row(self, table: str, **wanted: Any) -> Row:
        (found,) = self.rows(table, **wanted)
        return found

    def profile(self, table: str, column: str, **wanted: Any) -> Row:
        """A row of the profile metrics: of the whole input, unless it is said otherwise."""
        wanted = {"slice_key": None, "log_type": "INPUT", **wanted}
        return self.row(f"{table}_profile_metrics", column_name=column, **wanted)

    def drift(self, table: str, column: str, drift_type: str, **wanted: Any) -> Row:
        wanted = {"slice_key": None, **wanted}
        return self.row(f"{table}_drift_metrics", column_name=column, drift_type=drift_type, **wanted)


@contextmanager
def watched_workspace(state: State) -> Iterator[Watch]:
    catalog, clock = UnityCatalog(state), Clock(state)
    if not catalog.containers.has_schema(*SCHEMA.split(".")):
        catalog.containers.create_schema({"name": "watch", "catalog_name": "main"}, OWNER.user_name)
    outbox = Outbox(state, clock)
    monitors = Monitors(state, catalog, clock, mail=outbox)
    with served(state, [clock, catalog, monitors, Destinations(state), outbox], OWNER) as client:
        yield Watch(client, catalog, clock, outbox)


def refreshed(client: WorkspaceClient, table: str) -> MonitorRefreshInfo:
    """The newest refresh of the table's monitor, when all of them are over."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        refreshes = client.quality_monitors.list_refreshes(table).refreshes or []
        if refreshes and all(one.state.value in OVER for one in refreshes):
            return refreshes[0]
        if time.monotonic() > deadline:
            raise AssertionError(f"the refreshes of {table} are not over: {refreshes}")
        time.sleep(0.02)


def inference_log(
    prediction: str,
    model: str,
    label: str | None,
    *,
    problem: str = "CLASSIFICATION",
    every: Sequence[str] = ("1 day",),
) -> MonitorInferenceLog:
    """What is monitored in a table of answers, with the columns of these names; their time is in `ts`."""
    return MonitorInferenceLog(
        problem_type=MonitorInferenceLogProblemType(f"PROBLEM_TYPE_{problem}"),
        timestamp_col="ts",
        granularities=list(every),
        prediction_col=prediction,
        model_id_col=model,
        label_col=label,
    )


def table_of(columns: Mapping[str, Sequence[Any]], **types: pa.DataType) -> pa.Table:
    return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})


def moment(*, days: float = 0, hours: float = 0) -> datetime:
    """Midnight of today in UTC, moved."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return datetime.fromtimestamp(midnight.timestamp() + days * 86_400 + hours * 3_600, UTC)


def _value(row: Row, name: str) -> Any:
    return (row["window"] or {}).get("start") if name == "start" else row[name]
