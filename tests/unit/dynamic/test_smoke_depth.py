"""What a smoke suite proves beyond one right answer: types, percentiles, agreement with batch scoring, patience."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from components.dynamic.errors import ProviderError
from components.dynamic.smoke_golden import MOST_ROWS, golden_case, rows_of_file
from components.dynamic.smoke_query import SmokeQueryProvider
from components.dynamic.smoke_suite import SmokeCase, SmokeExpectation, SuiteError, parse_case, payload_text, verdict
from tests.support.rest_stub import Received, Reply, RestStub, endpoint
from tests.unit.dynamic.conftest import FakeClock, MakeProvider
from tests.unit.dynamic.test_smoke_query import CHURN, DIRECT, GOOD, THROUGH, expecting, inputs, invocations, script

ONE = {"dataframe_records": [{"zip": 10110}]}
CHAT = {"messages": [{"role": "user", "content": "hi"}]}
GOLDEN = {
    "name": "batch",
    "sql": "SELECT zip, miles, prediction FROM main.ml.scored ORDER BY zip",
    "warehouse_id": "w1",
    "expected": "prediction",
    "tolerance": 1e-6,
}
ROWS: dict[str, Any] = {
    "columns": {"zip": "INT", "miles": "DOUBLE", "flat": "BOOLEAN", "note": "STRING", "prediction": "DOUBLE"},
    "rows": [["10110", "1.5", "true", None, "7.25"], ["10111", "2", "false", "x", "8.5"]],
}


@pytest.fixture
def smoke(provider: MakeProvider[SmokeQueryProvider], stub: RestStub) -> SmokeQueryProvider:
    stub.endpoints["churn"] = [endpoint("churn", {"churn-1": 100})]
    stub.answer = lambda _: GOOD
    return provider(SmokeQueryProvider)


def judged(body: Any, payload: dict[str, Any] = ONE, **expect: Any) -> list[str]:
    return verdict(SmokeCase(name="q", payload=payload, expect=SmokeExpectation(**expect)), 200, json.dumps(body), None)


@pytest.mark.parametrize(
    ("value", "wanted", "passes"),
    [
        (1.5, "number", True),
        (1, "number", True),
        (1, "integer", True),
        (3.0, "integer", True),
        (1.5, "integer", False),
        (True, "number", False),
        (True, "boolean", True),
        (1, "boolean", False),
        ("x", "string", True),
        (1, "string", False),
        ([], "array", True),
        ({}, "array", False),
        ({}, "object", True),
        (None, "string", False),
        (None, "string?", True),
        (1, "string?", False),
    ],
)
def test_a_field_has_the_json_type_that_is_declared(value: Any, wanted: str, passes: bool) -> None:
    assert (judged({"predictions": [{"a": value}]}, field_types={"a": wanted}) == []) is passes
    assert (judged({"predictions": [value]}, field_types={".": wanted}) == []) is passes


def test_a_wrong_type_is_named_with_its_place() -> None:
    assert judged({"predictions": [{"a": {"b": "x"}}]}, field_types={"a.b": "number", "c": "string"}) == [
        "predictions[0].a.b is string, expected number",
        "predictions[0].c is missing, expected string",
    ]


def test_a_chat_answer_is_judged_by_paths_into_its_lists() -> None:
    answer = {"choices": [{"message": {"content": "hello"}}], "usage": {"total_tokens": 7}}
    types = {"choices.0.message.content": "string", "usage.total_tokens": "integer"}
    assert judged(answer, CHAT, field_types=types, required_fields=["choices.0.message.content"]) == []
    assert judged({"choices": []}, CHAT, required_fields=["choices.0.message.content"]) == [
        "the answer has no choices.0.message.content"
    ]


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ({"field_types": {"a": "float"}}, "use one of number, integer"),
        ({"max_percentile_ms": {"95": 100}, "samples": 58}, "p95 cannot be claimed from 58 samples; set samples to 59"),
        ({"max_percentile_ms": {"99": 100}, "samples": 298}, "set samples to 299 or more"),
        ({"max_percentile_ms": {"90": 100}, "samples": 900}, "use 50, 95, 99"),
        ({"max_percentile_ms": {"95": 0}, "samples": 900}, "more than 0"),
        ({"samples": 59}, "taken for nothing"),
    ],
)
def test_preview_refuses_a_claim_that_cannot_be_made(
    smoke: SmokeQueryProvider, expect: dict[str, Any], says: str
) -> None:
    (failure,) = smoke.check({}, inputs(expecting(**expect))).failures
    assert failure.property == "queries"
    assert says in failure.reason
    with pytest.raises(SuiteError):
        parse_case("q", payload_text(CHURN), json.dumps(expect))


def timed(clock: FakeClock, milliseconds: Any) -> Any:
    """An endpoint whose answers take this long, one after the other; the cold one first."""
    left = iter(milliseconds)

    def answer(_: Received) -> Reply:
        clock.seconds += next(left) / 1000
        return GOOD

    return answer


def test_a_percentile_is_judged_from_as_many_warm_answers_as_it_takes(
    smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock
) -> None:
    stub.answer = timed(clock, [30000.0, *[50.0] * 58, 90.0, 50.0])
    outs = smoke.create(inputs(expecting(max_percentile_ms={"95": 90.5, "50": 60}, samples=59))).outs or {}
    assert [one.path for one in invocations(stub)] == [*[DIRECT] * 60, THROUGH]
    assert outs["queries_sent"] == 61
    assert outs["latency_ms"]["percentiles"] == {"two customers (churn-1)": {"samples": 59, "p95": 90.0, "p50": 50.0}}


def test_a_percentile_over_its_limit_fails(smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock) -> None:
    stub.answer = timed(clock, [1.0, *[50.0] * 58, 90.0, 50.0])
    with pytest.raises(ProviderError, match=r"p95 is at most 90 ms \(95% sure, 59 answers\), expected 80 ms"):
        smoke.create(inputs(expecting(max_percentile_ms={"95": 80}, samples=59)))


def test_a_wrong_answer_among_the_samples_fails_at_once(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    stub.answer = script(*[GOOD] * 20, (500, {"message": "boom"}), GOOD)
    with pytest.raises(ProviderError, match="status 500, expected 200"):
        smoke.create(inputs(expecting(max_percentile_ms={"95": 5000}, samples=59)))
    assert len(invocations(stub)) == 22


def test_one_question_is_on_its_way_at_a_time(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    lock, here, most = threading.Lock(), 0, 0

    def answer(_: Received) -> Reply:
        nonlocal here, most
        with lock:
            here, most = here + 1, max(most, here + 1)
        time.sleep(0.002)
        with lock:
            here -= 1
        return GOOD

    stub.answer = answer
    smoke.create(inputs(expecting(max_percentile_ms={"95": 60000}, samples=59)))
    assert most == 1


def test_the_statuses_that_may_pass_can_be_named(smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock) -> None:
    replies = {DIRECT: script(GOOD), THROUGH: script((502, {"message": "later"}), GOOD)}
    stub.answer = lambda request: replies[request.path](request)
    assert (smoke.create(inputs(retry_statuses=[502.0])).outs or {})["status"] == "passed"
    replies[THROUGH] = script((429, {"message": "later"}), GOOD)
    with pytest.raises(ProviderError, match="status 429"):
        smoke.create(inputs(retry_statuses=[502.0]))


def test_a_starting_entity_is_waited_for_whatever_may_pass(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    stub.answer = script((503, {"message": "starting"}), GOOD)
    assert (smoke.create(inputs(retry_statuses=[502.0])).outs or {})["status"] == "passed"


def test_retries_end_at_their_deadline(smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock) -> None:
    stub.answer = lambda request: GOOD if request.path == DIRECT else (503, {"message": "never"})
    with pytest.raises(ProviderError, match="status 503"):
        smoke.create(inputs(retries=50.0, retry_seconds=40.0))
    assert clock.slept == [0.0, 5.0, 10.0, 20.0]


@pytest.mark.parametrize("status", [200.0, 400.0, 404.0])
def test_a_status_that_does_not_pass_is_not_retried_on_wish(smoke: SmokeQueryProvider, status: float) -> None:
    (failure,) = smoke.check({}, inputs(retry_statuses=[503.0, status])).failures
    assert failure.property == "retry_statuses"
    assert f"{status:g} does not pass by itself" in failure.reason


def test_golden_rows_of_a_table_are_asked_in_their_types_and_compared(
    smoke: SmokeQueryProvider, stub: RestStub
) -> None:
    stub.rows = ROWS
    stub.answer = lambda _: (200, {"predictions": [7.25 + 4e-7, 8.5]})
    outs = smoke.create(inputs(golden=[GOLDEN])).outs or {}
    asked = [one.body for one in invocations(stub) if "zip" in one.text]
    assert (
        asked
        == [
            {
                "dataframe_records": [
                    {"zip": 10110, "miles": 1.5, "flat": True, "note": None},
                    {"zip": 10111, "miles": 2.0, "flat": False, "note": "x"},
                ]
            }
        ]
        * 2
    )
    assert outs["golden_difference"]["batch"] == pytest.approx(4e-7)


def test_golden_rows_that_differ_by_more_than_the_bound_fail(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    assert smoke.check({}, inputs(golden=[GOLDEN]) | {"queries": []}).failures == [], "golden rows are a suite"
    stub.rows = ROWS
    stub.answer = lambda _: (200, {"predictions": [7.25, 8.500002]})
    with pytest.raises(ProviderError, match=r"predictions\[1\] is 8.500002, expected 8.5 \(tolerance 1e-06 absolute"):
        smoke.create(inputs(golden=[GOLDEN]))
    assert (smoke.create(inputs(golden=[{**GOLDEN, "tolerance": 1e-5}])).outs or {})["status"] == "passed"


def test_golden_rows_are_part_of_the_evidence_and_read_only_when_the_suite_runs(
    smoke: SmokeQueryProvider, stub: RestStub
) -> None:
    stub.rows = ROWS
    stub.answer = lambda _: (200, {"predictions": [7.25, 8.5]})
    state = smoke.create(inputs(golden=[GOLDEN])).outs or {}
    stub.forget()
    assert not smoke.diff("churn", state, inputs(golden=[GOLDEN])).changes
    assert smoke.diff("churn", state, inputs(golden=[{**GOLDEN, "tolerance": 1.0}])).changes
    assert stub.calls() == []
    stub.rows = {**ROWS, "rows": [["10112", *row[1:]] for row in ROWS["rows"]]}
    other = smoke.update("churn", state, inputs(golden=[GOLDEN])).outs or {}
    assert other["suite_digest"] == state["suite_digest"]
    assert other["digest"] != state["digest"]


def test_golden_rows_that_cannot_be_read_fail_before_anything_is_asked(
    smoke: SmokeQueryProvider, stub: RestStub
) -> None:
    with pytest.raises(
        ProviderError, match=r"(?s)golden rows could not be read: FAILED: TABLE_OR_VIEW.*main.ml.scored"
    ):
        smoke.create(inputs(golden=[GOLDEN]))
    stub.rows = {**ROWS, "rows": []}
    with pytest.raises(ProviderError, match="received 0 rows, expected 1 to 1000"):
        smoke.create(inputs(golden=[GOLDEN]))
    stub.fail("POST", "sql/statements", 403, "no CAN USE", code="PERMISSION_DENIED")
    with pytest.raises(ProviderError, match="permission denied: no CAN USE"):
        smoke.create(inputs(golden=[GOLDEN]))
    assert invocations(stub) == []


def test_golden_rows_of_one_version_are_asked_of_its_entities_alone(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    live = endpoint("churn", {"churn-1": 50, "churn-2": 50})
    for number, entity in enumerate(live["config"]["served_entities"], start=1):
        entity["entity_version"] = str(number)
    stub.endpoints["churn"], stub.rows = [live], ROWS
    stub.answer = lambda request: (200, {"predictions": [7.25, 8.5]}) if "zip" in request.text else GOOD
    both = {"served_entities": ["churn-1", "churn-2"], "versions": {"churn-1": "1", "churn-2": "2"}}
    smoke.create(inputs(golden=[{**GOLDEN, "version": "2"}], **both))
    assert [one.path for one in invocations(stub) if "zip" in one.text] == [DIRECT.replace("churn-1", "churn-2")]
    (failure,) = smoke.check({}, inputs(golden=[{**GOLDEN, "version": "3"}], **both)).failures
    assert "'batch' is for version 3, and no entity is of it (versions: 1, 2)" in failure.reason


def test_an_entity_that_no_query_is_for_is_refused(smoke: SmokeQueryProvider) -> None:
    both = {"served_entities": ["churn-1", "churn-2"], "versions": {"churn-1": "1", "churn-2": "2"}}
    only = inputs(**both)
    only["queries"][0]["version"] = "2"
    (failure,) = smoke.check({}, only).failures
    assert failure.reason.startswith("churn-1 would be asked nothing")
    assert smoke.check({}, {**only, "golden": [GOLDEN]}).failures == []


def test_golden_rows_have_a_name_of_their_own(smoke: SmokeQueryProvider) -> None:
    (failure,) = smoke.check({}, inputs(golden=[{**GOLDEN, "name": "two customers"}])).failures
    assert "two queries have one name" in failure.reason


def test_golden_rows_can_stand_in_a_file(tmp_path: Path) -> None:
    rows = [{"zip": 10110, "fare": 7.25}, {"zip": 10111, "fare": 8.5}]
    for name, text in (("a.json", json.dumps(rows)), ("a.jsonl", "\n".join(map(json.dumps, rows)))):
        (tmp_path / name).write_text(text)
        case = golden_case("batch", rows_of_file(tmp_path / name), expected="fare")
        assert case.payload == {"dataframe_records": [{"zip": 10110}, {"zip": 10111}]}
        assert (case.expect.values, case.expect.absolute_tolerance) == ([7.25, 8.5], 1e-6)


@pytest.mark.parametrize(
    ("text", "says"), [(None, "holds no rows"), ("{", "holds no rows"), ("[1]", "other things than objects")]
)
def test_a_file_without_rows_is_refused(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(SuiteError, match=says):
        rows_of_file(tmp_path / "a.json")


def test_rows_without_a_prediction_and_too_many_rows_are_refused() -> None:
    with pytest.raises(SuiteError, match=r"row 1 has no fare \(it has zip\)"):
        golden_case("batch", [{"zip": 1, "fare": 2.0}, {"zip": 2}], expected="fare")
    with pytest.raises(SuiteError, match="expected 1 to 1000"):
        golden_case("batch", [{"fare": 1.0}] * (MOST_ROWS + 1), expected="fare")
