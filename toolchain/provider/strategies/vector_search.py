"""Vector search endpoints and indexes: waited for, and deleted again when they do not come up.

Sources: `vectorsearch/resource_vector_search_endpoint.go` and `resource_vector_search_index.go` of
terraform-provider-databricks.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from toolchain.provider.errors import PluginError, RestError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Resource
from toolchain.provider.state import Properties, mapping, objects
from toolchain.provider.strategies.plain import Plain

_DELETE_READS: Final = 15 * 60


class SearchEndpoint(Plain):
    """One that does not come ONLINE is deleted again, and no state is written."""

    def settle(self, op: Operation, answer: Properties, state: Properties) -> Properties:
        """Only a create waits."""
        return answer if op.state else super().settle(op, answer, state)

    def shape(self, op: Operation, answer: Properties, planned: Mapping[str, object]) -> Properties:
        status = answer.get("endpoint_status")
        return {**answer, "endpoint_status": objects([status]), "endpoint_id": answer.get("id")}

    def after_failed_create(self, op: Operation, state: Properties, error: PluginError) -> PluginError:
        return _deleted_again(op, error)


class SearchIndex(Plain):
    """Ready when it says so or has rows, whatever comes first; a failed one is deleted again.

    The official plugin waits 15 minutes for an index whose first sync failed; `detailed_state`, which its client does
    not read, ends the wait here.
    """

    def check(self, resource: Resource, inputs: Mapping[str, object]) -> Iterable[tuple[str, str]]:
        specs = [name for name in ("deltaSyncIndexSpec", "directAccessIndexSpec") if inputs.get(name) is not None]
        if len(specs) != 1:
            yield "deltaSyncIndexSpec", f"one of deltaSyncIndexSpec and directAccessIndexSpec, not {len(specs)} of them"

    def settle(self, op: Operation, answer: Properties, state: Properties) -> Properties:
        def look() -> Properties:
            found = self.send_read(op, state)
            return {**found, "progress": _progress(found)}

        return op.poll(op.resource.wait, look) if op.resource.wait is not None else answer

    def read_back(self, op: Operation, state: Properties, answer: Properties) -> Properties:
        """What was not asked for, such as the subtype, does not come into the state."""
        return super().read_back(op, self.plan(op), answer)

    def shape(self, op: Operation, answer: Properties, planned: Mapping[str, object]) -> Properties:
        return {**answer, "status": objects([answer.get("status")])}

    def after_failed_create(self, op: Operation, state: Properties, error: PluginError) -> PluginError:
        return _deleted_again(op, error)

    def delete(self, op: Operation) -> None:
        """Deletes it and waits until it is gone."""
        super().delete(op)
        for _ in range(_DELETE_READS):
            try:
                self.send_read(op, op.state)
            except RestError as error:
                if error.not_found:
                    return
                raise
            op.stop.wait(1)
        raise PluginError(f"{op.what}: still there after it was deleted; look at it in the workspace")


def _progress(index: Mapping[str, object]) -> str:
    told = mapping(index.get("status"))
    rows = told.get("indexed_row_count")
    if told.get("ready") or (isinstance(rows, int) and rows > 0):
        return "READY"
    return "FAILED" if "FAILED" in str(told.get("detailed_state")) else "PENDING"


def _deleted_again(op: Operation, error: PluginError) -> PluginError:
    try:
        op.send(op.resource.delete, op.inputs)
    except PluginError as refused:
        return PluginError(f"{error}; deleting it again failed, too: {refused}; delete it by hand")
    return PluginError(f"{error}; it was deleted again")
