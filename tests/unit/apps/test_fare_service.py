"""The service asks for what it needs, and says whose fault a failure is without saying more."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from apps.client import AsyncPredictionClient, RetryPolicy, ServingOutputs
from apps.fare_service.__main__ import main
from apps.fare_service.service import build_service

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


def service(answer: httpx.Response | Exception, seen: list[Any] | None = None) -> TestClient:
    def respond(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(json.loads(request.content))
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = AsyncPredictionClient(URL, dict, retries=RetryPolicy(attempts=1), transport=httpx.MockTransport(respond))
    return TestClient(build_service(OUTPUTS, client))


def test_a_ride_becomes_keys_and_the_fare_comes_back_in_cents() -> None:
    seen: list[Any] = []
    with service(httpx.Response(200, json={"predictions": [12.3456]}), seen) as http:
        assert http.get("/ready").status_code == 503
        answer = http.get("/fare", params=RIDE)
        assert http.get("/ready").status_code == 200
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
    answer = service(httpx.Response(200, json={"predictions": [1.0]}), seen).get("/fare", params={**RIDE, **change})
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert seen == []


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (httpx.Response(500, text="Traceback: password=hunter2"), 502),
        (httpx.Response(403, json={"message": "no"}), 502),
        (httpx.ReadTimeout("slow"), 504),
    ],
)
def test_the_endpoints_failure_is_not_the_callers_and_leaks_nothing(
    failure: httpx.Response | Exception, status: int
) -> None:
    answer = service(failure).get("/fare", params=RIDE)
    assert answer.status_code == status
    assert "hunter2" not in answer.text
    assert "127.0.0.1" not in answer.text


def test_health_names_the_version_that_is_served() -> None:
    health = service(httpx.Response(200)).get("/health").json()
    assert (health["model"], health["version"]) == ("main.taxi.fares", "3")


def test_without_outputs_it_does_not_start(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    (tmp_path / "outputs.json").write_text("{}")
    assert main(["--outputs", str(tmp_path / "outputs.json")]) == 1
    assert "not the outputs of a serving stack" in capsys.readouterr().err
