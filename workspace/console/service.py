"""`/` and `/_workspace/console`: the page, its login, and the forms that move the clock and switch faults.

All of it lies below one path of the workspace's own, which the request log and the faults leave out, and to which the
session's cookie is confined: a browser never sends it to an API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from workspace.console import forms
from workspace.console.pages import HEADERS, Pages
from workspace.console.reading import Workspace, outcome
from workspace.console.sections import (
    alerts,
    controls,
    dashboards,
    jobs,
    monitors,
    online,
    registry,
    requests,
    serving,
)
from workspace.console.sections.drift import DriftReader
from workspace.console.sessions import LIFETIME_SECONDS, Sessions
from workspace.errors import ApiError
from workspace.http import Caller
from workspace.state import State

ROOT = "/_workspace/console"
LOGIN = f"{ROOT}/login"
SEE_OTHER, UNAUTHORIZED = 303, 401
ANY_PATH = "/{path:path}"

# What was done, by the word in the address of the page that says so.
NOTICES = {
    "fault-added": "The fault rule is on.",
    "fault-removed": "The fault rule is removed.",
    "faults-removed": "All fault rules are removed.",
    "settings-changed": "The settings are changed.",
    "clock-moved": "The clock is moved ahead; what fell due is under way.",
}

Page = Callable[[Request, str], Awaitable[Response]]
Action = Callable[[Workspace, forms.Fields], Awaitable[str]]
"""Does what a form asks for, and returns the notice. Raises ApiError."""


class Console:
    """The console of one workspace, which it sees as `caller` does."""

    def __init__(self, state: State, caller: Caller) -> None:
        self._sessions = Sessions(state.documents, state.token, state.workspace_id)
        self._workspace_id = state.workspace_id
        self._documents = state.documents
        self._caller = caller
        self._pages = Pages()
        self._drift = DriftReader()
        self._workspace: Workspace | None = None
        self._label = lru_cache(maxsize=4096)(self._pattern)
        self._routes: list[BaseRoute] = []

    def routes(self) -> list[BaseRoute]:
        actions: dict[str, Action] = {
            "faults/add": _add_fault,
            "faults/remove": _remove_fault,
            "faults/clear": _clear_faults,
            "settings": _change_settings,
            "clock": _advance_clock,
        }
        return [
            Route("/", _to_console, methods=["GET"]),
            Route(ROOT, self._signed_in(self._show), methods=["GET"]),
            Route(LOGIN, self._login_form, methods=["GET"]),
            Route(LOGIN, self._login, methods=["POST"]),
            Route(f"{ROOT}/dashboards/{{id}}", self._signed_in(self._show_dashboard), methods=["GET"]),
            Route(f"{ROOT}/logout", self._signed_in(self._logout), methods=["POST"]),
            *(
                Route(f"{ROOT}/{path}", self._signed_in(self._form(path, action)), methods=["POST"])
                for path, action in actions.items()
            ),
            Mount(f"{ROOT}/static", StaticFiles(packages=[("workspace.console", "static")])),
        ]

    def start(self) -> None: ...

    def stop(self) -> None: ...

    # --- sessions ----------------------------------------------------------------------------------------------------

    def _signed_in(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            session = request.cookies.get(self._sessions.cookie, "")
            if not session or not self._sessions.is_open(session):
                return RedirectResponse(LOGIN, SEE_OTHER, headers={"Cache-Control": "no-store"})
            return await page(request, session)

        return guarded

    async def _login_form(self, _: Request) -> Response:
        return self._login_page("")

    async def _login(self, request: Request) -> Response:
        try:
            forms.refuse_other_origins(request)
            fields = await forms.fields_of(request)
        except ApiError as error:
            return self._login_page(error.message, error.status)
        session = self._sessions.open(fields.get("token", ""))
        if session is None:
            return self._login_page("This is not the token of this workspace.", UNAUTHORIZED)
        answer = RedirectResponse(ROOT, SEE_OTHER)
        answer.set_cookie(
            self._sessions.cookie, session, max_age=LIFETIME_SECONDS, path=ROOT, httponly=True, samesite="strict"
        )
        return answer

    async def _logout(self, request: Request, session: str) -> Response:
        try:
            await self._checked_fields(request, session)
        except ApiError as error:
            return await self._show(request, session, error=error)
        self._sessions.close(session)
        answer = RedirectResponse(LOGIN, SEE_OTHER)
        answer.delete_cookie(self._sessions.cookie, path=ROOT)
        return answer

    async def _checked_fields(self, request: Request, session: str) -> forms.Fields:
        forms.refuse_other_origins(request)
        fields = await forms.fields_of(request)
        if not self._sessions.is_form_key(session, fields.get("key", "")):
            raise ApiError(403, "PERMISSION_DENIED", "This form is not of this session; it was loaded anew, try again.")
        return fields

    def _login_page(self, error: str, status: int = 200) -> Response:
        context = {"error": error, "workspace_id": self._workspace_id, "root": ROOT}
        return self._pages.page("login.html", context, status)

    # --- the page ----------------------------------------------------------------------------------------------------

    async def _show(
        self,
        request: Request,
        session: str,
        error: ApiError | None = None,
        form: str = "",
        fields: forms.Fields | None = None,
    ) -> Response:
        workspace = self._open(request)
        clock = await controls.clock(workspace)
        readings: dict[str, Awaitable[Any]] = {
            "endpoints": serving.endpoints(workspace),
            "models": registry.models(workspace),
            "online": online.online(workspace),
            "requests": requests.requests(workspace, self._label),
            "monitors": monitors.monitors(workspace, self._monitored_tables),
            "drift": self._drift.read(workspace, self._monitored_tables),
            "jobs": jobs.jobs(workspace),
            "alerts": alerts.alerts(workspace),
            "dashboards": dashboards.dashboards(workspace),
            "settings": controls.settings(workspace),
            "faults": controls.faults(workspace),
        }
        outcomes = await asyncio.gather(*map(outcome, readings.values()))
        context = {
            "root": ROOT,
            "workspace_id": self._workspace_id,
            "host": request.headers.get("host", ""),
            "caller": self._caller,
            "key": self._sessions.form_key(session),
            "clock": clock,
            "system_ms": clock.now_ms - clock.offset_seconds * 1000,
            "notice": NOTICES.get(request.query_params.get("done", ""), ""),
            "error": error.message if error else "",
            "form": form,
            "fields": fields or {},
            **dict(zip(readings, outcomes, strict=True)),
        }
        return self._pages.page("console.html", context, error.status if error else 200)

    async def _show_dashboard(self, request: Request, session: str) -> Response:
        workspace = self._open(request)
        try:
            found = await dashboards.opened(workspace, request.path_params["id"])
        except ApiError as error:
            return await self._show(request, session, error=error)
        context = {"root": ROOT, "caller": self._caller, "entry": found.entry, "datasets": found.datasets}
        return self._pages.page("dashboard.html", context)

    def _form(self, path: str, action: Action) -> Page:
        async def posted(request: Request, session: str) -> Response:
            fields: forms.Fields = {}
            try:
                fields = await self._checked_fields(request, session)
                notice = await action(self._open(request), fields)
            except ApiError as error:
                return await self._show(request, session, error=error, form=path, fields=fields)
            section = path.partition("/")[0]
            return RedirectResponse(f"{ROOT}?done={notice}#{section}", SEE_OTHER)

        return posted

    def _open(self, request: Request) -> Workspace:
        if self._workspace is None:
            router: Router = request.app.router
            self._workspace = Workspace(router, self._caller)
            self._routes = list(router.routes)
        return self._workspace

    def _monitored_tables(self) -> list[str]:
        return [record["monitor"]["table_name"] for _, record in self._documents.list("quality_monitor")]

    def _pattern(self, method: str, path: str) -> str:
        """The path as its service declares it; an endpoint's own address as it was asked for."""
        if path.startswith("/serving-endpoints/"):
            return path
        scope = {"type": "http", "method": method, "path": path, "root_path": ""}
        for route in self._routes:
            if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL:
                # What MLflow's routes are is known inside them only.
                return path if route.path.endswith("{rest:path}") or route.path == ANY_PATH else route.path
        return path


async def _to_console(_: Request) -> Response:
    return RedirectResponse(ROOT, SEE_OTHER, headers=HEADERS)


async def _add_fault(workspace: Workspace, fields: forms.Fields) -> str:
    await workspace.send("POST", "/_workspace/faults", forms.fault(fields))
    return "fault-added"


async def _remove_fault(workspace: Workspace, fields: forms.Fields) -> str:
    await workspace.send("DELETE", f"/_workspace/faults/{fields.get('id', '')}")
    return "fault-removed"


async def _clear_faults(workspace: Workspace, _: forms.Fields) -> str:
    await workspace.send("DELETE", "/_workspace/faults")
    return "faults-removed"


async def _change_settings(workspace: Workspace, fields: forms.Fields) -> str:
    await workspace.send("PUT", "/_workspace/settings", forms.settings(fields, await controls.settings(workspace)))
    return "settings-changed"


async def _advance_clock(workspace: Workspace, fields: forms.Fields) -> str:
    await workspace.send("PUT", "/_workspace/clock", forms.advance(fields))
    return "clock-moved"
