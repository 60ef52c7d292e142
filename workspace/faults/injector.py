"""ASGI middleware that applies fault rules: inside authentication and the request log, outside every service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from workspace.faults.answers import Answer, keep_in
from workspace.faults.rules import Rule, Rules, When
from workspace.http import error_response

DropConnection = Callable[[Scope], None]
"""Cuts the connection of a request, so that the client's next read fails. The server that owns the socket gives it."""


class FaultInjector:
    """Lets a call through, unless it is a rule's turn; `scope["state"]["fault"]` names the rule that was applied."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rule = self._rules.take(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if rule is None:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["fault"] = rule.id
        held: Answer = []
        if rule.when is When.AFTER:
            await self._app(scope, receive, keep_in(held))
        await asyncio.sleep(rule.delay_ms / 1000)
        if rule.reset or rule.status is not None:
            await _fail(rule, scope, receive, send)
        elif rule.when is When.BEFORE:
            await self._app(scope, receive, send)
        else:
            for message in held:
                await send(message)


async def _fail(rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
    error = rule.error(scope["method"], scope["path"])
    if error is not None:
        await error_response(error)(scope, receive, send)
        return
    drop: DropConnection = _app_state(scope).drop_connection
    drop(scope)
    # The server learns of it in a moment; an application that returned before would be taken for a broken one.
    while (await receive())["type"] != "http.disconnect":
        pass


def _app_state(scope: Scope) -> Any:
    return scope["app"].state
