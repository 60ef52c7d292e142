"""Host metadata and SCIM `Me`: what every client asks before its first call (databricks-sdk 0.156.0, `Config`)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from workspace.http import Call, Json, api
from workspace.state import State


class Identity:
    """The caller, and the workspace as host metadata describes it."""

    def __init__(self, state: State) -> None:
        self._workspace_id = state.workspace_id

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/.well-known/databricks-config", self._host_metadata, methods=["GET"]),
            api("GET", "/api/2.0/preview/scim/v2/Me", me),
        ]

    def start(self) -> None: ...

    def stop(self) -> None: ...

    async def _host_metadata(self, request: Request) -> Response:
        """Readable without a token, as clients read it before they have one."""
        host = f"{request.url.scheme}://{request.url.netloc}"
        return JSONResponse(
            {
                "oidc_endpoint": f"{host}/oidc",
                "workspace_id": self._workspace_id,
                "cloud": "AWS",
            }
        )


def me(call: Call) -> Json:
    """RFC 7643 `User`, as the SDK's `current_user.me()` reads it."""
    caller = call.caller
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": caller.id,
        "userName": caller.user_name,
        "displayName": caller.user_name,
        "active": True,
        "emails": [{"type": "work", "value": caller.user_name, "primary": True}],
        "groups": [{"display": name, "type": "direct", "value": name} for name in caller.groups],
    }
