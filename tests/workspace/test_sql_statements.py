"""The statement execution API, the warehouse and saved queries, as databricks-sdk uses them."""

from __future__ import annotations

import uuid

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound, ResourceAlreadyExists
from databricks.sdk.service.sql import (
    CreateQueryRequestQuery,
    Disposition,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    LifecycleState,
    RunAsMode,
    ServiceErrorCode,
    State,
    StatementResponse,
    StatementState,
    UpdateQueryRequestQuery,
)

from tests.support.warehouse import Warehouse

# Takes minutes to its end, and can be interrupted at any time.
ENDLESS = (
    "WITH n AS (SELECT explode(sequence(1, 30000)) AS i) SELECT count(*) FROM n a JOIN n b ON a.i <> b.i JOIN n c"
    " ON c.i % 7 = a.i % 5 WHERE a.i + b.i * c.i % 11 = 3"
)


def state(response: StatementResponse) -> StatementState | None:
    return response.status.state if response.status else None


def start(client: WorkspaceClient, statement: str) -> str:
    response = client.statement_execution.execute_statement(
        statement=statement, warehouse_id="local", wait_timeout="0s"
    )
    assert state(response) in (StatementState.PENDING, StatementState.RUNNING, StatementState.SUCCEEDED)
    return response.statement_id or ""


def test_a_statement_that_is_not_waited_for_is_asked_for_later(client: WorkspaceClient) -> None:
    statement_id = start(client, "SELECT 41 + 1 AS answer")
    response = client.statement_execution.get_statement(statement_id)
    while state(response) in (StatementState.PENDING, StatementState.RUNNING):
        response = client.statement_execution.get_statement(statement_id)
    assert state(response) is StatementState.SUCCEEDED
    assert response.result is not None
    assert response.result.data_array == [["42"]]


def test_a_running_statement_can_be_cancelled(client: WorkspaceClient) -> None:
    statement_id = start(client, ENDLESS)
    assert state(client.statement_execution.get_statement(statement_id)) in (
        StatementState.PENDING,
        StatementState.RUNNING,
    )
    client.statement_execution.cancel_execution(statement_id)
    assert state(client.statement_execution.get_statement(statement_id)) is StatementState.CANCELED


def test_a_statement_is_cancelled_when_its_wait_is_over(client: WorkspaceClient) -> None:
    response = client.statement_execution.execute_statement(
        statement=ENDLESS,
        warehouse_id="local",
        wait_timeout="5s",
        on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CANCEL,
    )
    assert state(response) is StatementState.CANCELED


def test_a_failure_is_a_state_with_the_error_class_in_its_message(client: WorkspaceClient) -> None:
    response = client.statement_execution.execute_statement(statement="SELECT * FROM nothing", warehouse_id="local")
    assert state(response) is StatementState.FAILED
    assert response.status is not None
    assert response.status.error is not None
    assert response.status.error.error_code is ServiceErrorCode.BAD_REQUEST
    assert (response.status.error.message or "").startswith("[TABLE_OR_VIEW_NOT_FOUND]")
    assert response.result is None


def test_long_results_come_in_chunks_and_whole(sql: Warehouse) -> None:
    response = sql.execute("SELECT explode(sequence(1, 45000)) AS i")
    assert response.manifest is not None
    assert response.manifest.total_row_count == 45000
    assert response.manifest.total_chunk_count == 3
    chunks = response.manifest.chunks or []
    assert [(chunk.chunk_index, chunk.row_offset, chunk.row_count) for chunk in chunks] == [
        (0, 0, 20000),
        (1, 20000, 20000),
        (2, 40000, 5000),
    ]
    assert [row[0] for row in sql.rows("SELECT explode(sequence(1, 45000)) AS i")] == [
        str(number) for number in range(1, 45001)
    ]


def test_a_row_limit_cuts_off_and_says_so(client: WorkspaceClient) -> None:
    response = client.statement_execution.execute_statement(
        statement="SELECT explode(array(1, 2, 3))", warehouse_id="local", row_limit=2
    )
    assert response.manifest is not None
    assert response.result is not None
    assert (response.manifest.truncated, response.manifest.total_row_count) == (True, 2)
    assert response.result.data_array == [["1"], ["2"]]


