"""The parity ledger is honest: it covers every route, its tests exist, and its page says what the code says."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from starlette.routing import BaseRoute, Route

from workspace import parity
from workspace.assembly import assemble
from workspace.parity import Behaviour
from workspace.state import State

PROJECT = Path(__file__).parents[2]
OF_THE_SERVICE = ("/api/", "/serving-endpoints/", "/oidc/", "/.well-known/")
ANY_PATH = "/{path:path}"
REGENERATE = "run `python -m workspace.parity`"


@pytest.fixture(scope="module")
def behaviours() -> list[Behaviour]:
    return [one for package in parity.ledger().values() for one in package]


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Method and path of every route that stands in for one of Databricks', as `POST /api/2.0/...`."""
    state = State(tmp_path_factory.mktemp("parity"))
    try:
        app = assemble(state)
        return sorted({route for route in _routes(app.routes) if route.split(" ")[1].startswith(OF_THE_SERVICE)})
    finally:
        state.close()


def _routes(declared: Sequence[BaseRoute]) -> Iterator[str]:
    for route in declared:
        if not isinstance(route, Route):
            continue
        # MLflow's routes are made when the first request arrives; what is declared for them takes any path.
        behind = getattr(route.endpoint, "routes", None)
        if behind is not None:
            yield from _routes([one for one in behind if one.path != ANY_PATH])
            continue
        methods = route.methods or set()
        # HEAD is Starlette's own addition to GET.
        yield from (f"{method} {route.path}" for method in methods if method != "HEAD" or "GET" not in methods)


def covers(behaviour: Behaviour, route: str) -> bool:
    """Whether a behaviour is about a route: the same method and path, or a prefix that ends in `/...`."""
    methods, _, path = behaviour.path.partition(" ")
    if not path:
        methods, path = "*", methods
    method, _, wanted = route.partition(" ")
    if methods != "*" and method not in methods.split("/"):
        return False
    if path.endswith("/..."):
        return wanted == path.removesuffix("/...") or wanted.startswith(path.removesuffix("..."))
    return _nameless(path) == _nameless(wanted)


def _nameless(path: str) -> str:
    """A path with its parameters unnamed: a name is not part of what is asked for."""
    return re.sub(r"\{\w+(:\w+)?\}", "{}", path)


@cache
def names_of_tests(file: Path) -> frozenset[str]:
    """The names of the test functions of a file, methods of test classes as `Class::method`."""
    tree = ast.parse(file.read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in tree.body if isinstance(node, functions)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, functions)}
    return frozenset(name for name in names if name.rpartition("::")[2].startswith("test_"))


def test_every_cited_test_exists(behaviours: list[Behaviour]) -> None:
    missing = []
    for one in behaviours:
        file, _, name = one.test.partition("::")
        path = PROJECT / file
        if not path.is_file() or name.partition("[")[0] not in names_of_tests(path):
            missing.append(f"{one.test} (cited for {one.path})")
    assert not missing, "tests that are cited but do not exist:\n" + "\n".join(missing)


def test_every_route_of_the_service_is_covered(behaviours: list[Behaviour], routes: list[str]) -> None:
    assert len(routes) > 150, "the app's routes were not found"
    missing = [route for route in routes if not any(covers(one, route) for one in behaviours)]
    assert not missing, f"{len(missing)} routes without a behaviour in the parity ledger:\n" + "\n".join(missing)


def test_every_behaviour_is_about_a_route_that_exists(behaviours: list[Behaviour], routes: list[str]) -> None:
    stray = [one.path for one in behaviours if not _is_own(one) and not any(covers(one, route) for route in routes)]
    assert not stray, "behaviours of paths that the workspace does not have:\n" + "\n".join(sorted(set(stray)))


def _is_own(one: Behaviour) -> bool:
    """What the ledger says of the workspace's own paths is welcome, and not asked for."""
    return not one.path.rpartition(" ")[2].startswith(OF_THE_SERVICE)


def test_no_behaviour_is_told_twice(behaviours: list[Behaviour]) -> None:
    twice = [pair for pair, count in Counter((one.path, one.behaviour) for one in behaviours).items() if count > 1]
    assert not twice, "told twice:\n" + "\n".join(f"{path}: {text}" for path, text in twice)


def test_every_behaviour_says_where_the_belief_comes_from(behaviours: list[Behaviour]) -> None:
    silent = [one.path for one in behaviours if not (one.behaviour.strip() and one.reference.strip())]
    assert not silent, "behaviours without a sentence or a reference:\n" + "\n".join(silent)


def test_every_package_with_routes_of_the_service_has_a_ledger() -> None:
    declaring = {
        file.relative_to(PROJECT / "workspace").parts[0]
        for file in (PROJECT / "workspace").rglob("*.py")
        if re.search(r"""["'](/api/\d|/serving-endpoints/)""", file.read_text()) and file.name != "parity.py"
    }
    packages = {name for name in declaring if (PROJECT / "workspace" / name).is_dir()} - {"console", "faults"}
    without = sorted(packages - set(parity.ledger()))
    assert not without, f"packages with routes and no parity.py: {', '.join(without)}"


def test_the_page_is_the_one_that_the_code_writes() -> None:
    assert parity.PAGE.is_file(), f"{parity.PAGE.name} is missing: {REGENERATE}"
    assert parity.PAGE.read_text() == parity.page(parity.ledger()), f"docs/{parity.PAGE.name} is old: {REGENERATE}"


def test_a_prefix_covers_what_is_below_it_and_a_path_only_itself() -> None:
    def behaviour(path: str) -> Behaviour:
        return Behaviour(path=path, behaviour="b", source=parity.Source.ASSUMPTION, reference="r", test="t")

    assert covers(behaviour("/api/2.0/a/..."), "GET /api/2.0/a/{id}")
    assert covers(behaviour("/api/2.0/a/..."), "POST /api/2.0/a")
    assert not covers(behaviour("/api/2.0/a/..."), "GET /api/2.0/ab")
    assert covers(behaviour("GET /api/2.0/a/{name}"), "GET /api/2.0/a/{other}")
    assert not covers(behaviour("GET /api/2.0/a"), "POST /api/2.0/a")
    assert covers(behaviour("GET/POST /api/2.0/a"), "POST /api/2.0/a")
