"""`/api/2.0/alerts`: SQL alerts of the newer kind, and their evaluation when the schedule says so.

Source: `databricks.sdk.service.sql.AlertsV2API`. An alert has a schedule and no API call evaluates it: where there is
no schedule to wait for, people press "Run now", which is `POST /_workspace/alerts/{id}/evaluate` here. Assumptions: a
trashed alert is still read by its id, as DELETED; a schedule that fell due several times meanwhile is made up for
once.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa
from starlette.routing import BaseRoute

from workspace.alerts import definition
from workspace.alerts.destinations import Destinations
from workspace.alerts.evaluation import ERROR, UNKNOWN, EvaluationError, Outcome, evaluate
from workspace.alerts.notifying import Messenger, decide
from workspace.alerts.outbox import Outbox
from workspace.alerts.records import assign, run_as, shown
from workspace.clock import Alarm, Clock
from workspace.documents import Document
from workspace.errors import ApiError, invalid, not_found
from workspace.http import Call, Caller, Json, api
from workspace.identity import acting_as
from workspace.schedules import next_fire
from workspace.sql import warehouses
from workspace.state import State

ALERTS = "/api/2.0/alerts"
RUN_NOW = "/_workspace/alerts/{id}/evaluate"
KEPT_IN_TRASH = timedelta(days=30)
SETTLE_SECONDS = 60.0

_KIND = "alert_v2"
_PAGE = 100
_ACTIVE, _DELETED = "ACTIVE", "DELETED"
_FIRST_ID = 10**15

logger = logging.getLogger("workspace.alerts")


class Sql(Protocol):
    """What runs an alert's query."""

    def execute(self, statement: str, parameters: Any = ()) -> pa.Table: ...


