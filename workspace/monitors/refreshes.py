"""The refreshes of monitors: queued, carried out one after the other, remembered; and due again by the schedule.

Source: `catalog.MonitorRefreshInfo` of databricks-sdk; a new monitor is refreshed once by itself, and answers show
newest refreshes first (examples of a live workspace). Assumptions: the first refresh counts as MANUAL; a schedule
that fell due several times while nobody looked is made up for once; a refresh that a stop of the server interrupted
is carried out anew at the next start.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from workspace.clock import Clock
from workspace.documents import Document, Documents
from workspace.errors import ApiError, invalid_state, not_found

PENDING, RUNNING, SUCCESS, FAILED, CANCELED = "PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELED"
MANUAL, SCHEDULE = "MANUAL", "SCHEDULE"
SHOWN = 25
"""How many refreshes a list of the older API has (`QualityMonitorsAPI.list_refreshes`)."""

_KIND = "monitor_refresh"

logger = logging.getLogger("workspace.monitors")


class CanceledError(Exception):
    """Somebody cancelled the refresh while it ran."""


Carry = Callable[[str, Document, Callable[[], None]], str | None]
"""Carries out a refresh of the monitor on a table (by id): calls the check between its steps, returns a message. Raises
ApiError with the reason where it fails."""


class Refreshes:
    """Refreshes by the id of the watched table."""

    def __init__(self, documents: Documents, clock: Clock, carry: Carry, failed: Callable[[str, str], None]) -> None:
        self._documents = documents
        self._clock = clock
        self._carry = carry
        self._failed = failed
        self._queue: queue.Queue[tuple[str, int] | None] = queue.Queue()
        self._worker: threading.Thread | None = None
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._open = 0

    def start(self) -> None:
        self._stopping.clear()
        for key, refresh in self._documents.list(_KIND):
            if refresh["state"] in (PENDING, RUNNING):
                table_id = key.partition("/")[0]
                self._change(table_id, refresh["refresh_id"], state=PENDING)
                self._enqueue(table_id, refresh["refresh_id"])
        self._worker = threading.Thread(target=self._work, name="monitor-refreshes", daemon=True)
        self._worker.start()

    def stop(self) -> None:
        self._stopping.set()
        self._queue.put(None)
        if self._worker is not None:
            self._worker.join(timeout=30)
            self._worker = None

    def create(self, table_id: str, trigger: str) -> Document:
        number = self._documents.next_number(_KIND)
        refresh: Document = {
            "refresh_id": number,
            "state": PENDING,
            "start_time_ms": self._clock.now_ms(),
            "trigger": trigger,
        }
        self._documents.put(_KIND, _key(table_id, number), refresh)
        self._enqueue(table_id, number)
        return refresh

    def get(self, table_id: str, refresh_id: str) -> Document:
        """Raises ApiError 404."""
        found = self._documents.get(_KIND, _key(table_id, int(refresh_id))) if refresh_id.isdecimal() else None
        if found is None:
            raise not_found(f"Refresh {refresh_id} of the monitor does not exist.")
        return found

    def of(self, table_id: str) -> list[Document]:
        """Newest first."""
        return [refresh for _, refresh in reversed(self._documents.list(_KIND, f"{table_id}/"))]

    def cancel(self, table_id: str, refresh_id: str) -> None:
        """Raises ApiError 404; 400 for a refresh that is over."""
        refresh = self.get(table_id, refresh_id)

        def change(found: Document) -> None:
            if found["state"] == PENDING:
                found |= {"state": CANCELED, "end_time_ms": self._clock.now_ms()}
            elif found["state"] == RUNNING:
                found["canceling"] = True

        if refresh["state"] not in (PENDING, RUNNING):
            raise invalid_state(f"Refresh {refresh_id} is over ({refresh['state']}) and cannot be cancelled.")
        self._documents.update(_KIND, _key(table_id, refresh["refresh_id"]), change)

    def forget(self, table_id: str) -> None:
        """Cancel what goes on, and forget all refreshes of the table."""
        for key, _ in self._documents.list(_KIND, f"{table_id}/"):
            self._documents.delete(_KIND, key)

    def wait(self, seconds: float) -> bool:
        """Until nothing is queued or running; False where that takes longer."""
        with self._idle:
            return self._idle.wait_for(lambda: self._open == 0, timeout=seconds)

    def _enqueue(self, table_id: str, number: int) -> None:
        with self._idle:
            self._open += 1
        self._queue.put((table_id, number))

    def _work(self) -> None:
        while (entry := self._queue.get()) is not None:
            try:
                if self._stopping.is_set():
                    return
                self._carry_out(*entry)
            finally:
                with self._idle:
                    self._open -= 1
                    self._idle.notify_all()

    def _carry_out(self, table_id: str, number: int) -> None:
        refresh = self._documents.get(_KIND, _key(table_id, number))
        if refresh is None or refresh["state"] != PENDING:
            return
        self._change(table_id, number, state=RUNNING)

        def check() -> None:
            current = self._documents.get(_KIND, _key(table_id, number))
            if current is None or current.get("canceling"):
                raise CanceledError
            if self._stopping.is_set():
                raise _StoppedError

        outcome: dict[str, Any]
        try:
            message = self._carry(table_id, refresh, check)
            outcome = {"state": SUCCESS} | ({"message": message} if message else {})
        except CanceledError:
            outcome = {"state": CANCELED}
        except _StoppedError:
            self._change(table_id, number, state=PENDING)
            return
        except ApiError as error:
            outcome = {"state": FAILED, "message": error.message}
        except Exception as error:
            # A worker that ends would leave every later refresh pending for ever.
            logger.exception("a refresh failed unexpectedly")
            outcome = {"state": FAILED, "message": f"INTERNAL_ERROR: {type(error).__name__}: {error}"}
        if outcome["state"] == FAILED:
            # First, so that whoever sees the failure finds the people told.
            self._failed(table_id, outcome["message"])
        self._change(table_id, number, **outcome, end_time_ms=self._clock.now_ms())

    def _change(self, table_id: str, number: int, **values: Any) -> None:
        def change(found: Document) -> None:
            found.pop("canceling", None)
            found.update(values)

        self._documents.update(_KIND, _key(table_id, number), change)


class _StoppedError(Exception):
    """The server stops."""


def shown(refresh: Document) -> Document:
    """What a client sees."""
    return {name: value for name, value in refresh.items() if name != "canceling"}


def _key(table_id: str, number: int) -> str:
    return f"{table_id}/{number:020}"
