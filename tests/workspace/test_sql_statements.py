"""The statement execution API, the warehouse and saved queries, as databricks-sdk uses them."""

from __future__ import annotations

import json
import uuid

import httpx
import pyarrow as pa
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


def test_a_byte_limit_cuts_off_and_says_so(client: WorkspaceClient) -> None:
    response = client.statement_execution.execute_statement(
        statement="SELECT id AS i FROM range(1000)", warehouse_id="local", byte_limit=400
    )
    assert response.manifest is not None
    assert response.manifest.truncated is True
    assert 40 <= (response.manifest.total_row_count or 0) <= 50


def test_a_result_too_long_for_an_answer_fails_and_names_the_way_out(client: WorkspaceClient) -> None:
    text = "SELECT repeat('x', 1000) AS t, i FROM (SELECT explode(sequence(1, 27000)) AS i)"
    response = client.statement_execution.execute_statement(statement=text, warehouse_id="local", wait_timeout="50s")
    assert state(response) is StatementState.FAILED
    assert response.status is not None
    assert response.status.error is not None
    assert "disposition=EXTERNAL_LINKS" in (response.status.error.message or "")
    linked = client.statement_execution.execute_statement(
        statement=text, warehouse_id="local", wait_timeout="50s", disposition=Disposition.EXTERNAL_LINKS
    )
    assert state(linked) is StatementState.SUCCEEDED


def links(client: WorkspaceClient, statement: str, form: Format) -> tuple[list[bytes], StatementResponse]:
    """All chunks, each fetched from its link without credentials."""
    response = client.statement_execution.execute_statement(
        statement=statement,
        warehouse_id="local",
        disposition=Disposition.EXTERNAL_LINKS,
        format=form,
        wait_timeout="50s",
    )
    chunks = []
    data = response.result
    while data is not None and data.external_links:
        (link,) = data.external_links
        answer = httpx.get(link.external_link or "")
        assert answer.status_code == 200, answer.text
        assert len(answer.content) == link.byte_count
        chunks.append(answer.content)
        if link.next_chunk_index is None:
            break
        data = client.statement_execution.get_statement_result_chunk_n(
            response.statement_id or "", link.next_chunk_index
        )
    return chunks, response


def test_arrow_chunks_come_by_links(client: WorkspaceClient) -> None:
    chunks, response = links(
        client,
        "SELECT i, CAST(i AS DECIMAL(10,2)) AS d, named_struct('a', array(i)) AS s, INTERVAL 2 DAYS AS v "
        "FROM (SELECT explode(sequence(1, 45000)) AS i)",
        Format.ARROW_STREAM,
    )
    assert response.manifest is not None
    assert response.manifest.format is Format.ARROW_STREAM
    assert response.manifest.total_byte_count == sum(map(len, chunks))
    tables = [pa.ipc.open_stream(chunk).read_all() for chunk in chunks]
    rows = pa.concat_tables(tables)
    assert [table.num_rows for table in tables] == [20000, 20000, 5000]
    assert rows.column("i").to_pylist() == list(range(1, 45001))
    assert rows.schema.field("d").type == pa.decimal128(10, 2)
    assert rows.column("s")[0].as_py() == {"a": [1]}
    assert rows.column("v")[0].as_py() == "2 00:00:00.000000000"


def test_csv_and_json_chunks_come_by_links(client: WorkspaceClient) -> None:
    statement = "SELECT * FROM VALUES (1, 'a,b'), (2, NULL) t(n, s)"
    assert links(client, statement, Format.CSV)[0] == [b'n,s\r\n1,"a,b"\r\n2,null\r\n']
    assert json.loads(links(client, statement, Format.JSON_ARRAY)[0][0]) == [["1", "a,b"], ["2", None]]


def test_a_link_opens_its_own_chunk_only(client: WorkspaceClient) -> None:
    response = client.statement_execution.execute_statement(
        statement="SELECT 1", warehouse_id="local", disposition=Disposition.EXTERNAL_LINKS
    )
    assert response.result is not None
    (link,) = response.result.external_links or []
    address = link.external_link or ""
    assert httpx.get(address).status_code == 200
    assert httpx.get(address.replace("/0?", "/1?")).status_code == 403
    assert httpx.get(address.partition("?")[0]).status_code == 403


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("statement", 7, "statement must be a string"),
        ("row_limit", 0, "row_limit must be a whole number of 1 or more"),
        ("byte_limit", "much", "byte_limit must be a whole number"),
        ("parameters", {"a": 1}, "parameters must be a list"),
        ("parameters", [{"value": "1"}], "parameter has a name"),
        ("disposition", "ELSEWHERE", "disposition must be one of"),
        ("on_wait_timeout", "WAIT", "on_wait_timeout must be one of"),
        ("colour", "red", "does not know the field"),
    ],
)
def test_a_field_that_is_wrong_is_named(client: WorkspaceClient, field: str, value: object, message: str) -> None:
    body = {"statement": "SELECT 1", "warehouse_id": "local", field: value}
    with pytest.raises(InvalidParameterValue, match=message):
        client.api_client.do("POST", "/api/2.0/sql/statements", body=body)


def test_the_sql_state_is_a_field_of_the_status(client: WorkspaceClient) -> None:
    response = client.statement_execution.execute_statement(statement="SELECT nothing", warehouse_id="local")
    assert response.status is not None
    assert response.status.sql_state == "42703"


def test_what_the_api_does_not_do_is_refused(client: WorkspaceClient) -> None:
    execute = client.statement_execution.execute_statement
    with pytest.raises(NotFound, match="SQL warehouse other does not exist"):
        execute(statement="SELECT 1", warehouse_id="other")
    with pytest.raises(InvalidParameterValue, match="0s, or from 5s to 50s"):
        execute(statement="SELECT 1", warehouse_id="local", wait_timeout="90s")
    with pytest.raises(InvalidParameterValue, match="INLINE supports format JSON_ARRAY only"):
        execute(statement="SELECT 1", warehouse_id="local", format=Format.ARROW_STREAM)
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
