"""Queries that change the shape of rows: generators, PIVOT and UNPIVOT, windows of time."""

from __future__ import annotations

import pytest

from tests.support.warehouse import StatementFailedError, Warehouse


@pytest.fixture
def t(sql: Warehouse) -> Warehouse:
    sql.execute(
        "CREATE TABLE t AS SELECT * FROM VALUES "
        "(1, 'a', 1.5D, TIMESTAMP'2024-01-01 00:03:00', array(1, 2), map('p', 1), "
        "array(named_struct('x', 1, 'y', 'q'))),"
        "(2, 'b', 2.5D, TIMESTAMP'2024-01-01 00:12:00', array(3), map('p', 2, 'r', 3), NULL),"
        "(3, 'a', 4.0D, NULL, NULL, NULL, NULL) AS v(k, s, v, ts, a, m, i)"
    )
    return sql


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT k, e FROM t LATERAL VIEW explode(a) z AS e", [["1", "1"], ["1", "2"], ["2", "3"]]),
        ("SELECT k, e FROM t LATERAL VIEW OUTER explode(a) z AS e WHERE k > 1", [["2", "3"], ["3", None]]),
        ("SELECT k, key, value FROM t LATERAL VIEW explode(m) z", [["1", "p", "1"], ["2", "p", "2"], ["2", "r", "3"]]),
        ("SELECT k, pos, n FROM t LATERAL VIEW posexplode(a) z AS pos, n",
         [["1", "0", "1"], ["1", "1", "2"], ["2", "0", "3"]]),
        ("SELECT k, p, q, r FROM t LATERAL VIEW posexplode(m) z AS p, q, r WHERE k = 2",
         [["2", "0", "p", "2"], ["2", "1", "r", "3"]]),
        ("SELECT k, u, w FROM t LATERAL VIEW inline(i) z AS u, w", [["1", "1", "q"]]),
        ("SELECT k, inline(i) FROM t", [["1", "1", "q"]]),
        ("SELECT k, explode(m) AS (name, n) FROM t WHERE k = 2", [["2", "p", "2"], ["2", "r", "3"]]),
        ("SELECT k, explode(m) FROM t WHERE k = 1", [["1", "p", "1"]]),
        ("SELECT k, explode_outer(a) AS e FROM t WHERE k > 1", [["2", "3"], ["3", None]]),
        ("SELECT posexplode(array('x', 'y'))", [["0", "x"], ["1", "y"]]),
        ("SELECT stack(2, 1, 'a', 2, 'b') AS (n, s)", [["1", "a"], ["2", "b"]]),
        ("SELECT * FROM explode(array(5, 6)) AS g(n)", [["5"], ["6"]]),
        ("SELECT t.k, g.col FROM t, LATERAL explode(t.a) AS g WHERE k = 1", [["1", "1"], ["1", "2"]]),
        ("SELECT * FROM range(2, 8, 3)", [["2"], ["5"]]),
        ("SELECT sum(e) FROM t LATERAL VIEW explode(a) z AS e LATERAL VIEW explode(array(1, 10)) y AS f WHERE f = 10",
         [["6"]]),
        # A pivot groups by what it does not name; a value that is missing is NULL, also for counts.
        (
            "SELECT * FROM (SELECT k, s, v FROM t) PIVOT (sum(v) AS total, count(*) AS n FOR s IN ('a' AS x, 'b'))",
            [["1", "1.5", "1", None, None], ["2", None, None, "2.5", "1"], ["3", "4.0", "1", None, None]],
        ),
        ("SELECT * FROM (SELECT s, v FROM t) PIVOT (sum(v) FOR s IN ('a', 'b', 'c'))", [["5.5", "2.5", None]]),
        (
            "WITH c AS (SELECT s, v, k FROM t) SELECT p.* FROM c "
            "PIVOT (max(v) FOR (s, k) IN (('a', 1) AS a1, ('a', 3) AS a3)) p",
            [["1.5", "4.0"]],
        ),
        (
            "SELECT * FROM (SELECT k, v, CAST(NULL AS DOUBLE) AS w FROM t WHERE k = 1) "
            "UNPIVOT (val FOR name IN (v AS `the v`, w))",
            [["1", "the v", "1.5"]],
        ),
        (
            "SELECT name, val FROM (SELECT k, v, CAST(NULL AS DOUBLE) AS w FROM t WHERE k = 1) "
            "UNPIVOT INCLUDE NULLS (val FOR name IN (v, w))",
            [["v", "1.5"], ["w", None]],
        ),
        # Windows begin at multiples of their length; a moment that is NULL is in none.
        (
            "SELECT window.start, window.end, count(*) FROM t GROUP BY window(ts, '10 minutes')",
            [
                ["2024-01-01T00:00:00.000Z", "2024-01-01T00:10:00.000Z", "1"],
                ["2024-01-01T00:10:00.000Z", "2024-01-01T00:20:00.000Z", "1"],
            ],
        ),
        (
            "SELECT window.start, sum(k) FROM t GROUP BY window(ts, '10 minutes', '5 minutes') ORDER BY 1",
            [
                ["2023-12-31T23:55:00.000Z", "1"],
                ["2024-01-01T00:00:00.000Z", "1"],
                ["2024-01-01T00:05:00.000Z", "2"],
                ["2024-01-01T00:10:00.000Z", "2"],
            ],
        ),
        ("SELECT min(window.start) FROM t GROUP BY window(ts, '1 hour', '1 hour', '2 minutes')",
         [["2024-01-01T00:02:00.000Z"]]),
        # A slide that does not divide the length: of two candidates one has ended before the moment.
        (
            "SELECT window.start FROM (SELECT TIMESTAMP'2024-01-01 00:00:04' AS ts) "
            "GROUP BY window(ts, '5 seconds', '3 seconds')",
            [["2024-01-01T00:00:00.000Z"], ["2024-01-01T00:00:03.000Z"]],
        ),
    ],
)  # fmt: skip
def test_rows(t: Warehouse, query: str, rows: list[list[str | None]]) -> None:
    assert sorted(t.rows(query), key=str) == sorted(rows, key=str)


