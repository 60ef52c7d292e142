"""The monitors of this workspace, by the table that each one watches."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workspace.clock import Clock
from workspace.documents import Document, Documents
from workspace.errors import ApiError, already_exists, invalid, not_found
from workspace.monitors import definition
from workspace.monitors.frame import Watched
from workspace.monitors.metric_tables import MetricTable
from workspace.monitors.spec import spec_of
from workspace.unity_catalog.service import UnityCatalog
from workspace.unity_catalog.table import FOREIGN, Table

PENDING = "MONITOR_STATUS_PENDING"
ACTIVE = "MONITOR_STATUS_ACTIVE"

_KIND = "quality_monitor"


class MonitorStore:
    """Create, read, update and delete. A monitor goes with its table: one made anew under the same name has none."""

    def __init__(self, documents: Documents, catalog: UnityCatalog, clock: Clock, provisioning_seconds: float) -> None:
        self._documents = documents
        self._catalog = catalog
        self._clock = clock
        self._provisioning_seconds = provisioning_seconds
        self._creating = threading.Lock()

    def create(self, table: Table, body: Mapping[str, Any]) -> Document:
        """A monitor with empty metric tables; what the service answers."""
        if table.table_type == FOREIGN:
            raise invalid(f"{table.full_name} is an online table; a monitor watches a Delta table")
        if not body.get("assets_dir"):
            raise invalid("Missing required field: assets_dir (an absolute workspace path such as /Shared/monitors)")
        if not isinstance(body["assets_dir"], str) or not body["assets_dir"].startswith("/"):
            raise invalid(f"assets_dir must be an absolute workspace path, received '{body['assets_dir']}'")
        wanted = self._check(table, body)
        monitor = {
            **wanted,
            "table_name": table.full_name,
            "assets_dir": body["assets_dir"],
            "monitor_version": 0,
            "profile_metrics_table_name": f"{wanted['output_schema_name']}.{table.name}_profile_metrics",
            "drift_metrics_table_name": f"{wanted['output_schema_name']}.{table.name}_drift_metrics",
        }
        record = {
            "monitor": monitor,
            "table_id": table.table_id,
            "dashboard_id": None if body.get("skip_builtin_dashboard") else secrets.token_hex(16),
            "warehouse_id": body.get("warehouse_id"),
            "created_at": self._clock.now(),
            "ready_at": self._clock.now() + self._provisioning_seconds,
            "computed": None,
        }
        spec = spec_of(monitor, watched(table))
        with self._creating:
            if self._record(table) is not None:
                raise already_exists(f"Table {table.full_name} has a monitor already; change it with PUT")
            for name, types in (("profile", spec.profile_types), ("drift", spec.drift_types)):
                MetricTable(self._catalog.tables, monitor[f"{name}_metrics_table_name"]).ensure(types)
            self._documents.put(_KIND, _key(table), record)
        return {**monitor, "status": PENDING}

    def get(self, table: Table) -> Document:
        """Raises ApiError 404 where the table has no monitor."""
        return self.shown(self.require(table))

    def update(self, table: Table, body: Mapping[str, Any]) -> Document:
        """PUT replaces all that can be set: what the body leaves out is gone. The assets directory stays as created."""
        current = self.require(table)["monitor"]
        wanted = self._check(table, body)
        if wanted["output_schema_name"].casefold() != current["output_schema_name"].casefold():
            raise invalid(
                f"output_schema_name of the monitor on {table.full_name} cannot change from "
                f"'{current['output_schema_name']}' to '{wanted['output_schema_name']}': "
                "delete the monitor and create it anew"
            )

        def replace(record: Document) -> None:
            kept = {name: value for name, value in record["monitor"].items() if name not in definition.SETTABLE}
            kept["monitor_version"] += 1
            record["monitor"] = {**kept, **wanted}
            if body.get("dashboard_id"):
                record["dashboard_id"] = body["dashboard_id"]

        return self.shown(self._change(table, replace))

    def delete(self, table: Table) -> None:
        """The metric tables and the dashboard stay, as on Databricks."""
        self.require(table)
        self._documents.delete(_KIND, _key(table))

    def require(self, table: Table) -> Document:
        """The record of the table's monitor; ApiError 404."""
        record = self._record(table)
        if record is None:
            raise _missing(table)
        return record

    def all(self) -> list[Document]:
        """The records of all monitors, also of those whose table is gone."""
        return [record for _, record in self._documents.list(_KIND)]

    def by_table(self, table_id: str) -> Document | None:
        return next((record for record in self.all() if record["table_id"] == table_id), None)

    def new_dashboard(self, table: Table) -> str:
        """Another id for the dashboard."""
        identity = secrets.token_hex(16)
        self._change(table, lambda record: record.update(dashboard_id=identity))
        return identity

    def note_computed(self, record: Document, computed: Mapping[str, Any]) -> None:
        """What a refresh has seen, for the next one to begin from."""

        def change(found: Document) -> None:
            if found["table_id"] == record["table_id"]:
                found["computed"] = dict(computed)
                found["monitor"].pop("latest_monitor_failure_msg", None)

        self._documents.update(_KIND, record["monitor"]["table_name"].casefold(), change)

    def note_failure(self, record: Document, message: str) -> None:
        def change(found: Document) -> None:
            if found["table_id"] == record["table_id"]:
                found["monitor"]["latest_monitor_failure_msg"] = message

        self._documents.update(_KIND, record["monitor"]["table_name"].casefold(), change)

    def shown(self, record: Document) -> Document:
        """What a client sees of a record."""
        shown: Document = dict(record["monitor"])
        ready = self._clock.now() >= record["ready_at"]
        shown["status"] = ACTIVE if ready else PENDING
        if ready and record["dashboard_id"]:
            shown["dashboard_id"] = record["dashboard_id"]
        return shown

    def _check(self, table: Table, body: Mapping[str, Any]) -> Document:
        catalog, schema = definition.split_schema_name(body.get("output_schema_name"))
        wanted = definition.check(body, {column.name: column.type_text for column in table.columns})
        self._catalog.containers.schema(catalog, schema)
        if "baseline_table_name" in wanted:
            self._catalog.tables.get(str(wanted["baseline_table_name"]))
        return wanted

    def _record(self, table: Table) -> Document | None:
        record = self._documents.get(_KIND, _key(table))
        return record if record is not None and record["table_id"] == table.table_id else None

    def _change(self, table: Table, change: Callable[[Document], None]) -> Document:
        updated = self._documents.update(_KIND, _key(table), change)
        if updated is None:
            raise _missing(table)
        return updated


def watched(table: Table) -> Sequence[Watched]:
    """The columns of a table, as monitors see them."""
    return [Watched(column.name, column.type_text) for column in table.columns]


def _missing(table: Table) -> ApiError:
    return not_found(f"Table '{table.full_name}' does not have a monitor.")


def _key(table: Table) -> str:
    return table.full_name.casefold()
