"""INSERT, UPDATE, DELETE and MERGE: the rows after them, and what the change data feed says of each."""

from __future__ import annotations

import pytest

from tests.support.warehouse import StatementFailedError, Warehouse

FEED = "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"


@pytest.fixture
def t(sql: Warehouse) -> Warehouse:
    """Rows 1 to 3, written by version 1."""
    sql.execute(f"CREATE TABLE t (id INT NOT NULL, v DOUBLE, s STRING) {FEED}")
    sql.execute("INSERT INTO t VALUES (1, 1.5, 'a'), (2, 2, 'b'), (3, NULL, NULL)")
    return sql


def test_insert_fills_what_is_not_named_with_null(t: Warehouse) -> None:
    assert t.row("INSERT INTO t (s, id) SELECT 'd', 4") == ["1", "1"]
    assert t.row("INSERT INTO t BY NAME SELECT 'e' AS s, 5 AS id") == ["1", "1"]
    assert t.rows("SELECT * FROM t WHERE id > 3 ORDER BY id") == [["4", None, "d"], ["5", None, "e"]]


def test_insert_overwrite_replaces_all_rows_in_one_commit(t: Warehouse) -> None:
    t.execute("INSERT OVERWRITE t SELECT id, v * 2, s FROM t WHERE id < 3")
    assert t.rows("SELECT * FROM t ORDER BY id") == [["1", "3.0", "a"], ["2", "4.0", "b"]]
    assert {row[-1] for row in t.changes("t", 2)} == {"2"}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ("(7, 7, 'good'), (NULL, 1, 'x')", "DELTA_NOT_NULL_CONSTRAINT_VIOLATED.*column: id"),
        ("('1', 1, 'x')", r'CANNOT_SAFELY_CAST.*`id` "STRING" to "INT"'),
        ("(1, 'x', 'x')", r'CANNOT_SAFELY_CAST.*`v` "STRING" to "DOUBLE"'),
        ("(7, 7, 'good'), (3000000000, 1, 'x')", "CAST_OVERFLOW_IN_TABLE_INSERT"),
        ("(1, 1)", "NOT_ENOUGH_DATA_COLUMNS"),
        ("(1, 1, 'x', 2)", "TOO_MANY_DATA_COLUMNS"),
        ("(1, DEFAULT, 'x')", "DEFAULT as a value"),
        ("(1, 1, array('x'))", "CANNOT_SAFELY_CAST"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_and_nothing_is_written(t: Warehouse, values: str, reason: str) -> None:
    with pytest.raises(StatementFailedError, match=reason):
        t.execute(f"INSERT INTO t VALUES {values}")
    assert t.row("SELECT count(*) FROM t") == ["3"]


def test_numbers_are_stored_in_the_type_of_the_column(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE n (i INT, d DECIMAL(6, 2), f FLOAT, s STRING, day DATE, ts TIMESTAMP)")
    sql.execute("INSERT INTO n SELECT 2.7D, 1.005, 2, 5, TIMESTAMP'2024-02-29 10:00:00', DATE'2024-02-29'")
    assert sql.row("SELECT * FROM n") == ["2", "1.01", "2.0", "5", "2024-02-29", "2024-02-29T00:00:00.000Z"]


def test_update_says_before_and_after_in_the_feed(t: Warehouse) -> None:
    assert t.row("UPDATE t AS x SET x.v = coalesce(v, 0) + 1, s = upper(s) WHERE x.id >= 2") == ["2"]
    assert t.rows("SELECT * FROM t ORDER BY id") == [["1", "1.5", "a"], ["2", "3.0", "B"], ["3", "1.0", None]]
    assert t.changes("t", 2) == [
        ("2", "2.0", "b", "update_preimage", "2"),
        ("2", "3.0", "B", "update_postimage", "2"),
        ("3", "1.0", None, "update_postimage", "2"),
        ("3", None, None, "update_preimage", "2"),
    ]


def test_delete_takes_subqueries_and_is_in_the_feed(t: Warehouse) -> None:
    assert t.row("DELETE FROM t WHERE id IN (SELECT id FROM t WHERE v > 1)") == ["2"]
    assert t.rows("SELECT id FROM t") == [["3"]]
    assert t.changes("t", 2) == [("1", "1.5", "a", "delete", "2"), ("2", "2.0", "b", "delete", "2")]
    assert t.row("DELETE FROM t WHERE id = 99") == ["0"]
    t.execute("TRUNCATE TABLE t")
    assert t.row("SELECT count(*) FROM t") == ["0"]


def test_equal_rows_are_told_apart(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE d (a INT)")
    sql.execute("INSERT INTO d VALUES (1), (1), (2)")
    sql.execute("UPDATE d SET a = a + 10 WHERE a = 1")
    assert sql.rows("SELECT a FROM d ORDER BY a") == [["2"], ["11"], ["11"]]


def test_merge_with_every_clause(t: Warehouse) -> None:
    t.execute("CREATE TABLE source (id INT, v DOUBLE, gone BOOLEAN)")
    t.execute("INSERT INTO source VALUES (1, 10, false), (2, 20, true), (4, 40, false), (5, 50, true)")
    counts = t.row(
        "MERGE INTO t AS target USING (SELECT id, v, gone FROM source) AS s ON target.id = s.id"
        " WHEN MATCHED AND s.gone THEN DELETE"
        " WHEN MATCHED THEN UPDATE SET v = s.v + target.v"
        " WHEN NOT MATCHED AND NOT s.gone THEN INSERT (id, v, s) VALUES (s.id, s.v, 'new')"
        " WHEN NOT MATCHED BY SOURCE AND target.v IS NULL THEN UPDATE SET s = 'orphan'"
    )
    assert counts == ["4", "2", "1", "1"]
    assert t.rows("SELECT * FROM t ORDER BY id") == [["1", "11.5", "a"], ["3", None, "orphan"], ["4", "40.0", "new"]]
    assert t.changes("t", 2) == [
        ("1", "1.5", "a", "update_preimage", "2"),
        ("1", "11.5", "a", "update_postimage", "2"),
        ("2", "2.0", "b", "delete", "2"),
        ("3", None, None, "update_preimage", "2"),
        ("3", None, "orphan", "update_postimage", "2"),
        ("4", "40.0", "new", "insert", "2"),
    ]


def test_a_merge_of_what_is_there_writes_nothing(t: Warehouse) -> None:
    statement = (
        "MERGE INTO t USING (SELECT id, v, s FROM t) AS s ON t.id = s.id"
        " WHEN MATCHED AND NOT (t.v <=> s.v AND t.s <=> s.s) THEN UPDATE SET *"
        " WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE THEN DELETE"
    )
    assert t.row(statement) == ["0", "0", "0", "0"]
    assert t.rows("DESCRIBE HISTORY t")[0][0] == "1"


def test_merge_stars_go_by_name(t: Warehouse) -> None:
    t.execute(
        "MERGE INTO t USING (SELECT 'z' AS s, id, 9D AS v FROM VALUES (3), (4) AS x(id)) AS n ON t.id = n.id"
        " WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    assert t.rows("SELECT * FROM t WHERE id > 2 ORDER BY id") == [["3", "9.0", "z"], ["4", "9.0", "z"]]


def test_two_rows_of_the_source_must_not_change_one_of_the_target(t: Warehouse) -> None:
    source = "(SELECT 1 AS id, v FROM VALUES (1), (2) AS x(v))"
    with pytest.raises(StatementFailedError, match="DELTA_MULTIPLE_SOURCE_ROW_MATCHING"):
        t.execute(f"MERGE INTO t USING {source} AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v")
    assert t.row("SELECT v FROM t WHERE id = 1") == ["1.5"]
    assert t.row(f"MERGE INTO t USING {source} AS s ON t.id = s.id WHEN MATCHED THEN DELETE")[2] == "1"


def test_a_null_condition_leaves_a_row_to_the_next_clause(t: Warehouse) -> None:
    t.execute(
        "MERGE INTO t USING (SELECT 3 AS id) AS s ON t.id = s.id"
        " WHEN MATCHED AND t.v > 0 THEN DELETE WHEN MATCHED THEN UPDATE SET s = 'second'"
    )
    assert t.row("SELECT s FROM t WHERE id = 3") == ["second"]


def test_the_feed_is_read_by_version_and_only_where_it_is_on(t: Warehouse) -> None:
    t.execute("INSERT INTO t VALUES (4, 4, 'd')")
    response = t.rows(f"SELECT id, _change_type FROM table_changes('{t.full('t')}', 1, 1) ORDER BY id")
    assert response == [["1", "insert"], ["2", "insert"], ["3", "insert"]]
    t.execute("CREATE TABLE plain (a INT)")
    with pytest.raises(StatementFailedError, match="change data feed is not enabled"):
        t.rows("SELECT * FROM table_changes('plain', 0)")


def test_json_of_inference_tables_is_unpacked(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE payload (id STRING, request STRING, response STRING)")
    sql.execute(
        """INSERT INTO payload VALUES
        ('r1', '{"dataframe_records": [{"zip": 1, "n": "a"}, {"zip": 2.5, "n": {"k": 1}}]}',
          '{"predictions": [1.5, 2]}'),
        ('r2', 'no json', '{}')"""
    )
    rows = sql.rows(
        """WITH answered AS (
          SELECT id, from_json(get_json_object(request, '$.dataframe_records'), 'ARRAY<STRING>') AS records,
            from_json(get_json_object(response, '$.predictions'), 'ARRAY<STRING>') AS predictions FROM payload)
        SELECT id, n, try_cast(get_json_object(record, '$.zip') AS INT), get_json_object(record, '$.n'),
          CAST(element_at(predictions, n + 1) AS DOUBLE)
        FROM answered LATERAL VIEW posexplode(records) v AS n, record ORDER BY id, n"""
    )
    assert rows == [["r1", "0", "1", "a", "1.5"], ["r1", "1", None, '{"k":1}', "2.0"]]
