"""What an endpoint answered, and what is wrong with an answer that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

SHOWN = 500
T = TypeVar("T")


class PredictionError(Exception):
    """No usable answer: refused, failed, broken off or too late. `status` is the last HTTP status, None without one."""

    def __init__(self, message: str, *, status: int | None = None, attempts: int = 1) -> None:
        super().__init__(message)
        self.status = status
        self.attempts = attempts


class RequestRefusedError(PredictionError):
    """The endpoint refused the request itself (4xx): the same request will be refused again."""


class DeadlineError(PredictionError):
    """The deadline passed without an answer."""


@dataclass(frozen=True)
class Predictions:
    """The predictions for one request, in the order of its records."""

    values: Sequence[Any]
    served_entity: str | None
    """Who answered (header `served-model-name`), where the service says so."""
    request_id: str | None
    """`databricks_request_id` of the inference table, where the service says so."""
    attempts: int

    def typed(self, kind: type[T]) -> list[T]:
        """The predictions as `kind`: `float`, `pydantic.FiniteFloat`, a dataclass, a pydantic model ...

        Raises:
            PredictionError: naming the first predictions that are not of that type.
        """
        adapter: TypeAdapter[list[T]] = TypeAdapter(list[kind])  # type: ignore[valid-type]
        try:
            return adapter.validate_python(list(self.values))
        except ValidationError as error:
            wrong = "; ".join(
                f"prediction {'.'.join(map(str, one['loc']))}: {one['msg'].lower()}"
                for one in error.errors(include_url=False, include_input=False, include_context=False)[:3]
            )
            name = getattr(kind, "__name__", str(kind))
            raise PredictionError(
                f"{self.served_entity or 'the endpoint'} answered with what is no {name}: {wrong}",
                status=200,
                attempts=self.attempts,
            ) from None


_REMEDIES = {
    401: "the token is not valid for this workspace: renew it",
    403: "the caller needs CAN_QUERY on the endpoint: add its principal under endpoint.permissions in the stack file",
    404: "the endpoint is not there: check endpointUrl in the stack's outputs",
}


def read_answer(
    url: str, status: int, headers: Mapping[str, str], body: str, *, records: int, attempts: int
) -> Predictions:
    """The predictions of an answer with `records` records.

    Raises:
        RequestRefusedError: a status of 4xx other than 429.
        PredictionError: another status, or a body without one prediction for each record.
    """
    if status != 200:
        remedy = _REMEDIES.get(status)
        message = f"{url} answered {status} after {attempts} attempt{'s' if attempts > 1 else ''}: {_reason(body)}"
        kind = RequestRefusedError if 400 <= status < 500 and status != 429 else PredictionError
        raise kind(f"{message}; {remedy}" if remedy else message, status=status, attempts=attempts)
    try:
        document = json.loads(body)
        values = document["predictions"]
    except (ValueError, KeyError, TypeError):
        raise PredictionError(
            f"{url} answered 200 without predictions: {_reason(body)}", status=status, attempts=attempts
        ) from None
    if not isinstance(values, list) or len(values) != records:
        count = len(values) if isinstance(values, list) else "no list of"
        raise PredictionError(
            f"{url} answered with {count} predictions for {records} records", status=status, attempts=attempts
        )
    lower = {name.lower(): value for name, value in headers.items()}
    return Predictions(
        values,
        lower.get("served-model-name"),
        lower.get("databricks-request-id") or lower.get("x-request-id"),
        attempts,
    )


def _reason(body: str) -> str:
    """The service's own message, cut short. It is the service's to say how much of a request it quotes."""
    text = body.strip()
    try:
        document = json.loads(text)
    except ValueError:
        return text[:SHOWN] or "no body"
    message = document.get("message") if isinstance(document, dict) else None
    return str(message)[:SHOWN] if message else text[:SHOWN]
