"""How far an online copy is behind its source: the newest commit of the source against the one that the copy holds.

Source: `DESCRIBE HISTORY` (Delta Lake, "Describe History": newest first), read through a SQL warehouse, as no other
call gives a table's newest commit. Maintenance is a commit too: right after an OPTIMIZE a copy that is in step looks
behind, until its next sync.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..names import ThreePartName
from .errors import ProviderError, asking

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_WAIT = "50s"


def newest_commit(client: WorkspaceClient, warehouse_id: str, table: str) -> datetime:
    """When a Delta table was last committed to.

    Raises:
        ProviderError: the warehouse refused, failed, or was not done within 50 seconds.
        WorkspaceError: the workspace did not answer.
    """
    from databricks.sdk.service.sql import Disposition, Format, StatementState

    with asking(f"reading the history of {table} through SQL warehouse {warehouse_id}"):
        answer = client.statement_execution.execute_statement(
            f"DESCRIBE HISTORY {ThreePartName.parse(table).sql}",
            warehouse_id,
            wait_timeout=_WAIT,
            row_limit=1,
            format=Format.JSON_ARRAY,
            disposition=Disposition.INLINE,
        )
    state = answer.status.state if answer.status else None
    rows = answer.result.data_array if answer.result else None
    columns = answer.manifest.schema.columns if answer.manifest and answer.manifest.schema else None
    names = [column.name for column in columns or []]
    if state != StatementState.SUCCEEDED or not rows or "timestamp" not in names:
        reason = answer.status.error.message if answer.status and answer.status.error else "no commit is in it"
        raise ProviderError(
            f"the history of {table} could not be read: {state.value if state else 'unknown'}: {reason}",
            "Grant SELECT on the table and the use of the warehouse, or remove max_lag_seconds",
        )
    moment = datetime.fromisoformat(rows[0][names.index("timestamp")].replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def seconds_behind(newest: datetime, held: datetime) -> float:
    """How much later the source's newest commit is than the one that the copy holds; 0 where it holds the newest."""
    return max((newest - held).total_seconds(), 0.0)
