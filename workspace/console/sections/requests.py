"""Recent requests and their latency by path, from the workspace's own log (which has no headers and no bodies)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workspace.console.reading import Workspace
from workspace.http import Json

SHOWN_REQUESTS = 40
SHOWN_PATHS = 15
COUNTED_REQUESTS = 2_000
"""The newest requests that the figures are made of."""
TOO_MANY, SERVER_ERROR = 429, 500

Label = Callable[[str, str], str]
"""Method and path to the path's pattern."""


@dataclass(frozen=True)
class Request:
    number: int
    time_ms: int
    method: str
    path: str
    status: int | None
    """None where the connection was cut."""
    duration_ms: float
    fault: str | None
    """The id of the fault rule that was applied."""


@dataclass(frozen=True)
class PathFigures:
    method: str
    path: str
    count: int
    failed: int
    """Answers of 500 and more, 429, and cut connections."""
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Requests:
    recent: Sequence[Request]
    paths: Sequence[PathFigures]
    counted: int
    failed: int


async def requests(workspace: Workspace, label: Label) -> Requests:
    every = (await workspace.get("/_workspace/requests"))["requests"][-COUNTED_REQUESTS:]
    entries = [_request(one) for one in every]
    groups: dict[tuple[str, str], list[Request]] = {}
    for one in entries:
        groups.setdefault((one.method, label(one.method, one.path)), []).append(one)
    figures = [_figures(method, path, found) for (method, path), found in groups.items()]
    return Requests(
        recent=entries[: -SHOWN_REQUESTS - 1 : -1],
        paths=sorted(figures, key=lambda one: -one.count)[:SHOWN_PATHS],
        counted=len(entries),
        failed=sum(map(_is_failure, entries)),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of values that are not empty; `share` from 0 to 1."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _request(shown: Json) -> Request:
    names = ("number", "time_ms", "method", "path", "status", "duration_ms", "fault")
    return Request(**{name: shown[name] for name in names})


def _figures(method: str, path: str, found: list[Request]) -> PathFigures:
    durations = [one.duration_ms for one in found]
    failed = sum(map(_is_failure, found))
    return PathFigures(method, path, len(found), failed, percentile(durations, 0.5), percentile(durations, 0.95))


def _is_failure(request: Request) -> bool:
    return request.status is None or request.status >= SERVER_ERROR or request.status == TOO_MANY
