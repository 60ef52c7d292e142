"""POL-02: one route for each served entity, whole percentages, 100 in all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.endpoints import MODEL_SERVING
from policies.traffic import MAX_ENTITIES, traffic_routes_add_up
from tests.policies.judging import UNKNOWN, Declared, Judgement, judge
from tests.policies.traffic_cases import TRAFFIC_CASES, TrafficCase


def entity(name: Any) -> dict[str, Any]:
    return {"name": name, "entityName": "c.s.model", "entityVersion": "1"}


def route(name: Any, percentage: Any, field: str = "servedEntityName") -> dict[str, Any]:
    return {field: name, "trafficPercentage": percentage}


def judged(entities: Any, routes: Any = None) -> Judgement:
    config = {"servedEntities": entities}
    if routes is not None:
        config["trafficConfig"] = {"routes": routes}
    return judge(traffic_routes_add_up, [Declared(MODEL_SERVING, {"config": config})])


def split(*percentages: Any) -> Judgement:
    names = [f"m-{number}" for number in range(len(percentages))]
    return judged(
        [entity(name) for name in names],
        [route(name, percentage) for name, percentage in zip(names, percentages, strict=True)],
    )


@pytest.mark.parametrize("percentages", [(100,), (80.0, 20.0), (100, 0), ("90", "10"), (10,) * 10])
def test_a_split_that_adds_up_passes(percentages: tuple[Any, ...]) -> None:
    assert split(*percentages) == Judgement([])


@pytest.mark.parametrize("case", TRAFFIC_CASES, ids=lambda case: case.name)
def test_a_split_is_judged_as_the_components_judge_it(case: TrafficCase) -> None:
    def number(value: Any) -> Any:
        # The engine hands every number to a policy as a float.
        return float(value) if type(value) is int else value

    routes = [(name, number(share)) for name, share in case.routes]
    judgement = judged([entity(name) for name, _ in routes], [route(*one) for one in routes])
    assert (judgement.violations == []) == case.is_valid, judgement


@given(st.lists(st.integers(min_value=0, max_value=100), min_size=1, max_size=MAX_ENTITIES))
def test_a_split_passes_exactly_when_it_adds_up_to_100(percentages: list[int]) -> None:
    assert (split(*percentages).violations == []) == (sum(percentages) == 100)


@pytest.mark.parametrize(
    ("percentages", "message"),
    [
        ((80, 10), "add up to 90 (m-0 80, m-1 10)"),
        ((60, 60), "add up to 120"),
        ((120,), "trafficPercentage is '120'; set it to a whole number from 0 to 100"),
        ((80.5, 19.5), "trafficPercentage is '80.5'"),
        ((110, -10), "trafficPercentage is '110'"),
        (("half", 50), "trafficPercentage is 'half'"),
        ((True,), "trafficPercentage is 'True'"),
        ((None,), "trafficPercentage is absent"),
    ],
)
def test_a_split_that_the_service_would_refuse_is_refused(percentages: tuple[Any, ...], message: str) -> None:
    (violation,) = split(*percentages).violations
    assert message in violation


def test_the_either_field_of_a_route_may_name_the_entity() -> None:
    entities = [entity("a"), entity("b")]
    assert judged(entities, [route("a", 50, "servedModelName"), route("b", 50)]) == Judgement([])
    both = {"servedModelName": "a", "servedEntityName": "a", "trafficPercentage": 50}
    assert judged(entities, [both, route("b", 50)]) == Judgement([])
    (violation, _) = judged(entities, [{**both, "servedEntityName": "b"}, route("b", 50)]).violations
    assert "names 'a' and 'b': set servedEntityName" in violation


@pytest.mark.parametrize(
    ("entities", "routes", "message"),
    [
        ("ab", [("a", 100)], "'b' has no route: add one with trafficPercentage 0"),
        ("a", [("a", 50), ("a", 50)], "2 routes are for 'a': keep one"),
        ("ab", [("a", 50), ("c", 50)], "'c', which is not served: name one of a, b"),
        ("aa", [("a", 100)], "2 served entities are named 'a'"),
        ("a", [(None, 100)], "names no entity"),
    ],
)
def test_routes_and_entities_belong_together(entities: str, routes: list[tuple[Any, int]], message: str) -> None:
    judgement = judged([entity(name) for name in entities], [route(*one) for one in routes])
    assert any(message in violation for violation in judgement.violations), judgement


def test_an_entity_without_a_name_has_the_one_that_the_service_gives() -> None:
    unnamed = {"entityName": "c.s.fares", "entityVersion": "15"}
    assert judged([unnamed, entity("b")], [route("fares-15", 90), route("b", 10)]) == Judgement([])
    external = {"externalModel": {"name": "claude-3.5:latest"}}
    assert judged([external, entity("b")], [route("claude-3-5-latest", 90), route("b", 10)]) == Judgement([])


def test_several_entities_need_a_split_and_a_single_one_does_not() -> None:
    assert judged([entity("a")]) == Judgement([])
    (violation,) = judged([entity("a"), entity("b")]).violations
    assert "2 served entities and no trafficConfig" in violation


def test_an_endpoint_has_at_most_ten_entities() -> None:
    (violation,) = split(*[10] * 10, 0).violations
    assert "declares 11 served entities, an endpoint can have 10: remove 1" in violation


def test_an_endpoint_whose_config_somebody_else_owns_passes() -> None:
    assert judge(traffic_routes_add_up, [Declared(MODEL_SERVING, {"name": "e"})]) == Judgement([])


def test_what_is_not_known_yet_is_told_and_nothing_is_made_up_about_it() -> None:
    entities = [entity("a"), entity("b")]
    unknown_share = judged(entities, [route("a", UNKNOWN), route("b", 120)])
    assert unknown_share == Judgement([], "config.trafficConfig.routes.0.trafficPercentage")
    unknown_target = judged(entities, [route(UNKNOWN, 50), route("b", 60)])
    assert len(unknown_target.violations) == 1
    assert "add up to 110" in unknown_target.violations[0]
    assert unknown_target.unknown == "config.trafficConfig.routes.0.servedEntityName"
    unknown_name = judged([entity(UNKNOWN), entity("b")], [route("a", 50), route("b", 50)])
    assert unknown_name == Judgement([], "config.servedEntities.0.name")
    assert judged(entities, UNKNOWN) == Judgement([], "config.trafficConfig.routes")
    assert judged(UNKNOWN, [route("a", 100)]) == Judgement([], "config.servedEntities")
    assert judged([UNKNOWN, entity("b")], [route("a", 90), route("b", 10)]) == Judgement([], "config.servedEntities.0")
    assert judged(entities, [UNKNOWN, route("b", 10)]) == Judgement([], "config.trafficConfig.routes.0")
