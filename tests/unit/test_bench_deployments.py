"""What a deployment could not be faster than: the longest chain of steps that wait for each other."""

from __future__ import annotations

from typing import Any

from bench.deployments import Step, critical_path, steps_of


def test_the_longest_chain_counts_and_not_the_longest_step_or_the_most_steps() -> None:
    steps = {
        "store": Step(1, 3),
        "table": Step(3, 6),
        "endpoint": Step(6, 7),
        "alone": Step(1, 6.5),
        "short": Step(1, 1.5),
        "shorter": Step(1.5, 2),
    }
    waits = {"table": ["store"], "endpoint": ["table", "short", "component"], "shorter": ["short"], "component": []}
    assert critical_path(steps, waits) == ["store", "table", "endpoint"]
    assert critical_path({**steps, "alone": Step(1, 8)}, waits) == ["alone"]


def test_what_has_no_step_hands_on_what_it_waits_for() -> None:
    steps = {"first": Step(0, 1), "last": Step(2, 3)}
    assert critical_path(steps, {"last": ["unchanged"], "unchanged": ["first"]}) == ["first", "last"]
    assert critical_path({}, {}) == []


def test_a_step_is_from_its_event_before_to_its_outputs() -> None:
    def event(kind: str, urn: str) -> dict[str, object]:
        return {kind: {"metadata": {"urn": urn, "op": "create"}}}

    seen: list[tuple[float, dict[str, Any]]] = [
        (0.5, {"preludeEvent": {}}),
        (1.0, event("resourcePreEvent", "a")),
        (1.2, event("resourcePreEvent", "b")),
        (2.0, event("resOutputsEvent", "a")),
        (9.0, event("resOutputsEvent", "never-begun")),
    ]
    assert steps_of(seen) == {"a": Step(1.0, 2.0)}
