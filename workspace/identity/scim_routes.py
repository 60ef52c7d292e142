"""`/api/2.0/preview/scim/v2/{Users,Groups,ServicePrincipals,Me}`."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute

from workspace.documents import Document
from workspace.http import Answer, Call, Json, api
from workspace.identity.caller import OWNER
from workspace.identity.directory import (
    ADMINS,
    GROUP,
    KINDS,
    NAME_OF,
    SERVICE_PRINCIPAL,
    USER,
    USERS,
    Directory,
    Principal,
)
from workspace.identity.scim_errors import ScimError
from workspace.identity.scim_filter import parse_filter, values_at
from workspace.identity.scim_resources import accepted, patched, shown

BASE = "/api/2.0/preview/scim/v2"
LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
MOST = 10_000
_PAGE = 100
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class ScimRoutes:
    """Paths to functions. `on_delete(principal)` ends what the deleted could still sign in with."""

    def __init__(self, directory: Directory, on_delete: Callable[[Principal], None]) -> None:
        self._directory = directory
        self._on_delete = on_delete

    def all(self) -> list[BaseRoute]:
        routes: list[BaseRoute] = [api("GET", f"{BASE}/Me", self._me)]
        for kind in KINDS:
            path = f"{BASE}/{kind}s"
            routes += [
                api("GET", path, partial(self._list, kind)),
                api("POST", path, partial(self._create, kind)),
                api("GET", f"{path}/{{id}}", partial(self._get, kind)),
                api("PUT", f"{path}/{{id}}", partial(self._replace, kind)),
                api("PATCH", f"{path}/{{id}}", partial(self._patch, kind)),
                api("DELETE", f"{path}/{{id}}", partial(self._delete, kind)),
            ]
        return routes

    def _me(self, call: Call) -> Json:
        """RFC 7643 `User` for whoever asks; a service principal is a user named by its application id."""
        caller = call.caller
        return {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": caller.id,
            "userName": caller.user_name,
            "displayName": caller.display_name or caller.user_name,
            "active": True,
            "emails": [{"type": "work", "value": caller.user_name, "primary": True}],
            "groups": [
                {"display": name, "type": "direct", "value": group.id if group else name}
                for name in caller.groups
                for group in [self._directory.named(name, GROUP)]
            ],
            **({"applicationId": caller.user_name} if caller.service_principal else {}),
        }

    def _list(self, kind: str, call: Call) -> Json:
        found = [shown(one, self._directory) for one in self._directory.all(kind)]
        if call.query.get("filter"):
            wanted = parse_filter(call.query["filter"])
            found = [resource for resource in found if wanted(resource)]
        if call.query.get("sortBy"):
            by = call.query["sortBy"]
            descending = call.query.get("sortOrder", "ascending") == "descending"
            found.sort(key=lambda one: str(next(values_at(one, by), "")).lower(), reverse=descending)
        start = max(1, _number(call, "startIndex", 1))
        page = found[start - 1 :][: min(_number(call, "count", _PAGE), MOST)]
        return {
            "schemas": [LIST_SCHEMA],
            "totalResults": len(found),
            "startIndex": start,
            "itemsPerPage": len(page),
            "Resources": [_selected(resource, call) for resource in page],
        }

    def _get(self, kind: str, call: Call) -> Json:
        return _selected(shown(self._found(kind, call), self._directory), call)

    def _create(self, kind: str, call: Call) -> Answer:
        _require_admin(call)
        resource = accepted(kind, call.body, self._directory)
        if kind == SERVICE_PRINCIPAL:
            resource.setdefault("applicationId", str(uuid.uuid4()))
        self._check_name(kind, resource, None)
        return Answer(shown(self._directory.create(kind, resource), self._directory), status=201)

    def _replace(self, kind: str, call: Call) -> Json:
        _require_admin(call)
        principal = self._found(kind, call)
        resource = accepted(kind, call.body, self._directory)
        if kind == SERVICE_PRINCIPAL:
            resource["applicationId"] = principal.name
        return self._stored(principal, resource)

    def _patch(self, kind: str, call: Call) -> Json:
        _require_admin(call)
        principal = self._found(kind, call)
        return self._stored(principal, patched(kind, principal.resource, call.body, self._directory))

    def _stored(self, principal: Principal, resource: Document) -> Json:
        self._check_name(principal.kind, resource, principal)
        if principal.id == OWNER.id and (
            resource[NAME_OF[principal.kind]] != OWNER.user_name or not resource["active"]
        ):
            raise ScimError(403, "The owner of the embedded workspace stays active and keeps its name.")
        return shown(self._directory.replace(principal, resource), self._directory)

    def _delete(self, kind: str, call: Call) -> Response:
        _require_admin(call)
        principal = self._found(kind, call)
        if principal.id == OWNER.id or (kind == GROUP and principal.name in (ADMINS, USERS)):
            raise ScimError(403, f"{kind} {principal.name} belongs to the workspace and cannot be deleted.")
        self._on_delete(principal)
        self._directory.delete(principal)
        return Response(status_code=204)

    def _found(self, kind: str, call: Call) -> Principal:
        found = self._directory.get(kind, call.path["id"])
        if found is None:
            raise ScimError(404, f"{kind} with id {call.path['id']} not found.")
        return found

    def _check_name(self, kind: str, resource: Document, own: Principal | None) -> None:
        field = NAME_OF[kind]
        name = resource.get(field)
        if not isinstance(name, str) or not name.strip():
            raise ScimError(400, f"{kind} needs {field}, received {name!r}.", scim_type="invalidValue")
        if kind == USER and not _EMAIL.fullmatch(name):
            raise ScimError(400, f"userName is an email address, received {name!r}.", scim_type="invalidValue")
        other = self._directory.named(name, kind)
        if other is not None and (own is None or other.id != own.id):
            raise ScimError(409, f"{kind} with {field} {name} already exists.", scim_type="uniqueness")


def _require_admin(call: Call) -> None:
    if not call.caller.admin:
        raise ScimError(403, "Only workspace admins can change users, groups and service principals.")


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise ScimError(400, f"{name} must be a number, received '{text}'.", scim_type="invalidValue")
    return int(text)


def _selected(resource: Json, call: Call) -> Json:
    """`attributes` and `excludedAttributes`; `id` and `schemas` always stay (RFC 7644 section 3.9)."""
    kept = {"id", "schemas"}
    if call.query.get("attributes"):
        wanted = kept | {name.strip().partition(".")[0] for name in call.query["attributes"].split(",")}
        return {name: value for name, value in resource.items() if name in wanted}
    left_out = {name.strip() for name in call.query.get("excludedAttributes", "").split(",")} - kept
    return {name: value for name, value in resource.items() if name not in left_out}
