"""One statement on the stack's SQL warehouse, for what no other call tells. Reads only."""

from __future__ import annotations

from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.sql import StatementState

WAIT = "50s"


def rows(client: WorkspaceClient, warehouse_id: str, statement: str, *, limit: int = 1000) -> list[list[Any]]:
    """The rows of a query, every value as text or None.

    Raises:
        DatabricksError: the warehouse refused it, or was not done within its 50 seconds.
    """
    answer = client.statement_execution.execute_statement(statement, warehouse_id, wait_timeout=WAIT, row_limit=limit)
    state = answer.status.state if answer.status else None
    if state != StatementState.SUCCEEDED:
        reason = answer.status.error.message if answer.status and answer.status.error else "no reason is given"
        raise DatabricksError(f"the statement ended {state.value if state else 'unknown'}: {reason}")
    return (answer.result.data_array if answer.result else None) or []
