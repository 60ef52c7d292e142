"""A prediction is asked for until it is there, until it cannot come, or until time is up; never longer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.client import AsyncPredictionClient, PredictionClient, PredictionError, RequestRefusedError, RetryPolicy
from apps.client.requests import batches, encode
from apps.client.retries import Attempts

URL = "http://127.0.0.1:1/serving-endpoints/ep/invocations"


class Time:
    """A clock that moves by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def sync_client(answer: Callable[[httpx.Request], httpx.Response], time: Time, **policy: Any) -> PredictionClient:
    return PredictionClient(
        URL,
        lambda: {"Authorization": "Bearer secret"},
        retries=RetryPolicy(**policy),
        transport=httpx.MockTransport(answer),
        clock=time,
        sleep=time.sleep,
    )


def answers(
    *responses: httpx.Response | Exception,
) -> tuple[Callable[[httpx.Request], httpx.Response], list[httpx.Request]]:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        response = responses[min(len(seen), len(responses)) - 1]
        if isinstance(response, Exception):
            raise response
        return response

    return answer, seen


def good(*values: float) -> httpx.Response:
    headers = {"served-model-name": "m-2", "databricks-request-id": "r"}
    return httpx.Response(200, json={"predictions": list(values)}, headers=headers)


def test_predictions_come_in_order_with_who_answered() -> None:
    answer, seen = answers(good(1.5, 2.5))
    got = sync_client(answer, Time()).predict([{"a": 1}, {"a": 2}])
    assert (list(got.values), got.served_entity, got.request_id, got.attempts) == ([1.5, 2.5], "m-2", "r", 1)
    assert json.loads(seen[0].content) == {"dataframe_records": [{"a": 1}, {"a": 2}]}
    assert seen[0].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_asked_again(status: int) -> None:
    answer, seen = answers(httpx.Response(status, json={"message": "busy"}), good(1.0))
    assert sync_client(answer, Time()).predict([{"a": 1}]).attempts == len(seen) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_what_does_not_pass_is_asked_once(status: int) -> None:
    answer, seen = answers(httpx.Response(status, json={"message": "no such column 'b'"}))
    with pytest.raises(PredictionError, match="no such column 'b'") as failed:
        sync_client(answer, Time()).predict([{"a": 1}])
    assert (failed.value.status, len(seen)) == (status, 1)
    assert isinstance(failed.value, RequestRefusedError) == (status < 500)


def test_a_broken_connection_is_tried_again_and_told_when_it_stays_broken() -> None:
    answer, seen = answers(httpx.ConnectError("refused"))
    with pytest.raises(PredictionError, match=r"could not be reached.*3 attempts"):
        sync_client(answer, Time(), attempts=3).predict([{"a": 1}])
    assert len(seen) == 3


def test_retry_after_is_obeyed_and_a_wait_beyond_the_deadline_is_not_begun() -> None:
    time = Time()
    answer, seen = answers(httpx.Response(429, headers={"Retry-After": "7"}, json={}), good(1.0))
    sync_client(answer, time).predict([{"a": 1}], deadline_seconds=30)
    assert time.slept == [7.0]

    time = Time()
    answer, seen = answers(httpx.Response(429, headers={"Retry-After": "31"}, json={"message": "limit"}))
    with pytest.raises(PredictionError, match="limit"):
        sync_client(answer, time).predict([{"a": 1}], deadline_seconds=30)
    assert (time.slept, len(seen)) == ([], 1)


@pytest.mark.parametrize("body", [{"predictions": [1.0]}, {"predictions": {"a": 1}}, {"outputs": [1, 2]}, [1, 2]])
def test_an_answer_without_one_prediction_a_record_is_an_error(body: Any) -> None:
    answer, _ = answers(httpx.Response(200, json=body))
    with pytest.raises(PredictionError, match="predictions"):
        sync_client(answer, Time()).predict([{"a": 1}, {"a": 2}])


def test_batches_keep_the_order_of_records_and_stay_under_the_limit_of_requests() -> None:
    at_once, most = 0, 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        records = json.loads(request.content)["dataframe_records"]
        # Later batches answer first.
        await asyncio.sleep(0.002 * (10 - records[0]["n"] // 3))
        at_once -= 1
        return httpx.Response(200, json={"predictions": [record["n"] * 10 for record in records]})

    async def ask() -> list[Any]:
        async with AsyncPredictionClient(URL, dict, transport=httpx.MockTransport(answer)) as client:
            return await client.predict_all([{"n": n} for n in range(25)], batch_records=3, at_once=4)

    assert asyncio.run(ask()) == [n * 10 for n in range(25)]
    assert most == 4


def test_one_batch_without_an_answer_ends_the_call_with_its_own_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        wrong = json.loads(request.content)["dataframe_records"][0]["n"] == 2
        return httpx.Response(400, json={"message": "bad"}) if wrong else good(0.0)

    async def ask() -> None:
        async with AsyncPredictionClient(URL, dict, transport=httpx.MockTransport(answer)) as client:
            await client.predict_all([{"n": n} for n in range(4)], batch_records=1)

    with pytest.raises(RequestRefusedError, match="bad"):
        asyncio.run(ask())


def test_the_asynchronous_client_retries_like_the_other() -> None:
    time = Time()

    async def sleep(seconds: float) -> None:
        time.sleep(seconds)

    async def ask() -> int:
        answer, _ = answers(httpx.Response(503, headers={"Retry-After": "2"}, json={}), good(1.0))
        async with AsyncPredictionClient(
            URL, dict, transport=httpx.MockTransport(answer), clock=time, sleep=sleep
        ) as client:
            return (await client.predict([{"a": 1}])).attempts

    assert asyncio.run(ask()) == 2
    assert time.slept == [2.0]


@given(
    st.floats(0.01, 100),
    st.integers(1, 8),
    st.lists(st.sampled_from([None, 429, 503]), min_size=1, max_size=20),
    st.floats(0, 1),
)
def test_no_schedule_of_failures_outlasts_the_deadline(
    deadline: float, attempts: int, failures: list[int | None], jitter: float
) -> None:
    time = Time()
    tries = Attempts(RetryPolicy(attempts=attempts), deadline, time, jitter=lambda: jitter)
    for status in failures:
        seconds = tries.wait(status)
        if seconds is None:
            break
        time.sleep(seconds)
    assert time.now < deadline
    assert tries.made <= attempts


@given(st.lists(st.integers(), max_size=50), st.integers(1, 10))
def test_batches_hold_every_record_once(records: list[int], size: int) -> None:
    parts = list(batches([{"n": n} for n in records], size))
    assert [row["n"] for part in parts for row in part] == records
    assert all(0 < len(part) <= size for part in parts)


def test_times_are_sent_in_utc_as_feature_tables_key_them() -> None:
    new_york = timezone(timedelta(hours=-4))
    rows = [{"t": datetime(2019, 3, 23, 16, 15, tzinfo=new_york)}, {"t": datetime(2019, 3, 23, 20, 15)}]
    assert [row["t"] for row in json.loads(encode(rows))["dataframe_records"]] == ["2019-03-23 20:15:00"] * 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), datetime.now(UTC).time()])
def test_a_value_without_a_form_in_json_is_named_by_record_and_column(value: Any) -> None:
    with pytest.raises(ValueError, match="record 1, column 'b'"):
        encode([{"b": 1}, {"b": value}])
