"""How traffic is split between the entities of an endpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from policies import sources
from policies.endpoints import DECLARES_ENTITIES, ENDPOINTS, Route, ServedEntity, as_text, declared
from policies.reading import UNKNOWN
from policies.rule import ADVISORY, HIGH, LOW, MANDATORY, ResourceRule
from policies.subject import Subject

MAX_ENTITIES = 10
"""The most served entities an endpoint can have (Model Serving limits)."""


def _split(subject: Subject) -> Iterator[str]:
    declaration = declared(subject)
    entities, routes = declaration.entities, declaration.routes
    if len(entities) > MAX_ENTITIES:
        yield (
            f"config declares {len(entities)} served entities, an endpoint can have {MAX_ENTITIES}: "
            f"remove {len(entities) - MAX_ENTITIES}."
        )
    yield from _names(entities)
    if declaration.complete:
        if routes is not None:
            yield from _targets(entities, routes)
            yield from _percentages(routes)
        elif len(entities) > 1:
            yield (
                f"config declares {len(entities)} served entities and no trafficConfig: "
                "declare one route for each, with percentages that add up to 100."
            )


def _names(entities: Sequence[ServedEntity]) -> Iterator[str]:
    counts = Counter(entity.name for entity in entities if isinstance(entity.name, str))
    for name, count in counts.items():
        if count > 1:
            yield f"{count} served entities are named '{name}': give each a name of its own, such as '{name}-2'."


def _targets(entities: Sequence[ServedEntity], routes: Sequence[Route]) -> Iterator[str]:
    names = {entity.name for entity in entities if isinstance(entity.name, str)}
    all_named = all(isinstance(entity.name, str) for entity in entities)
    routed: Counter[str] = Counter()
    for route in routes:
        both = {route.model_name, route.entity_name} - {None}
        if UNKNOWN in both:
            all_named = False
        elif len(both) != 1:
            yield (
                f"{route.path} names {' and '.join(sorted(map(repr, both))) or 'no entity'}: "
                "set servedEntityName to the one entity that it is for."
            )
        else:
            routed[route.target] += 1
            if route.target not in names and all_named:
                yield (
                    f"{route.path} sends traffic to '{route.target}', which is not served: "
                    f"name one of {', '.join(sorted(names)) or '(no entity is declared)'}, or remove the route."
                )
    for name, count in routed.items():
        if count > 1:
            yield f"{count} routes are for '{name}': keep one, with the sum of their percentages."
    for name in sorted(names - routed.keys()) if all_named else ():
        yield f"served entity '{name}' has no route: add one with trafficPercentage 0 to keep it without traffic."


def _percentages(routes: Sequence[Route]) -> Iterator[str]:
    total = 0
    for route in routes:
        if route.percentage is UNKNOWN:
            return
        percentage = _whole(route.percentage)
        if percentage is None:
            shown = "absent" if route.percentage is None else f"'{route.percentage}'"
            yield f"{route.path}: trafficPercentage is {shown}; set it to a whole number from 0 to 100."
            return
        total += percentage
    if total != 100:
        split = ", ".join(f"{route.target} {as_text(route.percentage)}" for route in routes)
        yield f"the routes add up to {total} ({split or 'none'}): change the percentages so that they add up to 100."


def _whole(percentage: object) -> int | None:
    """The percentage as a number from 0 to 100; the provider also takes it as text."""
    if isinstance(percentage, str) and percentage.isascii() and percentage.isdecimal():
        percentage = int(percentage)
    if isinstance(percentage, bool) or not isinstance(percentage, int | float):
        return None
    return int(percentage) if float(percentage).is_integer() and 0 <= percentage <= 100 else None


traffic_routes_add_up = ResourceRule(
    id="POL-02",
    name="traffic-routes-add-up",
    description="Refuse a traffic split that the service refuses: one route an entity, whole percentages, 100 in all.",
    remediation="Declare one route for each served entity, with whole percentages that add up to 100.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.SERVING_LIMITS,
    types=DECLARES_ENTITIES,
    check=_split,
)


def _explicit(subject: Subject) -> Iterator[str]:
    declaration = declared(subject)
    if declaration.complete and declaration.routes is None and len(declaration.entities) == 1:
        yield (
            f"{declaration.entities[0].label} gets all traffic because nothing else is said: declare "
            "config.trafficConfig with one route of 100, so that a second entity cannot change it unseen."
        )


traffic_is_explicit = ResourceRule(
    id="POL-30",
    name="traffic-is-explicit",
    description="Require a traffic split also for a single entity, so that preview shows where requests go.",
    remediation="Declare config.trafficConfig with one route of trafficPercentage 100.",
    staging=ADVISORY,
    prod=ADVISORY,
    severity=LOW,
    source=sources.CREATE_ENDPOINTS,
    types=frozenset(ENDPOINTS),
    check=_explicit,
)

RULES = (traffic_routes_add_up, traffic_is_explicit)
