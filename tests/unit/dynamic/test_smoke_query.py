"""`SmokeQuery`: nothing passes that did not answer correctly, and nothing is asked that was proven already."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import rpc

from components.dynamic.errors import ProviderError
from components.dynamic.smoke_query import SmokeQueryProvider
from components.dynamic.smoke_suite import SmokeCase, SmokeExpectation, expectation_text, payload_text
from tests.support.rest_stub import TOKEN, Received, Reply, RestStub, endpoint
from tests.unit.dynamic.conftest import FakeClock, MakeProvider

CHURN = {
    "dataframe_records": [
        {"customer_id": "0002-ORFBO", "transaction_ts": "2024-09-10"},
        {"customer_id": "0003-MKNFE", "transaction_ts": "2024-09-10"},
    ]
}
DIRECT = "/serving-endpoints/churn/served-models/churn-1/invocations"
THROUGH = "/serving-endpoints/churn/invocations"
GOOD: Reply = (200, {"predictions": ["Yes", "No"]})


@pytest.fixture
def smoke(provider: MakeProvider[SmokeQueryProvider], stub: RestStub) -> SmokeQueryProvider:
    stub.endpoints["churn"] = [endpoint("churn", {"churn-1": 100})]
    stub.answer = lambda _: GOOD
    return provider(SmokeQueryProvider)


def inputs(*cases: SmokeCase, **others: Any) -> dict[str, Any]:
    asked = cases or (SmokeCase(name="two customers", payload=CHURN),)
    return {
        "endpoint_name": "churn",
        "served_entities": ["churn-1"],
        "queries": [
            {"name": one.name, "payload": payload_text(one.payload), "expect": expectation_text(one.expect)}
            for one in asked
        ],
        "timeout_seconds": 60.0,
        "warm_up_seconds": 300.0,
        "ready_timeout_seconds": 1200.0,
        "retries": 2.0,
        "backoff_seconds": 5.0,
        "initial_delay_seconds": 0.0,
        "triggers": {"churn-1": "100"},
        "provider_version": "1",
        "__provider": "pickled",
        **others,
    }


def expecting(**expect: Any) -> SmokeCase:
    return SmokeCase(name="two customers", payload=CHURN, expect=SmokeExpectation(**expect))


def invocations(stub: RestStub) -> list[Received]:
    return [one for one in stub.received if one.path.endswith("/invocations")]


def script(*replies: Reply) -> Callable[[Received], Reply]:
    """The replies one after the other; the last one stays."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def test_check_sends_nothing(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    assert smoke.check({}, inputs()).failures == []
    assert stub.received == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("endpoint_name", "taxi fare", "letters, digits"),
        ("served_entities", [], "no served entity"),
        ("served_entities", ["a", "a"], "twice"),
        ("served_entities", ["a b"], "letters, digits"),
        ("queries", [], "no query"),
        ("queries", [{"name": "q", "payload": "[]", "expect": "{}"}], "expected a JSON object"),
        ("queries", [{"name": "q", "payload": '{"inputs": [1]}', "expect": "{}"}] * 2, "one name"),
        ("timeout_seconds", 0.0, "more than 0"),
        ("ready_timeout_seconds", -1.0, "more than 0"),
        ("warm_up_seconds", -1.0, "0 or more"),
        ("retries", -1.0, "0 or more"),
        ("backoff_seconds", -1.0, "0 or more"),
        ("initial_delay_seconds", -1.0, "0 or more"),
    ],
)
def test_check_refuses_what_cannot_be_asked(smoke: SmokeQueryProvider, name: str, value: Any, says: str) -> None:
    failures = smoke.check({}, inputs() | {name: value}).failures
    assert [failure.property for failure in failures] == [name]
    assert says in failures[0].reason


@pytest.mark.parametrize("name", ["endpoint_name", "served_entities", "queries", "triggers"])
def test_what_is_not_known_yet_passes_check_and_is_a_change(smoke: SmokeQueryProvider, name: str) -> None:
    state = smoke.create(inputs()).outs or {}
    assert smoke.check({}, inputs() | {name: rpc.UNKNOWN}).failures == []
    assert smoke.diff("churn", state, inputs() | {name: rpc.UNKNOWN}).changes


