"""Unity Catalog objects: the owner is set by a request of its own, before anything else changes."""

from dataclasses import dataclass

from toolchain.provider import state as states
from toolchain.provider.errors import PluginError, RestError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Call
from toolchain.provider.state import Properties
from toolchain.provider.strategies.plain import Plain

ASSIGNMENT = "/api/2.1/unity-catalog/current-metastore-assignment"


def metastore_assignment(op: Operation) -> None:
    """Asks for the metastore, as the official plugin does before it changes or deletes a schema or a catalog.

    Raises:
        PluginError: the workspace has none. The official plugin then reports a deletion that it did not carry out.
    """
    try:
        op.workspace.do("GET", ASSIGNMENT)
    except RestError as error:
        if error.not_found:
            raise PluginError(
                f"{op.what}: the workspace has no metastore assigned, so nothing was changed ({ASSIGNMENT})"
            ) from error
        raise


@dataclass(frozen=True, slots=True)
class Owned(Plain):
    """
    Args:
        checks_metastore: ask for the metastore before changes and deletes.
        times: how often the update request is sent (the official plugin sends a registered model's twice).
        whole_after_create: with an owner, everything is sent once more after create, not the owner alone.
        renames: the update request may rename the object, after which its id is another.
    """

    checks_metastore: bool = False
    times: int = 1
    whole_after_create: bool = False
    renames: bool = False

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        answer = op.send(op.resource.create, planned)
        self.after_create(op, planned)
        return answer

    def after_create(self, op: Operation, planned: Properties) -> None:
        """Hands the new object to its owner."""
        if states.is_zero(op.inputs.get("owner")) or op.resource.update is None:
            return
        named = states.template(op.resource.id, op.names(planned), where=op.what)
        call = Call(
            method="PATCH", path=op.resource.update.path, sends=("*",) if self.whole_after_create else ("owner",)
        )
        op.send(call, planned, extra={"id": named})

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        call = op.resource.update
        if call is None:
            return {}
        if self.checks_metastore:
            metastore_assignment(op)
        if op.changed("owner"):
            op.send(Call(method="PATCH", path=call.path, sends=("owner",)), planned)
        sent = tuple(item.api for item in op.resource.fields) if call.sends == ("*",) else call.sends or ()
        if _touches(op, frozenset(sent) - frozenset(call.omits)) or self._renamed(op):
            for _ in range(self.times):
                op.send(call, planned, more_body={"new_name": op.inputs.get("name")} if self._renamed(op) else None)
        if self._renamed(op):
            op.id = states.template(op.resource.id, op.names(planned), where=op.what)
        return {}

    def _renamed(self, op: Operation) -> bool:
        return self.renames and op.changed("name")

    def send_delete(self, op: Operation) -> None:
        if self.checks_metastore:
            metastore_assignment(op)
        op.send(op.resource.delete, op.state)


def _touches(op: Operation, names: frozenset[str]) -> bool:
    """Whether one of the fields with these API names changes."""
    return any(op.changed(item.wire) for item in op.resource.fields if item.api in names and not item.output)
