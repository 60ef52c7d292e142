"""One operation on one resource: what it works with, and how it sends the table's calls."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from toolchain.provider import state as states
from toolchain.provider.errors import CancelledError, PluginError
from toolchain.provider.schema import Call, Resource, Wait
from toolchain.provider.workspace import Workspace

_POLL_STEP = 0.2
_POLL_LONGEST = 10.0


@dataclass(slots=True)
class Operation:
    """What a strategy gets.

    Args:
        inputs: the new inputs, plain.
        state: the last known outputs, plain; empty for a create or an import.
        seconds: the time limit the user set (customTimeouts), 0 for the table's own.
        alive: whether the engine still waits for the answer.
        warn: shows a warning on the resource.
        stop: set when the whole plugin is asked to stop.
    """

    resource: Resource
    workspace: Workspace
    inputs: Mapping[str, object]
    state: Mapping[str, object]
    id: str = ""
    old_inputs: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0.0
    alive: Callable[[], bool] = lambda: True
    warn: Callable[[str], None] = lambda message: None
    stop: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)

    @property
    def what(self) -> str:
        """The resource as messages name it."""
        return f"{self.resource.type_name} {self.id}".rstrip()

    def plan(self) -> states.Properties:
        return states.plan(self.resource.fields, self.inputs, self.state, self.resource.family)

    def changed(self, wire: str) -> bool:
        """Whether the inputs ask for something else than the state has, zero values and absence being the same."""
        item = self.resource.by_wire[wire]
        wanted = self.inputs.get(wire)
        if wanted is None and item.computed:
            return False
        return states.prune(wanted or None) != states.prune(self.state.get(wire) or None)

    def names(self, properties: Mapping[str, object]) -> states.Properties:
        """``properties`` under their API names, for templates."""
        named: states.Properties = {"id": self.id, "host": self.workspace.host}
        for item in self.resource.fields:
            value = properties.get(item.wire)
            if value is None and item.output:
                value = self.state.get(item.wire)
            if value is not None:
                named[item.api] = value
        return named

    def send(
        self,
        call: Call,
        properties: Mapping[str, object],
        *,
        extra: Mapping[str, object] | None = None,
        more_body: Mapping[str, object] | None = None,
    ) -> states.Properties:
        """Sends ``call`` for ``properties`` and returns the object in its answer.

        Args:
            extra: more names for the templates.
            more_body: added to the body's fields.

        Raises:
            RestError: the workspace refused, or no item of the answer's list is the one sought.
            PluginError: a name in a template is unknown.
        """
        if self.stop.is_set() or not self.alive():
            raise CancelledError(f"{self.what}: stopped before {call.method} {call.path}; run `pulumi up` again")
        values = {**self.names(properties), **(extra or {})}
        body = states.body(call, self.resource.fields, properties, self.state)
        if body is not None and "id" in call.carries:
            body["id"] = self.id
        if more_body is not None:
            body = {**(body or {}), **more_body}
        path = states.template(call.path, values, where=self.what)
        answer = self.workspace.do(call.method, path, query=states.query(call, values, where=self.what), body=body)
        return states.choose(call, answer, values)

    def poll(self, wait: Wait, look: Callable[[], states.Properties]) -> states.Properties:
        """Calls ``look`` until the field that ``wait`` names is final, and returns the last answer.

        Raises:
            PluginError: it failed, or did not finish in time.
            CancelledError: the engine is gone.
        """
        limit = self.seconds or wait.seconds
        turn = 0
        while True:
            answer = look()
            value = states.dig(answer, wait.path)
            if value in wait.done:
                return answer
            if value in wait.failed:
                why = (wait.why(answer) if wait.why else "") or f"current status: {value}"
                raise PluginError(f"{self.what}: failed to reach {'/'.join(sorted(wait.done))}, got {value}: {why}")
            turn += 1
            pause = min(_POLL_STEP * turn, _POLL_LONGEST)
            if time.monotonic() - self.started + pause > limit:
                raise PluginError(
                    f"{self.what}: still {value or 'without a status'} after {limit:.0f} s, expected "
                    f"{'/'.join(sorted(wait.done))}; raise the resource option `custom_timeouts`, or look at the "
                    "workspace"
                )
            if self.stop.wait(pause) or not self.alive():
                raise CancelledError(
                    f"{self.what}: stopped while it was {value}; `pulumi refresh` shows where it ended"
                )