def test_columns_are_named_as_databricks_names_them(t: Warehouse) -> None:
    def names(query: str) -> list[str | None]:
        return [column.name for column in t.columns(query)]

    pivot = "SELECT * FROM (SELECT s, v FROM t) PIVOT (sum(v) AS total, max(v) AS top FOR s IN ('a', 'b' AS bee))"
    assert names(pivot) == ["a_total", "a_top", "bee_total", "bee_top"]
    assert names("SELECT explode(m) FROM t") == ["key", "value"]
    assert names("SELECT posexplode(a) FROM t") == ["pos", "col"]
    assert names("SELECT inline(i) FROM t") == ["x", "y"]
    assert names("SELECT window(ts, '1 day') FROM t") == ["window"]
    assert names("SELECT * FROM range(1)") == ["id"]
    assert names("""SELECT c:a.b FROM VALUES ('{}') v(c)""") == ["b"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT explode(a), explode(a) FROM t", "UNSUPPORTED_GENERATOR.MULTI_GENERATOR"),
        ("SELECT explode(a) + 1 FROM t", "UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS"),
        ("SELECT k FROM t LATERAL VIEW explode(a) z AS x, y, w", "UDTF_ALIAS_NUMBER_MISMATCH"),
        ("SELECT * FROM t PIVOT (sum(v) FOR (s, k) IN ('a'))", "PIVOT_VALUE_DATA_TYPE_MISMATCH"),
        ("SELECT * FROM t UNPIVOT ((x, y) FOR name IN ((k, v)))", "UNPIVOT of several columns"),
        ("SELECT count(*) FROM t GROUP BY window(ts, '1 month')", r"window\(\) with '1 month'"),
        ("SELECT count(*) FROM t GROUP BY window(ts, '5 minutes', '10 minutes')", "slide duration"),
        ("SELECT count(*) FROM t GROUP BY window(ts, '1 day'), window(ts, '1 hour')", "MULTI_TIME_WINDOW"),
        ("SELECT * FROM session_window(k)", "SESSION_WINDOW"),
        ("SELECT * FROM read_kafka('x')", "table function"),
    ],
)
def test_what_is_not_carried_out_is_named(t: Warehouse, query: str, reason: str) -> None:
    with pytest.raises(StatementFailedError, match=reason):
        t.rows(query)
