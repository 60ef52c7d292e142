"""`/api/2.0/lakeview/dashboards` (databricks-sdk 0.156 `LakeviewAPI`), without schedules and subscriptions (501)."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import BaseRoute

from workspace.clock import Clock
from workspace.dashboards.store import DashboardStore
from workspace.documents import Document
from workspace.errors import invalid
from workspace.http import Call, Json, api
from workspace.state import State

ROOT = "/api/2.0/lakeview/dashboards"
_VIEWS = ("", "DASHBOARD_VIEW_BASIC")


class Dashboards:
    """Dashboards of the workspace; nobody but who opens them runs their queries."""

    def __init__(self, state: State, clock: Clock, require_folder: Callable[[str], object]) -> None:
        """`require_folder(path)` raises ApiError 404 where the workspace has no such folder."""
        self._store = DashboardStore(state.documents, clock.now_ms, require_folder)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def creator_of(self, dashboard_id: str) -> str | None:
        """Who made it, None where there is none."""
        found = self._store.find(dashboard_id)
        return None if found is None else str(found["creator"])

    def routes(self) -> list[BaseRoute]:
        one = f"{ROOT}/{{id}}"
        return [
            api("POST", ROOT, lambda call: self._store.create(call.body, _defaults(call), call.caller.user_name)),
            api("GET", ROOT, self._list),
            api("GET", one, lambda call: self._store.get(call.path["id"])["draft"]),
            api("PATCH", one, lambda call: self._store.change(call.path["id"], call.body, _defaults(call))),
            api("DELETE", one, self._trash),
            api("POST", f"{one}/published", self._publish),
            api("GET", f"{one}/published", lambda call: _shown(self._store.published(call.path["id"]))),
            api("DELETE", f"{one}/published", self._unpublish),
            api("POST", f"{one}/revert", self._revert),
        ]

    def _list(self, call: Call) -> Json:
        size, view = call.query.get("page_size", "0"), call.query.get("view", "")
        if not size.isdecimal():
            raise invalid(f"page_size must be a whole number, received {size!r}")
        if view not in _VIEWS:
            raise invalid(f"view must be {_VIEWS[1]}, received {view!r}")
        trashed = call.query.get("show_trashed", "false").lower() == "true"
        return self._store.page(size=int(size), token=call.query.get("page_token", ""), trashed=trashed)

    def _publish(self, call: Call) -> Json:
        return _shown(self._store.publish(call.path["id"], call.body, call.caller.user_name))

    def _unpublish(self, call: Call) -> Json:
        self._store.unpublish(call.path["id"])
        return {}

    def _revert(self, call: Call) -> Json:
        self._store.revert(call.path["id"], call.body.get("etag"))
        return {}

    def _trash(self, call: Call) -> Json:
        self._store.trash(call.path["id"])
        return {}


def _defaults(call: Call) -> tuple[str, str]:
    return call.query.get("dataset_catalog", ""), call.query.get("dataset_schema", "")


def _shown(published: Document) -> Json:
    return {
        name: published[name] for name in ("display_name", "embed_credentials", "revision_create_time", "warehouse_id")
    }
