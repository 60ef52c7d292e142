"""The traffic split of a serving endpoint: routes and the rules they obey. Knows nothing of Pulumi.

Rules (facts: Databricks' serving API and its provider): percentages are whole numbers from 0 to 100 that total
100, every served entity has exactly one route, names are unique, and an endpoint has at most ten served entities.
Neither the official plugin nor Terraform checks any of it before the API call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_SERVED_ENTITIES = 10
WHOLE = 100


class TrafficSplitError(ValueError):
    """The routes do not make a split; the message lists every reason."""


@dataclass(frozen=True)
class Route:
    """What share of the requests one served entity gets, in whole percent."""

    served_entity_name: str
    traffic_percentage: int


@dataclass(frozen=True)
class TrafficSplit:
    """Routes that are known to add up."""

    routes: tuple[Route, ...]

    def __post_init__(self) -> None:
        problems = list(_problems(self.routes))
        if problems:
            raise TrafficSplitError("; ".join(problems))

    @classmethod
    def of(cls, routes: Iterable[tuple[str, int]]) -> TrafficSplit:
        """A split from (served entity name, percentage) pairs.

        Raises:
            TrafficSplitError: the pairs break a rule.
        """
        return cls(tuple(Route(name, percentage) for name, percentage in routes))

    def majority(self) -> str:
        """The served entity that gets the most traffic; the first of them where several get the same."""
        return max(self.routes, key=lambda route: route.traffic_percentage).served_entity_name


def _problems(routes: tuple[Route, ...]) -> Iterator[str]:
    if not routes:
        yield "there is no route; name at least one served entity with traffic 100"
        return
    if len(routes) > MAX_SERVED_ENTITIES:
        surplus = len(routes) - MAX_SERVED_ENTITIES
        yield f"{len(routes)} served entities, an endpoint takes at most {MAX_SERVED_ENTITIES}; remove {surplus}"
    for name, count in Counter(route.served_entity_name for route in routes).items():
        if count > 1:
            yield f"served entity {name!r} has {count} routes; give every entity a name of its own and one route"
    whole_numbers = True
    for route in routes:
        percentage = route.traffic_percentage
        # bool is an int in Python; `true` in a stack file is no percentage.
        if isinstance(percentage, bool) or not isinstance(percentage, int):
            whole_numbers = False
            yield f"route {route.served_entity_name!r} has {percentage!r} percent; a percentage is a whole number"
        elif not 0 <= percentage <= WHOLE:
            yield f"route {route.served_entity_name!r} has {percentage} percent; it lies between 0 and {WHOLE}"
    if whole_numbers:
        total = sum(route.traffic_percentage for route in routes)
        if total != WHOLE:
            split = ", ".join(f"{route.served_entity_name} {route.traffic_percentage}" for route in routes)
            yield f"traffic adds up to {total} ({split}); change the percentages so that they total {WHOLE}"
