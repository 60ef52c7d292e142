"""`GET /fare?...`: a ride in, a fare out. The endpoint, its address and its features are the stack's business.

| path | answer |
| --- | --- |
| `GET /fare?pickup_zip=&dropoff_zip=&pickup=&dropoff=&trip_distance=` | `{"fare_amount", "served_entity", "request_id"}`; times in ISO 8601 |
| `GET /health` | the model and version behind the service; 200 as long as the process runs |
| `GET /ready` | 200 while the endpoint answers, 503 before its first answer and after a failure of its own |

Errors are `{"error": ...}`, on every path: 400 for what the caller can mend, 502 for what the endpoint answered or where
it cannot be reached, 503 with `Retry-After` while it is starting or has too much to do, 504 when it took too long. Why is
in the log of whoever runs the service, not in the answer.
"""  # noqa: E501 - the table

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from pydantic import FiniteFloat
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from apps.client import (
    AsyncPredictionClient,
    CredentialsError,
    DeadlineError,
    FareRequest,
    PredictionError,
    RequestRefusedError,
    ServingOutputs,
)
from apps.fare_service.readiness import AGAIN_SECONDS, Readiness

PARAMETERS = ("pickup_zip", "dropoff_zip", "pickup", "dropoff", "trip_distance")
DEADLINE_SECONDS = 5.0
START_SECONDS = 300.0
"""For the service's own question: an endpoint that is scaled to zero starts first."""
_PASSES = frozenset({429, 502, 503, 504})
_SPACE_FOR_PLUS = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)|(?<=\.\d{6}) (?=\d\d:?\d\d$)")
_QUESTION = FareRequest(
    pickup_zip=10001,
    dropoff_zip=10001,
    pickup=datetime(2020, 1, 1, tzinfo=UTC),
    dropoff=datetime(2020, 1, 1, tzinfo=UTC),
    trip_distance=1.0,
)

_log = logging.getLogger("fare_service")


class BadRequestError(ValueError):
    """A request that the caller can mend; the message says how."""


def build_service(
    outputs: ServingOutputs,
    client: AsyncPredictionClient,
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
    again_seconds: float = AGAIN_SECONDS,
) -> Starlette:
    """The service over one stack's endpoint; it closes `client` when it stops.

    Args:
        deadline_seconds: for the endpoint's answer, retries included.
        again_seconds: while not ready, between two questions of the service's own.
    """

    async def fare_of(ride: FareRequest, deadline: float) -> dict[str, Any]:
        predictions = await client.predict([ride.record()], deadline_seconds=deadline)
        (fare,) = predictions.typed(FiniteFloat)
        return {
            "fare_amount": round(fare, 2),
            "served_entity": predictions.served_entity,
            "request_id": predictions.request_id,
        }

    readiness = Readiness(lambda: fare_of(_QUESTION, START_SECONDS), again_seconds=again_seconds)

    async def fare(request: Request) -> Response:
        ride = read_ride(request.query_params)
        try:
            answer = await fare_of(ride, deadline_seconds)
        except (PredictionError, CredentialsError) as error:
            # One ride that is refused, or one moment with too much to do, says nothing of the next one.
            status = error.status if isinstance(error, PredictionError) else None
            if status not in (400, 429):
                readiness.failed()
            raise
        readiness.answered()
        return JSONResponse(answer)

    def health(_: Request) -> Response:
        return JSONResponse(
            {
                "endpoint": outputs.endpoint_name,
                "model": outputs.model_name,
                "version": outputs.resolved_version,
                "environment": outputs.environment,
            }
        )

    def ready(_: Request) -> Response:
        return JSONResponse({"ready": readiness.is_ready}, status_code=200 if readiness.is_ready else 503)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        watching = asyncio.ensure_future(readiness.watch())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await client.close()

    return Starlette(
        routes=[Route("/fare", fare), Route("/health", health), Route("/ready", ready)],
        lifespan=lifespan,
        exception_handlers={
            BadRequestError: _bad_request,
            PredictionError: _not_answered,
            CredentialsError: _not_answered,
            HTTPException: _no_such_path,
        },
    )


def read_ride(parameters: Any) -> FareRequest:
    """The ride in a query string. Raises BadRequestError naming parameter, value received, and what is expected."""
    if missing := [name for name in PARAMETERS if not parameters.get(name)]:
        raise BadRequestError(f"missing {', '.join(missing)}; a request has {', '.join(PARAMETERS)}")
    try:
        return FareRequest(
            pickup_zip=parameters["pickup_zip"],
            dropoff_zip=parameters["dropoff_zip"],
            pickup=_moment("pickup", parameters["pickup"]),
            dropoff=_moment("dropoff", parameters["dropoff"]),
            trip_distance=_miles(parameters["trip_distance"]),
        )
    except ValueError as error:
        raise BadRequestError(str(error)) from None


def _moment(name: str, text: str) -> datetime:
    try:
        # In a query string a `+` that is not written as %2B comes as a space.
        return datetime.fromisoformat(_SPACE_FOR_PLUS.sub("+", text))
    except ValueError:
        raise BadRequestError(f"{name} is a time such as 2019-03-23T20:15:00; received {text!r}") from None


def _miles(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRequestError(f"trip_distance is a number of miles such as 1.6; received {text!r}") from None


def _bad_request(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)


def _no_such_path(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)


def _not_answered(_: Request, error: Exception) -> Response:
    # The caller sees that it is not at fault; address and reason go to the log of whoever runs the service.
    _log.error("%s: %s", type(error).__name__, error)
    if isinstance(error, DeadlineError):
        return JSONResponse({"error": "the model endpoint did not answer in time"}, status_code=504)
    status = error.status if isinstance(error, PredictionError) else None
    if status in _PASSES:
        message = f"the model endpoint is not available ({status}); try again"
        return JSONResponse({"error": message}, status_code=503, headers={"Retry-After": "1"})
    if isinstance(error, RequestRefusedError):
        what = f"refused the request ({status})"
    elif isinstance(error, CredentialsError):
        what = "was not asked: this service has no valid credentials"
    elif status is None:
        what = "cannot be reached"
    elif status == 200:
        what = "answered with what is no fare"
    else:
        what = f"failed ({status})"
    return JSONResponse({"error": f"the model endpoint {what}"}, status_code=502)
