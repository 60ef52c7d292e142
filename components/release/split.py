"""Shares of the traffic while a release goes on: always whole percentages that total 100. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..traffic import WHOLE

Split = tuple[tuple[str, int], ...]
"""(served entity, percent), in a fixed order; empty where an endpoint serves nothing yet."""


def percent_of(split: Split, entity: str) -> int:
    """The entity's share; 0 where it has no route."""
    return dict(split).get(entity, 0)


def with_candidate(good: Split, candidate: str, percent: int) -> Split:
    """The good split with `percent` taken from it for the candidate; the others share the rest as they did before.

    Rounded by largest remainder, so that the total stays 100 and an entity at 0 % stays there.
    """
    others = [(name, share) for name, share in good if name != candidate]
    weight = sum(share for _, share in others)
    if not weight:
        return (*((name, 0) for name, _ in others), (candidate, WHOLE))
    rest = WHOLE - percent
    exact = [(name, share * rest / weight) for name, share in others]
    floors = {name: int(share) for name, share in exact}
    left = rest - sum(floors.values())
    for name, _ in sorted(exact, key=lambda one: one[1] - int(one[1]), reverse=True)[:left]:
        floors[name] += 1
    return (*((name, floors[name]) for name, _ in others), (candidate, percent))


def final_split(candidate: str, standby: Iterable[str]) -> Split:
    """What runs after a release: the candidate has everything, standby entities nothing."""
    return (*((name, 0) for name in standby if name != candidate), (candidate, WHOLE))


def same_split(one: Split, other: Split) -> bool:
    """Whether two splits say the same, whatever their order."""
    return dict(one) == dict(other) and len(one) == len(other)


def shown(split: Split) -> str:
    """For people: `fare-17 80 %, fare-18 20 %`."""
    return ", ".join(f"{name} {share} %" for name, share in split) or "nothing"
