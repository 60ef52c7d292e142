"""SQL through the official client, for tests: rows as texts, failures as exceptions."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import ColumnInfo, StatementParameterListItem, StatementResponse, StatementState

Row = list[str | None]


class StatementFailedError(Exception):
    """The statement ended in another state than SUCCEEDED; the text is the service's message."""


@dataclass(frozen=True)
class Warehouse:
    """Statements in one schema of one workspace."""

    client: WorkspaceClient
    catalog: str
    schema: str

    @classmethod
    def in_new_schema(cls, client: WorkspaceClient, catalog: str = "main") -> Warehouse:
        schema = f"s_{uuid.uuid4().hex[:10]}"
        client.schemas.create(schema, catalog)
        return cls(client, catalog, schema)

    def full(self, name: str) -> str:
        return f"{self.catalog}.{self.schema}.{name}"

    def execute(self, statement: str, *parameters: StatementParameterListItem) -> StatementResponse:
        response = self.client.statement_execution.execute_statement(
            statement=statement,
            warehouse_id="local",
            catalog=self.catalog,
            schema=self.schema,
            parameters=list(parameters),
            wait_timeout="50s",
        )
        assert response.status is not None
        if response.status.state is not StatementState.SUCCEEDED:
            error = response.status.error
            raise StatementFailedError(error.message if error else response.status.state)
        return response

    def rows(self, statement: str, *parameters: StatementParameterListItem) -> list[Row]:
        """All rows, chunk after chunk."""
        response = self.execute(statement, *parameters)
        chunk = response.result
        rows: list[Row] = []
        while chunk is not None:
            rows.extend([*row] for row in chunk.data_array or [])
            if chunk.next_chunk_index is None:
                break
            chunk = self.client.statement_execution.get_statement_result_chunk_n(
                response.statement_id or "", chunk.next_chunk_index
            )
        return rows

    def row(self, statement: str, *parameters: StatementParameterListItem) -> Row:
        (row,) = self.rows(statement, *parameters)
        return row

    def value(self, expression: str, *parameters: StatementParameterListItem) -> str | None:
        """The value of one expression."""
        (value,) = self.row(f"SELECT {expression} AS value", *parameters)
        return value

    def columns(self, statement: str) -> list[ColumnInfo]:
        manifest = self.execute(statement).manifest
        assert manifest is not None
        assert manifest.schema is not None
        return list(manifest.schema.columns or [])

    def changes(self, table: str, since: int) -> list[tuple[str | None, ...]]:
        """Rows of the change data feed without the commit's time, sorted."""
        response = self.execute(
            f"SELECT * EXCEPT (_commit_timestamp) FROM table_changes('{self.full(table)}', {since})"
        )
        rows = (response.result.data_array or []) if response.result else []
        return sorted((tuple(row) for row in rows), key=lambda row: [str(value) for value in row])


def parameter(name: str, value: str | None, kind: str = "STRING") -> StatementParameterListItem:
    return StatementParameterListItem(name=name, value=value, type=kind)
