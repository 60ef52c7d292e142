"""Catalog: loses its default schema at birth, and is bound to this workspace before it is isolated or deleted."""

from dataclasses import dataclass

from toolchain.provider import state as states
from toolchain.provider.errors import RestError
from toolchain.provider.operation import Operation
from toolchain.provider.state import Properties
from toolchain.provider.strategies.owned import Owned, metastore_assignment

_UC = "/api/2.1/unity-catalog"


@dataclass(frozen=True, slots=True)
class Catalog(Owned):
    """Unity Catalog catalogs (facts sheet, 7.4)."""

    def after_create(self, op: Operation, planned: Properties) -> None:
        try:
            op.workspace.do(
                "DELETE", states.template(f"{_UC}/schemas/{{name}}.default", op.names(planned), where=op.what)
            )
        except RestError as error:
            if not error.not_found:
                raise
        Owned.after_create(self, op, planned)
        if planned.get("isolationMode") == "ISOLATED":
            self._bind(op, planned)

    def _bind(self, op: Operation, planned: Properties) -> None:
        metastore_assignment(op)
        binding = {"binding_type": "BINDING_TYPE_READ_WRITE", "workspace_id": int(op.workspace.workspace_id)}
        path = states.template(f"{_UC}/bindings/catalog/{{name}}", op.names(planned), where=op.what)
        op.workspace.do("PATCH", path, body={"add": [binding]})

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        answer = Owned.send_update(self, op, planned)
        if planned.get("isolationMode") == "ISOLATED" and op.changed("isolationMode"):
            self._bind(op, planned)
        return answer

    def send_delete(self, op: Operation) -> None:
        metastore_assignment(op)
        if op.state.get("isolationMode") == "ISOLATED":
            metastore_assignment(op)
            path = states.template(f"{_UC}/workspace-bindings/catalogs/{{name}}", op.names(op.state), where=op.what)
            op.workspace.do("PATCH", path, body={"assign_workspaces": [int(op.workspace.workspace_id)]})
        op.send(op.resource.delete, op.state)
