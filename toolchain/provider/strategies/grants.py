"""Grants and Grant: privileges on a Unity Catalog object, changed by the difference to what is there."""

from collections.abc import Iterable, Mapping
from typing import Final

from toolchain.provider import state as states
from toolchain.provider.codec import Unknown
from toolchain.provider.errors import PluginError, RestError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Resource, Wait
from toolchain.provider.state import Properties, objects
from toolchain.provider.strategies.plain import Plain
from toolchain.provider.text import listed

SECURABLES: Final = {
    "catalog": "catalog",
    "schema": "schema",
    "table": "table",
    "volume": "volume",
    "model": "function",
    "function": "function",
    "credential": "credential",
    "storageCredential": "storage_credential",
    "externalLocation": "external_location",
    "foreignConnection": "connection",
    "share": "share",
    "recipient": "recipient",
    "metastore": "metastore",
    "pipeline": "pipeline",
}
"""Selector in Pulumi -> securable type in the path; models are functions there (facts sheet, 7.3)."""

_API_NAMES: Final = {
    "storageCredential": "storage_credential",
    "externalLocation": "external_location",
    "foreignConnection": "foreign_connection",
}
_SETTLED: Final = Wait(path=("settled",), done=frozenset({"yes"}), failed=frozenset(), seconds=60)

Wanted = dict[str, set[str]]


def privilege(name: object) -> str:
    return str(name).upper().replace(" ", "_")


class Grants(Plain):
    """All grants of one securable, or with ``one_principal`` those of one principal."""

    def __init__(self, *, one_principal: bool = False) -> None:
        self._one = one_principal

    def check(self, resource: Resource, inputs: Mapping[str, object]) -> Iterable[tuple[str, str]]:
        chosen = [name for name in SECURABLES if inputs.get(name) is not None]
        if len(chosen) != 1:
            yield (
                "",
                f"{resource.type_name} needs exactly one securable, got {len(chosen)}; set one of {listed(SECURABLES)}",
            )

    def _securable(self, properties: Mapping[str, object]) -> tuple[str, str]:
        for name in SECURABLES:
            value = properties.get(name)
            if value not in (None, "") and not isinstance(value, Unknown):
                return name, str(value)
        raise PluginError(f"no securable is named; set one of {listed(SECURABLES)}")

    def _path(self, properties: Mapping[str, object]) -> str:
        kind, name = self._securable(properties)
        return states.template(
            f"/api/2.1/unity-catalog/permissions/{SECURABLES[kind]}/{{name}}", {"name": name}, where=kind
        )

    def _wanted(self, properties: Mapping[str, object]) -> Wanted:
        entries = [dict(properties)] if self._one else objects(properties.get("grants"))
        return {
            str(entry["principal"]): {privilege(name) for name in _listed(entry.get("privileges"))} for entry in entries
        }

    def _present(self, op: Operation, properties: Mapping[str, object]) -> Wanted:
        answer = op.workspace.do("GET", self._path(properties))
        present = {
            str(entry.get("principal")): {privilege(name) for name in _listed(entry.get("privileges"))}
            for entry in objects(answer.get("privilege_assignments"))
        }
        if self._one:
            present = {name: held for name, held in present.items() if name == properties.get("principal")}
        return {name: held for name, held in present.items() if held}

    def _apply(self, op: Operation, properties: Mapping[str, object], wanted: Wanted) -> None:
        present = self._present(op, properties)
        changes: list[Properties] = []
        for principal in sorted({*present, *wanted}):
            had, wants = present.get(principal, set()), wanted.get(principal, set())
            if had != wants:
                added = {"add": sorted(wants - had)} if wants - had else {}
                removed = {"remove": sorted(had - wants)} if had - wants else {}
                changes.append({"principal": principal, **added, **removed})
        if not changes:
            return
        op.workspace.do("PATCH", self._path(properties), body={"changes": changes})
        expected = {name: held for name, held in wanted.items() if held}
        op.poll(_SETTLED, lambda: {"settled": "yes" if self._present(op, properties) == expected else "no"})

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        self._apply(op, planned, self._wanted(planned))
        kind, name = self._securable(planned)
        suffix = f"/{planned['principal']}" if self._one else ""
        return {"identity": f"{_API_NAMES.get(kind, kind)}/{name}{suffix}"}

    def absorb(
        self,
        op: Operation,
        answer: Properties,
        planned: Mapping[str, object],
        *,
        whole: bool = False,
        writing: bool = False,
    ) -> Properties:
        return {**planned, **{key: value for key, value in answer.items() if key != "identity"}}

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        self._apply(op, planned, self._wanted(planned))
        return {}

    def send_read(self, op: Operation, known: Mapping[str, object]) -> Properties:
        present = self._present(op, known)
        if not present:
            raise RestError(f"GET {self._path(known)}", "RESOURCE_DOES_NOT_EXIST", "nothing is granted", not_found=True)
        entries: list[Properties] = [
            {"principal": name, "privileges": sorted(held)} for name, held in sorted(present.items())
        ]
        return entries[0] if self._one else {"grants": entries}

    def read(
        self, op: Operation, known: Mapping[str, object], *, whole: bool = False, writing: bool = False
    ) -> Properties | None:
        base = known if any(known.get(name) for name in SECURABLES) else {**self._from_id(op.id), **known}
        return super().read(op, base, whole=whole, writing=writing)

    def _from_id(self, identity: str) -> Properties:
        kind, _, rest = identity.partition("/")
        wire = next((name for name in SECURABLES if _API_NAMES.get(name, name) == kind), "")
        if not wire or not rest:
            raise PluginError(
                f"`{identity}` is no id of grants; it looks like table/<full name>, for Grant with /<principal> after "
                "it"
            )
        if not self._one:
            return {wire: rest}
        name, _, principal = rest.partition("/")
        return {wire: name, "principal": principal}

    def send_delete(self, op: Operation) -> None:
        self._apply(op, op.state, {})


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
