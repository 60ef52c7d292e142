"""More functions of Databricks SQL: arrays, maps, texts, time zones, JSON. `functions.py` has the ones of every query.

Source: https://docs.databricks.com/sql/language-manual/sql-ref-functions-builtin-alpha.html
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from workspace.sql import lambdas
from workspace.sql.errors import unsupported

Rewrite = Callable[[exp.Expression], exp.Expression]

# Parsed by sqlglot, written by it for DuckDB, checked to mean the same.
MORE_SAME: frozenset[type[exp.Expr]] = frozenset(
    {
        *(exp.PercentileDisc, exp.RegrSlope, exp.RegrIntercept, exp.RegrR2, exp.RegrCount),
        *(exp.BitwiseAndAgg, exp.BitwiseOrAgg, exp.BitwiseXorAgg, exp.ExplodeOuter, exp.Inline, exp.Stack),
    }
)

# Names that sqlglot does not know: DuckDB's name, or a macro of ours, and how many arguments it takes.
MORE_NAMED: dict[str, tuple[str, tuple[int, ...]]] = {
    "array_repeat": ("spark_array_repeat", (2,)),
    "bin": ("bin", (1,)),
    "e": ("spark_e", (0,)),
    "get": ("spark_get_or_null", (2,)),
    "hypot": ("spark_hypot", (2,)),
    "map_concat": ("map_concat", (2, 3, 4)),
    "map_entries": ("map_entries", (1,)),
    "nullifzero": ("spark_nullifzero", (1,)),
    "try_to_timestamp": ("spark_try_timestamptz", (1,)),
    "zeroifnull": ("spark_zeroifnull", (1,)),
}

MORE_ARGUMENTS: dict[tuple[int, int], str] = {
    (0, 0): "current_timezone e grouping_id",
    (1, 1): """
        array_except ascii base64 bin bit_and bit_or bit_xor chr cot dayname explode_outer hex inline
        inline_outer kurtosis map_entries map_from_entries monthname nullifzero posexplode_outer rint
        space to_json try_to_timestamp typeof unbase64 unhex zeroifnull
    """,
    (1, 2): "array_sort sort_array listagg string_agg",
    (1, 10_000): "grouping",
    (2, 2): """
        array_append array_except array_intersect array_prepend array_remove array_repeat forall
        from_utc_timestamp get hypot levenshtein map_filter map_from_arrays nanvl regexp_count
        regr_count regr_intercept regr_r2 regr_slope to_utc_timestamp transform_keys transform_values
        try_add try_multiply try_subtract date_part
    """,
    (2, 3): "regexp_extract_all",
    (2, 10_000): "map_concat stack",
    (3, 3): "slice substring_index zip_with",
    (3, 4): "aggregate reduce",
    (2, 4): "time_window__",
    (1, 3): "range",
}


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def as_int(value: exp.Expression) -> exp.Expression:
    return exp.Cast(this=value, to=exp.DataType.build("INT", dialect="duckdb"))


def more_rewrites() -> dict[type[exp.Expression], Rewrite]:
    """What is written differently for DuckDB, by the node that sqlglot parses it into."""
    return {
        exp.Transform: lambdas.transform,
        exp.ArrayFilter: lambdas.array_filter,
        exp.Reduce: lambdas.aggregate,
        exp.ArraySort: _array_sort,
        exp.ArrayDistinct: lambda node: call("spark_array_distinct", node.this),
        exp.ArrayAppend: lambda node: call("spark_array_append", node.this, node.expression),
        exp.ArrayPrepend: lambda node: call("spark_array_prepend", node.this, node.expression),
        exp.ArrayRemove: lambda node: call("spark_array_remove", node.this, node.expression),
        exp.ArrayExcept: lambda node: call("spark_array_except", node.this, node.expression),
        exp.ArrayIntersect: lambda node: call("spark_array_intersect", *node.expressions),
        exp.ArraySlice: _slice,
        exp.MapFromEntries: lambda node: call("map_from_entries", node.this),
        exp.Map: lambda node: call("map", node.args["keys"], node.args["values"]),
        exp.SafeAdd: lambda node: call("try", exp.Add(this=node.this, expression=node.expression)),
        exp.SafeSubtract: lambda node: call("try", exp.Sub(this=node.this, expression=node.expression)),
        exp.SafeMultiply: lambda node: call("try", exp.Mul(this=node.this, expression=node.expression)),
        exp.Nanvl: lambda node: call("spark_nanvl", node.this, node.expression),
        exp.Rint: lambda node: exp.cast(call("round_even", node.this, exp.Literal.number(0)), "DOUBLE"),
        exp.Cot: lambda node: call("cot", node.this),
        exp.Kurtosis: lambda node: call("kurtosis_pop", node.this),
        exp.Hex: lambda node: call("hex", node.this),
        exp.Unhex: lambda node: call("unhex", node.this),
        exp.ToBase64: lambda node: call("spark_base64", node.this),
        exp.FromBase64: lambda node: call("from_base64", node.this),
        exp.Ascii: lambda node: as_int(call("ascii", node.this)),
        exp.Chr: lambda node: call("chr", as_int(node.expressions[0])),
        exp.Space: lambda node: call("repeat", exp.Literal.string(" "), node.this),
        exp.Levenshtein: lambda node: as_int(call("levenshtein", node.this, node.expression)),
        exp.RegexpCount: lambda node: as_int(call("len", call("regexp_extract_all", node.this, node.expression))),
        exp.RegexpExtractAll: _regexp_extract_all,
        exp.SubstringIndex: lambda node: call(
            "spark_substring_index", node.this, node.args["delimiter"], node.args["count"]
        ),
        exp.Dayname: lambda node: call("strftime", _timestamp(node.this), exp.Literal.string("%a")),
        exp.Monthname: lambda node: call("strftime", _timestamp(node.this), exp.Literal.string("%b")),
        exp.AtTimeZone: lambda node: _shift(node.args["zone"], exp.Literal.string("UTC"), node.this),
        exp.FromTimeZone: lambda node: _shift(exp.Literal.string("UTC"), node.args["zone"], node.this),
        exp.CurrentTimezone: lambda _: exp.Literal.string("Etc/UTC"),
        exp.GroupConcat: _listagg,
        exp.Grouping: lambda node: exp.Cast(
            this=call("grouping", *node.expressions), to=exp.DataType.build("TINYINT", dialect="duckdb")
        ),
        exp.JSONFormat: _to_json,
    }


def exists(node: exp.Expression) -> exp.Expression:
    """EXISTS (query) as it is; exists(array, lambda) as a list function."""
    return node if isinstance(node.this, exp.Query) else lambdas.exists(node)


def _timestamp(value: exp.Expression) -> exp.Expression:
    return exp.Cast(this=value, to=exp.DataType.build("TIMESTAMPTZ", dialect="duckdb"))


def _shift(to: exp.Expression, back: exp.Expression, moment: exp.Expression) -> exp.Expression:
    """The moment at which the clock of one zone shows what that of the other shows now."""
    return call("timezone", back, call("timezone", to, moment))


def _array_sort(node: exp.Expression) -> exp.Expression:
    if node.args.get("expression") is not None:
        raise unsupported("array_sort() with a comparator function", "sort_array() sorts both ways")
    ascending = node.args.get("asc")
    down = isinstance(ascending, exp.Boolean) and not ascending.this
    if ascending is not None and not isinstance(ascending, exp.Boolean):
        raise unsupported("sort_array() with an order that is not a constant")
    nulls_first = node.args.get("nulls_first")
    first = isinstance(nulls_first, exp.Boolean) and bool(nulls_first.this) and not down
    direction, nulls = ("DESC" if down else "ASC"), ("NULLS FIRST" if first else "NULLS LAST")
    return call("list_sort", node.this, exp.Literal.string(direction), exp.Literal.string(nulls))


def _slice(node: exp.Expression) -> exp.Expression:
    return call("spark_slice", node.this, node.args["start"], node.args["end"])


def _regexp_extract_all(node: exp.Expression) -> exp.Expression:
    return call("regexp_extract_all", node.this, node.expression, node.args["group"])


def _listagg(node: exp.Expression) -> exp.Expression:
    separator = node.args.get("separator") or exp.Literal.string("")
    return call("string_agg", node.this, separator)


def _to_json(node: exp.Expression) -> exp.Expression:
    if node.args.get("options") is not None:
        raise unsupported("to_json() with options")
    return call("spark_to_json", node.this)


def colon_path(node: exp.JSONExtract, once: Callable[..., exp.Expression]) -> exp.Expression:
    """`text:a.b[0]['C']`: names in brackets are told apart by case, others are not."""
    value = node.this
    for step in node.expression.expressions[1:]:
        if isinstance(step, exp.JSONPathKey) and isinstance(step.this, str):
            macro = "spark_json_key" if step.args.get("quoted") else "spark_json_any_case_key"
            value = once(macro, value, exp.Literal.string(step.this))
        elif isinstance(step, exp.JSONPathSubscript) and isinstance(step.this, int):
            value = once("spark_json_element", value, exp.Literal.number(step.this))
        else:
            raise unsupported(f"the JSON path {node.sql('databricks')}", "names and [numbers] are there")
    return once("spark_json_text", value)
