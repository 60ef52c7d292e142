"""Secrets: what the replacement order does to a key that was just written."""

from typing import Final

from toolchain.provider.operation import Operation
from toolchain.provider.state import Properties
from toolchain.provider.strategies.plain import Plain


class Rewritten(Plain):
    """Types without an update whose successor has the same identity: unless the old one is deleted first, its deletion
    takes the new one along. The official plugin does this silently; this one says it.
    """

    def __init__(self) -> None:
        self._made: Final[set[tuple[str, str]]] = set()

    def create(self, op: Operation) -> Properties:
        state = super().create(op)
        self._made.add((op.resource.type, op.id))
        return state

    def send_delete(self, op: Operation) -> None:
        super().send_delete(op)
        if (op.resource.type, op.id) in self._made:
            op.warn(
                f"{op.what} was replaced create-first, so deleting the old one has just deleted the new one, too (the "
                "official plugin does "
                "the same); give the resource `delete_before_replace=True`, then run `pulumi up --refresh` to write "
                "it again"
            )
