"""Who may change an endpoint's traffic: a lease in its tags, with a fence, because a driver can outlive its engine.

The service has no compare-and-set. So a lease is written, read again after a moment, and read again before every
write: of two drivers that wrote at the same time, the one whose lease is there goes on. A lease that has run out is
taken over with a higher fence; whoever finds another fence than its own stops. Between the last reading and a write
lies one round trip, in which another driver could begin; it would find a config update under way (409).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..dynamic.errors import ProviderError, WorkspaceError
from .live import Endpoint, patch_tags, read_endpoint

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

LEASE_TAG = "release_lease"
ABORT_TAG = "release_abort"
ANY_RELEASE = "any"
_SETTLE_SECONDS = 0.2
# A lease that is not given back keeps the next driver waiting, and shows as a tag that the stack does not declare.
_GIVE_UP_PAUSES = (1.0, 4.0)


class ReleaseClock(Protocol):
    """Seconds since the epoch, and the passing of them."""

    def wall(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class LostError(Exception):
    """This driver may not go on."""


class AbortedError(Exception):
    """Somebody has asked for an end."""


class OthersLeaseError(ProviderError):
    """Another driver is at work on the endpoint."""


@dataclass(frozen=True)
class Holder:
    """What a lease tag says."""

    release: str
    fence: int
    until: float
    """Seconds since the epoch."""

    def text(self) -> str:
        """Of characters that clouds allow in a tag: those of an endpoint go to the bill."""
        return f"{self.release}:{self.fence}:{self.until:.1f}"


def holder_of(tags: Mapping[str, str]) -> Holder | None:
    """Who holds an endpoint; None where nobody does, or what is noted cannot be read."""
    try:
        release, fence, until = tags.get(LEASE_TAG, "").split(":")
        return Holder(release, int(fence), float(until))
    except ValueError:
        return None


class Lease:
    """This driver's claim to one endpoint."""

    def __init__(
        self,
        client: WorkspaceClient,
        endpoint: str,
        release: str,
        *,
        seconds: float,
        clock: ReleaseClock,
        is_waited_for: Callable[[], bool],
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._release = release
        self._seconds = seconds
        self._clock = clock
        self._is_waited_for = is_waited_for
        self._fence = 0
        self._until = 0.0

    def acquire(self, say: Callable[[str], None]) -> None:
        """Takes the endpoint, after waiting for a lease that nobody renews.

        Raises:
            OthersLeaseError: another driver is at work: its lease is renewed, or it was quicker.
            WorkspaceError: the workspace did not say.
        """
        found = read_endpoint(self._client, self._endpoint)
        other = holder_of(found.tags)
        while other is not None and other.until > self._clock.wall():
            left = other.until - self._clock.wall()
            say(f"waiting up to {left:.0f} s for release {other.release}, which may have been killed")
            self._clock.sleep(min(left + 0.1, self._seconds / 4))
            if not self._is_waited_for():
                raise LostError("the engine that asked for the release is gone")
            again = holder_of(read_endpoint(self._client, self._endpoint).tags)
            if again is None:
                raise OthersLeaseError(
                    f"endpoint {self._endpoint}: release {other.release} was at work on it and has just ended, so "
                    "what was previewed may not be what is to be done now",
                    "Run `pulumi up` again",
                )
            if again != other and again.until > self._clock.wall():
                raise self._taken(again)
            other = again
        now = self._clock.wall()
        self._fence = max((other.fence if other else 0) + 1, int(now * 1000))
        self._write(now)
        self._clock.sleep(_SETTLE_SECONDS)
        winner = holder_of(read_endpoint(self._client, self._endpoint).tags)
        if winner is None or (winner.release, winner.fence) != (self._release, self._fence):
            raise self._taken(winner)

    def check(self, *, obey_abort: bool = True) -> Endpoint:
        """Reads the endpoint anew, and whether this driver may go on; renews the lease where it is time.

        Raises:
            LostError: it may not.
            AbortedError: somebody has set the abort tag for this release.
            WorkspaceError: the workspace did not say; nothing may be written then.
        """
        if not self._is_waited_for():
            raise LostError("the engine that asked for the release is gone")
        try:
            found = read_endpoint(self._client, self._endpoint)
        except ProviderError:
            if self._clock.wall() > self._until:
                raise LostError("the workspace could not be read for longer than the lease lasts") from None
            raise
        holder = holder_of(found.tags)
        if holder is None or (holder.release, holder.fence) != (self._release, self._fence):
            whose = "nobody's" if holder is None else f"release {holder.release}'s"
            raise LostError(f"endpoint {self._endpoint} is {whose} now, and not release {self._release}'s")
        if self._until - self._clock.wall() < self._seconds / 2:
            self._write(self._clock.wall())
        if obey_abort and found.tags.get(ABORT_TAG, "") in (ANY_RELEASE, self._release):
            raise AbortedError("the abort tag of the endpoint")
        return found

    def give_up(self, *, finished: bool) -> None:
        """Ends the lease, if it is still this driver's. Raises WorkspaceError.

        Args:
            finished: removes it, and an abort that has been obeyed. Otherwise it is left as one that has run out, so
                that a driver that waits for it can tell a release that was left from one that has ended.
        """
        for pause in _GIVE_UP_PAUSES:
            try:
                self._end(finished=finished)
                return
            except WorkspaceError:
                self._clock.sleep(pause)
        self._end(finished=finished)

    def _end(self, *, finished: bool) -> None:
        tags = read_endpoint(self._client, self._endpoint).tags
        holder = holder_of(tags)
        if holder is None or (holder.release, holder.fence) != (self._release, self._fence):
            return
        if finished:
            patch_tags(self._client, self._endpoint, {}, [tag for tag in (LEASE_TAG, ABORT_TAG) if tag in tags])
        else:
            self._write(self._clock.wall() - self._seconds)

    def _write(self, now: float) -> None:
        until = now + self._seconds
        holder = Holder(self._release, self._fence, until)
        patch_tags(self._client, self._endpoint, {LEASE_TAG: holder.text()}, [])
        self._until = until

    def _taken(self, by: Holder | None) -> OthersLeaseError:
        return OthersLeaseError(
            f"endpoint {self._endpoint}: release {by.release if by else 'of somebody else'} is at work on it, so "
            f"release {self._release} was not begun",
            "Wait until it has ended, or end it with `make abort`; then run `pulumi up` again",
        )
