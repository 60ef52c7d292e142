"""How a service declares its routes: a plain function from `Call` to a JSON answer, run off the event loop."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from workspace.errors import ApiError, invalid

Json = dict[str, Any]


@dataclass(frozen=True)
class Caller:
    """Who sent a request."""

    user_name: str
    """Of a service principal: its application id, as everywhere in Databricks."""
    id: str
    groups: tuple[str, ...] = ()
    """Names of the groups that the caller is in, directly or through other groups."""
    admin: bool = True
    service_principal: bool = False
    display_name: str = ""


@dataclass(frozen=True)
class Call:
    """One request, parsed: path and query parameters, the JSON body, who asked."""

    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    caller: Caller
    headers: Mapping[str, str]

    def require(self, *names: str) -> list[Any]:
        """The named fields of the body; 400 naming the first one that is missing."""
        for name in names:
            if self.body.get(name) in (None, ""):
                raise invalid(f"Missing required field: {name}")
        return [self.body[name] for name in names]

    def text(self, name: str) -> str:
        """A field of the body that must be a text; 400 where it is missing or something else."""
        (value,) = self.require(name)
        if not isinstance(value, str):
            raise invalid(f"{name} must be a string, received {value!r}")
        return value

    def object(self, name: str) -> Json:
        """A field of the body that must be an object; 400 where it is missing or something else."""
        (value,) = self.require(name)
        if not isinstance(value, dict):
            raise invalid(f"{name} must be an object, received {value!r}")
        return value

    def optional_object(self, name: str) -> Json | None:
        """A field of the body that is an object, None where it is missing or empty; 400 for something else."""
        return self.object(name) if self.body.get(name) else None

    def objects(self, name: str) -> list[Json]:
        """A field of the body that is a list of objects, [] where it is missing; 400 for something else."""
        value = self.body.get(name) or []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise invalid(f"{name} must be a list of objects, received {value!r}")
        return value

    def texts(self, name: str) -> list[str]:
        """A field of the body that is a list of texts, [] where it is missing; 400 for something else."""
        value = self.body.get(name) or []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise invalid(f"{name} must be a list of strings, received {value!r}")
        return value


@dataclass(frozen=True)
class Answer:
    """A JSON answer with headers or a status of its own."""

    body: Json | list[Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], "Json | Answer | Response"]


class Service(Protocol):
    """A part of the workspace: its routes, and what it does when the server starts and stops."""

    def routes(self) -> list[BaseRoute]: ...

    def start(self) -> None:
        """Rebuild what runs from what is stored."""

    def stop(self) -> None: ...


def api(method: str, path: str, handler: Handler) -> Route:
    """A JSON route. The handler is a plain function; it raises `ApiError` for anything but success."""

    async def endpoint(request: Request) -> Response:
        call = Call(
            method=request.method,
            path=request.path_params,
            query=dict(request.query_params),
            body=await json_body(request),
            caller=request.state.caller,
            headers=request.headers,
        )
        answer = await run_in_threadpool(handler, call)
        if isinstance(answer, Response):
            return answer
        if isinstance(answer, Answer):
            return JSONResponse(answer.body, status_code=answer.status, headers=dict(answer.headers))
        return JSONResponse(answer)

    return Route(path, endpoint, methods=[method])


def error_response(error: ApiError) -> Response:
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    return JSONResponse(error.body(), status_code=error.status, headers=headers)


async def json_body(request: Request) -> Json:
    """The JSON object in a request's body, {} where there is none. ApiError 400 for anything else."""
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw, parse_constant=_no_constant, parse_float=_finite)
        if b"\\u" in raw:
            # Half of a pair of surrogates is no character: nothing can store or answer it.
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "MALFORMED_REQUEST", f"Invalid JSON given in the body of the request: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "MALFORMED_REQUEST", "The body of the request must be a JSON object")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large for a number")
    return number
