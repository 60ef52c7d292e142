"""POL-17: every endpoint has a smoke query."""

from __future__ import annotations

from policies.endpoints import MODEL_SERVING
from policies.serving import SMOKE_QUERY, endpoint_has_a_smoke_query
from tests.policies.judging import UNKNOWN, Declared, Judgement, judge

ENDPOINT = Declared(MODEL_SERVING, {"name": "fares"}, name="endpoint")


def query(endpoint_name: str, made_of: str | None = None) -> Declared:
    sources = {} if made_of is None else {"endpoint_name": made_of}
    return Declared(SMOKE_QUERY, {"endpoint_name": endpoint_name}, name="query", sources=sources)


def test_an_endpoint_that_is_asked_passes() -> None:
    assert judge(endpoint_has_a_smoke_query, [ENDPOINT, query("fares")]) == Judgement([])


def test_an_endpoint_that_nobody_asks_is_named() -> None:
    (violation,) = judge(endpoint_has_a_smoke_query, [ENDPOINT, query("other")]).violations
    assert ENDPOINT.urn in violation
    assert "no SmokeQuery asks endpoint 'fares'" in violation


def test_each_endpoint_needs_its_own() -> None:
    second = Declared(MODEL_SERVING, {"name": "tips"}, name="second")
    (violation,) = judge(endpoint_has_a_smoke_query, [ENDPOINT, second, query("fares")]).violations
    assert second.urn in violation


def test_a_stack_without_endpoints_passes() -> None:
    assert judge(endpoint_has_a_smoke_query, [query("fares")]) == Judgement([])


def test_a_name_not_known_yet_is_traced_to_the_resource_it_comes_from() -> None:
    nameless = Declared(MODEL_SERVING, {"name": UNKNOWN}, name="endpoint")
    assert judge(endpoint_has_a_smoke_query, [nameless, query(UNKNOWN, made_of="endpoint")]) == Judgement([])
    (violation,) = judge(endpoint_has_a_smoke_query, [nameless, query(UNKNOWN)]).violations
    assert "endpoint_name is endpoint" in violation
    assert judge(endpoint_has_a_smoke_query, [ENDPOINT, query(UNKNOWN, made_of="endpoint")]) == Judgement([])


def test_a_dependency_alone_is_no_question() -> None:
    depends = query("other", made_of="endpoint")
    assert len(judge(endpoint_has_a_smoke_query, [ENDPOINT, depends]).violations) == 1
