"""Eventual consistency as an option: for a while after a write, a read answers as it did before the write.

A real workspace answers reads from caches and replicas, which the effect of a write reaches a moment later. Here the
reads of a class of resources lag when its setting is above zero: just before the write runs, the reads that could see
its effect are carried out and kept, and they are answered from there until the time is over. Those reads are the ones
that clients sent before about the same resource, and the plain ones of the API. A read that nobody could have foreseen
answers the new state at once, which eventual consistency allows.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workspace.faults.answers import Answer, keep_in

REMEMBERED_READS = 256


@dataclass(frozen=True)
class ResourceClass:
    """Resources whose reads lag together."""

    setting: str
    """The setting with the lag in seconds."""
    writes: Mapping[str, re.Pattern[str]]
    """Method -> the paths that change a resource of the class. A group `name`, or a field of the body or the query of
    that name, says which."""
    reads: re.Pattern[str]
    """Paths of GET that show a resource of the class."""
    plain_reads: Callable[[Mapping[str, str]], list[tuple[str, str]]]
    """Path and query of the reads that any client may send about the resource that a write names."""


def _endpoint_reads(named: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"/api/2.0/serving-endpoints/{named['name']}", ""), ("/api/2.0/serving-endpoints", "")]


def _alias_reads(named: Mapping[str, str]) -> list[tuple[str, str]]:
    """In the three ways of asking: databricks-sdk, MLflow's Unity Catalog store, and its native store."""
    name, alias = named["name"], named.get("alias", "")
    one = f"/api/2.1/unity-catalog/models/{name}"
    legacy = "/api/2.0/mlflow/unity-catalog/registered-models"
    native = urlencode({"full_name": name, "alias": alias, "include_aliases": "true"})
    return [
        (f"{one}/aliases/{alias}", ""),
        (f"{one}/aliases/{alias}", native),
        (one, "include_aliases=true"),
        (one, urlencode({"full_name": name, "include_aliases": "true"})),
        (f"{legacy}/alias", urlencode({"name": name, "alias": alias})),
        (f"{legacy}/get", urlencode({"name": name})),
    ]


_ENDPOINT = "/api/2.0/serving-endpoints"
_MODEL = r"/api/2\.1/unity-catalog/models/(?P<name>[^/]+)"
_LEGACY = "/api/2.0/mlflow/unity-catalog"
_ALIAS_WRITES = re.compile(rf"{_MODEL}/aliases/(?P<alias>[^/]+)|{_LEGACY}/registered-models/alias")

CLASSES = (
    ResourceClass(
        setting="serving_endpoint_staleness_seconds",
        writes={
            "POST": re.compile(_ENDPOINT),
            "PUT": re.compile(rf"{_ENDPOINT}/(?P<name>[^/]+)/(config|ai-gateway|rate-limits)"),
            "PATCH": re.compile(rf"{_ENDPOINT}/(?P<name>[^/]+)/(tags|notifications)"),
            "DELETE": re.compile(rf"{_ENDPOINT}/(?P<name>[^/]+)"),
        },
        reads=re.compile(rf"{_ENDPOINT}(/[^/]+)?"),
        plain_reads=_endpoint_reads,
    ),
    ResourceClass(
        setting="registry_alias_staleness_seconds",
        writes=dict.fromkeys(("PUT", "POST", "DELETE"), _ALIAS_WRITES),
        reads=re.compile(
            rf"{_MODEL}(/aliases/[^/]+|/versions(/[^/]+)?)?|{_LEGACY}/(registered-models/(alias|get)|model-versions/get)"
        ),
        plain_reads=_alias_reads,
    ),
)


@dataclass(frozen=True)
class _Read:
    """A read as one caller sends it."""

    path: str
    query: str
    caller_id: str


@dataclass(frozen=True)
class _Kept:
    answer: Answer
    until: float


