"""Service principals and entitlements: SCIM objects, where what somebody may do is a list of names."""

from collections.abc import Mapping
from typing import Final

from toolchain.provider.errors import PluginError
from toolchain.provider.operation import Operation
from toolchain.provider.state import Properties, objects
from toolchain.provider.strategies.plain import Plain

ENTITLEMENTS: Final = {
    "allowClusterCreate": "allow-cluster-create",
    "allowInstancePoolCreate": "allow-instance-pool-create",
    "databricksSqlAccess": "databricks-sql-access",
    "workspaceAccess": "workspace-access",
    "workspaceConsume": "workspace-consume",
}
_SCIM: Final = "/api/2.0/preview/scim/v2"
_PRINCIPALS: Final = f"{_SCIM}/ServicePrincipals"
_PATCH_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_OWNERS: Final = {
    "servicePrincipalId": ("ServicePrincipals", "spn"),
    "groupId": ("Groups", "group"),
    "userId": ("Users", "user"),
}


def _granted(properties: Mapping[str, object]) -> list[Properties]:
    return [{"value": name} for wire, name in sorted(ENTITLEMENTS.items()) if properties.get(wire)]


def _shown(answer: Mapping[str, object]) -> Properties:
    held = {entry.get("value") for entry in objects(answer.get("entitlements"))}
    return {wire: name in held for wire, name in ENTITLEMENTS.items()}


class ServicePrincipal(Plain):
    """Workspace service principals."""

    def _body(self, planned: Mapping[str, object], *, created: bool) -> Properties:
        names = {
            "displayName": "displayName",
            "externalId": "externalId",
            **({} if created else {"applicationId": "applicationId"}),
        }
        return {
            **{key: planned[wire] for wire, key in names.items() if planned.get(wire)},
            "active": planned.get("active", True),
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"],
            "entitlements": _granted(planned),
        }

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        given = {**planned, "applicationId": op.inputs.get("applicationId")}
        return op.workspace.do("POST", _PRINCIPALS, body=self._body(given, created=False))

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        path = f"{_PRINCIPALS}/{op.id}"
        kept = op.workspace.do("GET", path, query={"attributes": "groups,roles"})
        listed = {key: kept[key] for key in ("groups", "roles") if kept.get(key)}
        return op.workspace.do("PUT", path, body={**self._body(planned, created=True), **listed})

    def send_read(self, op: Operation, known: Mapping[str, object]) -> Properties:
        query = {"attributes": "userName,displayName,active,externalId,entitlements"}
        return op.workspace.do("GET", f"{_PRINCIPALS}/{op.id}", query=query)

    def absorb(
        self,
        op: Operation,
        answer: Properties,
        planned: Mapping[str, object],
        *,
        whole: bool = False,
        writing: bool = False,
    ) -> Properties:
        application = str(answer.get("applicationId") or planned.get("applicationId") or "")
        return {
            **planned,
            **_shown(answer),
            "active": bool(answer.get("active")),
            "displayName": answer.get("displayName"),
            "externalId": answer.get("externalId") or "",
            "applicationId": application,
            "aclPrincipalId": f"servicePrincipals/{application}",
            "home": f"/Users/{application}",
            "repos": f"/Repos/{application}",
        }

    def send_delete(self, op: Operation) -> None:
        path = f"{_PRINCIPALS}/{op.id}"
        if not op.state.get("disableAsUserDeletion"):
            op.workspace.do("DELETE", path)
            return
        change = {"op": "replace", "path": "active", "value": [{"value": "false"}]}
        op.workspace.do("PATCH", path, body={"schemas": [_PATCH_SCHEMA], "Operations": [change]})


class Entitlements(Plain):
    """What one service principal, group or user may do in the workspace; authoritative."""

    def _owner(self, properties: Mapping[str, object]) -> tuple[str, str]:
        for wire, (segment, prefix) in _OWNERS.items():
            if properties.get(wire):
                return f"{_SCIM}/{segment}/{properties[wire]}", f"{prefix}/{properties[wire]}"
        raise PluginError("Entitlements needs one of `servicePrincipalId`, `groupId`, `userId`")

    def _patch(self, op: Operation, properties: Mapping[str, object], verb: str) -> Properties:
        path, identity = self._owner(properties)
        change = {"op": verb, "path": "entitlements", "value": _granted(properties)}
        op.workspace.do("PATCH", path, body={"schemas": [_PATCH_SCHEMA], "Operations": [change]})
        return {"identity": identity}

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        return self._patch(op, planned, "replace")

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        return self._patch(op, planned, "replace")

    def send_read(self, op: Operation, known: Mapping[str, object]) -> Properties:
        return op.workspace.do("GET", self._owner(known)[0], query={"attributes": "entitlements"})

    def read(
        self, op: Operation, known: Mapping[str, object], *, whole: bool = False, writing: bool = False
    ) -> Properties | None:
        prefix, _, name = op.id.partition("/")
        from_id = {wire: name for wire, (_, kind) in _OWNERS.items() if kind == prefix}
        return super().read(op, {**from_id, **known}, whole=whole, writing=writing)

    def absorb(
        self,
        op: Operation,
        answer: Properties,
        planned: Mapping[str, object],
        *,
        whole: bool = False,
        writing: bool = False,
    ) -> Properties:
        return dict(planned) if "identity" in answer else {**planned, **_shown(answer)}

    def send_delete(self, op: Operation) -> None:
        self._patch(op, op.state, "remove")
