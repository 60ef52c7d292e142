"""A smoke suite: what can be asked, what counts as the right answer, and what makes it another suite."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.dynamic.smoke_suite import (
    INPUT_FORMS,
    SmokeCase,
    SmokeExpectation,
    SuiteError,
    expectation_text,
    parse_case,
    payload_text,
    record_count,
    shape,
    suite_digest,
    verdict,
)

ONE_RECORD = {"dataframe_records": [{"zip": 10110}]}
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


def case(payload: dict[str, Any] | None = None, **expect: Any) -> SmokeCase:
    return SmokeCase(name="q", payload=payload or ONE_RECORD, expect=SmokeExpectation(**expect))


def parsed(payload: Any, **expect: Any) -> SmokeCase:
    return parse_case("q", json.dumps(payload), json.dumps(expect))


def answered(predictions: Any, **others: Any) -> str:
    return json.dumps({"predictions": predictions, **others})


@given(st.dictionaries(st.text(), st.integers() | finite | st.text() | st.booleans() | st.none(), min_size=1))
def test_a_payload_survives_the_engine_exactly(record: dict[str, Any]) -> None:
    payload = {"dataframe_records": [record]}
    sent = parse_case("q", payload_text(payload), expectation_text(SmokeExpectation())).payload
    assert payload_text(sent) == payload_text(payload)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ([], "a list, expected a JSON object"),
        ("text", "a str, expected a JSON object"),
        ({}, "none of them (keys: none)"),
        ({"records": [1]}, "none of them (keys: records)"),
        ({"inputs": [1], "instances": [1]}, "instances, inputs together"),
        ({"dataframe_records": []}, "is empty"),
        ({"dataframe_records": [{}]}, "list of objects with fields"),
        ({"dataframe_records": [1]}, "list of objects"),
        ({"dataframe_split": {"columns": ["a"]}}, "no rows"),
        ({"dataframe_split": {"columns": ["a"], "data": []}}, "no rows"),
        ({"messages": []}, "is empty"),
        ({"prompt": ""}, "is empty"),
    ],
)
def test_a_payload_that_asks_nothing_is_refused(payload: Any, says: str) -> None:
    with pytest.raises(SuiteError) as caught:
        parsed(payload)
    assert says in str(caught.value)
    assert "'q'" in str(caught.value)


@pytest.mark.parametrize("form", INPUT_FORMS)
def test_every_documented_input_form_is_accepted(form: str) -> None:
    value: Any = {"columns": ["a"], "data": [[1]]} if form == "dataframe_split" else [{"a": 1}]
    assert parsed({form: value, "max_tokens": 5}).payload[form] == value


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ({"status": 99}, "no HTTP status"),
        ({"status": True}, "no HTTP status"),
        ({"values": [1, 2]}, "2 values expected for 1 predictions"),
        ({"absolute_tolerance": -1}, "0 or more"),
        ({"relative_tolerance": math.nan}, "0 or more"),
        ({"max_latency_ms": 0}, "more than 0"),
        ({"latency": 3}, "latency"),
    ],
)
def test_an_expectation_that_cannot_hold_is_refused(expect: dict[str, Any], says: str) -> None:
    with pytest.raises(SuiteError, match=says):
        parsed(ONE_RECORD, **expect)


@pytest.mark.parametrize("name", ["", "  ", None])
def test_a_query_has_a_name(name: Any) -> None:
    with pytest.raises(SuiteError, match="name"):
        parse_case(name, payload_text(ONE_RECORD), "{}")


def test_what_json_cannot_carry_is_refused() -> None:
    for value in (math.nan, math.inf, object()):
        with pytest.raises(SuiteError, match="no JSON"):
            payload_text({"inputs": [value]})


def test_a_case_can_be_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text(json.dumps(ONE_RECORD))
    assert SmokeCase.from_file("q", tmp_path / "q.json").payload == ONE_RECORD
    (tmp_path / "q.json").write_text("[1]")
    with pytest.raises(SuiteError, match="expected a JSON object"):
        SmokeCase.from_file("q", tmp_path / "q.json")
    with pytest.raises(SuiteError, match="holds no JSON"):
        SmokeCase.from_file("q", tmp_path / "missing.json")


@pytest.mark.parametrize(
    ("payload", "count"),
    [
        ({"dataframe_records": [{}, {}]}, 2),
        ({"dataframe_split": {"data": [[1], [2], [3]]}}, 3),
        ({"instances": [1]}, 1),
        ({"inputs": [[1], [2]]}, 2),
        ({"inputs": {"a": [1, 2], "b": [3, 4]}}, 2),
        ({"inputs": {"a": 1}}, None),
        ({"messages": [{"role": "user"}]}, None),
        ({"prompt": "x"}, None),
    ],
)
def test_the_form_says_how_many_predictions_come_back(payload: dict[str, Any], count: int | None) -> None:
    assert record_count(payload) == count


def test_the_shape_of_a_payload_has_its_fields_and_none_of_its_values() -> None:
    assert (
        shape({"dataframe_records": [{"customer": "Ada", "zip": 10110}]}) == "dataframe_records (1) with customer, zip"
    )
    assert shape({"dataframe_split": {"columns": ["a"], "data": [["Ada"]]}}) == "dataframe_split (1) with a"
    assert "Ada" not in shape({"messages": [{"content": "Ada"}]})


def test_another_status_is_the_whole_verdict() -> None:
    assert verdict(case(), 500, "<html>", 1.0) == ["status 500, expected 200"]
    assert verdict(case(status=400), 400, "not even JSON", 1.0) == []
    assert verdict(case(status=400), 200, answered([1]), 1.0) == ["status 200, expected 400"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("<html>", "no JSON"),
        ("[1]", "a list, expected a JSON object"),
        ("{}", "no list of predictions (it has nothing)"),
        ('{"predictions": 3}', "no list of predictions"),
        (answered([]), "0 predictions, expected 1"),
        (answered([1, 2]), "2 predictions, expected 1"),
    ],
)
def test_an_answer_without_a_prediction_for_each_record_fails(body: str, says: str) -> None:
    (problem,) = verdict(case(), 200, body, 1.0)
    assert says in problem


def test_a_declared_count_outranks_the_records() -> None:
    assert verdict(case(predictions_count=3), 200, answered([1, 2, 3]), 1.0) == []


def test_every_prediction_needs_the_required_fields() -> None:
    wanted = case({"inputs": [1, 2]}, required_fields=["answer", "meta.source"])
    good = {"answer": "x", "meta": {"source": "y"}}
    assert verdict(wanted, 200, answered([good, good]), 1.0) == []
    assert verdict(wanted, 200, answered([good, {"answer": "x", "meta": {"source": None}}]), 1.0) == [
        "predictions[1] has no meta.source"
    ]
    assert verdict(wanted, 200, answered([1, good]), 1.0) == ["predictions[0] has no answer, meta.source"]


def test_an_answer_without_predictions_has_the_fields_itself() -> None:
    chat = case({"messages": [{"role": "user", "content": "hi"}]}, required_fields=["choices"])
    assert verdict(chat, 200, '{"choices": []}', 1.0) == []
    assert verdict(chat, 200, '{"id": 1}', 1.0) == ["the answer has no choices"]


def test_required_fields_of_no_prediction_are_missing() -> None:
    chat = case({"messages": [{"role": "user"}]}, required_fields=["answer"])
    assert verdict(chat, 200, answered([]), 1.0) == ["there is no prediction that could have answer"]


@given(finite, st.floats(min_value=0, max_value=1e6))
def test_values_inside_the_tolerance_pass_and_outside_fail(expected: float, tolerance: float) -> None:
    wanted = case(values=[expected], absolute_tolerance=tolerance)
    assert verdict(wanted, 200, answered([expected]), 1.0) == []
    beyond = expected + 2 * tolerance + max(1.0, abs(expected))
    assert len(verdict(wanted, 200, answered([beyond]), 1.0)) == 1


@pytest.mark.parametrize(
    ("expected", "found", "passes"),
    [
        (12.5, 12.5, True),
        (12, 12.0, True),
        (12.5, 12.6, False),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (1.0, math.nan, False),
        (math.inf, math.inf, True),
        (1, True, False),
        (True, 1, False),
        ("1", 1, False),
        (None, None, True),
        (None, 0, False),
        ("Yes", "Yes", True),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"b": 2}, False),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, False),
        ([1, 2], [1], False),
        ([1], {"a": 1}, False),
    ],
)
def test_values_are_compared_by_type_and_content(expected: Any, found: Any, passes: bool) -> None:
    problems = verdict(case(values=[expected]), 200, answered([found]), 1.0)
    assert (problems == []) is passes


def test_nan_survives_the_engine() -> None:
    wanted = parse_case("q", payload_text(ONE_RECORD), expectation_text(SmokeExpectation(values=[math.nan])))
    assert verdict(wanted, 200, answered([math.nan]), 1.0) == []


def test_a_wrong_value_is_named_with_its_place_and_tolerance() -> None:
    wanted = case(values=[{"fare": 10.0}], relative_tolerance=0.01)
    assert verdict(wanted, 200, answered([{"fare": 10.2}]), 1.0) == [
        "predictions[0].fare is 10.2, expected 10.0 (tolerance 0 absolute, 0.01 relative)"
    ]


def test_latency_is_judged_only_where_it_was_measured_warm() -> None:
    slow = case(max_latency_ms=100)
    assert verdict(slow, 200, answered([1]), 100.0) == []
    assert verdict(slow, 200, answered([1]), 101.0) == ["answered in 101 ms, expected at most 100 ms"]
    assert verdict(slow, 200, answered([1]), None) == []


def test_a_digest_sees_content_and_not_order() -> None:
    assert suite_digest({"a": 1, "b": [1, 2]}) == suite_digest({"b": [1, 2], "a": 1})
    assert suite_digest({"a": 1}) != suite_digest({"a": 2})
    assert suite_digest({"a": 1}).startswith("sha256:")
