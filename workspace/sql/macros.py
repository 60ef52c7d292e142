"""DuckDB macros with Spark's meaning, for functions and casts of which DuckDB's own mean something else.

Sources: https://docs.databricks.com/sql/language-manual/sql-ref-functions-builtin.html and
https://docs.databricks.com/sql/language-manual/functions/cast.html (ANSI mode, which SQL warehouses have on).
"""

from __future__ import annotations

INTEGRAL = {"TINYINT": "tinyint", "SMALLINT": "smallint", "INT": "int", "BIGINT": "bigint"}

_INTEGER_TEXT = "'[+-]?[0-9]+'"


def cast_macro(duckdb_type: str, *, safe: bool) -> str:
    return f"spark_{'try_' if safe else ''}{duckdb_type.lower()}"


def _integral(duckdb_type: str, *, safe: bool) -> str:
    """Fractions are cut off, not rounded; a text is a whole number or it is none."""
    cast = "TRY_CAST" if safe else "CAST"
    message = (
        "'[CAST_INVALID_INPUT] The value ''' || x || ''' of the type \"STRING\" cannot be cast to "
        f'"{duckdb_type}" because it is malformed. '
        "Use `try_cast` to tolerate malformed input and return NULL instead.'"
    )
    otherwise = "NULL" if safe else f"error({message})"
    whole = f"regexp_full_match(trim(x), {_INTEGER_TEXT})"
    text = f"CASE WHEN x IS NULL THEN NULL WHEN {whole} THEN {cast}(trim(x) AS {duckdb_type})"
    return (
        f"CREATE MACRO {cast_macro(duckdb_type, safe=safe)}"
        f"(x BIGINT) AS {cast}(x AS {duckdb_type}), "
        f"(x HUGEINT) AS {cast}(x AS {duckdb_type}), "
        f"(x DOUBLE) AS {cast}(trunc(x) AS {duckdb_type}), "
        f"(x BOOLEAN) AS {cast}(x AS {duckdb_type}), "
        f"(x TIMESTAMPTZ) AS {cast}(floor(epoch_us(x) / 1000000.0) AS {duckdb_type}), "
        f"(x VARCHAR) AS {text} ELSE {otherwise} END"
    )


def _casts(*, safe: bool) -> list[str]:
    cast = "TRY_CAST" if safe else "CAST"
    return [
        *(_integral(name, safe=safe) for name in INTEGRAL),
        f"CREATE MACRO {cast_macro('TIMESTAMPTZ', safe=safe)}"
        f"(x VARCHAR) AS {cast}(trim(x) AS TIMESTAMPTZ), (x TIMESTAMPTZ) AS x, "
        "(x BIGINT) AS make_timestamptz(x * 1000000), "
        "(x DOUBLE) AS make_timestamptz(CAST(trunc(x * 1000000) AS BIGINT))",
        f"CREATE MACRO {cast_macro('DOUBLE', safe=safe)}"
        f"(x VARCHAR) AS {cast}(trim(x) AS DOUBLE), (x DOUBLE) AS x, (x BOOLEAN) AS CAST(x AS DOUBLE), "
        "(x TIMESTAMPTZ) AS epoch_us(x) / 1000000.0",
    ]


MACROS: tuple[str, ...] = (
    *_casts(safe=False),
    *_casts(safe=True),
    # A timestamp as text has no zone: the session's is UTC.
    """CREATE MACRO spark_string(x) AS CASE
         WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' THEN regexp_replace(CAST(x AS VARCHAR), '\\+00$', '')
         ELSE CAST(x AS VARCHAR) END""",
    """CREATE MACRO spark_divide(a, b) AS CASE WHEN b = 0
         THEN error('[DIVIDE_BY_ZERO] Division by zero. Use try_divide to tolerate divisor being 0 and return NULL.')
         ELSE a / b END""",
    "CREATE MACRO spark_try_divide(a, b) AS CASE WHEN b = 0 THEN NULL ELSE a / b END",
    "CREATE MACRO spark_div(a HUGEINT, b HUGEINT) AS CAST(a // b AS BIGINT), "
    "(a DOUBLE, b DOUBLE) AS CAST(trunc(a / b) AS BIGINT)",
    "CREATE MACRO spark_pmod(a, b) AS ((a % b) + b) % b",
    # A logarithm of what has none is NULL.
    "CREATE MACRO spark_ln(x) AS CASE WHEN x > 0 THEN ln(x) END",
    "CREATE MACRO spark_log(b, x) AS CASE WHEN x > 0 AND b > 0 THEN ln(x) / ln(b) END",
    "CREATE MACRO spark_log10(x) AS CASE WHEN x > 0 THEN log10(x) END",
    "CREATE MACRO spark_log2(x) AS CASE WHEN x > 0 THEN log2(x) END",
    "CREATE MACRO spark_log1p(x) AS CASE WHEN x > -1 THEN ln(1 + x) END",
    # Position 0 is the first character, as 1 is.
    "CREATE MACRO spark_substring(x, s) AS substring(x, CASE WHEN s = 0 THEN 1 ELSE s END), "
    "(x, s, n) AS substring(x, CASE WHEN s = 0 THEN 1 ELSE s END, greatest(n, 0))",
    "CREATE MACRO spark_unix_timestamp(x TIMESTAMPTZ) AS CAST(floor(epoch_us(x) / 1000000.0) AS BIGINT), "
    "(x VARCHAR) AS CAST(epoch(strptime(x, '%Y-%m-%d %H:%M:%S')) AS BIGINT)",
    "CREATE MACRO spark_timestamp_seconds(x) AS make_timestamptz(CAST(trunc(x * 1000000) AS BIGINT))",
    "CREATE MACRO spark_timestamp_millis(x) AS make_timestamptz(CAST(x AS BIGINT) * 1000)",
    "CREATE MACRO spark_timestamp_micros(x) AS make_timestamptz(CAST(x AS BIGINT))",
    # Sunday is 1 for dayofweek, Monday is 0 for weekday.
    "CREATE MACRO spark_dayofweek(x) AS CAST(dayofweek(CAST(x AS DATE)) + 1 AS INT)",
    "CREATE MACRO spark_weekday(x) AS CAST(isodow(CAST(x AS DATE)) - 1 AS INT)",
    "CREATE MACRO spark_sequence(a, b) AS "
    "CASE WHEN a <= b THEN generate_series(a, b) ELSE generate_series(a, b, -1) END",
    # Text that is no JSON has nothing to get.
    "CREATE MACRO spark_get_json_object(x, p) AS CASE WHEN json_valid(x) THEN json_extract_string(x, p) END",
    "CREATE MACRO spark_from_json(x, s) AS CASE WHEN json_valid(x) THEN json_transform(x, s) END",
)
