"""Queries over tables: names, windows, laterals, views, time travel; and what is refused."""

from __future__ import annotations

import pytest
from databricks.sdk.service.sql import ColumnInfoTypeName

from tests.support.warehouse import StatementFailedError, Warehouse, parameter


@pytest.fixture
def trips(sql: Warehouse) -> Warehouse:
    sql.execute("CREATE TABLE trips (zip INT, at TIMESTAMP, fare DOUBLE)")
    sql.execute(
        "INSERT INTO trips VALUES (1, TIMESTAMP'2024-01-01 00:00:00', 10), (1, TIMESTAMP'2024-01-01 00:30:00', 20),"
        " (1, TIMESTAMP'2024-01-01 02:00:00', 60), (2, TIMESTAMP'2024-01-01 00:00:00', NULL)"
    )
    return sql


def test_a_window_over_an_interval_leaves_out_the_row_itself(trips: Warehouse) -> None:
    rows = trips.rows(
        "SELECT fare, count(*) OVER earlier AS n, avg(fare) OVER earlier AS mean FROM trips WHERE zip = 1"
        " WINDOW earlier AS (PARTITION BY zip ORDER BY at"
        " RANGE BETWEEN INTERVAL 1 HOUR PRECEDING AND INTERVAL 1 SECOND PRECEDING) ORDER BY at"
    )
    assert rows == [["10.0", "0", None], ["20.0", "1", "10.0"], ["60.0", "0", None]]


def test_nulls_come_first_where_nothing_is_said(trips: Warehouse) -> None:
    assert [row[0] for row in trips.rows("SELECT fare FROM trips ORDER BY fare")] == [None, "10.0", "20.0", "60.0"]
    assert trips.rows("SELECT fare FROM trips ORDER BY fare DESC")[-1] == [None]


def test_aggregates(trips: Warehouse) -> None:
    row = trips.row(
        "SELECT count(*), count(fare), sum(zip), avg(fare), percentile(fare, 0.5), approx_percentile(fare, 0.5),"
        " count_if(fare > 15), max_by(zip, fare), collect_set(zip), stddev(fare),"
        " count(*) FILTER (WHERE zip = 2) FROM trips"
    )
    assert row == ["4", "3", "5", "30.0", "20.0", "20.0", "2", "1", row[8], "26.457513110645905", "1"]
    assert sorted((row[8] or "").strip("[]").split(",")) == ["1", "2"]


def test_types_of_results_are_databricks_types(trips: Warehouse) -> None:
    columns = trips.columns(
        "SELECT sum(zip) AS s, count(*) AS c, avg(fare) AS a, max(at) AS m, min(zip) AS z, 1.50 AS d, array('x') AS l,"
        " date_trunc('DAY', max(at)) AS day, CAST(max(at) AS DATE) AS dt, NULL AS n FROM trips"
    )
    assert [(c.name, c.type_text, c.type_name) for c in columns] == [
        ("s", "BIGINT", ColumnInfoTypeName.LONG),
        ("c", "BIGINT", ColumnInfoTypeName.LONG),
        ("a", "DOUBLE", ColumnInfoTypeName.DOUBLE),
        ("m", "TIMESTAMP", ColumnInfoTypeName.TIMESTAMP),
        ("z", "INT", ColumnInfoTypeName.INT),
        ("d", "DECIMAL(3,2)", ColumnInfoTypeName.DECIMAL),
        ("l", "ARRAY<STRING>", ColumnInfoTypeName.ARRAY),
        ("day", "TIMESTAMP", ColumnInfoTypeName.TIMESTAMP),
        ("dt", "DATE", ColumnInfoTypeName.DATE),
        ("n", "VOID", ColumnInfoTypeName.NULL),
    ]


