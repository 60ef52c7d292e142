"""Permissions: the whole access list of one workspace object, with the caller's own entry added and hidden again."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from toolchain.provider import state as states
from toolchain.provider.codec import Unknown
from toolchain.provider.errors import PluginError, RestError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Resource
from toolchain.provider.state import Properties, objects
from toolchain.provider.strategies.plain import Plain
from toolchain.provider.text import listed
from toolchain.provider.workspace import ME


class Caller(Enum):
    """Which entry the caller gets when the list does not give one."""

    MANAGES = "CAN_MANAGE"
    OWNS = "IS_OWNER"
    NOTHING = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of object that can be secured: how the API calls it, and the levels it knows (facts sheet, 7.2)."""

    wire: str
    object_type: str
    segment: str
    levels: tuple[str, ...]
    caller: Caller


_SQL_LEVELS: Final = ("CAN_READ", "CAN_VIEW", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")

TARGETS: Final = (
    Target(
        "servingEndpointId",
        "serving-endpoint",
        "serving-endpoints",
        ("CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"),
        Caller.MANAGES,
    ),
    Target(
        "registeredModelId",
        "registered-model",
        "registered-models",
        ("CAN_READ", "CAN_EDIT", "CAN_MANAGE_STAGING_VERSIONS", "CAN_MANAGE_PRODUCTION_VERSIONS", "CAN_MANAGE"),
        Caller.MANAGES,
    ),
    Target("experimentId", "mlflowExperiment", "experiments", ("CAN_READ", "CAN_EDIT", "CAN_MANAGE"), Caller.NOTHING),
    Target("jobId", "job", "jobs", ("CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"), Caller.OWNS),
    Target(
        "sqlEndpointId",
        "warehouses",
        "sql/warehouses",
        ("CAN_USE", "CAN_MONITOR", "CAN_VIEW", "CAN_MANAGE", "IS_OWNER"),
        Caller.MANAGES,
    ),
    Target("sqlQueryId", "query", "sql/queries", _SQL_LEVELS, Caller.MANAGES),
    Target("sqlAlertId", "alert", "sql/alerts", _SQL_LEVELS, Caller.MANAGES),
    Target("alertV2Id", "alertv2", "alertsv2", ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"), Caller.MANAGES),
    Target("dashboardId", "dashboard", "dashboards", ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"), Caller.MANAGES),
    Target("databaseProjectName", "database-projects", "database-projects", ("CAN_USE", "CAN_MANAGE"), Caller.MANAGES),
)
_PRINCIPALS: Final = {
    "userName": "user_name",
    "groupName": "group_name",
    "servicePrincipalName": "service_principal_name",
}


class Permissions(Plain):
    """Reads and replaces access lists; the order of the calls is the official plugin's."""

    def check(self, resource: Resource, inputs: Mapping[str, object]) -> Iterable[tuple[str, str]]:
        chosen = [target for target in TARGETS if inputs.get(target.wire) is not None]
        if len(chosen) != 1:
            names = listed(target.wire for target in TARGETS)
            yield "", f"Permissions needs exactly one object, got {len(chosen)}; set one of {names}"
            return
        for index, entry in enumerate(objects(inputs.get("accessControls"))):
            level = entry.get("permissionLevel")
            if isinstance(level, str) and level not in chosen[0].levels:
                yield (
                    f"accessControls[{index}].permissionLevel",
                    f"{chosen[0].wire} has no level `{level}`; it has {listed(chosen[0].levels)}",
                )
            if entry.get("groupName") == "admins":
                yield f"accessControls[{index}].groupName", "the group `admins` always manages the object; leave it out"
            if sum(entry.get(key) is not None for key in _PRINCIPALS) != 1:
                yield f"accessControls[{index}]", f"name one principal: one of {listed(_PRINCIPALS)}"

    def _target(self, properties: Mapping[str, object]) -> tuple[Target, str]:
        for target in TARGETS:
            value = properties.get(target.wire)
            if value not in (None, "") and not isinstance(value, Unknown):
                return target, str(value)
        raise PluginError(f"Permissions: no object is named in {listed(properties)}")

    def _path(self, properties: Mapping[str, object]) -> str:
        target, name = self._target(properties)
        return states.template(f"/api/2.0/permissions/{target.segment}/{{name}}", {"name": name}, where="Permissions")

    def _me(self, op: Operation) -> str:
        return str(op.workspace.do("GET", ME, query={"excludedAttributes": "entitlements"}).get("userName") or "")

    def _put(self, op: Operation, properties: Mapping[str, object]) -> None:
        target, _ = self._target(properties)
        me = self._me(op)
        entries: list[Properties] = [
            {
                **{api: entry[wire] for wire, api in _PRINCIPALS.items() if entry.get(wire)},
                "permission_level": entry.get("permissionLevel"),
            }
            for entry in objects(properties.get("accessControls"))
        ]
        for entry in entries:
            if _names(entry, me) and entry["permission_level"] not in ("CAN_MANAGE", "IS_OWNER"):
                raise PluginError(
                    f"{op.what}: {me} runs this update and would lock itself out with {entry['permission_level']}; "
                    "leave its entry out, or "
                    "give it CAN_MANAGE"
                )
        owned = any(entry["permission_level"] == Caller.OWNS.value for entry in entries)
        mine = any(_names(entry, me) for entry in entries)
        if (target.caller is Caller.OWNS and not owned) or (target.caller is Caller.MANAGES and not mine):
            entries.append(_entry(me, target.caller.value))
        op.workspace.do("PUT", self._path(properties), body={"access_control_list": entries})

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        self._put(op, planned)
        target, name = self._target(planned)
        return {"object_id": f"/{target.segment}/{name}"}

    def absorb(
        self,
        op: Operation,
        answer: Properties,
        planned: Mapping[str, object],
        *,
        whole: bool = False,
        writing: bool = False,
    ) -> Properties:
        if "access_control_list" not in answer:
            return dict(planned)
        return {**planned, "objectType": answer.get("object_type"), "accessControls": answer["access_control_list"]}

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        self._put(op, planned)
        return {}

    def send_read(self, op: Operation, known: Mapping[str, object]) -> Properties:
        known = known if any(known.get(target.wire) for target in TARGETS) else _from_id(op.id)
        me = self._me(op)
        answer = op.workspace.do("GET", self._path(known))
        declared = objects(known.get("accessControls"))
        controls = [
            control
            for entry in objects(answer.get("access_control_list"))
            for control in _controls(entry, declared)
            if entry.get("group_name") != "admins" and (not _names(entry, me) or _declared(entry, declared))
        ]
        if not controls:
            raise RestError(
                f"GET {self._path(known)}", "RESOURCE_DOES_NOT_EXIST", "nobody is granted anything", not_found=True
            )
        return {**answer, "access_control_list": controls}

    def read(
        self, op: Operation, known: Mapping[str, object], *, whole: bool = False, writing: bool = False
    ) -> Properties | None:
        base = known if any(known.get(target.wire) for target in TARGETS) else {**_from_id(op.id), **known}
        return super().read(op, base, whole=whole, writing=writing)

    def send_delete(self, op: Operation) -> None:
        target, name = self._target(op.state)
        path = self._path(op.state)
        op.workspace.do("GET", path)
        if target.caller is Caller.OWNS:
            job = op.workspace.do("GET", "/api/2.2/jobs/get", query={"job_id": name})
            entries = [_entry(str(job.get("creator_user_name") or ""), Caller.OWNS.value)]
        elif target.caller is Caller.MANAGES:
            entries = [_entry(self._me(op), Caller.MANAGES.value)]
        else:
            entries = []
        op.workspace.do("PUT", path, body={"access_control_list": entries} if entries else {})


def _entry(principal: str, level: str) -> Properties:
    """A service principal's user name is its application id, a UUID."""
    key = (
        "service_principal_name"
        if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", principal)
        else "user_name"
    )
    return {key: principal, "permission_level": level}


def _names(entry: Mapping[str, object], principal: str) -> bool:
    return principal.casefold() in {
        str(entry.get(key) or "").casefold() for key in ("user_name", "service_principal_name")
    } - {""}


def _declared(entry: Mapping[str, object], declared: list[Properties]) -> Properties | None:
    for wire, api in _PRINCIPALS.items():
        for control in declared:
            if entry.get(api) and str(control.get(wire) or "").casefold() == str(entry[api]).casefold():
                return control
    return None


def _controls(entry: Mapping[str, object], declared: list[Properties]) -> list[Properties]:
    """The entry's own levels (inherited ones are not ours), with names in the case the user wrote."""
    ours = _declared(entry, declared)
    names = {wire: (ours or {}).get(wire) or entry.get(api) or "" for wire, api in _PRINCIPALS.items()}
    levels = [given for given in objects(entry.get("all_permissions")) if not given.get("inherited")]
    return [{**names, "permissionLevel": level.get("permission_level")} for level in levels]


def _from_id(identity: str) -> Properties:
    """The selector behind ``/<segment>/<id>``, for imports."""
    for target in TARGETS:
        if identity.startswith(f"/{target.segment}/"):
            return {target.wire: identity.removeprefix(f"/{target.segment}/")}
    raise PluginError(f"`{identity}` is no id of Permissions; it looks like /serving-endpoints/<opaque id>")
