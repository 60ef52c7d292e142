"""The time of the workspace: the system's, or moved ahead by a test: `GET/PUT /_workspace/clock`.

Everything that a user sees as a time, and everything that falls due, goes by this clock; time-outs of the machine
itself do not.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
import time
from collections.abc import Callable

from starlette.routing import BaseRoute

from workspace.errors import invalid
from workspace.http import Call, Json, api
from workspace.state import State

KIND = "clock"
KEY = "offset"

logger = logging.getLogger("workspace")


class Alarm:
    """Something that falls due at a time of the workspace's clock; `cancel` takes it off."""

    def __init__(self, due: float, action: Callable[[], None]) -> None:
        self.due = due
        self._action: Callable[[], None] | None = action
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """It will not go off any more; one that is going off is not waited for."""
        with self._lock:
            self._action = None

    def go_off(self) -> None:
        with self._lock:
            action, self._action = self._action, None
        if action is None:
            return
        try:
            action()
        except Exception:
            # Whoever set it waits for nothing, and the next alarm must go off all the same.
            logger.exception("what fell due at %s failed", self.due)


class Clock:
    """Seconds since the epoch, never running backwards; an advance survives a restart."""

    def __init__(self, state: State) -> None:
        self._documents = state.documents
        self._offset = float((self._documents.get(KIND, KEY) or {"seconds": 0.0})["seconds"])
        self._listeners: list[Callable[[], None]] = []
        self._changed = threading.Condition()
        self._ringing = threading.RLock()
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._order = itertools.count()
        self._running = False
        self._thread: threading.Thread | None = None

    def now(self) -> float:
        return time.time() + self._offset

    def now_ms(self) -> int:
        return int(self.now() * 1000)

    def call_at(self, due: float, action: Callable[[], None]) -> Alarm:
        """Have `action` called once, when this clock reads `due` (seconds since the epoch) or later.

        It is called in the thread of the clock, or of the request that moves time ahead, so it must be short. Alarms
        go off only between `start` and `stop`, and are not kept over a restart: that is the business of who sets them.
        """
        alarm = Alarm(due, action)
        with self._changed:
            heapq.heappush(self._alarms, (due, next(self._order), alarm))
            self._changed.notify()
        return alarm

    def advance(self, seconds: float) -> None:
        """Move time ahead; what fell due by it has gone off when this returns, in the order of its times."""
        with self._changed:
            self._documents.put(KIND, KEY, {"seconds": self._offset + seconds})
            self._offset += seconds
            running = self._running
        if running:
            self._set_off(self.now())
        for listener in self._listeners:
            listener()

    def on_advance(self, listener: Callable[[], None]) -> None:
        """`listener` is called after each advance, in the thread of the request."""
        self._listeners.append(listener)

    def routes(self) -> list[BaseRoute]:
        return [
            api("GET", "/_workspace/clock", lambda _: self._shown()),
            api("PUT", "/_workspace/clock", self._put),
        ]

    def start(self) -> None:
        self._running = True
        self._thread = threading.Thread(target=self._watch, name="clock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._running = False
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        """Sleep until the next alarm is due, or an earlier one is set."""
        while True:
            with self._changed:
                if not self._running:
                    return
                wait = self._alarms[0][0] - self.now() if self._alarms else None
                if wait is None or wait > 0:
                    self._changed.wait(None if wait is None else min(wait, threading.TIMEOUT_MAX))
                    continue
            self._set_off(self.now())

    def _set_off(self, now: float) -> None:
        """Alarms that are due at `now`; those set meanwhile wait for the next look, so that none can hold this up."""
        # An advance must not return while the other thread is still at alarms that it took.
        with self._ringing:
            with self._changed:
                due = []
                while self._alarms and self._alarms[0][0] <= now:
                    due.append(heapq.heappop(self._alarms)[2])
            for alarm in due:
                alarm.go_off()

    def _put(self, call: Call) -> Json:
        (seconds,) = call.require("advance_seconds")
        number = not isinstance(seconds, bool) and isinstance(seconds, int | float)
        if not number or not math.isfinite(seconds) or seconds < 0:
            raise invalid(f"advance_seconds is a number of seconds, 0 or more; received {seconds!r}")
        self.advance(float(seconds))
        return self._shown()

    def _shown(self) -> Json:
        return {"now_ms": self.now_ms(), "offset_seconds": self._offset}