def test_every_entity_is_asked_directly_and_the_endpoint_once(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    stub.endpoints["churn"] = [endpoint("churn", {"churn-1": 100, "churn-2": 0})]
    outs = smoke.create(inputs(served_entities=["churn-1", "churn-2"])).outs or {}
    assert [one.path for one in invocations(stub)] == [DIRECT, DIRECT.replace("churn-1", "churn-2"), THROUGH]
    assert all(one.body == CHURN for one in invocations(stub))
    assert outs["answered_by"] == {"churn-1": "ok", "churn-2": "ok"}
    assert outs["queries_sent"] == 3
    assert outs["status"] == "passed"
    assert set(outs["latency_ms"]) == {"max", "median", "cold_start", "queries"}


def test_a_query_is_sent_as_the_api_wants_it(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    smoke.create(inputs())
    sent = invocations(stub)[0]
    assert sent.headers["authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["content-type"] == "application/json"
    assert sent.text == json.dumps(CHURN, separators=(",", ":"))


def test_whole_numbers_are_sent_as_whole_numbers(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    stub.answer = lambda _: (200, {"predictions": [1.0]})
    smoke.create(inputs(SmokeCase(name="zip", payload={"dataframe_records": [{"zip": 10110, "miles": 2.0}]})))
    assert invocations(stub)[0].text == '{"dataframe_records":[{"zip":10110,"miles":2.0}]}'


@pytest.mark.parametrize(
    ("reply", "case", "says"),
    [
        ((200, {"predictions": ["Yes"]}), expecting(), "1 predictions, expected 2"),
        ((200, {"predictions": []}), expecting(), "0 predictions, expected 2"),
        (
            (200, {"predictions": ["Yes", "Yes"]}),
            expecting(values=["Yes", "No"]),
            "predictions[1] is 'Yes', expected 'No'",
        ),
        (
            (200, {"predictions": [{"answer": "x"}] * 2}),
            expecting(required_fields=["answer", "sources"]),
            "has no sources",
        ),
        ((200, "surprise"), expecting(), "the answer is no JSON"),
        ((200, {"predictions": ["a", "b"]}, {"served-model-name": "churn-9"}), expecting(), "answered by churn-9"),
    ],
)
def test_a_wrong_answer_fails_and_is_told_whole(
    smoke: SmokeQueryProvider, stub: RestStub, reply: Reply, case: SmokeCase, says: str
) -> None:
    stub.answer = lambda _: reply
    with pytest.raises(ProviderError) as caught:
        smoke.create(inputs(case))
    first, *others = str(caught.value).splitlines()
    assert first.startswith("endpoint churn failed 2 of 2 smoke queries: 'two customers' to churn-1: ")
    assert says in first
    assert any(DIRECT in line and "customer_id" in line for line in others)
    assert any("status 200" in line for line in others)
    assert "0002-ORFBO" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, {"error_code": "BAD_REQUEST", "message": "schema mismatch"}, "signature"),
        (401, {"message": "no"}, "DATABRICKS_TOKEN"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "no"}, "CAN_QUERY"),
        (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}, "does not exist"),
        (500, {"message": "Feature lookup setup failed."}, "Databricks ML runtime"),
        (500, {"message": "feature trips is missing for key 5"}, "online table lags"),
        (500, {"message": "boom"}, "traceback"),
        (504, {"message": "gateway"}, "time limit"),
    ],
)
def test_an_error_is_final_at_once_and_explained(
    smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock, status: int, body: dict[str, Any], says: str
) -> None:
    stub.answer = lambda _: (status, body)
    with pytest.raises(ProviderError) as caught:
        smoke.create(inputs())
    text = str(caught.value)
    assert f"status {status}, expected 200" in text.splitlines()[0]
    assert body["message"] in text
    assert says in next(line for line in text.splitlines() if "likely: " in line)
    assert len(invocations(stub)) == 2
    assert clock.slept == [0.0]


