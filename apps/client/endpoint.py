"""Predictions from a serving endpoint, one call at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from .answers import PredictionError, Predictions, read_answer
from .credentials import Authorization
from .requests import BATCH_RECORDS, Record, batches, encode
from .retries import Attempts, RetryPolicy

DEADLINE_SECONDS = 60.0
JSON = {"Content-Type": "application/json"}


class PredictionClient:
    """Asks one endpoint. Thread-safe; connections are kept open between calls.

    Args:
        endpoint_url: `endpointUrl` of the stack's outputs.
        authorization: gives the headers of each request (`apps.client.authorization`).
        retries: how often to ask again after 429, 502, 503, 504 or a broken connection.
        transport: for tests.
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
        self._url = endpoint_url
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
            RequestRefusedError: the request, the caller or the address is wrong.
            PredictionError: no usable answer within attempts and deadline.
        """
        body = encode(records)
        attempts = Attempts(self._retries, deadline_seconds, self._clock)
        while True:
            try:
                answer = self._http.post(
                    self._url,
                    content=body,
                    headers={**JSON, **self._authorization()},
                    timeout=max(attempts.seconds_left, 0.001),
                )
            except httpx.TransportError as error:
                seconds = attempts.wait(None)
                if seconds is None:
                    raise broken_off(self._url, error, attempts.made) from error
            else:
                seconds = attempts.wait(answer.status_code, answer.headers)
                if seconds is None:
                    return read_answer(
                        self._url,
                        answer.status_code,
                        answer.headers,
                        answer.content,
                        records=len(records),
                        attempts=attempts.made,
                    )
            self._sleep(seconds)

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

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def broken_off(url: str, error: httpx.TransportError, attempts: int) -> PredictionError:
    """What the caller gets where there was no answer at all."""
    what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "could not be reached"
    many = "s" if attempts > 1 else ""
    return PredictionError(
        f"{url} {what} ({type(error).__name__}: {error}), {attempts} attempt{many}", attempts=attempts
    )
