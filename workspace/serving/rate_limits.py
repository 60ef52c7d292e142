"""Rate limits of AI Gateway: which of them apply to a caller, and what the last minute has used of each.

Rules: docs "Configure AI Gateway on model serving endpoints": the endpoint's limit is a maximum for everybody; a limit
of a user or service principal goes before those of their groups, and those before the default of all users; who is in
several groups with limits is refused only where all of them are used up; calls and tokens count both.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from workspace.clock import Clock
from workspace.errors import ApiError
from workspace.http import Caller, Json

PERIOD_SECONDS = 60.0
Counter = tuple[str, str, str]


@dataclass
class _Window:
    """What the last minute has used."""

    calls: deque[float] = field(default_factory=deque)
    tokens: deque[tuple[float, int]] = field(default_factory=deque)

    def forget(self, now: float) -> None:
        while self.calls and now - self.calls[0] >= PERIOD_SECONDS:
            self.calls.popleft()
        while self.tokens and now - self.tokens[0][0] >= PERIOD_SECONDS:
            self.tokens.popleft()


@dataclass(frozen=True)
class _Refusal:
    message: str
    retry_after: int


class RateLimiter:
    """Counts calls and tokens by endpoint, user and group, by the workspace's clock. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: defaultdict[Counter, _Window] = defaultdict(_Window)
        self._lock = threading.Lock()

    def admit(self, endpoint_id: str, limits: Sequence[Json], caller: Caller) -> None:
        """Count one call; ApiError 429 where that is one too many, or the tokens are used up."""
        with self._lock:
            now = self._clock.now()
            everybody, own = _applicable(limits, caller)
            for limit in everybody:
                _raise(self._refusal(endpoint_id, limit, caller, now))
            refused = [self._refusal(endpoint_id, limit, caller, now) for limit in own]
            if refused and all(refused):
                _raise(min((one for one in refused if one), key=lambda one: one.retry_after))
            for counter in {_counter(endpoint_id, limit, caller) for limit in [*everybody, *own]}:
                self._windows[counter].calls.append(now)

    def spend(self, endpoint_id: str, limits: Sequence[Json], caller: Caller, tokens: int) -> None:
        """Count the tokens of a call that was answered."""
        with self._lock:
            now = self._clock.now()
            everybody, own = _applicable(limits, caller)
            for counter in {_counter(endpoint_id, limit, caller) for limit in [*everybody, *own]}:
                self._windows[counter].tokens.append((now, tokens))

    def _refusal(self, endpoint_id: str, limit: Json, caller: Caller, now: float) -> _Refusal | None:
        window = self._windows[_counter(endpoint_id, limit, caller)]
        window.forget(now)
        calls, tokens = limit.get("calls"), limit.get("tokens")
        if calls is not None and len(window.calls) >= calls:
            return _Refusal(_message(limit, f"{calls} calls"), _wait(window.calls[0] if window.calls else now, now))
        if tokens is not None and sum(used for _, used in window.tokens) >= tokens:
            first = window.tokens[0][0] if window.tokens else now
            return _Refusal(_message(limit, f"{tokens} tokens"), _wait(first, now))
        return None


def _applicable(limits: Sequence[Json], caller: Caller) -> tuple[list[Json], list[Json]]:
    """The limits of everybody, and those of this caller."""
    everybody = [limit for limit in limits if _key(limit) == "endpoint"]
    for own in (
        [limit for limit in limits if _key(limit) in ("user", "service_principal") and _named(limit, caller)],
        [limit for limit in limits if _key(limit) == "user_group" and limit.get("principal") in caller.groups],
        [limit for limit in limits if _key(limit) == "user" and not limit.get("principal")],
    ):
        if own:
            return everybody, own
    return everybody, []


def _named(limit: Json, caller: Caller) -> bool:
    return limit.get("principal") in (caller.user_name, caller.id)


def _key(limit: Json) -> str:
    return str(limit.get("key") or "endpoint")


def _counter(endpoint_id: str, limit: Json, caller: Caller) -> Counter:
    key = _key(limit)
    if key == "endpoint":
        return endpoint_id, key, ""
    return endpoint_id, key, str(limit["principal"]) if key == "user_group" else caller.user_name


def _wait(first: float, now: float) -> int:
    return max(1, int(PERIOD_SECONDS - (now - first)) + 1)


def _message(limit: Json, what: str) -> str:
    principal = f" {limit['principal']}" if limit.get("principal") else ""
    return f"Exceeded the rate limit of {what} per minute ({_key(limit)}{principal})."


def _raise(refusal: _Refusal | None) -> None:
    if refusal is not None:
        raise ApiError(429, "REQUEST_LIMIT_EXCEEDED", refusal.message, retry_after=refusal.retry_after)
