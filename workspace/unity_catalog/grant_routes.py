"""Grants: `/api/2.1/unity-catalog/{permissions,effective-permissions,privilege-assignments,...}`."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import BaseRoute

from workspace.errors import invalid
from workspace.http import Call, Json, api
from workspace.unity_catalog.grants import Grants
from workspace.unity_catalog.privileges import Privileges, principals_of
from workspace.unity_catalog.requests import BASE, page
from workspace.unity_catalog.securables import METASTORE

SMALLEST_PAGE = 150
"""Of the paged calls (docstring of `GrantsAPI.list`): so that one principal's privileges fit on a page."""

Read = Callable[[str, str, str | None], list[Json]]


class GrantRoutes:
    """Paths to functions. Who may not manage an object sees, of its grants, those to himself."""

    def __init__(self, grants: Grants, privileges: Privileges) -> None:
        self._grants = grants
        self._privileges = privileges

    def all(self) -> list[BaseRoute]:
        where = "/{securable_type}/{full_name}"
        direct, effective = self._grants.get, self._grants.effective
        return [
            api("GET", f"{BASE}/permissions{where}", lambda call: self._whole(call, direct)),
            api("PATCH", f"{BASE}/permissions{where}", self._change),
            api("GET", f"{BASE}/effective-permissions{where}", lambda call: self._whole(call, effective)),
            api("GET", f"{BASE}/privilege-assignments{where}", lambda call: self._paged(call, "", direct)),
            api(
                "GET",
                f"{BASE}/effective-privilege-assignments{where}",
                lambda call: self._paged(call, "effective_", effective),
            ),
        ]

    def _whole(self, call: Call, read: Read) -> Json:
        return {"privilege_assignments": self._shown(call, read)}

    def _paged(self, call: Call, prefix: str, read: Read) -> Json:
        size = call.query.get("page_size") or "0"
        if size.isdigit() and 0 < int(size) < SMALLEST_PAGE:
            raise invalid(f"page_size must be 0 or at least {SMALLEST_PAGE}, received {size}")
        return page(call, f"{prefix}privilege_assignments", self._shown(call, read), _principal, "page_size")

    def _shown(self, call: Call, read: Read) -> list[Json]:
        kind, full_name = _securable(call)
        found = read(kind, full_name, call.query.get("principal"))
        if self._privileges.manages(call.caller, kind, full_name):
            return found
        if kind != METASTORE:
            self._privileges.require_read(call.caller, kind, full_name)
        mine = principals_of(call.caller)
        return [one for one in found if one["principal"].casefold() in mine]

    def _change(self, call: Call) -> Json:
        kind, full_name = _securable(call)
        self._privileges.require_manage(call.caller, kind, full_name)
        return {"privilege_assignments": self._grants.change(kind, full_name, call.body.get("changes") or [])}


def _securable(call: Call) -> tuple[str, str]:
    return call.path["securable_type"].lower(), call.path["full_name"].lower()


def _principal(assignment: Json) -> str:
    return str(assignment["principal"])
