"""The time of the workspace: the system's, or moved ahead by a test: `GET/PUT /_workspace/clock`.

Everything that a user sees as a time, and everything that falls due, goes by this clock; time-outs of the machine
itself do not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from starlette.routing import BaseRoute

from workspace.errors import invalid
from workspace.http import Call, Json, api
from workspace.state import State

KIND = "clock"
KEY = "offset"


class Clock:
    """Seconds since the epoch, never running backwards; an advance survives a restart."""

    def __init__(self, state: State) -> None:
        self._documents = state.documents
        self._offset = float((self._documents.get(KIND, KEY) or {"seconds": 0.0})["seconds"])
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        return time.time() + self._offset

    def now_ms(self) -> int:
        return int(self.now() * 1000)

    def advance(self, seconds: float) -> None:
        """Move time ahead, then have what fell due taken care of."""
        self._documents.put(KIND, KEY, {"seconds": self._offset + seconds})
        self._offset += seconds
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

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def _put(self, call: Call) -> Json:
        (seconds,) = call.require("advance_seconds")
        number = not isinstance(seconds, bool) and isinstance(seconds, int | float)
        if not number or not math.isfinite(seconds) or seconds < 0:
            raise invalid(f"advance_seconds is a number of seconds, 0 or more; received {seconds!r}")
        self.advance(float(seconds))
        return self._shown()

    def _shown(self) -> Json:
        return {"now_ms": self.now_ms(), "offset_seconds": self._offset}
