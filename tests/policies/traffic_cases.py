"""Traffic splits that the components' checker and the pack's must answer equally.

The pack stands alone and cannot use the components' code; what holds the two together is this table. One thing they
tell apart on purpose, and is not in it: numbers as text, which the provider takes in a program of anybody's and a stack
file of this project may not have.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class TrafficCase(NamedTuple):
    """Routes as (served entity, percentage), one for each entity, and whether the service takes them."""

    name: str
    routes: tuple[tuple[str, Any], ...]
    is_valid: bool


TRAFFIC_CASES = (
    TrafficCase("one entity gets all", (("a", 100),), True),
    TrafficCase("two share", (("a", 80), ("b", 20)), True),
    TrafficCase("one waits without traffic", (("a", 100), ("b", 0)), True),
    TrafficCase("ten entities", tuple((f"m{number}", 10) for number in range(10)), True),
    TrafficCase("nine wait", (("a", 100), *((f"m{number}", 0) for number in range(9))), True),
    TrafficCase("one percent is a canary", (("a", 99), ("b", 1)), True),
    TrafficCase("names that differ in case are two", (("A", 50), ("a", 50)), True),
    TrafficCase("no route", (), False),
    TrafficCase("nothing at all is sent", (("a", 0),), False),
    TrafficCase("90 in all", (("a", 70), ("b", 20)), False),
    TrafficCase("120 in all", (("a", 60), ("b", 60)), False),
    TrafficCase("one over 100", (("a", 120), ("b", -20)), False),
    TrafficCase("one below 0", (("a", -1), ("b", 101)), False),
    TrafficCase("half a percent", (("a", 99.5), ("b", 0.5)), False),
    TrafficCase("a text that is no number", (("a", "half"), ("b", 50)), False),
    TrafficCase("true is no percentage", (("a", True), ("b", 99)), False),
    TrafficCase("nothing said", (("a", None), ("b", 100)), False),
    TrafficCase("one name twice", (("a", 50), ("a", 50)), False),
    TrafficCase("one name twice, once without traffic", (("a", 100), ("a", 0)), False),
    TrafficCase("eleven entities", (("a", 100), *((f"m{number}", 0) for number in range(10))), False),
)