def test_lateral_views_number_and_keep(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (id INT, tags ARRAY<STRING>)")
    sql.execute("INSERT INTO t VALUES (1, array('a', 'b')), (2, array()), (3, NULL)")
    inner = "SELECT id, p, tag FROM t LATERAL VIEW posexplode(tags) v AS p, tag ORDER BY id, p"
    assert sql.rows(inner) == [["1", "0", "a"], ["1", "1", "b"]]
    outer = "SELECT id, tag FROM t LATERAL VIEW OUTER explode(tags) v AS tag ORDER BY id, tag"
    assert sql.rows(outer) == [["1", "a"], ["1", "b"], ["2", None], ["3", None]]
    assert sql.rows("SELECT explode(array(1, 2))") == [["1"], ["2"]]


def test_a_with_clause_hides_the_table_of_its_name_from_others_but_itself(trips: Warehouse) -> None:
    assert trips.row("WITH trips AS (SELECT * FROM trips WHERE zip = 2) SELECT count(*) FROM trips") == ["1"]
    assert trips.row(f"WITH trips AS (SELECT 1) SELECT count(*) FROM {trips.full('trips')}") == ["4"]


def test_names_are_qualified_by_the_session_or_in_full(trips: Warehouse) -> None:
    full = trips.full("trips")
    assert trips.row(f"SELECT {full}.zip FROM {full} WHERE {full}.fare = 60") == ["1"]
    assert trips.row("SELECT count(*) FROM IDENTIFIER(:name)", parameter("name", full.upper())) == ["4"]
    schema = parameter("schema", trips.schema)
    assert trips.row("SELECT count(*) FROM IDENTIFIER(:schema || '.trips')", schema) == ["4"]


def test_semi_and_anti_joins(trips: Warehouse) -> None:
    keys = "(SELECT 2 AS zip) AS keys"
    assert trips.row(f"SELECT count(*) FROM trips LEFT SEMI JOIN {keys} ON trips.zip = keys.zip") == ["1"]
    assert trips.row(f"SELECT count(*) FROM trips LEFT ANTI JOIN {keys} ON trips.zip = keys.zip") == ["3"]


def test_a_version_of_the_past_can_be_read(trips: Warehouse) -> None:
    trips.execute("DELETE FROM trips WHERE zip = 1")
    assert trips.row("SELECT count(*) FROM trips") == ["1"]
    assert trips.row("SELECT count(*) FROM trips VERSION AS OF 1") == ["4"]
    with pytest.raises(StatementFailedError, match="DELTA_VERSION_NOT_FOUND"):
        trips.rows("SELECT * FROM trips VERSION AS OF 99")


def test_a_view_is_computed_when_it_is_read(trips: Warehouse) -> None:
    trips.execute("CREATE VIEW by_zip COMMENT 'sums' AS SELECT zip, sum(fare) AS total FROM trips GROUP BY zip")
    elsewhere = Warehouse(trips.client, "main", "default")
    query = f"SELECT total FROM {trips.full('by_zip')} WHERE zip = 1"
    assert elsewhere.row(query) == ["90.0"]
    trips.execute("INSERT INTO trips VALUES (1, current_timestamp(), 10)")
    assert elsewhere.row(query) == ["100.0"]
    view = trips.client.tables.get(trips.full("by_zip"))
    assert [column.name for column in view.columns or []] == ["zip", "total"]
    with pytest.raises(StatementFailedError, match="WRONG_COMMAND_FOR_OBJECT_TYPE"):
        trips.execute("DROP TABLE by_zip")
    trips.execute("DROP VIEW by_zip")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT * FROM nothing", r"TABLE_OR_VIEW_NOT_FOUND.*`main`\.`\w+`\.`nothing`"),
        ("SELECT * FROM nowhere.s.t", "TABLE_OR_VIEW_NOT_FOUND"),
        ("SELECT FROM WHERE", "PARSE_SYNTAX_ERROR"),
        ("", "empty|statement"),
        ("SELECT 1; SELECT 2", "one statement is executed at a time, found 2"),
        ("SELECT /*+ BROADCAST(t) */ * FROM VALUES (1) t(a)", "hints"),
        ("SELECT * FROM VALUES (1) t(a) TABLESAMPLE (10 PERCENT)", "TABLESAMPLE"),
        ("SELECT a FROM VALUES (1) t(a) DISTRIBUTE BY a", "DISTRIBUTE BY"),
        ("SELECT a FROM VALUES (1) t(a) SORT BY a", "SORT BY"),
        ("SELECT * FROM read_files('/tmp')", "below /Volumes"),
        ("SELECT * FROM delta.`/tmp/x`", "files by path"),
        ("SELECT * FROM '/etc/passwd'", "PARSE_SYNTAX_ERROR|table's name|TABLE_OR_VIEW_NOT_FOUND"),
        ("SELECT a, sum(b) FROM VALUES (1, 2) t(a, b)", "MISSING_AGGREGATION"),
        ("OPTIMIZE t ZORDER BY (a)", "ZORDER BY"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("SET x = 1", "SET"),
        ("CACHE TABLE t", "CACHE"),
        ("CREATE FUNCTION f() RETURNS TABLE (a INT) RETURN SELECT 1", "CREATE FUNCTION"),
    ],
)
def test_what_is_not_carried_out_fails_by_name(sql: Warehouse, statement: str, reason: str) -> None:
    if not statement:
        with pytest.raises(Exception, match=reason):
            sql.execute(statement)
        return
    with pytest.raises(StatementFailedError, match=reason):
        sql.execute(statement)
