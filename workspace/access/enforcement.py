"""ASGI middleware: looks up the rule of a request, checks it, and shows the answer as the rule says."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workspace.access.rules import Rule
from workspace.errors import ApiError
from workspace.http import Call, Caller, Json, error_response

logger = logging.getLogger("workspace")

# A request to these carries a permission of its own, or is answered before anybody signs in.
_UNGUARDED = ("/.well-known/", "/oidc/", "/health", "/_blob/")


@dataclass(frozen=True)
class _Compiled:
    start: str
    """What paths of the rule start with: told apart fast."""
    pattern: re.Pattern[str]
    rule: Rule


class Enforcement:
    """Stands between the gate, which knows who asks, and the services."""

    def __init__(self, app: ASGIApp, rules: Iterable[Rule]) -> None:
        self._app = app
        self._rules: dict[str, list[_Compiled]] = {}
        for rule in rules:
            pattern, _, _ = compile_path(rule.path)
            self._rules.setdefault(rule.method, []).append(_Compiled(rule.path.partition("{")[0], pattern, rule))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_UNGUARDED):
            await self._app(scope, receive, send)
            return
        caller: Caller = scope["state"]["caller"]
        rule, parameters = self._find(scope["method"], scope["path"])
        if rule is None:
            if not caller.admin:
                raise ApiError(
                    501,
                    "NOT_IMPLEMENTED",
                    f"the embedded workspace does not know what {scope['method']} {scope['path']} asks of a caller "
                    "who is no workspace admin",
                )
            await self._app(scope, receive, send)
            return
        if (rule.check is None and rule.show is None) or (caller.admin and not rule.for_admins):
            await self._app(scope, receive, send)
            return
        body: Json = {}
        if rule.reads_body:
            raw, receive = await _read(receive)
            body = _object(raw)
        request = Request(scope)
        call = Call(
            method=scope["method"],
            path=parameters,
            query=dict(request.query_params),
            body=body,
            caller=caller,
            headers=request.headers,
        )
        if rule.check is not None:
            await run_in_threadpool(rule.check, call)
        if rule.show is None:
            await self._app(scope, receive, send)
        else:
            await self._show(rule, call, scope, receive, send)

    def _find(self, method: str, path: str) -> tuple[Rule | None, dict[str, str]]:
        # Starlette answers HEAD with the route of GET.
        for known in (method, "GET") if method == "HEAD" else (method,):
            for compiled in self._rules.get(known, ()):
                if path.startswith(compiled.start):
                    found = compiled.pattern.match(path)
                    if found is not None:
                        return compiled.rule, found.groupdict()
        return None, {}

    async def _show(self, rule: Rule, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the answer back until it is whole, then send what the caller may see of it."""
        start: Message = {}
        chunks: list[bytes] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))

        await self._app(scope, receive, keep)
        raw = b"".join(chunks)
        if start.get("status") != 200 or rule.show is None:
            await send(start)
            await send({"type": "http.response.body", "body": raw})
            return
        try:
            shown = await run_in_threadpool(rule.show, call, json.loads(raw))
            response = JSONResponse(shown)
        except ApiError as error:
            await error_response(error)(scope, receive, send)
            return
        own = {b"content-length", b"content-type"}
        headers = [(name, value) for name, value in start.get("headers", []) if name.lower() not in own]
        response.raw_headers.extend(headers)
        await response(scope, receive, send)


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The whole body, and a `receive` that gives it once more."""
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    raw = b"".join(chunks)
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": raw, "more_body": False}

    return raw, again


def _object(raw: bytes) -> Json:
    """The body as an object; an empty one where it is none: then the route itself refuses it."""
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
