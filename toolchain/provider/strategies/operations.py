"""Lakebase: every write starts a long-running operation, which is asked for until it is done."""

from collections.abc import Mapping
from typing import Final

from toolchain.provider.errors import PluginError, RestError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Wait
from toolchain.provider.state import Properties, mapping
from toolchain.provider.strategies.plain import Plain

_PREFIX: Final = "/api/2.0/postgres/"
_DONE: Final = Wait(path=("finished",), done=frozenset({"yes"}), failed=frozenset(), seconds=30 * 60)


class LongRunning(Plain):
    """Postgres* types: ``Operation{name, done, response | error}`` (facts of the API: ``/api/2.0/postgres``)."""

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        return self._result(op, super().send_create(op, planned))

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        return self._result(op, super().send_update(op, planned))

    def send_delete(self, op: Operation) -> None:
        try:
            self._result(op, op.send(op.resource.delete, op.state))
        except RestError as error:
            if not error.managed_by_parent:
                raise  # what belongs to its parent goes with it, and cannot be deleted on its own

    def _result(self, op: Operation, started: Properties) -> Properties:
        """The object that the operation ends with.

        Raises:
            PluginError: it ended with an error.
        """
        name = started.get("name")
        if not isinstance(name, str) or not name:
            raise PluginError(f"{op.what}: the answer names no operation to wait for")

        def look() -> Properties:
            answer = op.workspace.do("GET", f"{_PREFIX}{name}")
            return {**answer, "finished": "yes" if answer.get("done") else "no"}

        ended = op.poll(_DONE, look)
        problem = mapping(ended.get("error"))
        if problem:
            raise PluginError(f"{op.what}: {problem.get('message') or problem} (operation {name})")
        return mapping(ended.get("response"))

    def read(
        self, op: Operation, known: Mapping[str, object], *, whole: bool = False, writing: bool = False
    ) -> Properties | None:
        """What was sent as ``spec`` is not in answers, so an import cannot know it."""
        if whole:
            raise PluginError(f"{op.resource.type_name} cannot be imported: its id is the literal `missing ID`")
        return super().read(op, known, whole=whole, writing=writing)
