"""The service asks for what it needs, and says whose fault a failure is without saying more."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from apps.client import AsyncPredictionClient, CredentialsError, RetryPolicy, ServingOutputs
from apps.fare_service.__main__ import main
from apps.fare_service.service import PARAMETERS, build_service

URL = "http://127.0.0.1:1/serving-endpoints/fares/invocations"
RIDE = {
    "pickup_zip": "10065",
    "dropoff_zip": "10017",
    "pickup": "2019-03-23T16:21:09-04:00",
    "dropoff": "2019-03-23T20:29:59",
    "trip_distance": "1.6",
}
OUTPUTS = ServingOutputs.read(
    {
        "contractVersion": "1.0",
        "endpointName": "fares",
        "endpointUrl": URL,
        "modelName": "main.taxi.fares",
        "resolvedVersion": "3",
    }
)


Answer = httpx.Response | Exception


def service(*answers: Answer, seen: list[Any] | None = None, again_seconds: float = 60.0) -> TestClient:
    """The service over an endpoint that gives these answers, the last one for ever.

    It asks by itself only where it is used as a context manager, which starts it.
    """
    left = list(answers)

    def respond(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(json.loads(request.content))
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        # A response is read once.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    client = AsyncPredictionClient(URL, dict, retries=RetryPolicy(attempts=1), transport=httpx.MockTransport(respond))
    return TestClient(build_service(OUTPUTS, client, again_seconds=again_seconds))


def good(fare: Any = 12.3456) -> httpx.Response:
    return httpx.Response(200, json={"predictions": [fare]})


_ALWAYS_GOOD = service(httpx.Response(200, json={"predictions": [12.5]}))


def becomes(http: TestClient, status: int) -> bool:
    """Whether /ready answers with `status` before long."""
    deadline = time.monotonic() + 30
    while http.get("/ready").status_code != status:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_ride_becomes_keys_and_the_fare_comes_back_in_cents() -> None:
    seen: list[Any] = []
    answer = service(good(), seen=seen).get("/fare", params=RIDE)
    assert answer.json()["fare_amount"] == 12.35
    assert seen == [
        {
            "dataframe_records": [
                {
                    "pickup_zip": 10065,
                    "rounded_pickup_datetime": "2019-03-23 20:15:00",
                    "dropoff_zip": 10017,
                    "rounded_dropoff_datetime": "2019-03-23 20:00:00",
                    "trip_distance": 1.6,
                }
            ]
        }
    ]


def test_it_becomes_ready_without_a_caller_and_is_not_while_the_endpoint_is_dead() -> None:
    down = httpx.ConnectError("refused")
    with service(down, down, good(), down, good(), again_seconds=0.01) as http:
        # Nobody has asked for a fare: a load balancer would not have sent anybody.
        assert becomes(http, 200)
        assert http.get("/fare", params=RIDE).status_code == 502
        assert becomes(http, 200)


def test_it_stays_not_ready_while_there_is_no_answer_and_health_does_not_care() -> None:
    seen: list[Any] = []
    with service(httpx.Response(403, json={"message": "no"}), seen=seen, again_seconds=0.01) as http:
        deadline = time.monotonic() + 30
        while len(seen) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert http.get("/ready").status_code == 503
        assert http.get("/health").status_code == 200


def test_a_ride_that_is_refused_is_no_doubt_about_the_endpoint() -> None:
    with service(good(), httpx.Response(400, json={"message": "no such column"})) as http:
        assert becomes(http, 200)
        assert http.get("/fare", params=RIDE).status_code == 502
        assert http.get("/ready").status_code == 200


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2019-03-23T20:21:09 00:00", "2019-03-23 20:15:00"),  # what a server reads where `+` was not written as %2B
        ("2019-03-23T22:21:09.123456 0200", "2019-03-23 20:15:00"),
        ("2019-03-23 20:21:09", "2019-03-23 20:15:00"),
        ("2019-03-23 20:21", "2019-03-23 20:15:00"),
    ],
)
def test_a_time_is_read_as_it_comes_out_of_a_query_string(text: str, key: str) -> None:
    seen: list[Any] = []
    assert service(good(), seen=seen).get("/fare", params={**RIDE, "pickup": text}).status_code == 200
    assert seen[0]["dataframe_records"][0]["rounded_pickup_datetime"] == key


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pickup_zip": "x"}, "pickup_zip"),
        ({"pickup": "noon"}, "pickup"),
        ({"trip_distance": "far"}, "trip_distance"),
        ({"dropoff": ""}, "missing dropoff"),
    ],
)
def test_what_the_caller_can_mend_is_a_400_that_names_it(change: dict[str, str], named: str) -> None:
    seen: list[Any] = []
    answer = service(good(), seen=seen).get("/fare", params={**RIDE, **change})
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert seen == []


@pytest.mark.parametrize(
    ("failure", "status", "told"),
    [
        (httpx.Response(500, text="Traceback: password=hunter2"), 502, "failed (500)"),
        (httpx.Response(403, json={"message": "no, 127.0.0.1"}), 502, "refused the request (403)"),
        (httpx.Response(503, json={"message": "starting"}), 503, "try again"),
        (httpx.Response(429, json={"message": "busy"}), 503, "try again"),
        (httpx.ReadTimeout("slow"), 504, "did not answer in time"),
        (httpx.ConnectError("127.0.0.1 refused"), 502, "cannot be reached"),
        (good("cheap"), 502, "what is no fare"),
        (good(None), 502, "what is no fare"),
        (httpx.Response(200, text='{"predictions": [NaN]}'), 502, "what is no fare"),
        (httpx.Response(200, text="<html>"), 502, "what is no fare"),
        (CredentialsError("127.0.0.1 gives no token"), 502, "no valid credentials"),
    ],
)
def test_the_endpoints_failure_is_not_the_callers_and_its_reason_is_in_the_log_alone(
    failure: Answer, status: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = service(failure).get("/fare", params=RIDE)
    assert answer.status_code == status
    assert told in answer.json()["error"]
    assert "hunter2" not in answer.text
    assert "127.0.0.1" not in answer.text
    assert ("Retry-After" in answer.headers) == (status == 503)
    (logged,) = caplog.records
    assert "127.0.0.1" in logged.getMessage() or "what is no" in logged.getMessage()


def test_paths_and_methods_that_are_none_answer_in_the_same_form() -> None:
    http = service(good())
    assert (http.get("/").status_code, http.get("/").json()) == (404, {"error": "Not Found"})
    assert (http.post("/fare").status_code, http.post("/fare").json()) == (405, {"error": "Method Not Allowed"})


_ODD = ("inf", "1e999", "nan", "-0.0", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2019-W12-6", "1_0")


@settings(deadline=None)
@given(st.sampled_from(PARAMETERS), st.one_of(st.sampled_from(_ODD), st.text(max_size=30)))
@example("trip_distance", "inf")
@example("pickup", "0001-01-01T00:00:00+14:00")
@example("dropoff", "9999-12-31T23:59:59-14:00")
def test_no_query_makes_it_fail(name: str, value: str) -> None:
    answer = _ALWAYS_GOOD.get("/fare", params={**RIDE, name: value})
    assert answer.status_code in (200, 400), answer.text
    assert set(answer.json()) in ({"error"}, {"fare_amount", "served_entity", "request_id"})


def test_health_names_the_version_that_is_served() -> None:
    health = service(good()).get("/health").json()
    assert (health["model"], health["version"]) == ("main.taxi.fares", "3")


def test_without_outputs_it_does_not_start(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    (tmp_path / "outputs.json").write_text("{}")
    assert main(["--outputs", str(tmp_path / "outputs.json")]) == 1
    assert "not the outputs of a serving stack" in capsys.readouterr().err
