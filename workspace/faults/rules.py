"""Fault rules: which calls they meet, when it is their turn, and what they do to a call."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from workspace.errors import ApiError, invalid
from workspace.http import Json

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
ANY_METHOD = "*"
DEFAULT_RETRY_AFTER_SECONDS = 1
# The workspace's own switches and its sign of life are never faulted: a rule must not be able to lock its maker out.
UNTOUCHED_PATHS = ("/_workspace/", "/health")

# Status -> error code and words. The codes are those that databricks-sdk maps to an exception of its own
# (`databricks/sdk/errors/overrides.py`, `platform.py`).
ERRORS: Mapping[int, tuple[str, str]] = {
    429: (
        "REQUEST_LIMIT_EXCEEDED",
        "Your request was rejected since your organization has exceeded the rate limit. Please retry your request "
        "later.",
    ),
    500: ("INTERNAL_ERROR", "An internal error occurred while handling {method} {path}."),
    503: ("TEMPORARILY_UNAVAILABLE", "The service at {path} is temporarily unavailable. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "The service at {path} is taking too long to process your request. Please try again."),
}
RETRIED = (429, 503)
"""Statuses that carry a Retry-After; databricks-sdk and the provider retry no others (`_BaseClient._is_retryable`)."""


class When(StrEnum):
    """Whether a fault comes instead of the call, or after the call took effect."""

    BEFORE = "before"
    AFTER = "after"


@dataclass
class Rule:
    """One rule. `calls` and `hits` are counted by `Rules` under its lock."""

    id: str
    method: str
    path: str
    """Glob: `*` and `?` stay within one segment of the path, `**` crosses segments."""
    when: When
    status: int | None
    reset: bool
    delay_ms: float
    retry_after: int | None
    message: str | None
    after_calls: int
    """So many matching calls pass untouched first."""
    times: int | None
    """So many calls are hit after that; None until the rule is removed."""
    calls: int = 0
    hits: int = 0
    _pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._pattern = glob(self.path)

    def matches(self, method: str, path: str) -> bool:
        return self.method in (ANY_METHOD, method) and self._pattern.fullmatch(path) is not None

    def due(self) -> bool:
        """Whether the call that was counted last is one of those to hit."""
        return self.calls > self.after_calls and (self.times is None or self.hits < self.times)

    def error(self, method: str, path: str) -> ApiError | None:
        """The answer that this rule puts in the place of the real one; None for a rule that only delays or resets."""
        if self.status is None:
            return None
        code, words = ERRORS[self.status]
        message = self.message if self.message is not None else words.format(method=method, path=path)
        return ApiError(self.status, code, message, retry_after=self.retry_after)

    def shown(self) -> Json:
        names = ("id", "method", "path", "when", "status", "reset", "delay_ms", "retry_after", "message")
        shown = {name: getattr(self, name) for name in (*names, "after_calls", "times", "calls", "hits")}
        return {**shown, "when": str(self.when)}


class Rules:
    """The rules of a running server, in the order they were made. Kept in memory: a restart starts without faults."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._made = 0
        self._lock = threading.Lock()

    def add(self, body: Json) -> Rule:
        """Make a rule of a request's body. ApiError 400 naming the field, what was received and what is taken."""
        with self._lock:
            rule = parse(body, str(self._made + 1))
            self._made += 1
            self._rules[rule.id] = rule
            return rule

    def all(self) -> list[Rule]:
        with self._lock:
            return list(self._rules.values())

    def remove(self, rule_id: str) -> bool:
        with self._lock:
            return self._rules.pop(rule_id, None) is not None

    def clear(self) -> int:
        with self._lock:
            count = len(self._rules)
            self._rules.clear()
            return count

    def take(self, method: str, path: str) -> Rule | None:
        """Count a call, and return the rule that is to be applied to it.

        Every rule that matches counts the call; the first of them whose turn it is is applied, and it alone.
        """
        if not self._rules or path.startswith(UNTOUCHED_PATHS):
            return None
        with self._lock:
            matching = [rule for rule in self._rules.values() if rule.matches(method, path)]
            for rule in matching:
                rule.calls += 1
            for rule in matching:
                if rule.due():
                    rule.hits += 1
                    return rule
            return None


def glob(pattern: str) -> re.Pattern[str]:
    """`*`: anything but a slash; `**`: anything; `?`: one character but a slash; the rest is literal."""
    parts = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in re.split(r"(\*\*|\*|\?)", pattern)))


FIELDS = ("path", "method", "when", "status", "reset", "delay_ms", "retry_after", "message", "after_calls", "times")


def parse(body: Json, rule_id: str) -> Rule:
    """A rule from a request's body. ApiError 400 for anything that is not one, or that would do nothing."""
    unknown = sorted(set(body) - set(FIELDS))
    if unknown:
        raise invalid(f"unknown field '{unknown[0]}' of a fault rule; the fields are {', '.join(FIELDS)}")
    status, reset, delay = body.get("status"), body.get("reset", False), body.get("delay_ms", 0)
    if status is not None and (isinstance(status, bool) or status not in ERRORS):
        raise invalid(f"status is one of {', '.join(map(str, ERRORS))}; received {status!r}")
    if not isinstance(reset, bool):
        raise invalid(f"reset is true or false; received {reset!r}")
    if not _is_number(delay) or not math.isfinite(delay) or delay < 0:
        raise invalid(f"delay_ms is a number of milliseconds, 0 or more; received {delay!r}")
    if reset and status is not None:
        raise invalid(f"a rule answers with a status or resets the connection, not both; received status {status}")
    if not reset and status is None and delay == 0:
        raise invalid("the rule would do nothing: give status, reset or delay_ms")
    if body.get("message") is not None and (status is None or not isinstance(body["message"], str)):
        raise invalid(f"message is a text, and goes with a status; received {body['message']!r}")
    return Rule(
        id=rule_id,
        method=_method(body.get("method", ANY_METHOD)),
        path=_path(body.get("path")),
        when=_when(body.get("when", When.BEFORE)),
        status=status,
        reset=reset,
        delay_ms=float(delay),
        retry_after=_retry_after(body, status),
        message=body.get("message"),
        after_calls=_count("after_calls", body.get("after_calls", 0), least=0),
        times=None if body.get("times") is None else _count("times", body["times"], least=1),
    )


def _method(value: object) -> str:
    method = value.upper() if isinstance(value, str) else value
    if method not in (*METHODS, ANY_METHOD):
        raise invalid(f"method is one of {', '.join(METHODS)}, or {ANY_METHOD} for any; received {value!r}")
    return str(method)


def _path(value: object) -> str:
    if not isinstance(value, str) or not value.startswith(("/", "*")):
        raise invalid(f"path is a pattern of paths, such as /api/2.0/serving-endpoints/*/config; received {value!r}")
    if value.startswith(UNTOUCHED_PATHS):
        raise invalid(f"{value} is the workspace's own, and is never faulted")
    return value


def _when(value: object) -> When:
    if value not in tuple(When):
        raise invalid(f"when is {' or '.join(When)} the call took effect; received {value!r}")
    return When(str(value))


def _retry_after(body: Json, status: int | None) -> int | None:
    value = body.get("retry_after")
    if value is None:
        return DEFAULT_RETRY_AFTER_SECONDS if status == 429 else None
    if status not in RETRIED:
        raise invalid(f"retry_after goes with status {' or '.join(map(str, RETRIED))}; received status {status}")
    return _count("retry_after", value, least=0)


def _count(name: str, value: object, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise invalid(f"{name} is a whole number, {least} or more; received {value!r}")
    return value


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float)
