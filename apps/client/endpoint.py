"""Predictions from a serving endpoint, one call at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from .answers import Predictions
from .call import DEADLINE_SECONDS, Call, checked_url
from .credentials import Authorization
from .requests import BATCH_RECORDS, Record, batches
from .retries import RetryPolicy


class PredictionClient:
    """Asks one endpoint. Thread-safe; connections are kept open between calls.

    Args:
        endpoint_url: `endpointUrl` of the stack's outputs.
        authorization: gives the headers of each request (`authorization()` of this package).
        retries: how often to ask again after 429, 502, 503, 504 or a broken connection.
        transport: for tests.

    Raises:
        ValueError: `endpoint_url` is no address.
    """

    def __init__(
        self,
        endpoint_url: str,
        authorization: Authorization,
        *,
        retries: RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = checked_url(endpoint_url)
        self._authorization = authorization
        self._retries = retries or RetryPolicy()
        self._http = httpx.Client(transport=transport)
        self._clock = clock
        self._sleep = sleep

    def predict(self, records: Sequence[Record], *, deadline_seconds: float = DEADLINE_SECONDS) -> Predictions:
        """The predictions for `records`, in their order, in one request.

        Args:
            deadline_seconds: for everything, waits included. A cold endpoint may need minutes.

        Raises:
            ValueError: a record cannot be sent.
            CredentialsError: there is no token to be had any more.
            RequestRefusedError: the request, the caller or the address is wrong.
            DeadlineError: no answer came in time.
            PredictionError: no usable answer within attempts and deadline.
        """
        call = Call(self._url, records, self._retries, deadline_seconds, self._clock)
        while True:
            try:
                outcome = self._ask(call)
            except httpx.RequestError as error:
                outcome = call.failed(error)
            if isinstance(outcome, Predictions):
                return outcome
            self._sleep(outcome)

    def predict_all(
        self,
        records: Sequence[Record],
        *,
        batch_records: int = BATCH_RECORDS,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> list[Any]:
        """The predictions for any number of records, in their order, batch after batch.

        Args:
            deadline_seconds: for each batch. The first batch without a usable answer ends the call; see `predict`.
        """
        return [
            value
            for batch in batches(records, batch_records)
            for value in self.predict(batch, deadline_seconds=deadline_seconds).values
        ]

    def _ask(self, call: Call) -> Predictions | float:
        headers = call.headers(self._authorization())
        timeouts = _TimeLeft(call)
        with self._http.stream(
            "POST", self._url, content=call.body, headers=headers, extensions={"timeout": timeouts}
        ) as answer:
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                # Each read has a time-out of its own: an answer in drops would never run into one.
                if call.is_late:
                    raise httpx.ReadTimeout("the answer is not whole")
        return call.answered(answer.status_code, answer.headers, bytes(body))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _TimeLeft(dict[str, float]):
    """Time-outs of httpx's phases (pool, connect, write, read), each asked for when its phase begins.

    Fixed ones would give every phase the whole deadline.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(dict.fromkeys(("connect", "read", "write", "pool"), call.seconds_left))
        self._call = call

    def get(self, key: str, default: Any = None) -> Any:
        return self._call.seconds_left if key in self else default