class StaleReads:
    """ASGI middleware that lets reads lag; `lag` gives the seconds of a setting, `now` the workspace's time."""

    def __init__(self, app: ASGIApp, lag: Callable[[str], float], now: Callable[[], float]) -> None:
        self._app = app
        self._lag = lag
        self._now = now
        self._lock = threading.Lock()
        self._seen: OrderedDict[_Read, Scope] = OrderedDict()
        self._kept: dict[_Read, _Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        for resources in CLASSES:
            if method == "GET" and resources.reads.fullmatch(path):
                if self._lag(resources.setting) > 0:
                    await self._read(scope, receive, send)
                    return
            elif (match := _match(resources.writes.get(method), path)) and (lag := self._lag(resources.setting)) > 0:
                await self._write(resources, match.groupdict(), lag, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = _Read(scope["path"], scope["query_string"].decode(), scope["state"]["caller"].id)
        with self._lock:
            self._seen[read] = _as_read(scope, read.path, read.query)
            self._seen.move_to_end(read)
            while len(self._seen) > REMEMBERED_READS:
                self._seen.popitem(last=False)
            kept = self._kept.get(read)
            if kept is not None and kept.until <= self._now():
                del self._kept[read]
                kept = None
        if kept is None:
            await self._app(scope, receive, send)
            return
        for message in kept.answer:
            # A copy: those outside add headers of their own.
            await send(dict(message))

    async def _write(
        self,
        resources: ResourceClass,
        named: Mapping[str, str | None],
        lag: float,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        body = await _whole_body(receive)
        names = {**_named_outside(scope, body), **{key: value for key, value in named.items() if value is not None}}
        before = await self._before(resources, names, scope)
        answer: Answer = []
        await self._app(scope, _receiving(body, receive), keep_in(answer))
        if answer and answer[0]["status"] < 400:
            until = self._now() + lag
            with self._lock:
                self._kept.update({read: _Kept(seen, until) for read, seen in before.items()})
        for message in answer:
            await send(message)

    async def _before(self, resources: ResourceClass, names: Mapping[str, str], scope: Scope) -> dict[_Read, Answer]:
        """What the reads that could see the write's effect answer now."""
        if "name" not in names:
            return {}
        caller_id = scope["state"]["caller"].id
        reads = {
            _Read(path, query, caller_id): _as_read(scope, path, query) for path, query in resources.plain_reads(names)
        }
        with self._lock:
            reads |= {
                read: asked
                for read, asked in self._seen.items()
                if resources.reads.fullmatch(read.path) and _is_about(read, names["name"])
            }
        answers: dict[_Read, Answer] = {}
        for read, asked in reads.items():
            answer: Answer = []
            # A fresh copy each time: the application writes into the scope that it is given.
            await self._app({**asked, "state": dict(asked["state"])}, _receiving(b"", None), keep_in(answer))
            answers[read] = answer
        return answers


def _match(pattern: re.Pattern[str] | None, path: str) -> re.Match[str] | None:
    return pattern.fullmatch(path) if pattern is not None else None


def _as_read(scope: Scope, path: str, query: str) -> Scope:
    """The scope of a GET with the credentials of `scope`."""
    headers = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"content-type")]
    return {
        **{name: scope[name] for name in ("type", "asgi", "http_version", "scheme", "client", "server", "app")},
        "method": "GET",
        "path": path,
        "raw_path": quote(path).encode(),
        "root_path": scope.get("root_path", ""),
        "query_string": query.encode(),
        "headers": headers,
        "state": {"caller": scope["state"]["caller"]},
    }


def _named_outside(scope: Scope, body: bytes) -> dict[str, str]:
    """`name` and `alias` of a write that has them in its query or its body."""
    values: dict[str, Any] = dict(parse_qsl(scope["query_string"].decode()))
    try:
        parsed = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        parsed = {}
    if isinstance(parsed, dict):
        values |= parsed
    return {key: values[key] for key in ("name", "alias") if isinstance(values.get(key), str)}


def _is_about(read: _Read, name: str) -> bool:
    """Whether a read is about a resource of that name, or lists all of them."""
    parts = {*read.path.split("/"), *(value for _, value in parse_qsl(read.query))}
    # Unity Catalog's names have no case.
    return name.lower() in {part.lower() for part in parts} or read.path == _ENDPOINT


async def _whole_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if not message.get("more_body", False):
            return body


def _receiving(body: bytes, rest: Receive | None) -> Receive:
    """A `receive` that gives the whole body, then what `rest` gives."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return {"type": "http.disconnect"} if rest is None else await rest()

    return receive
