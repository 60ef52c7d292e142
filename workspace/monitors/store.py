"""The monitors of this workspace, by the table that each one watches."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from workspace.documents import Document, Documents
from workspace.errors import ApiError, already_exists, invalid, not_found
from workspace.monitors import definition

PENDING = "MONITOR_STATUS_PENDING"
ACTIVE = "MONITOR_STATUS_ACTIVE"

_KIND = "quality_monitor"


class WatchedColumn(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def type_text(self) -> str: ...


class WatchedTable(Protocol):
    """What a monitor needs to know about a table."""

    @property
    def full_name(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def table_id(self) -> str: ...

    @property
    def columns(self) -> Sequence[WatchedColumn]: ...


@dataclass(frozen=True)
class CatalogView:
    """The catalog as monitors see it."""

    table: Callable[[str], WatchedTable]
    """The table by its full name; raises ApiError 404."""
    require_schema: Callable[[str, str], object]
    """By catalog and schema; raises ApiError 404."""


class MonitorStore:
    """Create, read, update and delete. A monitor goes with its table: one made anew under the same name has none."""

    def __init__(self, documents: Documents, catalog: CatalogView, provisioning_seconds: float) -> None:
        self._documents = documents
        self._catalog = catalog
        self._provisioning_seconds = provisioning_seconds
        self._creating = threading.Lock()

    def create(self, table_name: str, body: dict[str, Any]) -> Document:
        table = self._catalog.table(table_name)
        if not body.get("assets_dir"):
            raise invalid("Missing required field: assets_dir (an absolute workspace path such as /Shared/monitors)")
        if not str(body["assets_dir"]).startswith("/"):
            raise invalid(f"assets_dir must be an absolute workspace path, received '{body['assets_dir']}'")
        wanted = self._check(table, body)
        monitor = {
            **wanted,
            "table_name": table.full_name,
            "assets_dir": body["assets_dir"],
            "monitor_version": 1,
            "profile_metrics_table_name": f"{wanted['output_schema_name']}.{table.name}_profile_metrics",
            "drift_metrics_table_name": f"{wanted['output_schema_name']}.{table.name}_drift_metrics",
        }
        record = {
            "monitor": monitor,
            "table_id": table.table_id,
            "dashboard_id": None if body.get("skip_builtin_dashboard") else secrets.token_hex(16),
            "ready_at": time.time() + self._provisioning_seconds,
        }
        with self._creating:
            if self._record(table) is not None:
                raise already_exists(f"Table {table.full_name} has a monitor already; change it with PUT")
            self._documents.put(_KIND, _key(table), record)
        return {**monitor, "status": PENDING}

    def get(self, table_name: str) -> Document:
        return _shown(self._require(self._catalog.table(table_name)))

    def update(self, table_name: str, body: dict[str, Any]) -> Document:
        """PUT replaces all that can be set: what the body leaves out is gone. The assets directory stays as created."""
        table = self._catalog.table(table_name)
        current = self._require(table)["monitor"]
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

        updated = self._documents.update(_KIND, _key(table), replace)
        if updated is None:
            raise _missing(table)
        return _shown(updated)

    def delete(self, table_name: str) -> None:
        """The metric tables and the dashboard stay, as on Databricks."""
        table = self._catalog.table(table_name)
        self._require(table)
        self._documents.delete(_KIND, _key(table))

    def _check(self, table: WatchedTable, body: dict[str, Any]) -> Document:
        catalog, schema = definition.split_schema_name(body.get("output_schema_name"))
        wanted = definition.check(body, {column.name: column.type_text for column in table.columns})
        self._catalog.require_schema(catalog, schema)
        if "baseline_table_name" in wanted:
            self._catalog.table(str(wanted["baseline_table_name"]))
        return wanted

    def _record(self, table: WatchedTable) -> Document | None:
        record = self._documents.get(_KIND, _key(table))
        return record if record is not None and record["table_id"] == table.table_id else None

    def _require(self, table: WatchedTable) -> Document:
        record = self._record(table)
        if record is None:
            raise _missing(table)
        return record


def _shown(record: Document) -> Document:
    shown: Document = dict(record["monitor"])
    ready = time.time() >= record["ready_at"]
    shown["status"] = ACTIVE if ready else PENDING
    if ready and record["dashboard_id"]:
        shown["dashboard_id"] = record["dashboard_id"]
    return shown


def _missing(table: WatchedTable) -> ApiError:
    return not_found(f"Table '{table.full_name}' does not have a monitor.")


def _key(table: WatchedTable) -> str:
    return table.full_name.casefold()
