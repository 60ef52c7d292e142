"""`/api/2.0/secrets/...`, and what other services get: values for model processes, and who may use them."""

from __future__ import annotations

import base64

from starlette.routing import BaseRoute

from workspace.clock import Clock
from workspace.errors import invalid, not_found, permission_denied
from workspace.http import Call, Caller, Json, api
from workspace.identity.directory import USERS
from workspace.secrets.store import PERMISSIONS, SecretStore
from workspace.state import State

BASE = "/api/2.0/secrets"
READ, WRITE, MANAGE = PERMISSIONS


class Secrets:
    """Scopes with READ, WRITE and MANAGE on each; workspace admins manage all of them."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._store = SecretStore(state.folder, clock)

    def value(self, scope: str, key: str) -> str | None:
        """A secret as text, for the process that it was made for; None where there is none."""
        value = self._store.get(scope, key)
        return None if value is None else value.decode(errors="replace")

    def require_read(self, caller: Caller, scope: str) -> None:
        """Raises ApiError 403; nothing for a scope that is not there."""
        if self._store.has_scope(scope):
            self._require(caller, READ, scope)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def routes(self) -> list[BaseRoute]:
        return [
            api("POST", f"{BASE}/scopes/create", self._create_scope),
            api("GET", f"{BASE}/scopes/list", lambda _: {"scopes": self._store.scopes()}),
            api("POST", f"{BASE}/scopes/delete", self._delete_scope),
            api("POST", f"{BASE}/put", self._put),
            api("GET", f"{BASE}/get", self._get),
            api("GET", f"{BASE}/list", self._list),
            api("POST", f"{BASE}/delete", self._delete),
            api("POST", f"{BASE}/acls/put", self._put_acl),
            api("GET", f"{BASE}/acls/get", self._get_acl),
            api("GET", f"{BASE}/acls/list", self._list_acls),
            api("POST", f"{BASE}/acls/delete", self._delete_acl),
        ]

    def _create_scope(self, call: Call) -> Json:
        (scope,) = call.require("scope")
        backend = call.body.get("scope_backend_type") or "DATABRICKS"
        if backend != "DATABRICKS" or call.body.get("backend_azure_keyvault"):
            raise invalid(f"the embedded workspace keeps scopes with backend DATABRICKS, received {backend}")
        initial = call.body.get("initial_manage_principal")
        if initial not in (None, USERS):
            raise invalid(f"initial_manage_principal can only be '{USERS}', received '{initial}'")
        self._store.create_scope(str(scope), initial or call.caller.user_name)
        return {}

    def _delete_scope(self, call: Call) -> Json:
        self._store.delete_scope(self._scope(call, MANAGE))
        return {}

    def _put(self, call: Call) -> Json:
        (key,) = call.require("key")
        self._store.put(self._scope(call, WRITE), str(key), call.body)
        return {}

    def _get(self, call: Call) -> Json:
        scope, key = self._scope(call, READ), call.query.get("key", "")
        value = self._store.get(scope, key)
        if value is None:
            raise not_found(f"Failed to get secret {key} for scope {scope}.")
        return {"key": key, "value": base64.b64encode(value).decode()}

    def _list(self, call: Call) -> Json:
        return {"secrets": self._store.listed(self._scope(call, READ))}

    def _delete(self, call: Call) -> Json:
        (key,) = call.require("key")
        self._store.delete(self._scope(call, WRITE), str(key))
        return {}

    def _put_acl(self, call: Call) -> Json:
        principal, permission = call.require("principal", "permission")
        self._store.put_acl(self._scope(call, MANAGE), str(principal), permission)
        return {}

    def _get_acl(self, call: Call) -> Json:
        scope = self._scope(call, MANAGE)
        principal = call.query.get("principal")
        if not principal:
            raise invalid("Missing required parameter: principal")
        return self._store.acl(scope, principal)

    def _list_acls(self, call: Call) -> Json:
        # `items` is what databricks-sdk reads, whatever its docstring says.
        return {"items": self._store.acls(self._scope(call, MANAGE))}

    def _delete_acl(self, call: Call) -> Json:
        (principal,) = call.require("principal")
        self._store.delete_acl(self._scope(call, MANAGE), str(principal))
        return {}

    def _scope(self, call: Call, permission: str) -> str:
        """The scope that the call names, on which the caller has a permission. Raises ApiError 400, 403, 404."""
        name = call.query.get("scope") if call.method == "GET" else call.body.get("scope")
        if not name:
            raise invalid("Missing required field: scope")
        self._store.require_scope(str(name))
        self._require(call.caller, permission, str(name))
        return str(name)

    def _require(self, caller: Caller, permission: str, scope: str) -> None:
        if caller.admin:
            return
        mine = {name.casefold() for name in (caller.user_name, *caller.groups)}
        held = [acl["permission"] for acl in self._store.acls(scope) if acl["principal"].casefold() in mine]
        if not any(PERMISSIONS.index(one) >= PERMISSIONS.index(permission) for one in held):
            # As the service words it (paiqo/Databricks-VSCode issue 43).
            raise permission_denied(
                f"{caller.user_name} does not have {permission} permission on scope {scope} to perform this action."
            )
