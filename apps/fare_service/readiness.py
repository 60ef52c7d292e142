"""Whether the endpoint answers: asked once at the start, and again after a failure, until it does.

A load balancer sends nothing to a service that is not ready, so readiness cannot wait for a caller's request: the
service asks by itself. The first question also wakes an endpoint that is scaled to zero, before anybody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from apps.client import CredentialsError, PredictionError

AGAIN_SECONDS = 5.0
"""Between two questions while there is no answer."""

_log = logging.getLogger("fare_service")


class Readiness:
    """Ready after an answer, not ready after a failure that is the endpoint's.

    Args:
        ask: one question to the endpoint.
        again_seconds: to the next question after one without an answer.
    """

    def __init__(self, ask: Callable[[], Awaitable[object]], *, again_seconds: float = AGAIN_SECONDS) -> None:
        self._ask = ask
        self._again_seconds = again_seconds
        self._doubt = asyncio.Event()
        self._doubt.set()

    @property
    def is_ready(self) -> bool:
        return not self._doubt.is_set()

    def answered(self) -> None:
        """A request was answered."""
        self._doubt.clear()

    def failed(self) -> None:
        """A request was not answered: nobody is to be sent here before the endpoint answers again."""
        self._doubt.set()

    async def watch(self) -> None:
        """Ask whenever there is doubt; runs until it is cancelled."""
        while True:
            await self._doubt.wait()
            try:
                await self._ask()
            except (PredictionError, CredentialsError) as error:
                _log.warning("not ready: %s", error)
                await asyncio.sleep(self._again_seconds)
            else:
                self._doubt.clear()
                _log.info("ready: the endpoint answers")
