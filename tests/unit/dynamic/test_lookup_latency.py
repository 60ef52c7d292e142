"""`LookupLatency`: what is said of lookups holds, a slow one fails the update, and nothing is measured twice."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.dynamic.errors import ProviderError
from components.dynamic.lookup_figures import lookup_figures
from components.dynamic.lookup_latency import LookupLatencyProvider
from components.dynamic.smoke_latency import samples_needed, upper_bound
from tests.support.rest_stub import Received, Reply, RestStub, endpoint
from tests.unit.dynamic.conftest import FakeClock, MakeProvider

RECORD, FEATURES = {"zip": 10003, "distance": 1.5}, {"mean_fare": 12.5, "trips": 3}
GOOD: Reply = (200, {"predictions": [1.0]})


@pytest.fixture
def lookups(provider: MakeProvider[LookupLatencyProvider], stub: RestStub) -> LookupLatencyProvider:
    stub.endpoints["fares"] = [endpoint("fares", {"fares-1": 80, "fares-2": 20})]
    return provider(LookupLatencyProvider)


def inputs(**others: Any) -> dict[str, Any]:
    return {
        "endpoint_name": "fares",
        "served_entities": ["fares-1", "fares-2"],
        "record": json.dumps(RECORD),
        "features": json.dumps(FEATURES),
        "target_ms": 5.0,
        "percentile": 50.0,
        "strict": False,
        "versions": {"fares-1": "1", "fares-2": "2"},
        "timeout_seconds": 60.0,
        "warm_up_seconds": 300.0,
        "ready_timeout_seconds": 1200.0,
        "triggers": {},
        "provider_version": "1",
        "__provider": "pickled",
        **others,
    }


def taking(clock: FakeClock, lookup_ms: Callable[[], float], rest_ms: float = 20.0) -> Callable[[Received], Reply]:
    """An endpoint whose lookups take so long, where a request leaves a feature out."""

    def answer(request: Received) -> Reply:
        (record,) = request.body["dataframe_records"]
        looks_up = not FEATURES.keys() <= record.keys()
        clock.seconds += (rest_ms + (lookup_ms() if looks_up else 0.0)) / 1000
        return GOOD

    return answer


def asked(stub: RestStub) -> list[Received]:
    return [one for one in stub.received if one.path.endswith("/invocations")]


def test_the_lookup_is_told_apart_from_the_rest_of_the_answer(
    lookups: LookupLatencyProvider, stub: RestStub, clock: FakeClock
) -> None:
    stub.answer = taking(clock, lambda: 3.0)
    outs = lookups.create(inputs()).outs or {}
    assert set(outs["measured"]) == {"fares-1", "fares-2"}
    figures = outs["measured"]["fares-1"]
    assert (figures["verdict"], figures["typical_ms"], figures["bound_ms"]) == ("met", 3.0, 3.0)
    assert (figures["rest_ms"], figures["pairs"], figures["target_ms"]) == (20.0, 5, 5.0)
    # Each entity: both kinds once to warm up, then five pairs, turn about.
    bodies = [one.body["dataframe_records"][0] for one in asked(stub) if "fares-1" in one.path]
    assert len(bodies) == 2 + 2 * 5
    assert [body for body in bodies if body == RECORD] == [RECORD] * 6
    assert [body for body in bodies if body == {**RECORD, **FEATURES}] == [{**RECORD, **FEATURES}] * 6
    assert [body == RECORD for body in bodies[2:6]] == [False, True, True, False]


def test_a_lookup_that_is_typically_too_slow_fails_with_figures_and_the_way_out(
    lookups: LookupLatencyProvider, stub: RestStub, clock: FakeClock
) -> None:
    stub.answer = taking(clock, lambda: 40.0)
    with pytest.raises(ProviderError) as raised:
        lookups.create(inputs())
    for words in ("fares-1", "typically 40.0 ms", "p50 at most 40.0 ms", "target 5 ms: missed", "read replica"):
        assert words in str(raised.value)


def test_what_the_noise_hides_is_a_warning_and_only_a_strict_gate_fails_on_it(
    lookups: LookupLatencyProvider, stub: RestStub, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    shaky = [0.0, 0.0, 90.0, 0.0, 0.0, 0.0]
    turns = iter(range(10**6))
    stub.answer = taking(clock, lambda: shaky[next(turns) % len(shaky)])
    outs = lookups.create(inputs()).outs or {}
    assert outs["measured"]["fares-1"]["verdict"] == "unproven"
    with pytest.raises(ProviderError, match="measure from nearer"):
        lookups.create(inputs(strict=True))


@pytest.mark.parametrize(("percentile", "pairs"), [(50.0, 5), (95.0, 59), (99.0, 299)])
def test_a_percentile_takes_as_many_pairs_as_it_needs(
    lookups: LookupLatencyProvider, stub: RestStub, clock: FakeClock, percentile: float, pairs: int
) -> None:
    stub.answer = taking(clock, lambda: 1.0)
    outs = lookups.create(inputs(served_entities=["fares-1"], percentile=percentile)).outs or {}
    assert outs["measured"]["fares-1"]["pairs"] == pairs
    assert len(asked(stub)) == 2 + 2 * pairs


def test_an_answer_that_is_none_ends_the_measurement_in_the_services_words(
    lookups: LookupLatencyProvider, stub: RestStub
) -> None:
    stub.answer = lambda _: (400, {"error_code": "BAD_REQUEST", "message": "Model is missing inputs ['zip']"})
    with pytest.raises(ProviderError, match=r"a record with its keys was answered 400(?s:.)*missing inputs"):
        lookups.create(inputs())


def test_check_diff_and_refresh_ask_no_query_and_an_unchanged_gate_measures_nothing(
    lookups: LookupLatencyProvider, stub: RestStub, clock: FakeClock
) -> None:
    stub.answer = taking(clock, lambda: 1.0)
    assert lookups.check({}, inputs()).failures == []
    outs = lookups.create(inputs()).outs or {}
    stub.forget()
    assert lookups.diff("fares", outs, inputs()).changes is False
    assert lookups.read("fares", outs).outs == outs
    for name, value in (("target_ms", 4.0), ("versions", {"fares-1": "3"}), ("triggers", {"store": "CU_2"})):
        assert lookups.diff("fares", outs, inputs(**{name: value})).changes is True
    assert lookups.diff("fares", outs, inputs(endpoint_name="other")).replaces == ["endpoint_name"]
    assert asked(stub) == []
    del stub.endpoints["fares"]
    assert lookups.read("fares", outs).id == ""


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("record", "{}", "is empty"),
        ("features", "{}", "is empty"),
        ("features", json.dumps({"zip": 1}), "zip stands in the record too"),
        ("percentile", 90.0, "use one of 50, 95, 99"),
        ("target_ms", 0.0, "more than 0"),
        ("served_entities", [], "names nobody"),
        ("endpoint_name", "a b", "refuses"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_preview(
    lookups: LookupLatencyProvider, stub: RestStub, name: str, value: Any, says: str
) -> None:
    (failure,) = lookups.check({}, inputs(**{name: value})).failures
    assert failure.property == name
    assert says in failure.reason
    assert stub.received == []


@given(st.integers(0, 2**32), st.sampled_from([50, 95]))
def test_the_bound_is_never_below_the_true_percentile_of_the_same_lookups(seed: int, percentile: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - no secret
    pairs = samples_needed(percentile)
    looked = [dice.expovariate(1 / 4) for _ in range(pairs)]
    rests = [10 + dice.expovariate(1 / 3) for _ in range(2 * pairs)]
    figures = lookup_figures(
        [rest + lookup for rest, lookup in zip(rests[:pairs], looked, strict=True)], [*rests[pairs:], 10.0], percentile
    )
    assert figures.bound_ms >= upper_bound(looked, percentile) - 1e-9
    assert figures.verdict(figures.bound_ms) == "met"
    assert figures.verdict(min(figures.typical_ms, figures.bound_ms) - 1e-6) != "met"
