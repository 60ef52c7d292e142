"""What SQL says of tables: DESCRIBE, SHOW, INFORMATION_SCHEMA, time travel, maintenance, views and functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import FunctionInfoRoutineBody

from tests.support.warehouse import StatementFailedError, Warehouse
from workspace.errors import ApiError
from workspace.files import Files
from workspace.sql import Sql
from workspace.state import State
from workspace.unity_catalog import UnityCatalog


@pytest.fixture
def t(sql: Warehouse) -> Warehouse:
    sql.execute(
        "CREATE TABLE t (k BIGINT NOT NULL COMMENT 'the key', d DECIMAL(10,2), CONSTRAINT t_key PRIMARY KEY (k)) "
        "COMMENT 'it\\'s a table' TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true', 'team' = 'ml')"
    )
    sql.execute("INSERT INTO t VALUES (1, 1.5), (2, 2.5)")
    sql.execute("UPDATE t SET d = 9 WHERE k = 2")
    return sql


def test_information_schema_knows_tables_columns_and_keys(t: Warehouse) -> None:
    where = f"WHERE table_schema = '{t.schema}'"
    assert t.rows(f"SELECT table_name, table_type, comment FROM information_schema.tables {where}") == [
        ["t", "MANAGED", "it's a table"]
    ]
    columns = "column_name, ordinal_position, is_nullable, data_type, full_data_type, numeric_precision, numeric_scale"
    assert t.rows(f"SELECT {columns} FROM main.information_schema.columns {where} ORDER BY 2") == [
        ["k", "0", "NO", "LONG", "bigint", None, None],
        ["d", "1", "YES", "DECIMAL", "decimal(10,2)", "10", "2"],
    ]
    assert t.rows(
        f"SELECT constraint_name, constraint_type FROM system.information_schema.table_constraints {where}"
    ) == [["t_key", "PRIMARY KEY"]]
    assert t.rows(f"SELECT column_name FROM information_schema.key_column_usage {where}") == [["k"]]
    with pytest.raises(StatementFailedError, match=r"information_schema\.routine_columns"):
        t.rows("SELECT * FROM information_schema.routine_columns")


def test_a_statement_that_is_shown_makes_the_table_again(t: Warehouse) -> None:
    (statement,) = t.row("SHOW CREATE TABLE t")
    assert statement is not None
    t.execute(statement.replace(t.full("t"), t.full("again")).replace("t_key", "again_key"))
    assert t.rows("DESCRIBE again") == t.rows("DESCRIBE t")
    assert t.rows("SHOW TBLPROPERTIES again") == t.rows("SHOW TBLPROPERTIES t")


def test_detail_and_history_tell_of_the_delta_table(t: Warehouse) -> None:
    names = [column.name for column in t.columns("DESCRIBE DETAIL t")]
    detail = dict(zip(names, t.row("DESCRIBE DETAIL t"), strict=True))
    assert (detail["format"], detail["name"], detail["numFiles"]) == ("delta", t.full("t"), "1")
    assert '"team":"ml"' in (detail["properties"] or "")
    history = [column.name for column in t.columns("DESCRIBE HISTORY t")]
    rows = [dict(zip(history, row, strict=True)) for row in t.rows("DESCRIBE HISTORY t")]
    assert [(row["version"], row["operation"]) for row in rows] == [
        ("2", "UPDATE"),
        ("1", "WRITE"),
        ("0", "CREATE TABLE"),
    ]


def test_the_past_is_read_by_version_and_by_time(t: Warehouse) -> None:
    (newest, *_) = [row[1] for row in t.rows("DESCRIBE HISTORY t")]
    total = "SELECT sum(d) FROM t"
    assert t.row(total) == ["10.50"]
    assert t.row(f"{total} VERSION AS OF 1") == ["4.00"]
    assert t.row(f"{total}@v1") == ["4.00"]
    assert t.row(f"{total} TIMESTAMP AS OF '{newest}'") == ["10.50"]
    with pytest.raises(StatementFailedError, match="DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION"):
        t.row(f"{total} TIMESTAMP AS OF '2020-01-01'")
    with pytest.raises(StatementFailedError, match="DELTA_TIMESTAMP_GREATER_THAN_COMMIT"):
        t.row(f"{total} TIMESTAMP AS OF current_timestamp() + INTERVAL 1 DAY")
    assert t.row("SELECT count(*) FROM table_changes('t', '2020-01-01')") == ["4"]
    with pytest.raises(StatementFailedError, match="DELTA_INVALID_CDC_RANGE"):
        t.row("SELECT count(*) FROM table_changes('t', 7)")


def test_a_restored_table_is_what_it_was_and_keeps_its_history(t: Warehouse) -> None:
    t.execute("RESTORE TABLE t TO VERSION AS OF 1")
    assert t.row("SELECT sum(d) FROM t") == ["4.00"]
    assert t.row("SELECT sum(d) FROM t VERSION AS OF 2") == ["10.50"]
    t.execute("OPTIMIZE t")
    t.execute("VACUUM t RETAIN 168 HOURS")
    assert t.row("SELECT sum(d) FROM t") == ["4.00"]


def test_replace_where_changes_what_it_names_and_refuses_other_rows(t: Warehouse) -> None:
    t.execute("INSERT INTO t REPLACE WHERE k >= 2 SELECT * FROM VALUES (2, 7), (3, 8)")
    assert t.rows("SELECT k, d FROM t ORDER BY k") == [["1", "1.50"], ["2", "7.00"], ["3", "8.00"]]
    with pytest.raises(StatementFailedError, match="DELTA_REPLACE_WHERE_MISMATCH"):
        t.execute("INSERT INTO t REPLACE WHERE k >= 2 SELECT 1, 0")
    assert t.row("SELECT count(*) FROM t") == ["3"]
    kinds = t.rows("SELECT _change_type, count(*) FROM table_changes('t', 3) GROUP BY 1 ORDER BY 1")
    assert kinds == [["delete", "1"], ["insert", "2"]]


def test_views_have_columns_of_their_own_and_can_be_redefined(t: Warehouse) -> None:
    t.execute("CREATE VIEW v (n COMMENT 'number', twice) AS SELECT k, k * 2 FROM t")
    assert t.rows("SELECT n, twice FROM v ORDER BY n") == [["1", "2"], ["2", "4"]]
    assert t.rows("DESCRIBE v") == [["n", "bigint", "number"], ["twice", "bigint", None]]
    t.execute("ALTER VIEW v AS SELECT max(k) AS top FROM t")
    assert t.rows("SELECT * FROM v") == [["2"]]
    assert [row[1] for row in t.rows("SHOW VIEWS")] == ["v"]
    assert [row[1] for row in t.rows("SHOW TABLES LIKE 't*'")] == ["t"]


def test_a_function_is_its_expression(t: Warehouse, client: WorkspaceClient) -> None:
    t.execute("CREATE FUNCTION half(x DOUBLE, by DOUBLE DEFAULT 2) RETURNS DOUBLE COMMENT 'less' RETURN x / by")
    t.execute("CREATE FUNCTION fourth(x DOUBLE) RETURNS DOUBLE RETURN half(half(x))")
    assert t.row(f"SELECT half(3), half(9, 3), half(by => 4, x => 2), {t.full('fourth')}(8)") == [
        "1.5",
        "3.0",
        "0.5",
        "2.0",
    ]
    # A column of the caller's query hides nothing in the function, and the other way round.
    assert t.rows("SELECT fourth(x) FROM VALUES (4), (8) v(x)") == [["1.0"], ["2.0"]]
    t.execute("CREATE VIEW halves AS SELECT half(k) AS h FROM t")
    assert t.rows("SELECT h FROM halves ORDER BY h") == [["0.5"], ["1.0"]]
    info = client.functions.get(t.full("half"))
    assert (info.full_data_type, info.routine_body) == ("DOUBLE", FunctionInfoRoutineBody.SQL)
    assert info.input_params is not None
    assert [one.name for one in info.input_params.parameters or []] == ["x", "by"]
    assert [one.name for one in client.functions.list("main", t.schema)] == ["fourth", "half"]
    with pytest.raises(StatementFailedError, match="ROUTINE_ALREADY_EXISTS"):
        t.execute("CREATE FUNCTION half(x INT) RETURNS INT RETURN 1")
    with pytest.raises(StatementFailedError, match="WRONG_NUM_ARGS"):
        t.row("SELECT half(1, 2, 3)")
    with pytest.raises(StatementFailedError, match="UNRESOLVED_COLUMN"):
        t.execute("CREATE FUNCTION bad(x INT) RETURNS INT RETURN y")
    t.execute("DROP FUNCTION half")
    with pytest.raises(NotFound):
        client.functions.get(t.full("half"))
    with pytest.raises(StatementFailedError, match="ROUTINE_NOT_FOUND"):
        t.execute("DROP FUNCTION half")


def test_functions_go_with_their_schema(client: WorkspaceClient) -> None:
    warehouse = Warehouse.in_new_schema(client)
    warehouse.execute("CREATE FUNCTION f() RETURNS INT RETURN 1")
    client.schemas.delete(f"main.{warehouse.schema}", force=True)
    client.schemas.create(warehouse.schema, "main")
    with pytest.raises(NotFound):
        client.functions.get(warehouse.full("f"))
    client.schemas.delete(f"main.{warehouse.schema}", force=True)


def test_a_temporary_view_is_gone_with_the_statement(t: Warehouse) -> None:
    t.execute("CREATE OR REPLACE TEMP VIEW passing AS SELECT 1")
    with pytest.raises(StatementFailedError, match="TABLE_OR_VIEW_NOT_FOUND"):
        t.rows("SELECT * FROM passing")


@pytest.fixture
def service(tmp_path: Path) -> Callable[[str], list[list[object]]]:
    state = State(tmp_path / "state")
    catalog, files = UnityCatalog(state), Files(state)
    sql = Sql(state, catalog, files)

    def run(script: str) -> list[list[object]]:
        return [list(rows.to_pylist()) for rows in sql.execute_script(script)]

    return run


def test_a_script_has_one_session(service: Callable[[str], list[list[object]]]) -> None:
    results = service(
        "CREATE SCHEMA main.work; USE main.work; -- a comment; with a semicolon\n"
        "CREATE TABLE t AS SELECT 1 AS a; CREATE TEMP VIEW v AS SELECT a + 1 AS b FROM t;\n"
        "CREATE TEMP VIEW w AS SELECT b || ';' AS c FROM v; SELECT * FROM main.work.t, w; SHOW TABLES; DROP VIEW v"
    )
    assert results[-3] == [{"a": 1, "c": "2;"}]
    assert results[-2] == [
        {"database": "work", "tableName": "t", "isTemporary": False},
        {"database": "", "tableName": "v", "isTemporary": True},
        {"database": "", "tableName": "w", "isTemporary": True},
    ]
    with pytest.raises(ApiError, match="TABLE_OR_VIEW_NOT_FOUND"):
        service("SELECT * FROM main.work.t; SELECT * FROM w")
