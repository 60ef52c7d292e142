"""Identity as a service: host metadata and OAuth (which clients read before they have a token), tokens, SCIM.

What every client asks before its first call: databricks-sdk 0.156.0, `Config` and `oauth.get_workspace_endpoints`.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from workspace.clock import Clock
from workspace.errors import ApiError, not_found, permission_denied
from workspace.http import Call, Caller, Json, api, error_response
from workspace.identity.authentication import Authentication
from workspace.identity.directory import SERVICE_PRINCIPAL, USER, Directory, Principal
from workspace.identity.oauth import SCOPE, AccessTokens, ServicePrincipalSecrets, shown_secret
from workspace.identity.scim_routes import ScimRoutes
from workspace.identity.token_routes import TokenRoutes
from workspace.identity.tokens import Tokens
from workspace.state import State

SECRETS = "/api/2.0/accounts/servicePrincipals/{id}/credentials/secrets"


class Identity:
    """The principals of the workspace, and how they prove who they are."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._workspace_id = state.workspace_id
        self.directory = Directory(state.documents)
        self._tokens = Tokens(state.documents, clock)
        self._secrets = ServicePrincipalSecrets(state.documents, clock)
        self._access_tokens = AccessTokens(state.folder, clock, self.directory, self._secrets)
        self.authenticate = Authentication(state.token, self.directory, self._tokens, self._access_tokens)

    def caller(self, name: str) -> Caller | None:
        """A user (by user name) or service principal (by application id) as a caller; None where there is none."""
        principal = self.directory.named(name, USER, SERVICE_PRINCIPAL)
        return None if principal is None else self.directory.caller(principal)

    def issue_token(self, name: str, lifetime_seconds: int, comment: str) -> str:
        """A token for what the workspace itself starts in somebody's name: a job's task. Raises ApiError 404."""
        principal = self.directory.named(name, USER, SERVICE_PRINCIPAL)
        if principal is None:
            raise not_found(f"Principal {name} does not exist.")
        value, _ = self._tokens.issue(principal.id, lifetime_seconds=lifetime_seconds, comment=comment)
        return value

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/.well-known/databricks-config", self._host_metadata, methods=["GET"]),
            Route("/oidc/.well-known/oauth-authorization-server", self._discovery, methods=["GET"]),
            Route("/oidc/v1/token", self._grant, methods=["POST"]),
            *ScimRoutes(self.directory, self._forget).all(),
            *TokenRoutes(self.directory, self._tokens).all(),
            api("POST", SECRETS, self._create_secret),
            api("GET", SECRETS, self._list_secrets),
            api("DELETE", SECRETS + "/{secret_id}", self._delete_secret),
        ]

    def start(self) -> None: ...

    def stop(self) -> None: ...

    async def _host_metadata(self, request: Request) -> Response:
        return JSONResponse(
            {"oidc_endpoint": f"{_host(request)}/oidc", "workspace_id": self._workspace_id, "cloud": "AWS"}
        )

    async def _discovery(self, request: Request) -> Response:
        """RFC 8414, the part that a machine needs."""
        issuer = f"{_host(request)}/oidc"
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/v1/authorize",
                "token_endpoint": f"{issuer}/v1/token",
                "grant_types_supported": ["client_credentials"],
                "scopes_supported": [SCOPE],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }
        )

    async def _grant(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        authorization = request.headers.get("authorization", "")
        try:
            granted = await run_in_threadpool(self._access_tokens.grant, form, authorization, f"{_host(request)}/oidc")
        except ApiError as error:
            return error_response(error)
        return JSONResponse(granted, headers={"Cache-Control": "no-store"})

    def _create_secret(self, call: Call) -> Json:
        return self._secrets.create(self._service_principal(call), call.body.get("lifetime"))

    def _list_secrets(self, call: Call) -> Json:
        return {"secrets": [shown_secret(info) for info in self._secrets.list(self._service_principal(call).id)]}

    def _delete_secret(self, call: Call) -> Json:
        self._secrets.delete(self._service_principal(call).id, call.path["secret_id"])
        return {}

    def _service_principal(self, call: Call) -> Principal:
        if not call.caller.admin:
            raise permission_denied("Only workspace admins can manage the OAuth secrets of service principals.")
        found = self.directory.get(SERVICE_PRINCIPAL, call.path["id"])
        if found is None:
            raise not_found(f"Service principal with id {call.path['id']} does not exist.")
        return found

    def _forget(self, principal: Principal) -> None:
        self._tokens.revoke_all(principal.id)
        self._secrets.delete_all(principal.id)


def _host(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"
