"""SQL cells of notebooks, run on a warehouse of the workspace over its REST API."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_USE = re.compile(r"USE\s+(?:(CATALOG|SCHEMA|DATABASE)\s+)?([\w.`-]+)", re.IGNORECASE)
_POLL_SECONDS = 0.1


class SqlCellError(Exception):
    """A statement of a cell failed; the message is the warehouse's."""


class SqlCells:
    """Runs cells in order; `USE` holds for those that follow."""

    def __init__(self, warehouse_id: str | None) -> None:
        self._warehouse_id = warehouse_id
        self._catalog: str | None = None
        self._schema: str | None = None

    def run(self, text: str, parameters: Mapping[str, str]) -> None:
        """Run the statements of a cell and print the rows of the last; `:name` is the widget of that name."""
        # Here, because they take most of a second that a notebook without SQL need not wait for.
        from databricks.sdk import WorkspaceClient

        from workspace.sql_text import named_parameters, split

        client = WorkspaceClient()
        rows: list[list[str | None]] = []
        for statement in split(text):
            names = named_parameters(statement)
            rows = self._execute(client, statement, {name: parameters[name] for name in names if name in parameters})
            self._remember(statement)
        for row in rows:
            print("\t".join("null" if value is None else str(value) for value in row))

    def _execute(
        self, client: WorkspaceClient, statement: str, parameters: Mapping[str, str]
    ) -> list[list[str | None]]:
        from databricks.sdk.service.sql import StatementParameterListItem, StatementState

        if self._warehouse_id is None:
            self._warehouse_id = next(iter(client.warehouses.list())).id or ""
        answer = client.statement_execution.execute_statement(
            statement,
            self._warehouse_id,
            catalog=self._catalog,
            schema=self._schema,
            parameters=[StatementParameterListItem(name=name, value=value) for name, value in parameters.items()],
        )
        statement_id = answer.statement_id or ""
        status = answer.status
        while status is not None and status.state in (StatementState.PENDING, StatementState.RUNNING):
            time.sleep(_POLL_SECONDS)
            answer = client.statement_execution.get_statement(statement_id)
            status = answer.status
        if status is None or status.state is not StatementState.SUCCEEDED:
            message = status.error.message if status and status.error else f"statement {statement_id} did not succeed"
            raise SqlCellError(message)
        return [list(row) for row in answer.result.data_array or []] if answer.result else []

    def _remember(self, statement: str) -> None:
        match = _USE.fullmatch(statement.strip())
        if match is None:
            return
        names = match[2].replace("`", "").split(".")
        if (match[1] or "").upper() == "CATALOG":
            self._catalog = names[0]
        else:
            self._catalog = names[0] if len(names) > 1 else self._catalog
            self._schema = names[-1]
