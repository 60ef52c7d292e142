"""DuckDB macros with Spark's meaning, for functions and casts of which DuckDB's own mean something else.

A macro looks at the type of its argument with typeof(), which DuckDB folds away when it plans the query; a TRY_CAST
that makes no sense for the type is NULL in a branch that is never taken. (Macros with typed parameters would be
shorter, but cannot be called on aggregates.)

Sources: https://docs.databricks.com/sql/language-manual/sql-ref-functions-builtin.html and
https://docs.databricks.com/sql/language-manual/functions/cast.html (ANSI mode, which SQL warehouses have on).
"""

from __future__ import annotations

from collections.abc import Iterable

from workspace.sql.macro_library import COLLECTIONS, TEXTS

INTEGRAL = ("TINYINT", "SMALLINT", "INT", "BIGINT")

_INTEGER_TEXT = "'[+-]?[0-9]+'"
_TEXT = "trim(CAST(x AS VARCHAR))"
_MOMENT = "TRY_CAST(x AS TIMESTAMPTZ)"
_SECONDS = f"epoch_us({_MOMENT}) / 1000000.0"


def _is(*names: str, of: str = "x") -> str:
    return f"typeof({of}) IN ({', '.join(repr(name) for name in names)})"


def _is_fraction(of: str = "x") -> str:
    return f"({_is('DOUBLE', 'FLOAT', of=of)} OR typeof({of}) LIKE 'DECIMAL%')"


