"""Predictions from a serving endpoint, many at a time on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from .answers import Predictions
from .call import DEADLINE_SECONDS, Call, checked_url
from .credentials import Authorization
from .requests import BATCH_RECORDS, Record, batches
from .retries import RetryPolicy

BATCHES_AT_ONCE = 4
"""The lower bound of a Small endpoint's concurrency: more would only meet 429."""


class AsyncPredictionClient:
    """`PredictionClient` for asyncio; the arguments are the same. A cancelled call sends nothing more."""

    def __init__(
        self,
        endpoint_url: str,
        authorization: Authorization,
        *,
        retries: RetryPolicy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = checked_url(endpoint_url)
        self._authorization = authorization
        self._retries = retries or RetryPolicy()
        # The deadline of a call is kept by the event loop.
        self._http = httpx.AsyncClient(transport=transport, timeout=None)  # noqa: S113 - see above
        self._clock = clock
        self._sleep = sleep

    async def predict(self, records: Sequence[Record], *, deadline_seconds: float = DEADLINE_SECONDS) -> Predictions:
        """See `PredictionClient.predict`."""
        call = Call(self._url, records, self._retries, deadline_seconds, self._clock)
        while True:
            try:
                async with asyncio.timeout(call.seconds_left):
                    outcome = await self._ask(call)
            except (httpx.RequestError, TimeoutError) as error:
                outcome = call.failed(error)
            if isinstance(outcome, Predictions):
                return outcome
            await self._sleep(outcome)

    async def predict_all(
        self,
        records: Sequence[Record],
        *,
        batch_records: int = BATCH_RECORDS,
        at_once: int = BATCHES_AT_ONCE,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> list[Any]:
        """The predictions for any number of records, in their order; `at_once` batches are under way together.

        The first batch without a usable answer ends the call, and the others with it.
        """
        if at_once < 1:
            raise ValueError(f"at least one batch is under way at a time; received at_once={at_once}")
        free = asyncio.Semaphore(at_once)

        async def one(batch: Sequence[Record]) -> Sequence[Any]:
            async with free:
                return (await self.predict(batch, deadline_seconds=deadline_seconds)).values

        tasks = [asyncio.ensure_future(one(batch)) for batch in batches(records, batch_records)]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return [value for values in answers for value in values]

    async def _ask(self, call: Call) -> Predictions | float:
        # The SDK renews OAuth tokens with a blocking request.
        headers = call.headers(await asyncio.to_thread(self._authorization))
        answer = await self._http.post(self._url, content=call.body, headers=headers)
        return call.answered(answer.status_code, answer.headers, answer.content)

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