class Alerts:
    """Alerts by id.

    Args:
        settle: called before an evaluation: waits for what fell due before it and that its query may read.
    """

    def __init__(
        self,
        state: State,
        sql: Sql,
        clock: Clock,
        outbox: Outbox,
        destinations: Destinations,
        *,
        settle: Callable[[], object] = lambda: None,
    ) -> None:
        self._documents = state.documents
        self._sql = sql
        self._clock = clock
        self._destinations = destinations
        self._messenger = Messenger(outbox, destinations, f"https://workspace-{state.workspace_id}")
        self._settle = settle
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._worker: threading.Thread | None = None
        self._idle = threading.Condition()
        self._open = 0
        self._alarms: dict[str, Alarm] = {}
        self._alarms_lock = threading.Lock()
        clock.on_advance(self._settled)

    def routes(self) -> list[BaseRoute]:
        one = f"{ALERTS}/{{id}}"
        return [
            api("POST", ALERTS, self._create),
            api("GET", ALERTS, self._list),
            api("GET", one, lambda call: shown(self._get(call.path["id"]))),
            api("PATCH", one, self._update),
            api("DELETE", one, self._trash),
            api("POST", RUN_NOW, self._run_now),
        ]

    def start(self) -> None:
        self._worker = threading.Thread(target=self._work, name="alerts", daemon=True)
        self._worker.start()
        for _, record in self._documents.list(_KIND):
            self._set_alarm(record)

    def stop(self) -> None:
        with self._alarms_lock:
            for alarm in self._alarms.values():
                alarm.cancel()
            self._alarms.clear()
        self._queue.put(None)
        if self._worker is not None:
            self._worker.join(timeout=30)
            self._worker = None

    def creator_of(self, alert_id: str) -> str | None:
        """The user name of the alert's owner, None where there is no such alert."""
        record = self._documents.get(_KIND, alert_id)
        return None if record is None else str(record["owner"])

    def wait(self, seconds: float = SETTLE_SECONDS) -> bool:
        """Until no evaluation is due any more; False where that takes longer."""
        with self._idle:
            return self._idle.wait_for(lambda: self._open == 0, timeout=seconds)

    def _settled(self) -> None:
        self.wait()

    def evaluate(self, alert_id: str) -> Document:
        """Run the query now, note the state, tell the subscribers; the record. Raises ApiError 404."""
        record = self._get(alert_id)
        if record["lifecycle_state"] == _DELETED:
            raise invalid(f"Alert {alert_id} is in the trash and cannot be evaluated.")
        outcome, message = self._outcome(record)
        now = self._clock.now()
        decision = decide(record, outcome.state, now)

        def note(found: Document) -> None:
            found |= {"state": outcome.state, "evaluated_at": now, "open": decision.open, "error": message}
            if decision.notify:
                found["notified_at"] = now

        noted = self._documents.update(_KIND, alert_id, note)
        if noted is None:
            raise _missing(alert_id)
        if decision.notify:
            self._messenger.send(record, outcome, int(now * 1000))
        return noted

    def _outcome(self, record: Document) -> tuple[Outcome, str | None]:
        """What the alert's own identity sees; ERROR and the reason where it cannot be told."""
        alert = record["alert"]
        who = record["run_as"]
        caller = Caller(who["user_name"], who["id"], tuple(who["groups"]), admin=who["admin"])
        try:
            with acting_as(caller):
                rows = self._sql.execute(alert["query_text"], alert.get("parameters", []))
            return evaluate(alert["evaluation"], rows), None
        except ApiError as error:
            return Outcome(ERROR), error.message
        except EvaluationError as error:
            return Outcome(ERROR), str(error)

    def _run_now(self, call: Call) -> Json:
        """The alert as evaluated, and why it could not be (which the service's answers have no field for)."""
        record = self.evaluate(call.path["id"])
        return {**shown(record), **({"error": record["error"]} if record["error"] else {})}

    def _create(self, call: Call) -> Json:
        alert = self._checked(call.body)
        now = self._clock.now()
        record: Document = {
            "id": str(_FIRST_ID + self._documents.next_number(_KIND)),
            "alert": alert,
            "owner": call.caller.user_name,
            "run_as": run_as(alert, call.caller),
            "created_ms": int(now * 1000),
            "updated_at": now,
            "lifecycle_state": _ACTIVE,
            "trashed_at": None,
            "state": UNKNOWN,
            "evaluated_at": None,
            "notified_at": None,
            "open": False,
            "error": None,
        }
        alert.setdefault("parent_path", f"/Users/{call.caller.user_name}")
        self._documents.put(_KIND, record["id"], record)
        self._set_alarm(record)
        return shown(record)

    def _list(self, call: Call) -> Json:
        start, size = call.query.get("page_token") or "0", call.query.get("page_size") or str(_PAGE)
        if not start.isdecimal() or not size.isdecimal() or not int(size):
            raise invalid(f"page_size and page_token must be numbers, received '{size}' and '{start}'")
        every = [record for _, record in self._documents.list(_KIND) if record["lifecycle_state"] == _ACTIVE]
        end = int(start) + int(size)
        page = [shown(record) for record in every[int(start) : end]]
        return {"alerts": page, **({"next_page_token": str(end)} if end < len(every) else {})}

    def _update(self, call: Call) -> Json:
        record = self._get(call.path["id"])
        mask = [field for field in call.query.get("update_mask", "").split(",") if field]
        if not mask:
            raise invalid("update_mask is required: the fields to change, such as 'display_name,schedule', or '*'")
        wanted = {**record["alert"]}
        for field in definition.SETTABLE if mask == ["*"] else mask:
            assign(wanted, call.body, field.split("."))
        # The folder can be set on create only; a client that sends all fields sends the one it is in.
        folder = record["alert"]["parent_path"]
        if wanted.get("parent_path") not in (None, folder):
            raise invalid(f"parent_path of an alert cannot change from '{folder}' to '{wanted['parent_path']}'")
        alert = {**self._checked(wanted), "parent_path": folder}
        now = self._clock.now()

        def change(found: Document) -> None:
            found |= {"alert": alert, "updated_at": now}
            if "run_as" in mask or "run_as_user_name" in mask or mask == ["*"]:
                found["run_as"] = run_as(alert, call.caller)

        updated = self._documents.update(_KIND, record["id"], change)
        if updated is None:
            raise _missing(record["id"])
        self._set_alarm(updated)
        return shown(updated)

    def _trash(self, call: Call) -> Json:
        record = self._get(call.path["id"])
        self._take_alarm(record["id"])
        if call.query.get("purge") == "true":
            self._documents.delete(_KIND, record["id"])
        else:
            trashed = {"lifecycle_state": _DELETED, "trashed_at": self._clock.now()}
            self._documents.update(_KIND, record["id"], lambda found: found.update(trashed))
        return {}

    def _checked(self, body: Json) -> Json:
        alert = definition.check(body)
        warehouses.require(alert["warehouse_id"])
        for subscription in alert["evaluation"].get("notification", {}).get("subscriptions", []):
            if subscription.get("destination_id"):
                self._destinations.get(subscription["destination_id"])
        return alert

    def _get(self, alert_id: str) -> Document:
        record = self._documents.get(_KIND, alert_id)
        if record is not None and record["trashed_at"] is not None:
            kept_until = record["trashed_at"] + KEPT_IN_TRASH.total_seconds()
            if self._clock.now() >= kept_until:
                self._documents.delete(_KIND, alert_id)
                record = None
        if record is None:
            raise _missing(alert_id)
        return record

    def _set_alarm(self, record: Document) -> None:
        """Have the alert evaluated when its schedule says so next."""
        self._take_alarm(record["id"])
        if record["lifecycle_state"] != _ACTIVE:
            return
        due = next_fire(definition.cron_of(record["alert"]), datetime.fromtimestamp(self._clock.now(), UTC))
        if due is not None:
            with self._alarms_lock:
                self._alarms[record["id"]] = self._clock.call_at(due.timestamp(), lambda: self._due(record["id"]))

    def _due(self, alert_id: str) -> None:
        record = self._documents.get(_KIND, alert_id)
        if record is None:
            return
        with self._idle:
            self._open += 1
        self._queue.put(alert_id)
        self._set_alarm(record)

    def _take_alarm(self, alert_id: str) -> None:
        with self._alarms_lock:
            alarm = self._alarms.pop(alert_id, None)
        if alarm is not None:
            alarm.cancel()

    def _work(self) -> None:
        while (alert_id := self._queue.get()) is not None:
            try:
                self._settle()
                self.evaluate(alert_id)
            except ApiError as error:
                # Trashed or purged between the alarm and now.
                logger.info("alert %s was not evaluated: %s", alert_id, error.message)
            except Exception:
                # A worker that ends would leave every later alert unevaluated.
                logger.exception("the evaluation of alert %s failed unexpectedly", alert_id)
            finally:
                with self._idle:
                    self._open -= 1
                    self._idle.notify_all()


def _missing(alert_id: str) -> ApiError:
    return not_found(f"Alert {alert_id} does not exist.")
