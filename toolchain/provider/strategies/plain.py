"""The ordinary life of a resource, read off its row of the table. Special types override a step."""

from collections.abc import Iterable, Mapping

from toolchain.provider import state as states
from toolchain.provider.diff import Entry
from toolchain.provider.errors import CancelledError, PartialFailureError, PluginError, RefusalError, RestError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Family, Resource
from toolchain.provider.state import Properties


class Plain:
    """Create, read, update, delete as the table's calls say. Stateless: one object serves every resource of a type."""

    def check(self, resource: Resource, inputs: Mapping[str, object]) -> Iterable[tuple[str, str]]:
        """Failures beyond types and required fields: (property, reason)."""
        return ()

    def more_diffs(self, news: Mapping[str, object], state: Mapping[str, object]) -> Iterable[Entry]:
        """Differences that comparing fields does not find."""
        return ()

    def shape(self, op: Operation, answer: Properties, planned: Mapping[str, object]) -> Properties:
        """The answer as if the API spoke the table's language."""
        return answer

    def plan(self, op: Operation) -> Properties:
        """What the resource should look like."""
        return op.plan()

    def preview(self, op: Operation) -> None:
        """Raises what would certainly fail, while only a preview runs."""

    def warnings(self, op: Operation) -> Iterable[str]:
        """What the user should know about this write."""
        for wire, why in op.resource.warns.items():
            if op.inputs.get(wire) is not None:
                yield why
        for wire in sorted(op.resource.silent) if op.state else ():
            if op.changed(wire):
                yield (
                    f"{op.what}: the new value of `{wire}` is not sent, because the official plugin makes no call for "
                    "it after create; "
                    "replace the resource, or change it in the workspace"
                )

    def absorb(
        self,
        op: Operation,
        answer: Properties,
        planned: Mapping[str, object],
        *,
        whole: bool = False,
        writing: bool = False,
    ) -> Properties:
        """The state that ``answer`` shows."""
        shaped = self.shape(op, answer, planned)
        state = states.absorb(op.resource.fields, shaped, planned, op.resource.family, whole=whole, writing=writing)
        states.fill_formulas(op.resource.fields, state, {**op.names(state), "id": op.id})
        return state

    # Steps that special types override

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        """Sends what creates the object and returns the answer."""
        return op.send(op.resource.create, planned)

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        """Sends what changes the object and returns the answer; an empty one when it tells nothing."""
        call = op.resource.update
        if call is None:
            raise PluginError(f"{op.what}: this type cannot be changed in place; every change replaces it")
        return op.send(call, planned)

    def send_read(self, op: Operation, known: Mapping[str, object]) -> Properties:
        """Asks for the object.

        Raises:
            RestError: ``not_found`` when it is gone.
        """
        return op.send(op.resource.read, known)

    def send_delete(self, op: Operation) -> None:
        """Sends what deletes the object."""
        op.send(op.resource.delete, op.state)

    def after_failed_create(self, op: Operation, state: Properties, error: PluginError) -> PluginError:
        """What to tell the engine when the object exists but did not get ready."""
        return PartialFailureError(str(error), identity=op.id, state=self.shown(op, state), inputs=op.inputs)

    # The life itself

    def create(self, op: Operation) -> Properties:
        """Makes the object; sets ``op.id``; returns its state."""
        planned = self.plan(op)
        answer = self.send_create(op, planned)
        state = {**planned, **self.absorb(op, answer, planned, whole=True, writing=True)}
        named = {**op.names(state), **{f"answer_{key}": value for key, value in answer.items()}}
        op.id = states.template(op.resource.id, named, where=op.what)
        try:
            answer = self.settle(op, answer, state)
            return self.shown(op, self.read_back(op, state, answer))
        except CancelledError:
            raise
        except PluginError as error:
            raise self.after_failed_create(op, state, error) from error

    def update(self, op: Operation) -> Properties:
        """Changes the object and returns its state."""
        planned = self.plan(op)
        if op.resource.family is Family.FRAMEWORK:
            answer = self.settle(op, self.send_update(op, planned), planned)
            return self.shown(op, self.absorb(op, answer, planned, writing=True))
        try:
            answer = self.send_update(op, planned)
            state = {
                **planned,
                **{
                    item.wire: op.state[item.wire]
                    for item in op.resource.fields
                    if item.output and item.wire in op.state
                },
            }
            return self.shown(op, self.read_back(op, state, self.settle(op, answer, state)))
        except (CancelledError, RefusalError):
            raise
        except PluginError as error:
            # The official plugin saves the planned values here, so that the first retry sees no change.
            raise PartialFailureError(
                str(error), identity=op.id, state=self.shown(op, {**op.state, **planned}), inputs=op.old_inputs
            ) from error

    def settle(self, op: Operation, answer: Properties, state: Properties) -> Properties:
        """Waits until the object is ready, where the table says so."""
        if op.resource.wait is None:
            return answer
        return op.poll(op.resource.wait, lambda: self.send_read(op, state))

    def read_back(self, op: Operation, state: Properties, answer: Properties) -> Properties:
        """The state after a write: the old SDK reads again, the framework believes the answer."""
        if op.resource.family is Family.FRAMEWORK:
            return self.absorb(op, answer, state, writing=True)
        found = self.read(op, state, writing=True)
        if found is None:
            raise PluginError(f"{op.what}: it was written, but reading it back finds nothing; run `pulumi refresh`")
        return found

    def read(
        self, op: Operation, known: Mapping[str, object], *, whole: bool = False, writing: bool = False
    ) -> Properties | None:
        """The state as the workspace has it, or ``None`` when the object is gone."""
        try:
            answer = self.send_read(op, known)
        except RestError as error:
            if error.not_found:
                return None
            raise
        return self.absorb(op, answer, known, whole=whole, writing=writing)

    def delete(self, op: Operation) -> None:
        """Removes the object; one that is gone already is a success."""
        try:
            self.send_delete(op)
        except RestError as error:
            if not error.not_found:
                raise

    def shown(self, op: Operation, state: Mapping[str, object]) -> Properties:
        """``state`` in the shape that the official plugin's outputs have."""
        resource = op.resource
        known = {item.wire: state[item.wire] for item in resource.fields if state.get(item.wire) is not None}
        shown = states.with_zeros(resource.fields, known) if resource.family is Family.SDK else known
        if resource.id_in_state:
            shown["id"] = op.id
        if resource.workspace_in_state:
            shown["providerConfig"] = {"workspaceId": op.workspace.workspace_id}
        return shown
