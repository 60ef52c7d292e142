"""`GET /fare?...`: a ride in, a fare out. The endpoint, its address and its features are the stack's business.

| path | answer |
| --- | --- |
| `GET /fare?pickup_zip=&dropoff_zip=&pickup=&dropoff=&trip_distance=` | `{"fare_amount", "served_entity", "request_id"}`; times in ISO 8601 |
| `GET /health` | the model and version behind the service; 200 as long as the process runs |
| `GET /ready` | 200 after the endpoint has answered, 503 before |

Errors are `{"error": ...}`: 400 for what the caller can mend, 502 for what the endpoint answered, 504 when it took too long.
"""  # noqa: E501 - the table

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from apps.client import AsyncPredictionClient, FareRequest, PredictionError, RequestRefusedError, ServingOutputs

PARAMETERS = ("pickup_zip", "dropoff_zip", "pickup", "dropoff", "trip_distance")
DEADLINE_SECONDS = 5.0


class BadRequestError(ValueError):
    """A request that the caller can mend; the message says how."""


def build_service(
    outputs: ServingOutputs, client: AsyncPredictionClient, *, deadline_seconds: float = DEADLINE_SECONDS
) -> Starlette:
    """The service over one stack's endpoint; it closes `client` when it stops.

    Args:
        deadline_seconds: for the endpoint's answer, retries included.
    """
    answered = False

    async def fare(request: Request) -> Response:
        nonlocal answered
        ride = read_ride(request.query_params)
        predictions = await client.predict([ride.record()], deadline_seconds=deadline_seconds)
        answered = True
        return JSONResponse(
            {
                "fare_amount": round(float(predictions.values[0]), 2),
                "served_entity": predictions.served_entity,
                "request_id": predictions.request_id,
            }
        )

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
        return JSONResponse({"ready": answered}, status_code=200 if answered else 503)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await client.close()

    return Starlette(
        routes=[Route("/fare", fare), Route("/health", health), Route("/ready", ready)],
        lifespan=lifespan,
        exception_handlers={BadRequestError: _bad_request, PredictionError: _not_answered},
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
        return datetime.fromisoformat(text)
    except ValueError:
        raise BadRequestError(f"{name} is a time such as 2019-03-23T20:15:00; received {text!r}") from None


def _miles(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRequestError(f"trip_distance is a number of miles such as 1.6; received {text!r}") from None


def _bad_request(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)


def _not_answered(_: Request, error: Exception) -> Response:
    # The caller sees that it is not at fault; address and reason go to the log of whoever runs the service.
    status = error.status if isinstance(error, PredictionError) else None
    if isinstance(error, RequestRefusedError):
        return JSONResponse({"error": f"the model endpoint refused the request ({status})"}, status_code=502)
    late = status is None
    what = "did not answer in time" if late else f"failed ({status})"
    return JSONResponse({"error": f"the model endpoint {what}"}, status_code=504 if late else 502)