def test_missing_features_are_traced_to_both_causes(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    stub.answer = lambda _: (400, {"message": "Missing features for the given key"})
    with pytest.raises(ProviderError, match=r"lags behind its source .* or the key is not in it"):
        smoke.create(inputs())


@pytest.mark.parametrize("status", [429, 503])
def test_what_may_pass_is_asked_again_after_5_and_10_seconds(
    smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock, status: int
) -> None:
    replies = {
        DIRECT: script(GOOD),
        THROUGH: script((status, {"message": "later"}), (status, {"message": "later"}), GOOD),
    }
    stub.answer = lambda request: replies[request.path](request)
    outs = smoke.create(inputs()).outs or {}
    assert clock.slept == [0.0, 5.0, 10.0]
    assert outs["queries_sent"] == 4


def test_retries_end(smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock) -> None:
    stub.answer = lambda request: GOOD if request.path == DIRECT else (503, {"message": "never"})
    with pytest.raises(ProviderError, match=r"status 503, expected 200"):
        smoke.create(inputs())
    assert len([one for one in invocations(stub) if one.path == THROUGH]) == 3


def test_a_cold_start_has_its_own_deadline(smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock) -> None:
    stub.answer = script(*[(503, {"message": "starting"})] * 8, GOOD)
    outs = smoke.create(inputs(warm_up_seconds=300.0)).outs or {}
    assert outs["status"] == "passed"
    assert sum(clock.slept) < 300
    assert len(clock.slept) > 3


def test_a_cold_start_that_takes_too_long_fails(smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock) -> None:
    stub.answer = lambda _: (503, {"message": "starting"})
    with pytest.raises(ProviderError, match="status 503"):
        smoke.create(inputs(warm_up_seconds=90.0, retries=0.0))
    assert sum(clock.slept) <= 90


def test_the_latency_of_a_cold_start_is_not_judged(smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock) -> None:
    def answer(request: Received) -> Reply:
        clock.seconds += 30.0 if len(invocations(stub)) == 1 else 0.05
        return GOOD

    stub.answer = answer
    outs = smoke.create(inputs(expecting(max_latency_ms=100))).outs or {}
    assert [one.path for one in invocations(stub)] == [DIRECT, DIRECT, THROUGH]
    assert outs["latency_ms"]["cold_start"] >= 30000
    assert outs["latency_ms"]["max"] < 100
    assert outs["latency_ms"]["queries"] == {"two customers": outs["latency_ms"]["max"]}


def test_a_slow_warm_answer_fails(smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock) -> None:
    def answer(_: Received) -> Reply:
        clock.seconds += 0.5
        return GOOD

    stub.answer = answer
    with pytest.raises(ProviderError, match="answered in 500 ms, expected at most 100 ms"):
        smoke.create(inputs(expecting(max_latency_ms=100)))


def test_a_broken_connection_is_asked_again_and_then_told(
    smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock
) -> None:
    stub.fail("POST", f"^{THROUGH}$", None, count=1)
    assert (smoke.create(inputs()).outs or {})["status"] == "passed"
    stub.fail("POST", f"^{THROUGH}$", None, count=9)
    with pytest.raises(ProviderError, match="not reached"):
        smoke.create(inputs())


def test_an_expected_error_status_passes(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    stub.answer = lambda _: (400, {"message": "bad"})
    assert (smoke.create(inputs(expecting(status=400))).outs or {})["status"] == "passed"


@pytest.mark.parametrize(
    ("update", "ready", "says"),
    [
        ("UPDATE_FAILED", "READY", "UPDATE_FAILED"),
        ("UPDATE_CANCELED", "READY", "UPDATE_CANCELED"),
        ("NOT_UPDATING", "NOT_READY", "NOT_READY, NOT_UPDATING"),
    ],
)
def test_an_endpoint_that_failed_is_not_asked(
    smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock, update: str, ready: str, says: str
) -> None:
    broken = endpoint("churn", {"churn-1": 100}, update=update, ready=ready)
    broken["config"]["served_entities"][0]["state"] = {
        "deployment": "DEPLOYMENT_FAILED",
        "deployment_state_message": "no module named xgboost",
    }
    stub.endpoints["churn"] = [broken]
    with pytest.raises(ProviderError) as caught:
        smoke.create(inputs())
    assert says in str(caught.value)
    assert "endpoint churn is not ready or failed: " in str(caught.value)
    assert "churn-1: DEPLOYMENT_FAILED no module named xgboost" in str(caught.value)
    assert invocations(stub) == []
    assert clock.slept == []


def test_an_update_under_way_is_waited_for_until_the_deadline(
    smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock
) -> None:
    busy = endpoint("churn", {"churn-1": 100}, update="IN_PROGRESS", ready="NOT_READY")
    stub.endpoints["churn"] = [busy, busy, endpoint("churn", {"churn-1": 100})]
    assert (smoke.create(inputs()).outs or {})["status"] == "passed"
    stub.endpoints["churn"] = [busy]
    stub.forget()
    with pytest.raises(ProviderError, match=r"still NOT_READY, IN_PROGRESS after 20 s") as late:
        smoke.create(inputs(ready_timeout_seconds=20.0))
    assert "takes 5 to 10 minutes as a rule: look at the endpoint's state" in str(late.value)
    assert invocations(stub) == []


def test_an_entity_that_is_not_served_and_traffic_that_is_not_asked_are_refused(
    smoke: SmokeQueryProvider, stub: RestStub
) -> None:
    with pytest.raises(ProviderError, match="serves no churn-7; it serves churn-1"):
        smoke.create(inputs(served_entities=["churn-1", "churn-7"]))
    stub.endpoints["churn"] = [endpoint("churn", {"churn-1": 80, "churn-2": 20})]
    with pytest.raises(ProviderError, match=r"sends traffic to churn-2 \(20 %\), which this smoke query does not ask"):
        smoke.create(inputs())
    assert invocations(stub) == []


def test_a_missing_endpoint_is_named(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    del stub.endpoints["churn"]
    with pytest.raises(ProviderError, match="Create endpoint churn first"):
        smoke.create(inputs())


def test_the_initial_delay_comes_after_readiness(smoke: SmokeQueryProvider, stub: RestStub, clock: FakeClock) -> None:
    smoke.create(inputs(initial_delay_seconds=60.0))
    assert clock.slept == [60.0]


def test_an_unchanged_suite_is_not_asked_again(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    state = smoke.create(inputs()).outs or {}
    stub.forget()
    assert not smoke.diff("churn", state, inputs()).changes
    slower = inputs(timeout_seconds=5.0, warm_up_seconds=1.0, retries=9.0, backoff_seconds=1.0, report_folder="x")
    assert not smoke.diff("churn", state, slower).changes
    assert stub.received == []


def test_formatting_and_order_do_not_make_another_suite(smoke: SmokeQueryProvider) -> None:
    other = SmokeCase(
        name="one", payload={"dataframe_records": [{"a": 1, "b": 2}]}, expect=SmokeExpectation(status=200)
    )
    state = smoke.create(inputs(expecting(), SmokeCase(name="bad", payload={"inputs": [1, 2]}))).outs or {}
    again = inputs(SmokeCase(name="bad", payload={"inputs": [1, 2]}), expecting())
    again["queries"][0]["payload"] = json.dumps({"inputs": [1, 2]}, indent=4)
    assert not smoke.diff("churn", state, again).changes
    again["queries"][1]["expect"] = "{}"
    assert not smoke.diff("churn", state, again).changes, "what is not expected is no part of the suite"
    assert smoke.diff("churn", state, inputs(expecting(), other)).changes


@pytest.mark.parametrize(
    "changed",
    [
        inputs(served_entities=["churn-1", "churn-2"]),
        inputs(SmokeCase(name="other", payload=CHURN)),
        inputs(SmokeCase(name="two customers", payload={"inputs": [1, 2]})),
        inputs(expecting(max_latency_ms=100)),
        inputs(versions={"churn-1": "2"}),
        inputs(traffic={"churn-1": 80.0}),
        inputs(triggers={"churn-1": "80"}),
        inputs(provider_version="2"),
    ],
)
def test_another_suite_is_asked_in_place(smoke: SmokeQueryProvider, changed: dict[str, Any]) -> None:
    state = smoke.create(inputs()).outs or {}
    result = smoke.diff("churn", state, changed)
    assert (result.changes, result.replaces) == (True, [])


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"versions": {"churn-1": "2"}}, "churn-1 is version 1, expected 2"),
        ({"traffic": {"churn-1": 80.0}}, "churn-1 gets 100 % of the traffic, expected 80 %"),
    ],
)
def test_an_endpoint_that_still_runs_its_old_config_is_asked_nothing(
    smoke: SmokeQueryProvider, stub: RestStub, declared: dict[str, Any], says: str
) -> None:
    live = endpoint("churn", {"churn-1": 100})
    live["config"]["served_entities"][0]["entity_version"] = "1"
    stub.endpoints["churn"] = [live]
    smoke.create(inputs(versions={"churn-1": "1"}, traffic={"churn-1": 100.0}))
    before = len(invocations(stub))
    with pytest.raises(ProviderError, match=f"(?s){says}.*pulumi up --refresh"):
        smoke.create(inputs(**declared))
    assert len(invocations(stub)) == before


