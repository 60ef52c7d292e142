"""Every route answers whatever it is sent: never with a failure of its own, and errors always in the service's shape.

Requests are made from the application's own table of routes: odd path parameters, queries, bodies of wrong types, with
fields that the route's package knows and with others. `FUZZ_EXAMPLES=20000` looks longer than the suite does.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from workspace.assembly import assemble
from workspace.state import State

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "600"))
# What is asked for there is failure, or another time.
LEFT_OUT = ("/_workspace/faults", "/_workspace/clock", "/_workspace/consistency", "/_workspace/settings")

KNOWN_NAMES = (
    *("main", "main.default", "main.default.t", "default", "local", "0", "1", "-1", "experiments", "/Shared", "users"),
    *("Volumes/main/default/v/x", "/Volumes/main/default/v/x", "Models/main/default/m/1", "table", "schema", "catalog"),
)
ODD_TEXTS = (
    *("", " ", ".", "..", "../..", "a/../b", "/", "//", "\x00", "\n", "'", '"', "`", "%", "%00", "%2e%2e", "\\"),
    *("a.b.c.d", "null", "None", "true", "NaN", "1e309", "9" * 30, "-0", "0x10", "\u0661\u0662", "\u00e9"),
    *("\ud7ff\ufffd", "\U0001f469\u200d\U0001f52c", "x" * 5000, "{{secrets/a/b}}", "${jndi:x}", "; DROP TABLE t"),
    *("2024-13-45T99:99:99Z", "P1D", "* * * * * ?", "http://[::1", "$.a["),
)

texts = st.one_of(
    st.sampled_from(KNOWN_NAMES),
    st.sampled_from(ODD_TEXTS),
    st.text(max_size=30),
    st.text(string.ascii_lowercase + "_", min_size=1, max_size=12),
)
numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from((2**31, 2**53, 2**63, 2**64, -(2**63), 10**30)),
    st.floats(allow_nan=False, allow_infinity=False),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)


@cache
def fields_of(package: str) -> tuple[str, ...]:
    """The words that could be names of fields in the modules of a package."""
    folder = Path(__file__).parents[2] / package.replace(".", "/")
    found = {"name", "id", "path", "value", "tags", "comment"}
    for module in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {word for word in node.value.split() if word.isidentifier() and word.islower()}
    return tuple(sorted(found))


def package_of(route: Route) -> str:
    """The package of the function that answers: the one that `api()` wraps, where it does."""
    function: Any = route.endpoint
    held = inspect.getclosurevars(function).nonlocals if inspect.isfunction(function) else {}
    module = getattr(held.get("handler", function), "__module__", "workspace")
    return ".".join(module.split(".")[:2]) if module.count(".") > 1 else "workspace"


def values(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """JSON values: objects with known fields, lists, scalars."""
    return st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
        max_leaves=8,
    )


@st.composite
def requests(draw: st.DrawFn, routes: list[Route]) -> tuple[Route, str, str, bytes, dict[str, str]]:
    """A request to one of the routes."""
    route = draw(st.sampled_from(routes))
    method = draw(st.sampled_from(sorted(route.methods or {"GET"})))
    path = route.path
    for name, convertor in route.param_convertors.items():
        kind = "{" + name + "}" if type(convertor).__name__ == "StringConvertor" else "{" + name + ":path}"
        path = path.replace(kind, quote(draw(texts), safe="" if kind == "{" + name + "}" else "/"))
    fields = st.sampled_from(fields_of(package_of(route)))
    query = draw(st.dictionaries(fields, texts, max_size=3))
    body = draw(
        st.one_of(
            st.dictionaries(fields, values(fields), max_size=8).map(lambda value: json.dumps(value).encode()),
            st.dictionaries(fields, values(fields), max_size=8).map(lambda value: json.dumps(value).encode()),
            values(fields).map(lambda value: json.dumps(value).encode()),
            st.sampled_from((b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"a": NaN}', b"[" * 5000, b'{"a":1e999}')),
            st.binary(max_size=20),
        )
    )
    return route, method, path, body, query


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Starlette, TestClient]]:
    state = State(tmp_path_factory.mktemp("fuzz"))
    application = assemble(state)
    headers = {"Authorization": f"Bearer {state.token}"}
    with TestClient(application, raise_server_exceptions=False, headers=headers, follow_redirects=False) as client:
        schema = {"name": "v", "catalog_name": "main", "schema_name": "default", "volume_type": "MANAGED"}
        client.post("/api/2.1/unity-catalog/volumes", json=schema)
        statement = "CREATE TABLE main.default.t (k BIGINT NOT NULL, v DOUBLE, CONSTRAINT t_pk PRIMARY KEY (k))"
        client.post("/api/2.0/sql/statements", json={"statement": statement, "warehouse_id": "local"})
        yield application, client
    state.close()


def fuzzed_routes(application: Starlette) -> list[Route]:
    """The routes of the application, and those that some of them have behind themselves."""
    found: list[Route] = []
    behind: dict[int, Any] = {}
    for route in application.routes:
        if isinstance(route, Route) and not route.path.startswith(LEFT_OUT) and route.path != "/{path:path}":
            found.append(route)
            if hasattr(route.endpoint, "routes"):
                behind[id(route.endpoint)] = route.endpoint
    more = [route for late in behind.values() for route in late.routes if route.path != "/{path:path}"]
    return [*found, *more]


def check(response: httpx.Response, request: str) -> None:
    """Raises AssertionError unless the answer is one that a client can read."""
    if response.status_code >= 500:
        assert response.status_code == 501
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    if response.headers.get("content-type", "").startswith("text/html"):
        path = request.partition(" ")[2]
        assert path.startswith(("/_workspace/console", "/ "))
        return
    body = response.json()
    if "/scim/" in request and "error_code" not in body:
        assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert body["detail"]
    elif "/oidc/" in request and "error_code" not in body:
        assert body["error"]
    else:
        assert isinstance(body["error_code"], str)
        assert isinstance(body["message"], str)
        assert response.status_code != 501 or body["error_code"] == "NOT_IMPLEMENTED"


class Failures:
    """What was answered wrongly: the first of each route, so that one run tells all."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def send(
        self, client: TestClient, route: Route, method: str, path: str, body: bytes, query: dict[str, str]
    ) -> None:
        headers = {"Content-Type": "application/json"}
        response = client.request(method, path, content=body, params=query, headers=headers)
        try:
            check(response, f"{method} {path} {query} {body[:300]!r}")
        except (AssertionError, KeyError, ValueError, TypeError) as error:
            told = f"{method} {path[:200]} {query} {body[:600]!r} -> {response.status_code} {response.text[:600]}"
            self._found.setdefault(f"{method} {route.path}", f"{told} ({error!r:.60})")

    def report(self) -> None:
        """Raises AssertionError naming every route that answered wrongly."""
        assert not self._found, "\n\n".join(f"{name}:\n  {told}" for name, told in sorted(self._found.items()))


