"""How long served entities are awake, in pieces of an hour at most: what the service bills them for. Pure.

An entity that may scale to zero is billed until half an hour after its last request, whenever somebody looks: a clock
that is moved ahead by a day is no day awake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

HOUR_SECONDS = 3_600
LAUNCHES_AN_HOUR = 2
"""How many of an endpoint's launches in an hour are billed (components/rates.py, "launch")."""


class Span(NamedTuple):
    """How long an entity is awake: seconds since the epoch, and whether it had been scaled to zero before."""

    started: float
    until: float
    from_zero: bool
    workload_type: str


@dataclass(frozen=True, kw_only=True)
class Awake:
    """A served entity that is awake, as somebody finds it."""

    uid: str
    endpoint_id: str
    endpoint_name: str
    creator: str
    tags: Mapping[str, str]
    concurrency: int
    """Requests at a time that it is provisioned for."""
    span: Span


@dataclass(frozen=True, kw_only=True)
class Used:
    """A piece of one hour in which an entity was awake, or that it was woken in it."""

    entity: Awake
    start: float
    end: float
    is_launch: bool = False


@dataclass
class Meter:
    """Knows up to when every entity has been told. Not thread-safe: one thread looks."""

    _told: dict[str, tuple[Awake, float]] = field(default_factory=dict)
    """By uid: the entity when it was seen last, and up to when its time has been told."""
    _launches: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By endpoint and hour, of the newest hour."""

    def look(self, awake: Sequence[Awake]) -> list[Used]:
        """What is to be told now: whole hours of those that are awake, and the rest of those that are no longer."""
        found = {entity.uid: entity for entity in awake}
        used: list[Used] = []
        for uid, (before, told) in list(self._told.items()):
            entity = found.get(uid)
            if entity is None or entity.span.started != before.span.started:
                used += _pieces(before, told, before.span.until)
                del self._told[uid]
        for entity in awake:
            known = self._told.get(entity.uid)
            if known is None and entity.span.from_zero:
                used += self._launch(entity)
            told = entity.span.started if known is None else known[1]
            whole = max(told, entity.span.until // HOUR_SECONDS * HOUR_SECONDS)
            used += _pieces(entity, told, whole)
            self._told[entity.uid] = entity, whole
        return used

    def close(self) -> list[Used]:
        """The rest of everything, because nobody will look any more."""
        return self.look([])

    def _launch(self, entity: Awake) -> list[Used]:
        hour = int(entity.span.started // HOUR_SECONDS)
        self._launches = Counter({key: count for key, count in self._launches.items() if key[1] >= hour})
        self._launches[entity.endpoint_id, hour] += 1
        if self._launches[entity.endpoint_id, hour] > LAUNCHES_AN_HOUR:
            return []
        return [Used(entity=entity, start=entity.span.started, end=entity.span.started, is_launch=True)]


def _pieces(entity: Awake, start: float, end: float) -> list[Used]:
    pieces = []
    while start < end:
        stop = min(end, (start // HOUR_SECONDS + 1) * HOUR_SECONDS)
        pieces.append(Used(entity=entity, start=start, end=stop))
        start = stop
    return pieces