def test_another_endpoint_is_another_resource(smoke: SmokeQueryProvider) -> None:
    state = smoke.create(inputs()).outs or {}
    assert smoke.diff("churn", state, inputs(endpoint_name="other")).replaces == ["endpoint_name"]


def test_the_digest_is_the_same_for_the_same_proof_and_another_for_another(smoke: SmokeQueryProvider) -> None:
    first, again = smoke.create(inputs()).outs or {}, smoke.create(inputs()).outs or {}
    other = smoke.update("churn", first, inputs(triggers={"churn-1": "80"})).outs or {}
    assert first["digest"] == again["digest"] != other["digest"]


def test_read_asks_no_query_and_sees_that_the_endpoint_is_gone(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    state = smoke.create(inputs()).outs or {}
    stub.forget()
    assert smoke.read("churn", state).outs == state
    assert stub.calls() == ["GET /api/2.0/serving-endpoints/churn"]
    del stub.endpoints["churn"]
    assert smoke.read("churn", state).id == ""
    stub.fail("GET", "churn", 403, code="PERMISSION_DENIED")
    with pytest.raises(ProviderError, match="permission denied"):
        smoke.read("churn", state)


def test_delete_does_nothing(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    smoke.delete("churn", inputs())
    assert stub.received == []


def test_a_failed_run_leaves_a_redacted_report(
    smoke: SmokeQueryProvider, stub: RestStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_SECRET", "hunter2-planted-value")
    stub.answer = lambda _: (
        500,
        {"message": f"called with Bearer {TOKEN} and hunter2-planted-value, password=swordfish99"},
    )
    with pytest.raises(ProviderError) as caught:
        smoke.create(inputs(report_folder=str(tmp_path / "reports")))
    (report,) = (tmp_path / "reports").iterdir()
    assert str(report) in str(caught.value)
    for text in (report.read_text(), str(caught.value)):
        for secret in (TOKEN, "hunter2-planted-value", "swordfish99", "0002-ORFBO"):
            assert secret not in text
    written = json.loads(report.read_text())
    assert written["status"] == "failed"
    assert [one["target"] for one in written["asked"]] == ["churn-1", "(through the endpoint)"]
    assert written["asked"][0]["problems"] == ["status 500, expected 200"]
    assert written["asked"][0]["payload"] == "dataframe_records (2) with customer_id, transaction_ts"
    assert written["asked"][0]["expected"]["status"] == 200


def test_the_environment_can_name_the_report_folder(
    smoke: SmokeQueryProvider, stub: RestStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOKE_REPORT_DIR", str(tmp_path))
    stub.answer = lambda _: (500, {})
    with pytest.raises(ProviderError):
        smoke.create(inputs())
    assert len(list(tmp_path.iterdir())) == 1


def test_a_report_that_cannot_be_written_hides_no_failure(
    smoke: SmokeQueryProvider, stub: RestStub, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    stub.answer = lambda _: (500, {})
    with pytest.raises(ProviderError, match=r"(?s)status 500.*could not be written"):
        smoke.create(inputs(report_folder=str(tmp_path / "file" / "reports")))


def test_a_target_that_does_not_answer_is_left_alone(smoke: SmokeQueryProvider, stub: RestStub) -> None:
    stub.fail("POST", "invocations", None, count=99)
    cases = [SmokeCase(name=name, payload=CHURN) for name in ("a", "b", "c")]
    with pytest.raises(ProviderError, match="failed 2 of 2"):
        smoke.create(inputs(*cases, retries=0.0, warm_up_seconds=0.0))