_IS_WHOLE = _is("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_IS_TEXT = _is("VARCHAR", "JSON")
_IS_MOMENT = _is("TIMESTAMP WITH TIME ZONE", "TIMESTAMP")
_IS_DAY = _is("DATE")
_IS_TRUTH = _is("BOOLEAN")


def cast_macro(duckdb_type: str, *, safe: bool) -> str:
    return f"spark_{'try_' if safe else ''}{duckdb_type.lower()}"


def nested(macro: str) -> str:
    """The form of a cast's macro for a value that is computed in a lambda.

    There typeof() is not folded away, so every branch must make sense for every type: it goes by the value's text.
    """
    return f"{macro}_nested"


def _nested_forms(macros: Iterable[str]) -> list[str]:
    digits = "replace(replace(CAST(x AS VARCHAR), 'true', '1'), 'false', '0')"
    forms = []
    for text in macros:
        name, rest = text.removeprefix("CREATE MACRO ").split("(", 1)
        for target in ("HUGEINT", "DOUBLE", "BIGINT"):
            rest = rest.replace(f"TRY_CAST(x AS {target})", f"TRY_CAST({digits} AS {target})")
        rest = rest.replace(_MOMENT, "TRY_CAST(CAST(x AS VARCHAR) AS TIMESTAMPTZ)")
        forms.append(f"CREATE MACRO {nested(name)}({rest}")
    return forms


def _refused(duckdb_type: str) -> str:
    # A NULL without type is of every type.
    return (
        "WHEN x IS NULL THEN NULL "
        "ELSE error('[DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION] Cannot cast ' || typeof(x) || "
        f"' to {duckdb_type}.') END"
    )


def _integral(duckdb_type: str, *, safe: bool) -> str:
    """Fractions are cut off, not rounded; a text is a whole number or it is none."""
    cast = "TRY_CAST" if safe else "CAST"
    message = (
        f"'[CAST_INVALID_INPUT] The value ''' || {_TEXT} || ''' of the type \"STRING\" cannot be cast to "
        f'"{duckdb_type}" because it is malformed. '
        "Use `try_cast` to tolerate malformed input and return NULL instead.'"
    )
    malformed = "NULL" if safe else f"error({message})"
    whole = f"x IS NULL OR regexp_full_match({_TEXT}, {_INTEGER_TEXT})"
    return (
        f"CREATE MACRO {cast_macro(duckdb_type, safe=safe)}(x) AS CASE "
        f"WHEN {_IS_WHOLE} OR {_IS_TRUTH} THEN {cast}(TRY_CAST(x AS HUGEINT) AS {duckdb_type}) "
        f"WHEN {_is_fraction()} THEN {cast}(trunc(TRY_CAST(x AS DOUBLE)) AS {duckdb_type}) "
        f"WHEN {_IS_TEXT} THEN CASE WHEN {whole} THEN {cast}({_TEXT} AS {duckdb_type}) ELSE {malformed} END "
        f"WHEN {_IS_MOMENT} THEN {cast}(floor({_SECONDS}) AS {duckdb_type}) {_refused(duckdb_type)}"
    )


def _casts(*, safe: bool) -> list[str]:
    cast = "TRY_CAST" if safe else "CAST"
    return [
        *(_integral(name, safe=safe) for name in INTEGRAL),
        f"CREATE MACRO {cast_macro('TIMESTAMPTZ', safe=safe)}(x) AS CASE "
        f"WHEN {_IS_MOMENT} OR {_IS_DAY} THEN {_MOMENT} "
        f"WHEN {_IS_TEXT} THEN {cast}({_TEXT} AS TIMESTAMPTZ) "
        f"WHEN {_IS_WHOLE} THEN make_timestamptz(TRY_CAST(x AS BIGINT) * 1000000) "
        f"WHEN {_is_fraction()} THEN make_timestamptz(CAST(trunc(TRY_CAST(x AS DOUBLE) * 1000000) AS BIGINT)) "
        f"{_refused('TIMESTAMP')}",
        f"CREATE MACRO {cast_macro('DOUBLE', safe=safe)}(x) AS CASE "
        f"WHEN {_IS_WHOLE} OR {_is_fraction()} OR {_IS_TRUTH} THEN TRY_CAST(x AS DOUBLE) "
        f"WHEN {_IS_TEXT} THEN {cast}({_TEXT} AS DOUBLE) "
        f"WHEN {_IS_MOMENT} THEN {_SECONDS} {_refused('DOUBLE')}",
    ]


_OUTSIDE = "TRY_CAST(i AS BIGINT) = 0 OR abs(TRY_CAST(i AS BIGINT)) > TRY_CAST(cardinality(x) AS BIGINT)"
_DIVIDE_BY_ZERO = (
    "error('[DIVIDE_BY_ZERO] Division by zero. Use try_divide to tolerate divisor being 0 and return NULL.')"
)

MACROS: tuple[str, ...] = (
    *_casts(safe=False),
    *_casts(safe=True),
    *_nested_forms([*_casts(safe=False), *_casts(safe=True)]),
    # A timestamp as text has no zone: the session's is UTC.
    f"CREATE MACRO spark_string(x) AS CASE WHEN {_IS_MOMENT} "
    "THEN regexp_replace(CAST(x AS VARCHAR), '\\+00$', '') ELSE CAST(x AS VARCHAR) END",
    f"CREATE MACRO spark_divide(a, b) AS CASE WHEN b = 0 THEN {_DIVIDE_BY_ZERO} ELSE a / b END",
    "CREATE MACRO spark_try_divide(a, b) AS CASE WHEN b = 0 THEN NULL ELSE a / b END",
    f"CREATE MACRO spark_div(a, b) AS CASE WHEN b = 0 THEN {_DIVIDE_BY_ZERO} "
    f"WHEN {_is_fraction('a')} OR {_is_fraction('b')} "
    "THEN CAST(trunc(TRY_CAST(a AS DOUBLE) / TRY_CAST(b AS DOUBLE)) AS BIGINT) "
    "ELSE CAST(TRY_CAST(a AS HUGEINT) // TRY_CAST(b AS HUGEINT) AS BIGINT) END",
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
    f"CREATE MACRO spark_unix_timestamp(x) AS CASE WHEN {_IS_TEXT} "
    f"THEN CAST(epoch(strptime(CAST(x AS VARCHAR), '%Y-%m-%d %H:%M:%S')) AS BIGINT) "
    f"ELSE CAST(floor({_SECONDS}) AS BIGINT) END",
    f"CREATE MACRO spark_timestamp_seconds(x) AS CASE WHEN {_IS_WHOLE} "
    "THEN make_timestamptz(TRY_CAST(x AS BIGINT) * 1000000) "
    "ELSE make_timestamptz(CAST(trunc(CAST(x AS DOUBLE) * 1000000) AS BIGINT)) END",
    "CREATE MACRO spark_timestamp_millis(x) AS make_timestamptz(CAST(x AS BIGINT) * 1000)",
    "CREATE MACRO spark_timestamp_micros(x) AS make_timestamptz(CAST(x AS BIGINT))",
    "CREATE MACRO spark_isnull(x) AS x IS NULL",
    "CREATE MACRO spark_isnotnull(x) AS x IS NOT NULL",
    # A map has no such key: NULL. An array has no such place: an error, unless that is asked for.
    "CREATE MACRO spark_element_at(x, i) AS CASE WHEN typeof(x) LIKE 'MAP(%' THEN x[i] "
    f"WHEN {_OUTSIDE} THEN error('[INVALID_ARRAY_INDEX_IN_ELEMENT_AT] The index ' || CAST(i AS VARCHAR) || "
    "' is out of bounds. The array has ' || CAST(cardinality(x) AS VARCHAR) || ' elements. "
    "Use `try_element_at` to tolerate accessing element at invalid index and return NULL instead.') ELSE x[i] END",
    "CREATE MACRO spark_get(x, i) AS CASE WHEN typeof(x) LIKE 'MAP(%' THEN x[i] "
    "WHEN TRY_CAST(i AS BIGINT) < 0 OR TRY_CAST(i AS BIGINT) >= TRY_CAST(cardinality(x) AS BIGINT) "
    "THEN error('[INVALID_ARRAY_INDEX] The index ' || CAST(i AS VARCHAR) || ' is out of bounds. The array has ' || "
    "CAST(cardinality(x) AS VARCHAR) || ' elements. Use the SQL function `get()` to tolerate accessing element at "
    "invalid index and return NULL instead.') ELSE x[TRY_CAST(i AS BIGINT) + 1] END",
    # Sunday is 1 for dayofweek, Monday is 0 for weekday.
    "CREATE MACRO spark_dayofweek(x) AS CAST(dayofweek(CAST(x AS DATE)) + 1 AS INT)",
    "CREATE MACRO spark_weekday(x) AS CAST(isodow(CAST(x AS DATE)) - 1 AS INT)",
    "CREATE MACRO spark_sequence(a, b) AS "
    "CASE WHEN a <= b THEN generate_series(a, b) ELSE generate_series(a, b, -1) END",
    # Text that is no JSON has nothing to get.
    "CREATE MACRO spark_get_json_object(x, p) AS CASE WHEN json_valid(x) THEN json_extract_string(x, p) END",
    "CREATE MACRO spark_from_json(x, s) AS CASE WHEN json_valid(x) THEN json_transform(x, s) END",
    *COLLECTIONS,
    *TEXTS,
)