def test_what_the_api_does_not_do_is_refused(client: WorkspaceClient) -> None:
    execute = client.statement_execution.execute_statement
    with pytest.raises(NotFound, match="SQL warehouse other does not exist"):
        execute(statement="SELECT 1", warehouse_id="other")
    with pytest.raises(InvalidParameterValue, match="0s, or from 5s to 50s"):
        execute(statement="SELECT 1", warehouse_id="local", wait_timeout="90s")
    with pytest.raises(InvalidParameterValue, match="INLINE"):
        execute(
            statement="SELECT 1",
            warehouse_id="local",
            disposition=Disposition.EXTERNAL_LINKS,
            format=Format.ARROW_STREAM,
        )
    with pytest.raises(NotFound):
        client.statement_execution.get_statement(str(uuid.uuid4()))


def test_the_warehouse_runs(client: WorkspaceClient) -> None:
    assert [(w.id, w.state) for w in client.warehouses.list()] == [("local", State.RUNNING)]
    assert client.warehouses.get("local").name == "local"
    assert client.warehouses.start("local").result().state is State.RUNNING
    assert [source.warehouse_id for source in client.data_sources.list()] == ["local"]
    with pytest.raises(NotFound):
        client.warehouses.get("other")


@pytest.fixture
def name() -> str:
    return f"q-{uuid.uuid4().hex[:8]}"


def test_a_saved_query_has_the_defaults_that_the_provider_keeps_in_state(client: WorkspaceClient, name: str) -> None:
    asked = CreateQueryRequestQuery(
        display_name=name, parent_path="/Workspace/Shared", query_text="select 1", warehouse_id="local"
    )
    query = client.queries.get(client.queries.create(query=asked).id or "")
    me = client.current_user.me().user_name
    assert (query.display_name, query.query_text, query.warehouse_id) == (name, "select 1", "local")
    assert (query.lifecycle_state, query.run_as_mode) == (LifecycleState.ACTIVE, RunAsMode.OWNER)
    assert (query.owner_user_name, query.last_modifier_user_name) == (me, me)
    assert query.parent_path == "/Workspace/Shared"
    assert query.create_time
    assert query.update_time


def test_an_update_changes_what_its_mask_names(client: WorkspaceClient, name: str) -> None:
    created = client.queries.create(
        query=CreateQueryRequestQuery(display_name=name, query_text="select 1", description="d", tags=["a"])
    )
    query_id = created.id or ""
    change = UpdateQueryRequestQuery(display_name="ignored", query_text="select 2", tags=["b", "c"])
    client.queries.update(query_id, update_mask="query_text,tags,description", query=change)
    query = client.queries.get(query_id)
    assert (query.display_name, query.query_text, query.tags, query.description) == (name, "select 2", ["b", "c"], None)
    with pytest.raises(InvalidParameterValue, match="parent_path"):
        client.queries.update(query_id, update_mask="parent_path", query=UpdateQueryRequestQuery())


def test_a_deleted_query_is_in_the_trash_and_not_listed(client: WorkspaceClient, name: str) -> None:
    query_id = client.queries.create(query=CreateQueryRequestQuery(display_name=name, query_text="select 1")).id or ""
    assert query_id in [query.id for query in client.queries.list(page_size=1)]
    client.queries.delete(query_id)
    assert query_id not in [query.id for query in client.queries.list(page_size=1)]
    assert client.queries.get(query_id).lifecycle_state is LifecycleState.TRASHED
    with pytest.raises(NotFound):
        client.queries.get(str(uuid.uuid4()))


def test_names_are_unique_in_a_folder_unless_resolved(client: WorkspaceClient, name: str) -> None:
    asked = CreateQueryRequestQuery(display_name=name, query_text="select 1")
    client.queries.create(query=asked)
    with pytest.raises(ResourceAlreadyExists, match="already exists"):
        client.queries.create(query=asked)
    assert client.queries.create(query=asked, auto_resolve_display_name=True).display_name == f"{name} (1)"
    with pytest.raises(BadRequest, match="query_text"):
        client.queries.create(query=CreateQueryRequestQuery(display_name=name))
