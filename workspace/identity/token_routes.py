"""`/api/2.0/token/...` (one's own tokens) and `/api/2.0/token-management/...` (everybody's, for admins)."""

from __future__ import annotations

from starlette.routing import BaseRoute

from workspace.documents import Document
from workspace.errors import not_found, permission_denied
from workspace.http import Call, Json, api
from workspace.identity.directory import SERVICE_PRINCIPAL, USER, Directory, Principal
from workspace.identity.tokens import Tokens, shown

OWN = "/api/2.0/token"
ALL = "/api/2.0/token-management"
SIGN_IN = "/_workspace/tokens"


class TokenRoutes:
    """Paths to functions."""

    def __init__(self, directory: Directory, tokens: Tokens) -> None:
        self._directory = directory
        self._tokens = tokens

    def all(self) -> list[BaseRoute]:
        return [
            api("POST", f"{OWN}/create", self._create),
            api(
                "GET",
                f"{OWN}/list",
                lambda call: {"token_infos": [shown(i) for i in self._tokens.valid(call.caller.id)]},
            ),
            api("POST", f"{OWN}/delete", self._delete),
            api("PATCH", f"{OWN}/{{token_id}}", self._patch),
            api("POST", f"{ALL}/on-behalf-of/tokens", self._create_on_behalf),
            api("GET", f"{ALL}/tokens", self._list_all),
            api("GET", f"{ALL}/tokens/{{token_id}}", self._get_any),
            api("DELETE", f"{ALL}/tokens/{{token_id}}", self._delete_any),
            api("POST", SIGN_IN, self._sign_in),
        ]

    def _create(self, call: Call) -> Json:
        return self._issued(call, self._own(call))

    def _delete(self, call: Call) -> Json:
        (token_id,) = call.require("token_id")
        self._tokens.revoke(str(token_id), call.caller.id)
        return {}

    def _patch(self, call: Call) -> Json:
        token = call.object("token")
        self._tokens.comment(call.path["token_id"], str(token.get("comment") or ""), call.caller.id)
        return {}

    def _create_on_behalf(self, call: Call) -> Json:
        """The way in which a service principal gets a token: an admin makes it."""
        _require_admin(call)
        (application_id,) = call.require("application_id")
        principal = self._directory.named(str(application_id), SERVICE_PRINCIPAL)
        if principal is None:
            raise not_found(f"Service principal with application ID {application_id} does not exist.")
        return self._issued(call, principal)

    def _list_all(self, call: Call) -> Json:
        _require_admin(call)
        wanted_id, wanted_name = call.query.get("created_by_id"), call.query.get("created_by_username")
        found = [self._managed(info) for info in self._tokens.valid()]
        return {
            "token_infos": [
                info
                for info in found
                if wanted_id in (None, str(info["created_by_id"]))
                and wanted_name in (None, info["created_by_username"])
            ]
        }

    def _get_any(self, call: Call) -> Json:
        _require_admin(call)
        return {"token_info": self._managed(self._tokens.find(call.path["token_id"]))}

    def _delete_any(self, call: Call) -> Json:
        _require_admin(call)
        self._tokens.revoke(call.path["token_id"])
        return {}

    def _sign_in(self, call: Call) -> Json:
        """A token for a user, by an admin: in the place of the sign-in page, which the embedded workspace has not."""
        _require_admin(call)
        (user_name,) = call.require("user_name")
        principal = self._directory.named(str(user_name), USER)
        if principal is None:
            raise not_found(f"User with name {user_name} does not exist.")
        return self._issued(call, principal)

    def _issued(self, call: Call, principal: Principal) -> Json:
        value, info = self._tokens.issue(
            principal.id,
            lifetime_seconds=call.body.get("lifetime_seconds"),
            comment=call.body.get("comment"),
            created_by=call.caller.id,
        )
        return {"token_value": value, "token_info": shown(info)}

    def _own(self, call: Call) -> Principal:
        kind = SERVICE_PRINCIPAL if call.caller.service_principal else USER
        principal = self._directory.get(kind, call.caller.id)
        if principal is None:
            raise not_found(f"{kind} with id {call.caller.id} does not exist.")
        return principal

    def _managed(self, info: Document) -> Json:
        """`TokenInfo`: with who made it, and whose it is."""
        owner = info["principal_id"]
        return {
            **shown(info),
            "created_by_id": int(info["created_by_id"]),
            "created_by_username": self._name(info["created_by_id"]),
            "owner_id": int(owner),
        }

    def _name(self, principal_id: str) -> str:
        found = (self._directory.get(kind, principal_id) for kind in (USER, SERVICE_PRINCIPAL))
        return next((one.name for one in found if one is not None), "")


def _require_admin(call: Call) -> None:
    if not call.caller.admin:
        raise permission_denied("Only workspace admins can manage the tokens of others.")