def test_the_table_of_routes_is_fuzzed(app: tuple[Starlette, TestClient]) -> None:
    assert len(fuzzed_routes(app[0])) > 150


def test_no_request_makes_a_route_fail(app: tuple[Starlette, TestClient]) -> None:
    application, client = app
    failures = Failures()

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize="FUZZ_EXAMPLES" not in os.environ, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(requests(fuzzed_routes(application)))
    def every_request(request: tuple[Route, str, str, bytes, dict[str, str]]) -> None:
        failures.send(client, *request)

    every_request()
    failures.report()


WRONG: tuple[Any, ...] = (7, [1], {"x": {}}, "text")
BODIES: tuple[Any, ...] = ({}, [7], {"name": 7})


def test_every_route_is_asked_with_every_kind_of_body(app: tuple[Starlette, TestClient]) -> None:
    application, client = app
    failures = Failures()
    for route in fuzzed_routes(application):
        path = route.path
        for name in route.param_convertors:
            path = path.replace("{" + name + "}", "none").replace("{" + name + ":path}", "Volumes/main/default/v/none")
        fields = fields_of(package_of(route))
        for method in sorted(route.methods or ()):
            if method in ("GET", "HEAD"):
                failures.send(client, route, method, path, b"", {})
                continue
            for body in BODIES:
                failures.send(client, route, method, path, json.dumps(body).encode(), {})
            for wrong in WRONG:
                # All fields at once, each of the same wrong type.
                failures.send(client, route, method, path, json.dumps(dict.fromkeys(fields, wrong)).encode(), {})
    failures.report()


def test_a_path_that_is_not_there_is_not_implemented(app: tuple[Starlette, TestClient]) -> None:
    response = app[1].post("/api/9.9/nothing", json={})
    assert response.status_code == 501
    assert response.json()["error_code"] == "NOT_IMPLEMENTED"
    assert "POST /api/9.9/nothing" in response.json()["message"]
