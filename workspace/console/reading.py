"""How the console reads and changes the workspace: the services' own routes, called without a socket.

The documented shapes of the API are the one thing that every service keeps stable, and they show no secrets. A call
goes past the Gate (no token, no entry in the request log) and past the faults, so that looking changes nothing and
a fault on every path does not hide the switch that ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from workspace.errors import ApiError
from workspace.http import Caller, Json
from workspace.sql.warehouses import WAREHOUSE_ID

T = TypeVar("T")
NOT_FOUND, NOT_IMPLEMENTED = 404, 501
PATIENCE_SECONDS = 8
"""For one section: a service that is slow must not keep the others from being read."""
MOST_ROWS = 1_000
"""Rows of a query that are read at most."""
_PAGES = 50
"""Pages of a list that are read at most: beyond that, a page for people is the wrong tool."""


@dataclass(frozen=True)
class Rows:
    """The answer of a query."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | None]]

    def records(self) -> list[dict[str, str | None]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Workspace:
    """The routes of a running workspace, called as `caller`. Every method raises ApiError for an answer of 400 on."""

    def __init__(self, router: ASGIApp, caller: Caller) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {})["caller"] = caller
            await router(scope, receive, send)

        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://workspace")

    async def get(self, path: str, **query: str) -> Json:
        return await self.send("GET", path, query=query)

    async def send(self, method: str, path: str, body: Json | None = None, query: dict[str, str] | None = None) -> Json:
        response = await self._client.request(method, path, json=body, params=query)
        answer: Any = response.json()
        if response.is_error:
            raise ApiError(response.status_code, str(answer.get("error_code")), str(answer.get("message")))
        return dict(answer)

    async def rows(self, statement: str, catalog: str = "", schema: str = "") -> Rows:
        """The first rows of a query, values as texts. ApiError 400 with the engine's words where it fails."""
        body = {"statement": statement, "warehouse_id": WAREHOUSE_ID, "wait_timeout": "10s", "row_limit": MOST_ROWS}
        where = {name: value for name, value in (("catalog", catalog), ("schema", schema)) if value}
        answer = await self.send("POST", "/api/2.0/sql/statements", {**body, **where})
        status = answer.get("status") or {}
        if status.get("state") != "SUCCEEDED":
            failure = (status.get("error") or {}).get("message") or f"it is {status.get('state')} after 10 s"
            raise ApiError(400, "BAD_REQUEST", str(failure))
        columns = [str(one["name"]) for one in answer["manifest"]["schema"].get("columns") or []]
        return Rows(columns, (answer.get("result") or {}).get("data_array") or [])

    async def all(self, path: str, field: str, **query: str) -> list[Json]:
        """The entries of every page of a list."""
        entries: list[Json] = []
        for _ in range(_PAGES):
            page = await self.get(path, **query)
            entries += page.get(field) or []
            if not page.get("next_page_token"):
                break
            query["page_token"] = str(page["next_page_token"])
        return entries


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a section has to show, or why it cannot: one service that fails leaves the others to be read."""

    value: T | None = None
    error: str = ""
    absent: bool = False
    """The workspace has no such service."""


async def outcome(reading: Awaitable[T]) -> Outcome[T]:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return Outcome(value=await reading)
    except TimeoutError:
        return Outcome(error=f"no answer within {PATIENCE_SECONDS} s; a service that has just started may need longer.")
    except ApiError as error:
        return Outcome(error=error.message, absent=error.status == NOT_IMPLEMENTED)


async def gathered(readings: list[Awaitable[T]]) -> list[T]:
    """The results, in order. What was deleted since it was listed is left out."""

    async def unless_gone(reading: Awaitable[T]) -> T | None:
        try:
            return await reading
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return None

    found = await asyncio.gather(*map(unless_gone, readings))
    return [one for one in found if one is not None]
