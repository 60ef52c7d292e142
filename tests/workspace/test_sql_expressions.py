"""Expressions mean what they mean on Databricks.

The expected values are those of a SQL warehouse (ANSI mode, session time zone UTC), from the language reference
(https://docs.databricks.com/sql/language-manual/sql-ref-functions-builtin.html).
"""

from __future__ import annotations

import pytest

from tests.support.warehouse import StatementFailedError, Warehouse, parameter

TS = "TIMESTAMP'2024-02-29 10:20:30.5'"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # A cast to a whole number cuts off; it does not round.
        ("CAST(2.7 AS INT)", "2"),
        ("CAST(-2.7D AS BIGINT)", "-2"),
        ("CAST('12' AS INT)", "12"),
        ("CAST(TIMESTAMP'1970-01-01 00:01:00' AS BIGINT)", "60"),
        ("try_cast('2.5' AS INT)", None),
        ("try_cast('abc' AS DOUBLE)", None),
        ("try_cast('2024-01-01T00:00:00Z' AS TIMESTAMP)", "2024-01-01T00:00:00.000Z"),
        ("CAST(1700000000 AS TIMESTAMP)", "2023-11-14T22:13:20.000Z"),
        ("CAST(TIMESTAMP'2024-01-01 05:06:07' AS STRING)", "2024-01-01 05:06:07"),
        ("CAST(TIMESTAMP'2024-01-01 05:06:07' AS DATE)", "2024-01-01"),
        ("CAST(true AS INT)", "1"),
        ("CAST(NULL AS INT)", None),
        ("1.5", "1.5"),
        ("CAST(CASE WHEN 1 > 2 THEN 3 END AS BIGINT)", None),
        # Casts and functions of aggregates.
        ("CAST(sum(2.7) AS INT) + CAST(count(*) AS INT)", "3"),
        ("date_trunc('DAY', max(TIMESTAMP'2024-02-29 10:00:00'))", "2024-02-29T00:00:00.000Z"),
        ("sum(5) div 2", "2"),
        ("unix_timestamp(max(TIMESTAMP'1970-01-01 00:00:07'))", "7"),
        # A parenthesis after a connective is no call.
        ("true AND true AND (false OR true) OR (true AND (true))", "true"),
        # Division is never of whole numbers; div cuts off.
        ("7 / 2", "3.5"),
        ("7 div 2", "3"),
        ("-7 div 2", "-3"),
        ("-7 % 3", "-1"),
        ("pmod(-7, 3)", "2"),
        ("try_divide(1, 0)", None),
        ("1 <=> NULL", "false"),
        ("ln(0)", None),
        ("log10(1000)", "3.0"),
        ("log(3, 9)", "2.0"),
        ("ceil(1.2D)", "2"),
        ("floor(-1.2D)", "-2"),
        ("round(2.5)", "3"),
        # Weeks begin on Sunday for dayofweek, on Monday for weekday.
        ("dayofweek(DATE'2024-03-03')", "1"),
        ("weekday(DATE'2024-03-03')", "6"),
        (f"date_trunc('HOUR', {TS})", "2024-02-29T10:00:00.000Z"),
        ("date_trunc('MM', DATE'2024-02-29')", "2024-02-01T00:00:00.000Z"),
        (f"date_trunc('WEEK', {TS})", "2024-02-26T00:00:00.000Z"),
        ("trunc(DATE'2024-02-29', 'YEAR')", "2024-01-01"),
        (f"hour({TS})", "10"),
        (f"year({TS}) * 100 + month({TS})", "202402"),
        (f"dayofyear({TS})", "60"),
        (f"extract(MINUTE FROM {TS})", "20"),
        (f"{TS} + INTERVAL 2 HOURS", "2024-02-29T12:20:30.500Z"),
        (f"{TS} - INTERVAL '7' DAYS", "2024-02-22T10:20:30.500Z"),
        (f"{TS} + INTERVAL 1 YEAR", "2025-02-28T10:20:30.500Z"),
        ("date_add(DATE'2024-02-28', 2)", "2024-03-01"),
        ("date_sub(DATE'2024-03-01', 1)", "2024-02-29"),
        ("add_months(DATE'2024-01-31', 1)", "2024-02-29"),
        ("last_day(DATE'2024-02-03')", "2024-02-29"),
        ("datediff(DATE'2024-03-01', DATE'2024-02-28')", "2"),
        # Whole hours that have passed, not boundaries that were crossed.
        ("timestampdiff(HOUR, TIMESTAMP'2024-01-01 00:59:00', TIMESTAMP'2024-01-01 01:00:00')", "0"),
        ("datediff(HOUR, TIMESTAMP'2024-01-01 00:00:00', TIMESTAMP'2024-01-01 02:59:00')", "2"),
        ("datediff(DAY, TIMESTAMP'2024-01-01 12:00:00', TIMESTAMP'2024-01-02 11:00:00')", "0"),
        ("unix_timestamp(TIMESTAMP'2024-01-01 00:00:00')", "1704067200"),
        ("unix_timestamp('2024-01-01 00:00:00')", "1704067200"),
        ("unix_timestamp('01/02/2024', 'dd/MM/yyyy')", "1706745600"),
        ("unix_micros(TIMESTAMP'1970-01-01 00:00:00.000005')", "5"),
        ("timestamp_micros(1704067200000001)", "2024-01-01T00:00:00.000001Z"),
        ("timestamp_millis(1704067200123)", "2024-01-01T00:00:00.123Z"),
        ("timestamp_seconds(1704067200)", "2024-01-01T00:00:00.000Z"),
        ("from_unixtime(0)", "1970-01-01 00:00:00"),
        (f"date_format({TS}, 'yyyy-MM-dd HH:mm')", "2024-02-29 10:20"),
        ("to_timestamp('29/02/2024', 'dd/MM/yyyy')", "2024-02-29T00:00:00.000Z"),
        ("to_date('20240229', 'yyyyMMdd')", "2024-02-29"),
        ("make_date(2024, 2, 29)", "2024-02-29"),
        # NULL in, NULL out.
        ("concat('a', CAST(NULL AS STRING))", None),
        ("concat_ws(',', 'a', NULL, 'b')", "a,b"),
        ("substring('abc', 0, 2)", "ab"),
        ("substring('abc', -2)", "bc"),
        ("split('a,b', ',')", '["a","b"]'),
        ("split_part('a,b', ',', 2)", "b"),
        ("regexp_extract('a12', '([0-9]+)')", "12"),
        ("regexp_replace('a1b2', '[0-9]', '')", "ab"),
        ("'abc' RLIKE '^a'", "true"),
        ("length('abc')", "3"),
        ("instr('abc', 'c')", "3"),
        ("sha2('a', 256)", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        # Indexes count from 0 in brackets, from 1 in element_at.
        ("array(1, 2)[0]", "1"),
        ("element_at(array(1, 2), 1)", "1"),
        ("element_at(map('k', 1), 'k')", "1"),
        ("element_at(map('k', 1), 'z')", None),
        ("map('k', 1)['k']", "1"),
        ("try_element_at(array(1, 2), 3)", None),
        ("element_at(array(1, 2), -1)", "2"),
        ("DATE'2024-02-28' + INTERVAL 2 DAYS", "2024-03-01"),
        ("DATE'2024-02-28' + INTERVAL 2 HOURS", "2024-02-28T02:00:00.000Z"),
        ("CAST(TIMESTAMP'2024-01-01 10:00:00' AS TIMESTAMP_NTZ)", "2024-01-01T10:00:00.000"),
        ("isnull(NULL)", "true"),
        ("size(array(1, 2))", "2"),
        ("array_contains(array(1, 2), 2)", "true"),
        ("array_position(array('a', 'b'), 'b')", "2"),
        ("sequence(3, 1)", "[3,2,1]"),
        ("sequence(DATE'2024-02-28', DATE'2024-03-01')", '["2024-02-28","2024-02-29","2024-03-01"]'),
        ("sequence(DATE'2024-01-31', DATE'2024-03-31', INTERVAL 1 MONTH)", '["2024-01-31","2024-02-29","2024-03-31"]'),
        ("transform(array(1, 2), x -> x + 1)", "[2,3]"),
        # Places count from 0.
        ("transform(array(5, 6), (x, i) -> x * 10 + i)", "[50,61]"),
        ("filter(array(5, 6, 7), (x, i) -> i > 0)", "[6,7]"),
        ("filter(array(1, 2), x -> x > 1)", "[2]"),
        ("transform(array(named_struct('x', 1)), x -> x.x + 1)", "[2]"),
        ("transform(array(array(1), array(2)), x -> transform(x, x -> x + 1))", "[[2],[3]]"),
        ("aggregate(array(1, 2, 3), 10, (acc, x) -> acc + x)", "16"),
        ("reduce(array(1, 2, 3), 0, (acc, x) -> acc + x, acc -> acc * 10)", "60"),
        ("aggregate(CAST(array() AS ARRAY<INT>), 7, (acc, x) -> acc + x)", "7"),
        # A test that is NULL leaves the answer open, unless another one decides it.
        ("exists(array(1, 2), x -> x > 1)", "true"),
        ("exists(array(1, NULL), x -> x > 1)", None),
        ("forall(array(1, NULL), x -> x > 1)", "false"),
        ("forall(array(2, NULL), x -> x > 1)", None),
        ("zip_with(array(1, 2), array(3), (x, y) -> coalesce(y, 0) - x)", "[2,-2]"),
        ("transform_values(map('a', 1), (k, v) -> concat(k, v))", '{"a":"a1"}'),
        ("transform_keys(map('a', 1), (k, v) -> upper(k))", '{"A":1}'),
        ("map_filter(map('a', 1, 'b', 2), (k, v) -> v > 1)", '{"b":2}'),
        ("array_sort(array(3, NULL, 1))", "[1,3,null]"),
        ("sort_array(array(3, NULL, 1))", "[null,1,3]"),
        ("sort_array(array(3, NULL, 1), false)", "[3,1,null]"),
        ("array_distinct(array(3, 1, 3, NULL, NULL))", "[3,1,null]"),
        ("array_except(array(3, 1, 3, 2), array(1))", "[3,2]"),
        ("array_intersect(array(3, 1, 3, 2), array(2, 3))", "[3,2]"),
        ("array_append(array(1), 2)", "[1,2]"),
        ("array_remove(array(1, 2, 1, NULL), 1)", "[2,null]"),
        ("array_repeat('x', 2)", '["x","x"]'),
        ("slice(array(1, 2, 3, 4), 2, 2)", "[2,3]"),
        ("slice(array(1, 2, 3, 4), -2, 5)", "[3,4]"),
        ("get(array(1, 2), 2)", None),
        ("get(array(1, 2), 1)", "2"),
        ("map_from_arrays(array('a', 'b'), array(1, 2))", '{"a":1,"b":2}'),
        ("map_entries(map('a', 1))", '[{"key":"a","value":1}]'),
        ("map_concat(map('a', 1), map('b', 2))", '{"a":1,"b":2}'),
        ("size(sequence(DATE'2024-01-01', DATE'2024-01-03', INTERVAL 1 DAY))", "3"),
        ("try_add(2147483647, 1)", None),
        ("nanvl(CAST('NaN' AS DOUBLE), 1.0D)", "1.0"),
        ("rint(2.5)", "2.0"),
        ("hex(255)", "FF"),
        ("base64('a')", "YQ=="),
        ("CAST(unbase64('YQ==') AS STRING)", "a"),
        ("levenshtein('kitten', 'sitting')", "3"),
        ("regexp_extract_all('a1b22', '([0-9]+)')", '["1","22"]'),
        ("regexp_count('a1b22', '[0-9]')", "3"),
        ("substring_index('a.b.c', '.', 2)", "a.b"),
        ("substring_index('a.b.c', '.', -1)", "c"),
        ("dayname(DATE'2024-02-29')", "Thu"),
        ("from_utc_timestamp(TIMESTAMP'2024-01-01 00:00:00', 'America/New_York')", "2023-12-31T19:00:00.000Z"),
        ("to_utc_timestamp(TIMESTAMP'2023-12-31 19:00:00', 'America/New_York')", "2024-01-01T00:00:00.000Z"),
        ("date_part('YEAR', DATE'2024-02-29')", "2024"),
        ("named_struct('a', 1, 'b', 'x')", '{"a":1,"b":"x"}'),
        ("map('k', 1)", '{"k":1}'),
        ("nvl2(NULL, 1, 2)", "2"),
        ("if(1 > 2, 'a', 'b')", "b"),
        # Doubles are written as Java writes them.
        ("1e10D", "1.0E10"),
        ("0.0001D", "1.0E-4"),
        ("100D", "100.0"),
        ("CAST(0.1 AS FLOAT)", "0.1"),
        ("CAST(16777217 AS FLOAT)", "1.6777216E7"),
        ("TIMESTAMP'2024-01-02 03:00:00' - TIMESTAMP'2024-01-01 00:00:00'", "1 03:00:00.000000000"),
    ],
)
def test_value(sql: Warehouse, expression: str, value: str | None) -> None:
    assert sql.value(expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("""get_json_object('{"a": {"b-c": [1, {"d e": "x"}]}}', '$.a.b-c[1].d e')""", "x"),
        ("""get_json_object('{"a": [1,  {"b": 2}]}', '$.a')""", '[1,{"b":2}]'),
        ("""get_json_object('{"a": null}', '$.a')""", None),
        ("""get_json_object('no json', '$.a')""", None),
        # Elements that are objects come back as their JSON text.
        ("""from_json('[1, {"b": 2}, "x", null]', 'ARRAY<STRING>')[1]""", '{"b":2}'),
        ("""from_json('[1, {"b": 2}, "x", null]', 'ARRAY<STRING>')[2]""", "x"),
        ("""from_json('[1, 2.5]', 'ARRAY<DOUBLE>')[1]""", "2.5"),
        ("""from_json('{"a": 1, "b": {"c": ["y"]}}', 'STRUCT<a: INT, b: STRUCT<c: ARRAY<STRING>>>').b.c[0]""", "y"),
        ("""from_json('{"a": 1}', 'a INT, z STRING').z""", None),
        ("""from_json('no json', 'ARRAY<STRING>')""", None),
        # Names after a colon are not told apart by case, unless they are in brackets.
        ("""'{"Owner": {"x y": [1, {"z": "t"}]}}':owner['x y'][1].z""", "t"),
        ("""'{"Owner": 1}':['owner']""", None),
        ("""'{"a": 5}':a::INT + 1""", "6"),
        ("""'no json':a""", None),
        ("""to_json(named_struct('a', 1, 'b', array(1, NULL), 'c', NULL))""", '{"a":1,"b":[1,null]}'),
        ("""to_json(map('k', named_struct('x', 'y')))""", '{"k":{"x":"y"}}'),
        ("""from_json('{"a": "text"}', 'a INT').a""", None),
        ("""from_json('{"t": "2024-01-01T00:00:00Z"}', 't TIMESTAMP').t""", "2024-01-01T00:00:00.000Z"),
    ],
)
def test_json(sql: Warehouse, expression: str, value: str | None) -> None:
    assert sql.value(expression) == value


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("1 / 0", "DIVIDE_BY_ZERO"),
        ("1 % 0", "DIVIDE_BY_ZERO"),
        ("CAST('2.5' AS INT)", "CAST_INVALID_INPUT"),
        ("CAST(array(1) AS INT)", "DATATYPE_MISMATCH"),
        ("CAST('x' AS TIMESTAMP)", "CAST_INVALID_INPUT"),
        ("CAST(3000000000 AS INT)", "CAST"),
        (":nothing", "UNBOUND_SQL_PARAMETER"),
        ("no_such_column", "UNRESOLVED_COLUMN"),
        ("array(1, 2)[2]", "INVALID_ARRAY_INDEX"),
        ("element_at(array(1, 2), 3)", "INVALID_ARRAY_INDEX_IN_ELEMENT_AT"),
        # Read by the parser, but no functions of Databricks, or not with so many arguments.
        ("strpos('a', 'b')", "function strpos"),
        ("percentile(1, 0.5, 2)", "WRONG_NUM_ARGS"),
        ("uuid(1)", "WRONG_NUM_ARGS"),
        ("hash(1)", "function hash"),
        ("read_text('secret')", "function read_text"),
        ("element_at", "UNRESOLVED_COLUMN"),
        ("to_json(named_struct('a', TIMESTAMP'2024-01-01 00:00:00'))", "of timestamps"),
        ("slice(array(1), 0, 1)", "INVALID_PARAMETER_VALUE.START"),
        ("array_sort(array(1), (l, r) -> l - r)", "comparator"),
        ("""'{}':a[*].b""", "JSON path"),
        ("get_json_object('{}', '$[*].a')", "JSON path"),
        ("CAST('a' AS VARIANT)", "VARIANT"),
        ("date_format(current_date(), 'EEEE')", "date pattern"),
    ],
)
def test_failure_names_its_reason(sql: Warehouse, expression: str, error: str) -> None:
    with pytest.raises(StatementFailedError, match=error.replace("(", r"\(")):
        sql.value(expression)


def test_parameters_have_types(sql: Warehouse) -> None:
    row = sql.row(
        "SELECT :n + 1, :t, :s, :nothing IS NULL, :d",
        parameter("n", "41", "INT"),
        parameter("t", "2024-01-01 10:00:00", "TIMESTAMP"),
        parameter("s", "it's; -- quoted"),
        parameter("nothing", None, "DOUBLE"),
        parameter("d", "2024-01-01", "DATE"),
    )
    assert row == ["42", "2024-01-01T10:00:00.000Z", "it's; -- quoted", "true", "2024-01-01"]


def test_the_session_is_known_to_the_statement(sql: Warehouse) -> None:
    me = sql.client.current_user.me().user_name
    assert sql.row("SELECT current_catalog(), current_schema(), current_user()") == [sql.catalog, sql.schema, me]
