"""The command line: what it asks the workspace for, and how it ends when something is wrong."""

import socket
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import ColumnInfo, TableInfo
from databricks.sdk.service.sql import (
    ColumnInfo as ResultColumn,
)
from databricks.sdk.service.sql import (
    ColumnInfoTypeName,
    EndpointInfo,
    ResultData,
    ResultManifest,
    ResultSchema,
    ServiceError,
    State,
    StatementResponse,
    StatementState,
    StatementStatus,
)

from pipelines.catalog import declared_table
from pipelines.errors import PipelineError
from pipelines.schemas import ensure_schema
from pipelines.sql import Warehouse, find_warehouse
from pipelines.taxi.__main__ import main
from pipelines.taxi.features import PICKUP
from pipelines.taxi.freshness import model_digest, tables_digest
from pipelines.taxi.parameters import Parameters, packages


def client(**services: Any) -> Any:
    """A workspace client of the given services and no others."""
    return SimpleNamespace(config=SimpleNamespace(host="https://example.test"), **services)


class Statements:
    """A statement execution API that answers with what it was given, in order."""

    def __init__(self, *responses: StatementResponse, chunks: Mapping[int, ResultData] | None = None) -> None:
        self.responses = list(responses)
        self.chunks = chunks or {}

    def execute_statement(self, **_: Any) -> StatementResponse:
        return self.responses.pop(0)

    def get_statement(self, _: str) -> StatementResponse:
        return self.responses.pop(0)

    def get_statement_result_chunk_n(self, _: str, index: int) -> ResultData:
        return self.chunks[index]


def warehouse(statements: Statements) -> Warehouse:
    return Warehouse(client(statement_execution=statements), "w1", "main", "taxi")


def response(state: StatementState, **more: Any) -> StatementResponse:
    error = more.pop("error", None)
    return StatementResponse(statement_id="s1", status=StatementStatus(state=state, error=error), **more)


def test_a_result_in_chunks_comes_back_whole_in_the_manifests_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.sql._POLL_SECONDS", 0)
    columns = [
        ResultColumn(name="zip", type_name=ColumnInfoTypeName.INT),
        ResultColumn(name="mean", type_name=ColumnInfoTypeName.DOUBLE),
        ResultColumn(name="at", type_name=ColumnInfoTypeName.TIMESTAMP),
    ]
    first = ResultData(data_array=[["1", "0.30000000000000004", "2019-03-01T00:00:00.000Z"]], next_chunk_index=1)
    statements = Statements(
        response(StatementState.RUNNING),
        response(StatementState.SUCCEEDED, manifest=ResultManifest(schema=ResultSchema(columns=columns)), result=first),
        chunks={1: ResultData.from_dict({"data_array": [["2", None, "2019-03-01T01:00:00+01:00"]]})},
    )
    result = warehouse(statements).run("SELECT 1")
    assert result.columns == ["zip", "mean", "at"]
    assert [row[:2] for row in result.rows] == [[1, 0.1 + 0.2], [2, None]]
    assert result.rows[0][2] == result.rows[1][2]


def test_a_failed_statement_says_which_where_and_why() -> None:
    failed = response(StatementState.FAILED, error=ServiceError(message="[TABLE_OR_VIEW_NOT_FOUND] trips"))
    with pytest.raises(PipelineError) as caught:
        warehouse(Statements(failed)).run("-- why\nSELECT *\nFROM trips")
    assert [
        w for w in ("s1", "w1", "main.taxi", "TABLE_OR_VIEW_NOT_FOUND", "'SELECT *'") if w not in str(caught.value)
    ] == []


def test_a_running_warehouse_is_preferred_and_none_at_all_is_an_error() -> None:
    stopped, running = EndpointInfo(id="a", state=State.STOPPED), EndpointInfo(id="b", state=State.RUNNING)
    assert find_warehouse(client(warehouses=SimpleNamespace(list=lambda: [stopped, running])), None) == "b"
    assert find_warehouse(client(warehouses=SimpleNamespace(list=lambda: [stopped])), None) == "a"
    assert find_warehouse(client(), "asked") == "asked"
    with pytest.raises(PipelineError, match=r"No SQL warehouse .* https://example\.test.*--warehouse-id"):
        find_warehouse(client(warehouses=SimpleNamespace(list=list)), None)


def test_a_table_left_by_another_pipeline_is_named_with_the_difference() -> None:
    info = TableInfo(columns=[ColumnInfo(name=name, type_text=kind) for name, kind in PICKUP.columns.items()])
    tables = SimpleNamespace(get=lambda _: info)
    assert declared_table(client(tables=tables), "main.taxi.trip_pickup_features", PICKUP.columns) is info
    assert info.columns
    info.columns[2].type_text = "bigint"
    with pytest.raises(PipelineError, match=r"expected count_trips\w+ int; found count_trips\w+ bigint. Drop it"):
        declared_table(client(tables=tables), "main.taxi.trip_pickup_features", PICKUP.columns)


def test_a_missing_catalog_is_named_with_what_to_do() -> None:
    def missing(_: str) -> None:
        raise NotFound("no")

    nowhere = client(schemas=SimpleNamespace(get=missing), catalogs=SimpleNamespace(get=missing))
    with pytest.raises(PipelineError, match=r"Catalog nowhere is not on .*CREATE CATALOG nowhere"):
        ensure_schema(nowhere, "nowhere", "taxi")


def test_the_digests_follow_source_parameters_and_packages() -> None:
    assert tables_digest("a") != tables_digest("b")
    first = model_digest(Parameters(), packages())
    assert first == model_digest(Parameters(), packages())
    assert first != model_digest(Parameters(seed=8), packages())
    assert first != model_digest(Parameters(), packages() | {"mlflow": "0"})


def test_a_mistake_ends_in_one_line_on_stderr_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.command.connect", lambda: client(statement_execution=None))
    code = main(["--catalog", "main", "--schema", "taxi", "--warehouse-id", "w", "--data", str(tmp_path)])
    captured = capsys.readouterr()
    assert code == 1
    assert captured.out == ""
    assert captured.err.startswith(f"pipelines.taxi: {tmp_path}/taxis.csv is not there")
    assert captured.err.count("\n") == 1


def test_a_host_where_nothing_answers_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        # Bound and not listening: a connection is refused.
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("DATABRICKS_HOST", host)
        monkeypatch.setenv("DATABRICKS_TOKEN", "x")
        assert main(["--catalog", "main", "--schema", "taxi"]) == 1
    assert capsys.readouterr().err.startswith(f"pipelines.taxi: No workspace answers at {host} (DATABRICKS_HOST)")
