"""The traffic split accepts exactly what the service accepts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.traffic import MAX_SERVED_ENTITIES, Route, TrafficSplit, TrafficSplitError
from tests.policies.traffic_cases import TRAFFIC_CASES, TrafficCase


@st.composite
def valid_splits(draw: st.DrawFn) -> list[tuple[str, int]]:
    cuts = sorted(draw(st.lists(st.integers(0, 100), max_size=MAX_SERVED_ENTITIES - 1)))
    shares = [after - before for before, after in zip([0, *cuts], [*cuts, 100], strict=True)]
    return [(f"model-{number}", share) for number, share in enumerate(shares)]


@pytest.mark.parametrize("case", TRAFFIC_CASES, ids=lambda case: case.name)
def test_a_split_is_judged_as_the_policy_pack_judges_it(case: TrafficCase) -> None:
    try:
        TrafficSplit.of(case.routes)
    except TrafficSplitError:
        assert not case.is_valid
    else:
        assert case.is_valid


@given(valid_splits())
def test_whole_shares_that_total_100_are_accepted(pairs: list[tuple[str, int]]) -> None:
    split = TrafficSplit.of(pairs)
    assert [(route.served_entity_name, route.traffic_percentage) for route in split.routes] == pairs


@given(valid_splits(), st.integers(-200, 200).filter(lambda offset: offset != 0))
def test_any_total_but_100_is_refused(pairs: list[tuple[str, int]], offset: int) -> None:
    name, share = pairs[0]
    with pytest.raises(TrafficSplitError):
        TrafficSplit.of([(name, share + offset), *pairs[1:]])


@given(valid_splits())
def test_the_majority_entity_has_no_smaller_share_than_any_other(pairs: list[tuple[str, int]]) -> None:
    split = TrafficSplit.of(pairs)
    shares = dict(pairs)
    assert shares[split.majority()] == max(shares.values())


def test_a_split_of_90_names_the_total_and_the_shares() -> None:
    with pytest.raises(TrafficSplitError, match=r"adds up to 90 \(a 70, b 20\).*total 100"):
        TrafficSplit.of([("a", 70), ("b", 20)])


def test_every_broken_rule_is_named_at_once() -> None:
    with pytest.raises(TrafficSplitError) as caught:
        TrafficSplit.of([("a", 120), ("a", -20)])
    message = str(caught.value)
    assert "'a' has 2 routes" in message
    assert "'a' has 120 percent" in message
    assert "'a' has -20 percent" in message


@pytest.mark.parametrize("share", [80.5, "80", True, None])
def test_a_share_that_is_no_whole_number_is_refused(share: object) -> None:
    with pytest.raises(TrafficSplitError, match="whole number"):
        TrafficSplit((Route("a", share), Route("b", 20)))  # type: ignore[arg-type]


def test_eleven_entities_are_refused() -> None:
    with pytest.raises(TrafficSplitError, match="at most 10; remove 1"):
        TrafficSplit.of([("first", 100), *((f"m{number}", 0) for number in range(10))])


def test_no_route_at_all_is_refused() -> None:
    with pytest.raises(TrafficSplitError, match="no route"):
        TrafficSplit(())
