"""Monitors as a service: the definitions, what computes them, their schedules, and both APIs in front of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.routing import BaseRoute

from workspace.clock import Alarm, Clock
from workspace.documents import Document
from workspace.identity import OWNER
from workspace.monitors.bench import Bench
from workspace.monitors.computing import Computing
from workspace.monitors.data_quality import DataQuality
from workspace.monitors.quality_monitors import QualityMonitors
from workspace.monitors.refreshes import MANUAL, SCHEDULE, Refreshes
from workspace.monitors.store import MonitorStore
from workspace.schedules import next_fire
from workspace.state import State
from workspace.unity_catalog.service import UnityCatalog
from workspace.unity_catalog.table import Table

SETTLE_SECONDS = 60.0
"""How long an advance of the clock waits for the refreshes that fell due by it."""


class Mail(Protocol):
    """Where notifications go."""

    def send(self, recipients: Sequence[str], *, kind: str, subject: str, body: str, about: dict[str, Any]) -> None:
        """To addresses of people."""


class Monitors:
    """Quality monitors, by table name and by table id.

    Args:
        provisioning_seconds: how long a new monitor stays PENDING.
        mail: told of failed refreshes; None where nobody reads it.
    """

    def __init__(
        self,
        state: State,
        catalog: UnityCatalog,
        clock: Clock,
        *,
        mail: Mail | None = None,
        provisioning_seconds: float = 0.0,
    ) -> None:
        self._clock = clock
        self._mail = mail
        self._bench = Bench(OWNER.user_name)
        self.store = MonitorStore(state.documents, catalog, clock, provisioning_seconds)
        computing = Computing(catalog.tables, self._bench, self.store)
        self.refreshes = Refreshes(state.documents, clock, computing.carry_out, self._failed)
        self._alarms: dict[str, Alarm] = {}
        self._alarms_lock = threading.Lock()
        self._apis = (QualityMonitors(self, catalog), DataQuality(self, catalog))
        clock.on_advance(self._wait)

    def routes(self) -> list[BaseRoute]:
        return [route for each in self._apis for route in each.routes()]

    def start(self) -> None:
        self.refreshes.start()
        for record in self.store.all():
            self._set_alarm(record)

    def stop(self) -> None:
        with self._alarms_lock:
            for alarm in self._alarms.values():
                alarm.cancel()
            self._alarms.clear()
        self.refreshes.stop()
        self._bench.close()

    def settle(self, seconds: float = SETTLE_SECONDS) -> bool:
        """Wait until no refresh is queued or running; False where that takes longer."""
        return self.refreshes.wait(seconds)

    def _wait(self) -> None:
        self.settle()

    def create(self, table: Table, body: dict[str, Any]) -> Document:
        """Make a monitor; its first refresh follows by itself."""
        created = self.store.create(table, body)
        self._set_alarm(self.store.require(table))
        self.refreshes.create(table.table_id, MANUAL)
        return created

    def update(self, table: Table, body: dict[str, Any]) -> Document:
        updated = self.store.update(table, body)
        self._set_alarm(self.store.require(table))
        return updated

    def delete(self, table: Table) -> None:
        self.store.delete(table)
        self._take_alarm(table.table_id)
        self.refreshes.forget(table.table_id)

    def refresh(self, table: Table) -> Document:
        self.store.require(table)
        return self.refreshes.create(table.table_id, MANUAL)

    def _set_alarm(self, record: Document) -> None:
        """Have the monitor refreshed when its schedule says so next."""
        table_id = record["table_id"]
        self._take_alarm(table_id)
        schedule = record["monitor"].get("schedule")
        if schedule is None:
            return
        due = next_fire(schedule, datetime.fromtimestamp(self._clock.now(), UTC))
        if due is not None:
            with self._alarms_lock:
                self._alarms[table_id] = self._clock.call_at(due.timestamp(), self._due(table_id))

    def _due(self, table_id: str) -> Callable[[], None]:
        def fire() -> None:
            record = self.store.by_table(table_id)
            if record is not None:
                self.refreshes.create(table_id, SCHEDULE)
                self._set_alarm(record)

        return fire

    def _take_alarm(self, table_id: str) -> None:
        with self._alarms_lock:
            alarm = self._alarms.pop(table_id, None)
        if alarm is not None:
            alarm.cancel()

    def _failed(self, table_id: str, message: str) -> None:
        record = self.store.by_table(table_id)
        if record is None:
            return
        self.store.note_failure(record, message)
        monitor = record["monitor"]
        addresses = ((monitor.get("notifications") or {}).get("on_failure") or {}).get("email_addresses") or []
        if self._mail is not None and addresses:
            self._mail.send(
                addresses,
                kind="MONITOR_REFRESH_FAILED",
                subject=f"Refresh of the monitor on {monitor['table_name']} failed",
                body=message,
                about={"table_name": monitor["table_name"]},
            )
