"""The HTTP face of the workspace: authentication, the request log, the error shape, and the services' routes."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workspace.errors import ApiError, invalid, not_implemented
from workspace.faults.rules import glob
from workspace.http import Call, Caller, Service, api, error_response
from workspace.identity.caller import OWNER, acting_as
from workspace.state import State
from workspace.version import code_digest

logger = logging.getLogger("workspace")

# What a client must be able to read before it has a token: host metadata and OAuth discovery.
# A presigned URL carries its own permission; the console has sessions of its own, and a bearer token opens none.
OPEN_PATHS = ("/.well-known/", "/oidc/", "/health", "/_blob/", "/_workspace/console")
FRONT_DOOR = "/"
"""Leads a browser to the console."""
OWN_PATHS = "/_workspace/"
HOT_PATHS = "/serving-endpoints/"
Authenticate = Callable[[str], Caller]
"""From the `Authorization` header, empty where there is none, to the caller; ApiError 401 for anybody else."""
REQUEST_LOG_LENGTH = 20_000


class RequestLog:
    """The last requests, without their bodies or headers: a log that can hold no secret."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=REQUEST_LOG_LENGTH)
        self._lock = threading.Lock()
        self._count = 0

    def add(self, method: str, path: str, status: int | None, seconds: float, fault: str | None) -> None:
        """`status` as the client saw it, None where its connection was cut; `fault`: the rule that was applied."""
        with self._lock:
            self._count += 1
            self._entries.append(
                {
                    "number": self._count,
                    "time_ms": int(time.time() * 1000),
                    "method": method,
                    "path": path,
                    "status": status,
                    "duration_ms": round(seconds * 1000, 3),
                    "fault": fault,
                }
            )

    def since(self, number: int) -> list[dict[str, Any]]:
        with self._lock:
            return [entry for entry in self._entries if entry["number"] > number]


class Gate:
    """ASGI middleware: who is asking, what it took, and an answer in the service's shape whatever happens."""

    def __init__(self, app: ASGIApp, state: State, authenticate: Authenticate, log: RequestLog) -> None:
        self._app = app
        self._state = state
        self._authenticate = authenticate
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, method = scope["path"], scope["method"]
        started = time.perf_counter()
        status, answered = 500, False

        async def send_and_note(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-databricks-org-id", self._state.workspace_id.encode()),
                ]
            await send(message)

        try:
            caller = OWNER
            if path != FRONT_DOOR and not path.startswith(OPEN_PATHS):
                caller = self._authenticate(Headers(scope=scope).get("authorization", ""))
            scope.setdefault("state", {})["caller"] = caller
            with acting_as(caller):
                await self._app(scope, receive, send_and_note)
        except ApiError as error:
            await error_response(error)(scope, receive, send_and_note)
        finally:
            if not path.startswith(OWN_PATHS):
                fault = scope.get("state", {}).get("fault")
                seen = status if answered or fault is None else None
                self._log.add(method, path, seen, time.perf_counter() - started, fault)


def _by_traffic(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """Routes of served models first: they are asked most, and a route is found by trying one after the other."""
    return sorted(routes, key=lambda route: not getattr(route, "path", "").startswith(HOT_PATHS))


def build_app(
    state: State, services: Sequence[Service], authenticate: Authenticate, around: Sequence[Middleware] = ()
) -> Starlette:
    """The ASGI application of a workspace made of `services`; `around` stands between the gate and them, outermost
    first."""
    log = RequestLog()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        for service in services:
            service.start()
        yield
        for service in reversed(services):
            service.stop()

    health = {"status": "ok", "workspace_id": state.workspace_id, "code": code_digest()}

    async def unknown(request: Request) -> Response:
        raise not_implemented(request.method, request.url.path)

    async def failed(_: Request, error: Exception) -> Response:
        if isinstance(error, ApiError):
            return error_response(error)
        logger.exception("unexpected failure", exc_info=error)
        return JSONResponse(
            {"error_code": "INTERNAL_ERROR", "message": f"{type(error).__name__}: {error}"}, status_code=500
        )

    def requests(call: Call) -> dict[str, Any]:
        return {"requests": [entry for entry in log.since(_since(call)) if _is_asked_for(entry, call.query)]}

    routes = [
        Route("/health", lambda _: JSONResponse(health)),
        api("GET", "/_workspace/requests", requests),
        *_by_traffic(route for service in services for route in service.routes()),
        Route("/{path:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    ]
    app = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={ApiError: failed, Exception: failed, 405: failed}
    )
    for middleware in reversed(around):
        app.add_middleware(middleware.cls, *middleware.args, **middleware.kwargs)
    # Added last, so outermost: a call is faulted only once it is known who asks, and logged as it was answered.
    app.add_middleware(Gate, state=state, authenticate=authenticate, log=log)
    return app


def _since(call: Call) -> int:
    text = call.query.get("since", "0")
    if not text.isdecimal():
        raise invalid(f"since is the number of a request, of which later ones are shown; received {text!r}")
    return int(text)


def _is_asked_for(entry: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Whether a request has the method, the path (a pattern, as in fault rules) and the status that are asked for."""
    path, status = query.get("path"), query.get("status")
    return (
        query.get("method", entry["method"]).upper() == entry["method"]
        and (path is None or glob(path).fullmatch(entry["path"]) is not None)
        and (status is None or status == str(entry["status"] or "reset"))
    )
