"""`TrafficRollout` in every case that decides what a release does, on a fake endpoint with users."""

from __future__ import annotations

import pytest

from components.dynamic.errors import ProviderError
from tests.support.fake_serving import FakeServing
from tests.unit.release.conftest import Stack


def test_a_good_release_goes_by_steps_and_leaves_the_version_before_standing_by(
    stack: Stack, fake: FakeServing
) -> None:
    assert stack.up("18")
    assert [put["fare-18"] for put in fake.puts] == [0, 5, 20, 50, 100]
    assert fake.split == {"fare-17": 0, "fare-18": 100}
    assert fake.users_failed == 0
    assert fake.tags == {}
    assert stack.state is not None
    assert (stack.state["version"], stack.state["previous_version"]) == ("18", "17")
    assert stack.state["split"] == {"fare-17": 0, "fare-18": 100}


def test_an_unchanged_up_sends_no_query_and_no_write(stack: Stack, fake: FakeServing) -> None:
    assert not stack.up("17")
    assert fake.log == ["GET /api/2.0/serving-endpoints/fare"]


def test_a_version_that_answers_wrongly_never_gets_traffic(stack: Stack, fake: FakeServing) -> None:
    fake.behaviours["18"].value = 99.0
    with pytest.raises(ProviderError, match="predictions"):
        stack.up("18")
    assert fake.split == {"fare-17": 100}
    assert all(put.get("fare-18", 0) == 0 for put in fake.puts)
    assert fake.users_failed == 0
