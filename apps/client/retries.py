"""Whether to ask again, and when. Predictions change nothing, so asking twice is safe.

Model Serving answers 429 above its concurrency or rate limit and 503 or 504 while an endpoint scales up (documentation
"Debug model serving timeouts", "Model Serving limits and regions").
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

RETRIED_STATUSES = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often to ask, and how long to wait in between (exponential, with full jitter)."""

    attempts: int = 4
    """Requests in all, the first one included."""
    base_seconds: float = 0.2
    """Upper bound of the first wait; each further one may be twice as long."""
    longest_seconds: float = 10.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.base_seconds < 0 or self.longest_seconds < 0:
            raise ValueError(f"a policy takes at least one attempt and waits of 0 s or more; received {self}")


class Attempts:
    """One prediction's attempts. `wait` says how long to sleep before the next one; None ends it."""

    def __init__(
        self,
        policy: RetryPolicy,
        deadline_seconds: float,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if deadline_seconds <= 0:
            raise ValueError(f"a deadline is a number of seconds above 0; received {deadline_seconds!r}")
        self._policy = policy
        self._clock = clock
        self._jitter = jitter
        self._ends = clock() + deadline_seconds
        self.made = 1

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._ends - self._clock())

    def wait(self, status: int | None, headers: Mapping[str, str] | None = None) -> float | None:
        """Seconds to wait before asking again, None where the last answer is final or time is up.

        Args:
            status: of the answer; None where there was none (connection refused or broken).
            headers: of the answer; `Retry-After` is obeyed.
        """
        if status is not None and status not in RETRIED_STATUSES:
            return None
        if self.made >= self._policy.attempts:
            return None
        longest: float = min(self._policy.longest_seconds, self._policy.base_seconds * 2.0 ** (self.made - 1))
        seconds = max(_retry_after(headers or {}), longest * self._jitter())
        # An answer that could only come after the deadline is not waited for.
        if seconds >= self.seconds_left:
            return None
        self.made += 1
        return seconds


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds, of either form of the header (RFC 9110, 10.2.3): a number, or a date of a gateway in front."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
