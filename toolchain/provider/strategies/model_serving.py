"""Serving endpoints: three separate update requests, a wait after the first, and a clean-up when a create fails."""

from collections.abc import Iterable, Mapping
from typing import Final

from toolchain.provider import state as states
from toolchain.provider.diff import difference
from toolchain.provider.errors import PluginError, RefusalError, RestError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Call, Resource
from toolchain.provider.state import Properties, mapping, objects
from toolchain.provider.strategies.plain import Plain

_PATH: Final = "/api/2.0/serving-endpoints/{id}"
_TAGS: Final = Call(method="PATCH", path=f"{_PATH}/tags", sends=())
_GATEWAY: Final = Call(method="PUT", path=f"{_PATH}/ai-gateway", sends=())

REMOVED_GATEWAY: Final = (
    "`aiGateway` cannot be taken out: the official plugin crashes on it (nil pointer dereference) and leaves the "
    "endpoint as it was; "
    "keep the block and disable what is in it, such as `inferenceTableConfig.enabled = false`"
)


def failed_deployments(endpoint: Mapping[str, object]) -> str:
    """Why a config did not come up: what the service says of each served entity that failed.

    The official plugin names the status only; the texts are gone once it has deleted a first deployment that failed.
    """
    pending = mapping(endpoint.get("pending_config")) or mapping(endpoint.get("config"))
    states_of = (
        (entity.get("name"), mapping(entity.get("state"))) for entity in objects(pending.get("served_entities"))
    )
    return "; ".join(
        f"served entity {name} is {state['deployment']}: {state.get('deployment_state_message') or 'no cause given'}"
        for name, state in states_of
        if state.get("deployment") == "DEPLOYMENT_FAILED"
    )


class ModelServing(Plain):
    """Order inside one update: config, tags, AI Gateway; a failure of one leaves the later ones unsent (facts "
    "sheet, 3.1)."""

    def check(self, resource: Resource, inputs: Mapping[str, object]) -> Iterable[tuple[str, str]]:
        config = mapping(inputs.get("config"))
        if config.get("servedEntities") and config.get("servedModels"):
            yield "config.servedModels", "`servedModels` and `servedEntities` exclude each other; use `servedEntities`"

    def preview(self, op: Operation) -> None:
        if op.state.get("aiGateway") and op.inputs.get("aiGateway") is None:
            raise RefusalError(f"{op.what}: {REMOVED_GATEWAY}")

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        self.preview(op)
        if op.inputs.get("config") is not None and self._differs(op, "config"):
            config = mapping(states.to_api((op.resource.by_wire["config"],), planned).get("config"))
            if op.resource.update is None:
                raise PluginError(f"{op.what}: the table has no update request")
            op.send(op.resource.update, planned, more_body=config)
            if op.resource.wait is not None:
                op.poll(op.resource.wait, lambda: self.send_read(op, planned))
            if self._tags_changed(op):
                self.send_read(op, planned)
        elif self._tags_changed(op):
            self.send_read(op, planned)
        if self._tags_changed(op):
            op.send(_TAGS, planned, more_body=self._tag_changes(op))
        if op.inputs.get("aiGateway") is not None and self._differs(op, "aiGateway"):
            op.send(
                _GATEWAY,
                planned,
                more_body=mapping(states.to_api((op.resource.by_wire["aiGateway"],), planned).get("ai_gateway")),
            )
        return {}

    def settle(self, op: Operation, answer: Properties, state: Properties) -> Properties:
        """Only a create waits here: an update waits between its requests."""
        return answer if op.state else super().settle(op, answer, state)

    def _differs(self, op: Operation, wire: str) -> bool:
        return any(entry.top == wire for entry in difference(op.resource, op.inputs, op.state).entries)

    def _tags_changed(self, op: Operation) -> bool:
        return self._differs(op, "tags")

    def _tag_changes(self, op: Operation) -> Properties:
        old = {str(tag.get("key")): str(tag.get("value") or "") for tag in objects(op.state.get("tags"))}
        new = {str(tag.get("key")): str(tag.get("value") or "") for tag in objects(op.inputs.get("tags"))}
        added = [{"key": key, "value": value} for key, value in new.items() if old.get(key) != value]
        gone = sorted(set(old) - set(new))
        return {**({"add_tags": added} if added else {}), **({"delete_tags": gone} if gone else {})}

    def read_back(self, op: Operation, state: Properties, answer: Properties) -> Properties:
        """After an update: an endpoint that is still rolling out (an interrupted run left it so) is waited for."""
        found = self.send_read(op, state)
        wait = op.resource.wait
        if op.state and wait is not None:
            status = states.dig(found, wait.path)
            if status in wait.failed:
                op.warn(
                    f"{op.what}: its last config update ended {status}, and what ran before still serves; "
                    "`pulumi up --refresh` sends the config again"
                )
            elif status not in wait.done:
                found = op.poll(wait, lambda: self.send_read(op, state))
        return self.absorb(op, found, state, writing=True)

    def after_failed_create(self, op: Operation, state: Properties, error: PluginError) -> PluginError:
        """The official plugin deletes an endpoint whose first deployment failed, and writes no state.

        When the workspace cannot be reached for that, the endpoint goes into the state, so that the next run finds it.
        """
        try:
            op.workspace.do("DELETE", states.template(_PATH, {"id": op.id}, where=op.what))
        except RestError as refused:
            return PluginError(f"{error}; deleting it again failed, too: {refused}; delete it by hand")
        except PluginError:
            return Plain.after_failed_create(self, op, state, error)
        return PluginError(f"{error}; the endpoint was deleted again")

    def shape(self, op: Operation, answer: Properties, planned: Mapping[str, object]) -> Properties:
        """Drops what the user did not choose, and puts the entities into the user's order (facts sheet, 3.1 Read)."""
        config = mapping(answer.get("config"))
        if not config:
            return answer
        known = mapping(planned.get("config"))
        uses_models = bool(known.get("servedModels")) and not known.get("servedEntities")
        config.pop("served_entities" if uses_models else "served_models", None)
        key, wire = ("served_models", "servedModels") if uses_models else ("served_entities", "servedEntities")
        ours = {str(entry.get("name")): entry for entry in objects(known.get(wire))}
        order = list(ours)
        served = objects(config.get(key))
        served.sort(key=lambda entry: order.index(str(entry.get("name"))) if entry.get("name") in ours else len(order))
        for entry in served:
            if str(entry.get("name")) in ours and states.is_zero(ours[str(entry.get("name"))].get("workloadSize")):
                entry.pop("workload_size", None)
        config[key] = served
        return {**answer, "config": config}
