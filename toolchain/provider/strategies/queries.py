"""Query: updates carry a mask, which always names the required fields and otherwise those that changed."""

from typing import Final

from toolchain.provider.operation import Operation
from toolchain.provider.state import Properties
from toolchain.provider.strategies.plain import Plain

_ALWAYS: Final = ("display_name", "query_text", "warehouse_id", "parameters")


class Query(Plain):
    """Saved SQL queries (facts sheet, 5.2)."""

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        if op.resource.update is None:
            return {}
        optional = [
            item.api
            for item in op.resource.fields
            if item.api not in (*_ALWAYS, *op.resource.update.omits) and not item.output and op.changed(item.wire)
        ]
        return op.send(op.resource.update, planned, more_body={"update_mask": ",".join((*_ALWAYS, *optional))})
