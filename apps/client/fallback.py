"""Another endpoint, or the version that stands by, where the first one gives no usable answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from .answers import PredictionError, Predictions, RequestRefusedError
from .call import DEADLINE_SECONDS
from .requests import Record

_INVOCATIONS = "/invocations"


class Predicts(Protocol):
    """`PredictionClient`, or whatever answers like it."""

    def predict(self, records: Sequence[Record], *, deadline_seconds: float = DEADLINE_SECONDS) -> Predictions: ...


class FallbackClient:
    """Asks the first client; where it fails, the next one, until one answers or time is up.

    A request that is refused (4xx) goes to nobody else: it is wrong wherever it is sent.

    Args:
        clients: in the order in which they are asked, at least one.
        on_failure: told of each failure, for a log or a counter: a fallback that nobody sees hides an outage.
    """

    def __init__(
        self,
        *clients: Predicts,
        on_failure: Callable[[PredictionError], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not clients:
            raise ValueError("there is nobody to ask: pass at least one client")
        self._clients = clients
        self._on_failure = on_failure
        self._clock = clock

    def predict(self, records: Sequence[Record], *, deadline_seconds: float = DEADLINE_SECONDS) -> Predictions:
        """The predictions for `records`, by the first client that has them.

        Args:
            deadline_seconds: for all clients together; each gets an equal share of what is left.

        Raises:
            RequestRefusedError: the request, the caller or the address is wrong.
            PredictionError: nobody answered; the last failure, with the earlier ones as its notes.
        """
        ends = self._clock() + deadline_seconds
        failures: list[PredictionError] = []
        for number, client in enumerate(self._clients):
            left = ends - self._clock()
            if left <= 0:
                break
            try:
                return client.predict(records, deadline_seconds=left / (len(self._clients) - number))
            except RequestRefusedError:
                raise
            except PredictionError as error:
                self._on_failure(error)
                failures.append(error)
        *earlier, last = failures or [PredictionError(f"nobody was asked within {deadline_seconds:g} s")]
        for one in earlier:
            last.add_note(f"before that: {one}")
        raise last


def entity_url(endpoint_url: str, served_entity: str) -> str:
    """The address of one served entity, for example of the version that stands by at 0 %.

    Args:
        endpoint_url: `endpointUrl` of the stack's outputs.
        served_entity: its name, from `servedEntities`.
    """
    if not endpoint_url.endswith(_INVOCATIONS):
        raise ValueError(f"{endpoint_url!r} is no address of an endpoint, which ends in {_INVOCATIONS}")
    return f"{endpoint_url.removesuffix(_INVOCATIONS)}/served-models/{served_entity}{_INVOCATIONS}"
