"""Waiting for a state, with a deadline, that ends when nobody waits any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from . import engine
from .errors import ProviderError

Result = TypeVar("Result")


class Clock(Protocol):
    """Seconds since some moment, and the passing of them."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock; it never runs backwards."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class NotInTimeError(ProviderError):
    """The deadline passed first."""


def wait_for(
    probe: Callable[[], tuple[Result | None, str]],
    *,
    what: str,
    poll_seconds: float,
    timeout_seconds: float,
    clock: Clock,
    remedy: str,
) -> Result:
    """Probes until there is a result, and tells the engine what it is waiting for.

    Args:
        probe: gives the result, or None with the state that was seen instead; raises to end the waiting.
        what: what is waited for, for progress lines and the error.
        remedy: the last line of the error: what a person should look at.

    Raises:
        NotInTimeError: `timeout_seconds` have passed; names the last state seen.
        ProviderError: the engine is gone.
    """
    started = clock.now()
    while True:
        result, seen = probe()
        if result is not None:
            return result
        waited = clock.now() - started
        left = timeout_seconds - waited
        if left <= 0:
            raise NotInTimeError(f"{what}: still {seen} after {waited:.0f} s (limit {timeout_seconds:g} s)", remedy)
        engine.progress(f"{what}: {seen} ({waited:.0f} s of at most {timeout_seconds:g} s)")
        clock.sleep(min(poll_seconds, left))
        if not engine.is_waiting():
            raise ProviderError(f"{what}: stopped waiting, because the engine that asked is gone")
