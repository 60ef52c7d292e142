"""SQL on a warehouse, through the statement execution API (https://docs.databricks.com/api/workspace/statementexecution)."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import (
    Disposition,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    State,
    StatementParameterListItem,
    StatementResponse,
    StatementState,
)

from pipelines.errors import PipelineError

Value = int | float | str | bool | datetime | None

_POLL_SECONDS: Final = 1.0
_WAITING: Final = (StatementState.PENDING, StatementState.RUNNING)


def _timestamp(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# JSON_ARRAY results carry every value as text; the manifest says what it was.
_DECODERS: Final[Mapping[str, Callable[[str], Value]]] = {
    "BYTE": int,
    "SHORT": int,
    "INT": int,
    "LONG": int,
    "FLOAT": float,
    "DOUBLE": float,
    "DECIMAL": float,
    "BOOLEAN": lambda text: text == "true",
    "TIMESTAMP": _timestamp,
    "STRING": str,
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """A statement's answer: column names, and rows of Python values (timestamps as aware UTC datetimes).

    `types` are the columns' Databricks SQL types in lower case, where whoever ran the statement knows them.
    """

    columns: list[str]
    rows: list[list[Value]]
    types: list[str] = field(default_factory=list)

    def only_row(self) -> dict[str, Value]:
        """The single row, by column name."""
        (row,) = self.rows
        return dict(zip(self.columns, row, strict=True))


class SqlRunner(Protocol):
    """Whatever runs Databricks SQL against one catalog and schema."""

    def run(self, statement: str, parameters: Mapping[str, str] | None = None) -> Result: ...


def find_warehouse(workspace: WorkspaceClient, asked: str | None) -> str:
    """The id of the warehouse to use: the one asked for, else a running one, else any.

    Raises PipelineError when the workspace has none that this user may see.
    """
    if asked:
        return asked
    warehouses = [warehouse for warehouse in workspace.warehouses.list() if warehouse.id]
    warehouses.sort(key=lambda warehouse: warehouse.state is not State.RUNNING)
    if not warehouses or not warehouses[0].id:
        raise PipelineError(
            f"No SQL warehouse is visible on {workspace.config.host}: the feature tables are written with SQL. "
            "Create one, or get CAN_USE on one and name it with --warehouse-id."
        )
    return warehouses[0].id


class Warehouse:
    """One SQL warehouse, with a catalog and schema that unqualified names belong to."""

    def __init__(self, workspace: WorkspaceClient, warehouse_id: str, catalog: str, schema: str) -> None:
        self._api: Final = workspace.statement_execution
        self._warehouse_id: Final = warehouse_id
        self._catalog: Final = catalog
        self._schema: Final = schema

    def run(self, statement: str, parameters: Mapping[str, str] | None = None) -> Result:
        """Run one statement to its end and return all of its rows.

        `parameters` are named markers (`:name`) of type STRING. Raises PipelineError with the warehouse's own message
        and the statement's first line when the statement fails.
        """
        response = self._api.execute_statement(
            statement=statement,
            warehouse_id=self._warehouse_id,
            catalog=self._catalog,
            schema=self._schema,
            parameters=[
                StatementParameterListItem(name=name, value=value) for name, value in (parameters or {}).items()
            ],
            format=Format.JSON_ARRAY,
            disposition=Disposition.INLINE,
            wait_timeout="50s",
            on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CONTINUE,
        )
        response = self._finished(response)
        status = response.status
        if status is None or status.state is not StatementState.SUCCEEDED:
            raise PipelineError(self._failure(statement, response))
        return self._result(response)

    def _finished(self, response: StatementResponse) -> StatementResponse:
        while response.status is not None and response.status.state in _WAITING and response.statement_id:
            time.sleep(_POLL_SECONDS)
            response = self._api.get_statement(response.statement_id)
        return response

    def _failure(self, statement: str, response: StatementResponse) -> str:
        lines = [line for line in statement.splitlines() if line.strip() and not line.lstrip().startswith("--")]
        status = response.status
        error = status.error if status else None
        state = status.state.value if status and status.state else "without a state"
        message = error.message if error and error.message else "no message"
        return (
            f"SQL statement {response.statement_id} on warehouse {self._warehouse_id} ended {state} "
            f"in {self._catalog}.{self._schema}: {message} (statement begins: {lines[0][:120] if lines else ''!r})"
        )

    def _result(self, response: StatementResponse) -> Result:
        manifest = response.manifest
        if manifest is None or manifest.schema is None or not manifest.schema.columns:
            return Result(columns=[], rows=[])
        columns = manifest.schema.columns
        decoders = [_DECODERS.get(column.type_name.value if column.type_name else "STRING", str) for column in columns]
        rows: list[list[Value]] = []
        chunk = response.result
        while chunk is not None:
            rows.extend(_decoded(row, decoders) for row in chunk.data_array or [])
            if chunk.next_chunk_index is None or not response.statement_id:
                break
            chunk = self._api.get_statement_result_chunk_n(response.statement_id, chunk.next_chunk_index)
        types = [(column.type_text or "").lower() for column in columns]
        return Result(columns=[column.name or "" for column in columns], rows=rows, types=types)


def _decoded(row: Sequence[str | None], decoders: Sequence[Callable[[str], Value]]) -> list[Value]:
    return [None if text is None else decode(text) for text, decode in zip(row, decoders, strict=True)]
