"""Where one entity fails, another answers; what is wrong with the request itself goes to nobody else."""

from __future__ import annotations

import httpx
import pytest

from apps.client import FallbackClient, PredictionClient, PredictionError, RequestRefusedError, RetryPolicy, entity_url

URL = "https://host/serving-endpoints/ep/invocations"


def client(status: int, asked: list[str], name: str, *, predictions: int = 1) -> PredictionClient:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(name)
        return httpx.Response(status, json={"predictions": [name] * predictions})

    return PredictionClient(URL, dict, retries=RetryPolicy(attempts=1), transport=httpx.MockTransport(answer))


def test_the_first_that_answers_is_the_last_that_is_asked() -> None:
    asked: list[str] = []
    both = FallbackClient(client(200, asked, "live"), client(200, asked, "standby"))
    assert both.predict([{"x": 1}]).values == ["live"]
    assert asked == ["live"]


@pytest.mark.parametrize("status", [500, 503, 429, 504])
def test_a_failing_entity_gives_way_to_the_one_that_stands_by_and_it_is_told(status: int) -> None:
    asked: list[str] = []
    told: list[PredictionError] = []
    both = FallbackClient(client(status, asked, "live"), client(200, asked, "standby"), on_failure=told.append)
    assert both.predict([{"x": 1}]).values == ["standby"]
    assert asked == ["live", "standby"]
    assert [error.status for error in told] == [status]


def test_a_refused_request_is_sent_to_nobody_else() -> None:
    asked: list[str] = []
    both = FallbackClient(client(400, asked, "live"), client(200, asked, "standby"))
    with pytest.raises(RequestRefusedError):
        both.predict([{"x": 1}])
    assert asked == ["live"]


def test_where_nobody_answers_every_failure_is_in_the_error() -> None:
    asked: list[str] = []
    both = FallbackClient(client(500, asked, "live"), client(503, asked, "standby"))
    with pytest.raises(PredictionError) as failed:
        both.predict([{"x": 1}])
    assert failed.value.status == 503
    assert "answered 500" in "".join(failed.value.__notes__)


def test_the_deadline_is_shared_and_nobody_is_asked_after_it() -> None:
    now = [0.0]
    given: list[float] = []

    class Slow:
        def predict(self, records: object, *, deadline_seconds: float = 0.0) -> object:
            given.append(deadline_seconds)
            now[0] += deadline_seconds + (1.0 if len(given) == 2 else 0.0)
            raise PredictionError("too late")

    slow = Slow()
    with pytest.raises(PredictionError, match="too late"):
        FallbackClient(slow, slow, slow, clock=lambda: now[0]).predict([{"x": 1}], deadline_seconds=9.0)  # type: ignore[arg-type]
    assert given == [3.0, 3.0, 2.0]


def test_an_entity_has_an_address_below_its_endpoints() -> None:
    assert entity_url(URL, "fares-14") == "https://host/serving-endpoints/ep/served-models/fares-14/invocations"
    with pytest.raises(ValueError, match="is no address of an endpoint"):
        entity_url("https://host/ep", "fares-14")
