"""What holds whatever an endpoint does: the deadline, the secrets, the types; and what a connection costs."""

from __future__ import annotations

import asyncio
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from databricks.sdk.errors import PermissionDenied
from pydantic import FiniteFloat

from apps.client import (
    AsyncPredictionClient,
    CredentialsError,
    DeadlineError,
    PredictionClient,
    PredictionError,
    Predictions,
    RequestRefusedError,
    RetryPolicy,
    authorization,
)
from apps.client.requests import encode
from apps.client.retries import Attempts

URL = "http://127.0.0.1:1/serving-endpoints/ep/invocations"
TOKEN = "dapi-planted-secret"  # nothing's token


class Server:
    """HTTP over plain sockets: how an answer comes is the test's business."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.answer: Callable[[Any], None] = self.at_once
        self.url = ""

    def at_once(self, stream: Any) -> None:
        stream.write(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"predictions": [1]}')

    def in_drops(self, stream: Any) -> None:
        stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(600):
            stream.write(b" ")
            stream.flush()
            time.sleep(0.02)

    def never(self, _: Any) -> None:
        self.over.wait(30)

    over = threading.Event()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.over = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            made.connections += 1
            try:
                while line := self.rfile.readline():
                    length = 0
                    while (line := self.rfile.readline()) != b"\r\n":
                        name, _, value = line.partition(b":")
                        length = int(value) if name.lower() == b"content-length" else length
                    self.rfile.read(length)
                    made.requests += 1
                    made.answer(self.wfile)
            except OSError:  # the client is gone
                return

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Threads(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        made.url = f"http://127.0.0.1:{listening.server_address[1]}/serving-endpoints/ep/invocations"
        yield made
        made.over.set()
        listening.shutdown()


def ask(url: str, *, is_async: bool, headers: Any = dict, **options: Any) -> Predictions:
    """One prediction by either client."""
    deadline = options.pop("deadline_seconds", 10.0)
    if not is_async:
        with PredictionClient(url, headers, **options) as client:
            return client.predict([{"a": 1}], deadline_seconds=deadline)

    async def run() -> Predictions:
        async with AsyncPredictionClient(url, headers, **options) as client:
            return await client.predict([{"a": 1}], deadline_seconds=deadline)

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@BOTH
@pytest.mark.parametrize("way", ["in_drops", "never"])
def test_a_deadline_ends_an_answer_that_comes_in_drops_and_one_that_never_comes(
    server: Server, way: str, is_async: bool
) -> None:
    server.answer = getattr(server, way)
    began = time.monotonic()
    with pytest.raises(DeadlineError, match=r"did not answer within 0\.3 s, 1 attempt"):
        ask(server.url, is_async=is_async, deadline_seconds=0.3)
    # Drops come for twelve seconds.
    assert 0.3 <= time.monotonic() - began < 10


@BOTH
def test_a_token_that_is_long_in_coming_counts_against_the_deadline(server: Server, is_async: bool) -> None:
    def slow() -> dict[str, str]:
        time.sleep(0.4)
        return {}

    server.answer = server.never
    with pytest.raises(DeadlineError):
        ask(server.url, is_async=is_async, headers=slow, deadline_seconds=0.2)


@BOTH
def test_every_attempt_asks_for_a_token_because_it_may_have_been_renewed(is_async: bool) -> None:
    tokens, seen = iter(("old", "new")), []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(503 if len(seen) == 1 else 200, json={"predictions": [1]})

    got = ask(
        URL,
        is_async=is_async,
        headers=lambda: {"Authorization": f"Bearer {next(tokens)}"},
        transport=httpx.MockTransport(respond),
        retries=RetryPolicy(base_seconds=0.0),
    )
    assert (got.attempts, seen) == (2, ["Bearer old", "Bearer new"])


def test_calls_of_one_client_share_a_connection(server: Server) -> None:
    with PredictionClient(server.url, dict) as client:
        for _ in range(5):
            client.predict([{"a": 1}])
    assert (server.connections, server.requests) == (1, 5)

    async def run() -> None:
        async with AsyncPredictionClient(server.url, dict) as client:
            await client.predict_all([{"a": n} for n in range(12)], batch_records=1, at_once=2)

    asyncio.run(run())
    assert (server.connections, server.requests) == (3, 17)


def test_a_cancelled_call_sends_nothing_more_and_the_client_stays_usable(server: Server) -> None:
    async def run() -> list[Any]:
        async with AsyncPredictionClient(server.url, dict) as client:
            server.answer = server.never
            call = asyncio.ensure_future(client.predict([{"a": 1}]))
            while not server.requests:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            server.answer = server.at_once
            return list((await client.predict([{"a": 1}])).values)

    assert asyncio.run(run()) == [1]
    assert server.requests == 2


@BOTH
@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, f"no such token: Bearer {TOKEN}"),
        (500, f'{{"message": "upstream had {TOKEN}"}}'),
        (None, f"proxy refused {TOKEN}"),
    ],
)
def test_no_error_repeats_the_token_even_where_the_other_side_does(
    status: int | None, text: str, is_async: bool
) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if status is None:
            raise httpx.ConnectError(text)
        return httpx.Response(status, text=text)

    with pytest.raises(PredictionError) as failed:
        ask(
            URL,
            is_async=is_async,
            headers=lambda: {"Authorization": f"Bearer {TOKEN}"},
            transport=httpx.MockTransport(respond),
            retries=RetryPolicy(attempts=1),
        )
    assert "[redacted]" in str(failed.value)
    # Neither the error nor what a traceback would print of its causes.
    assert failed.value.__cause__ is None
    assert TOKEN not in repr(failed.value)


@BOTH
@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}…", f"{TOKEN}\r\nX-Evil: 1"])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(
    server: Server, token: str, is_async: bool
) -> None:
    with pytest.raises(CredentialsError, match="header Authorization has a line break") as failed:
        ask(server.url, is_async=is_async, headers=lambda: {"Authorization": f"Bearer {token}"})
    assert TOKEN not in repr(failed.value)
    assert failed.value.__context__ is None
    assert server.requests == 0


@BOTH
def test_what_will_not_get_better_is_tried_once(is_async: bool) -> None:
    tried: list[int] = []

    def respond(_: httpx.Request) -> httpx.Response:
        tried.append(1)
        raise httpx.DecodingError("no gzip")

    with pytest.raises(PredictionError, match="DecodingError: no gzip"):
        ask(URL, is_async=is_async, transport=httpx.MockTransport(respond))
    assert tried == [1]


@pytest.mark.parametrize("url", ["", "ep", "/serving-endpoints/ep/invocations", "ftp://host/x", "https://"])
def test_what_is_no_address_is_refused_when_the_client_is_made(url: str) -> None:
    for kind in (PredictionClient, AsyncPredictionClient):
        with pytest.raises(ValueError, match="endpointUrl"):
            kind(url, dict)


@dataclass
class Fare:
    fare: float


def test_predictions_have_the_type_that_was_asked_for_or_are_an_error() -> None:
    def got(*values: Any) -> Predictions:
        return Predictions(values, "m-2", None, 1)

    assert got(1, 2.5).typed(float) == [1.0, 2.5]
    assert got({"fare": 3}).typed(Fare) == [Fare(3.0)]
    for values, kind in (((1.0, None), float), ((1.0, float("nan")), FiniteFloat), (({"far": 1},), Fare)):
        with pytest.raises(PredictionError, match=r"m-2 answered with what is no .*: prediction \d") as wrong:
            got(*values).typed(kind)
        assert not isinstance(wrong.value, RequestRefusedError)


def test_a_date_as_retry_after_is_obeyed_like_seconds() -> None:
    attempts = Attempts(RetryPolicy(), 3600.0, time.monotonic, jitter=lambda: 0.0)
    seconds = attempts.wait(503, {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=100))})
    assert seconds is not None
    assert 50 < seconds <= 100
    assert attempts.wait(503, {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}) == 0.0
    assert attempts.wait(503, {"Retry-After": "soon"}) == 0.0


def sent(value: Any) -> Any:
    import json

    return json.loads(encode([{"a": value}]))["dataframe_records"][0]["a"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.datetime64("2019-03-23T20:15:00.000000000"), "2019-03-23 20:15:00"),
        (pd.Timestamp("2019-03-23 16:15", tz="America/New_York"), "2019-03-23 20:15:00"),
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.array([1.5, 2.5]), [1.5, 2.5]),
        ({"at": datetime(2019, 3, 23, 20, 15), "of": (1, None)}, {"at": "2019-03-23 20:15:00", "of": [1, None]}),
    ],
)
def test_values_of_numpy_and_pandas_and_values_within_values_have_their_plain_form(value: Any, expected: Any) -> None:
    assert sent(value) == expected


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (pd.NaT, "'a'"),
        (np.datetime64("NaT"), "'a'"),
        (pd.NA, "'a'"),
        (np.datetime64("2019-03-23T20:15:00.000000001"), "'a'"),
        (pd.Timestamp("2019-03-23 20:15:00.000000001"), "'a'"),
        ({"x": [1, float("nan")]}, r"'a\.x\[1\]'"),
        (np.array([1.0, np.inf]), r"'a\[1\]'"),
        (b"bytes", "'a'"),
    ],
)
def test_a_value_that_would_be_sent_as_something_else_is_refused_by_its_place(value: Any, place: str) -> None:
    with pytest.raises(ValueError, match=f"record 0, column {place}"):
        encode([{"a": value}])


class Refusing:
    """An SDK config whose token cannot be renewed."""

    host = "https://host"
    auth_type = "oauth-m2m"
    error: Exception = PermissionDenied("the secret has expired Config: host=https://host, client_secret=***")

    def authenticate(self) -> dict[str, str]:
        raise self.error


@pytest.mark.parametrize("error", [Refusing.error, ValueError("invalid_client: gone"), ConnectionError("no network")])
def test_a_token_that_cannot_be_renewed_is_a_credentials_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Refusing()
    made.error = error
    monkeypatch.setattr("databricks.sdk.core.Config", lambda **_: made)
    with pytest.raises(CredentialsError, match=r"https://host gives no token \(oauth-m2m\)") as failed:
        ask(URL, is_async=False, headers=authorization("https://host/serving-endpoints/ep/invocations"))
    assert "client_secret" not in str(failed.value)


def test_a_workspace_that_cannot_be_reached_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def config(**options: Any) -> Refusing:
        given.update(options)
        return Refusing()

    monkeypatch.setattr("databricks.sdk.core.Config", config)
    authorization()
    # The SDK asks the host about itself first, and by its default for five minutes.
    assert given["retry_timeout_seconds"] <= 10


@pytest.mark.parametrize(
    ("url", "is_sent"),
    [
        ("https://Host/serving-endpoints/ep/invocations", True),
        ("https://host:443/serving-endpoints/ep/invocations", True),
        ("http://host/serving-endpoints/ep/invocations", False),
        ("https://host:8443/serving-endpoints/ep/invocations", False),
        ("https://host.elsewhere/serving-endpoints/ep/invocations", False),
    ],
)
def test_a_token_goes_to_its_own_workspace_only_and_never_in_clear(
    url: str, is_sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding = SimpleNamespace(host="https://host", authenticate=lambda: {"Authorization": f"Bearer {TOKEN}"})
    monkeypatch.setattr("databricks.sdk.core.Config", lambda **_: holding)
    if is_sent:
        assert authorization(url)() == {"Authorization": f"Bearer {TOKEN}"}
        assert TOKEN not in repr(authorization(url))
    else:
        with pytest.raises(CredentialsError, match="they are not sent there"):
            authorization(url)
