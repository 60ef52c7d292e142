"""What a route asks of its caller: rules by method and path, checked before the request reaches its service.

The services themselves know nothing of rights. A route that needs a right has a rule here; a route without a rule is
for workspace admins only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from workspace.errors import permission_denied
from workspace.http import Call, Caller, Json

Check = Callable[[Call], None]
Show = Callable[[Call, Json], Json]
CallerOf = Callable[[str], Caller | None]
"""A user or service principal as a caller, by name; None where there is none."""


class Rights(Protocol):
    """The part of `ObjectRights` that rules need."""

    def level(self, caller: Caller, kind: str, object_id: str) -> str | None: ...

    def has(self, caller: Caller, level: str, kind: str, object_id: str) -> bool: ...

    def require(self, caller: Caller, level: str, kind: str, object_id: str, shown: str | None = None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the calls of one method to paths of one form need."""

    method: str
    path: str
    """In Starlette's form: `/api/2.0/serving-endpoints/{name}/config`, `/api/2.0/fs/files/{path:path}`."""
    check: Check | None = None
    """Raises ApiError to refuse the call."""
    show: Show | None = None
    """The answer to a successful call as this caller may see it; may raise ApiError, too."""
    reads_body: bool = False
    """Whether `check` looks into the JSON body; it is not read otherwise."""
    for_admins: bool = False
    """Whether the rule holds for workspace admins, too: rights of Unity Catalog do."""


def open_to_all(*routes: str) -> list[Rule]:
    """Rules of `METHOD /path` that anybody who is signed in may call (what is there checks by itself, or tells
    nothing)."""
    return [Rule(method=method, path=path) for method, path in map(_split, routes)]


def admins_only(*routes: str) -> list[Rule]:
    """Rules of `METHOD /path` for workspace admins."""
    return [Rule(method=method, path=path, check=_refuse) for method, path in map(_split, routes)]


def any_method(path: str, methods: Sequence[str] = ("GET", "POST", "PUT", "PATCH", "DELETE")) -> list[str]:
    """`METHOD /path` for each of the methods."""
    return [f"{method} {path}" for method in methods]


def listed(field: str, visible: Callable[[Call, Any], bool]) -> Show:
    """Leaves the entries of a list in an answer that the caller may see."""

    def show(call: Call, answer: Json) -> Json:
        if not isinstance(answer.get(field), list):
            return answer
        return {**answer, field: [entry for entry in answer[field] if visible(call, entry)]}

    return show


def _refuse(call: Call) -> None:
    raise permission_denied(f"{call.method} {call.caller.user_name}: only workspace admins can do this.")


def _split(route: str) -> tuple[str, str]:
    method, _, path = route.partition(" ")
    return method, path
