"""SCIM resources as the workspace keeps and shows them: users, service principals, groups; and PATCH on them.

Sources: page "Workspace Users / Groups / Service Principals API" (SCIM 2.0), databricks-sdk 0.156 `iam.User`,
`iam.Group`, `iam.ServicePrincipal`; terraform-provider-databricks `scim/` (what it sends).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workspace.documents import Document
from workspace.http import Json
from workspace.identity.directory import GROUP, SERVICE_PRINCIPAL, USER, Directory, Principal
from workspace.identity.scim_errors import ScimError

_CORE = "urn:ietf:params:scim:schemas:core:2.0:"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_COMMON = ("displayName", "externalId", "entitlements", "roles", "schemas")
_FIELDS = {
    USER: (*_COMMON, "userName", "active", "emails", "name"),
    SERVICE_PRINCIPAL: (*_COMMON, "applicationId", "active"),
    GROUP: (*_COMMON, "members"),
}
_LISTS = ("entitlements", "roles", "members", "emails")
# Shown, but never taken from a request: they follow from other resources, or from the service itself.
_COMPUTED = ("id", "groups", "meta", "userType", "kind")
_ENTITLEMENTS = (
    *("workspace-access", "databricks-sql-access", "allow-cluster-create", "allow-instance-pool-create"),
    "workspace-consume",
)
_MEMBER = re.compile(r'^(?P<list>members|entitlements|roles|emails)\[\s*value\s+eq\s+"(?P<value>[^"]*)"\s*\]$', re.I)


def accepted(kind: str, body: Mapping[str, Any], directory: Directory) -> Document:
    """The part of a request's resource that is kept. Raises ScimError 400 for a field or value that cannot be."""
    unknown = [name for name in body if name not in (*_FIELDS[kind], *_COMPUTED)]
    if unknown:
        raise _invalid(f"a {kind} has no attribute(s) {', '.join(unknown)}; it has {', '.join(_FIELDS[kind])}")
    resource = {name: body[name] for name in _FIELDS[kind] if body.get(name) is not None and name != "schemas"}
    for name in _LISTS:
        if name in resource:
            resource[name] = _items(name, resource[name])
    for item in resource.get("entitlements", []):
        if item["value"] not in _ENTITLEMENTS:
            raise _invalid(f"entitlement '{item['value']}' is not known: one of {', '.join(_ENTITLEMENTS)}")
    for member in resource.get("members", []):
        if not any(directory.get(one, member["value"]) for one in (USER, SERVICE_PRINCIPAL, GROUP)):
            raise _invalid(f"member {member['value']} is no principal of this workspace; members are given by id")
    if kind != GROUP:
        resource["active"] = _flag(resource.get("active", True))
    return resource


def shown(principal: Principal, directory: Directory) -> Json:
    """The resource as the API answers it."""
    resource = principal.resource
    answer: Json = {"schemas": [f"{_CORE}{principal.kind}"], "id": principal.id, **resource}
    groups = [
        {"display": group.name, "type": "direct", "value": group.id, "$ref": f"Groups/{group.id}"}
        for group in directory.groups_of(principal, direct=True)
    ]
    if groups:
        answer["groups"] = groups
    if principal.kind == USER:
        answer.setdefault("emails", [{"type": "work", "value": principal.name, "primary": True}])
        answer.setdefault("displayName", principal.name)
    if principal.kind == GROUP:
        answer["meta"] = {"resourceType": "WorkspaceGroup"}
        answer["members"] = [_member(item["value"], directory) for item in resource.get("members") or []]
        if not answer["members"]:
            del answer["members"]
    return answer


def patched(kind: str, resource: Mapping[str, Any], body: Mapping[str, Any], directory: Directory) -> Document:
    """The resource after the operations of a PATCH, all or none. Raises ScimError 400."""
    operations = body.get("Operations")
    if not isinstance(operations, list) or not operations:
        raise _invalid(f"a PATCH has Operations, received {sorted(body)}")
    changed: dict[str, Any] = dict(resource)
    for operation in operations:
        if not isinstance(operation, Mapping):
            raise _invalid(f"an operation is an object with op, path and value, received {operation!r}")
        verb = str(operation.get("op", "")).lower()
        path, value = operation.get("path"), operation.get("value")
        if verb not in ("add", "replace", "remove"):
            raise _invalid(f"op '{operation.get('op')}' is not known: add, replace or remove")
        if path:
            _apply(changed, verb, str(path), value)
        elif verb == "remove" or not isinstance(value, Mapping):
            raise _invalid(f"an operation '{verb}' without path needs an object as its value, received {value!r}")
        else:
            for name, part in value.items():
                _apply(changed, verb, name, part)
    return accepted(kind, changed, directory)


def _apply(resource: dict[str, Any], verb: str, path: str, value: Any) -> None:
    one = _MEMBER.match(path)
    if one is not None:
        if verb != "remove":
            raise _invalid(f"path '{path}' is there for remove only")
        name = one["list"]
        resource[name] = [item for item in resource.get(name) or [] if item["value"] != one["value"]]
    elif path in _LISTS:
        _apply_list(resource, verb, path, value)
    elif verb == "remove":
        resource.pop(path, None)
    else:
        # The provider deactivates with [{"value": "false"}] where RFC 7644 has a plain value.
        resource[path] = value[0].get("value") if isinstance(value, list) and value else value


def _apply_list(resource: dict[str, Any], verb: str, name: str, value: Any) -> None:
    there = {item["value"]: item for item in resource.get(name) or []}
    given = {item["value"]: item for item in _items(name, value)} if value is not None else None
    if verb == "replace":
        there = given or {}
    elif verb == "add":
        there |= given or {}
    else:
        # Without a value, all of them go.
        there = {key: item for key, item in there.items() if given is not None and key not in given}
    resource[name] = list(there.values())


def _items(name: str, value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    found: dict[str, dict[str, Any]] = {}
    for item in items:
        if not isinstance(item, Mapping) or not item.get("value"):
            raise _invalid(f"{name} is a list of objects with a value, received {value!r}")
        kept = dict(item) if name == "emails" else {"value": str(item["value"])}
        found[str(item["value"])] = kept
    return list(found.values())


def _member(principal_id: str, directory: Directory) -> Json:
    found = next(one for kind in (USER, SERVICE_PRINCIPAL, GROUP) if (one := directory.get(kind, principal_id)))
    display = str(found.resource.get("displayName") or found.name)
    return {"display": display, "value": found.id, "$ref": f"{found.kind}s/{found.id}"}


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise _invalid(f"active is true or false, received {value!r}")


def _invalid(detail: str) -> ScimError:
    return ScimError(400, detail[0].upper() + detail[1:], scim_type="invalidValue")
