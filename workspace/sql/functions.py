"""The functions of Databricks SQL that the workspace carries out, each with the meaning it has there.

A function that is in none of the tables here is refused by name: DuckDB has functions of the same names that do other
things, and a feature that is quietly computed differently is worse than one that is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from sqlglot import exp

from workspace.sql.errors import SqlError, shown, unsupported
from workspace.sql.lambdas import NAMED_LAMBDAS
from workspace.sql.library import MORE_NAMED, MORE_SAME, colon_path, exists, more_rewrites
from workspace.unity_catalog import types

Rewrite = Callable[[exp.Expression], exp.Expression]

# Parsed by sqlglot, written by it for DuckDB, checked to mean the same.
SAME: frozenset[type[exp.Expr]] = frozenset(
    {
        *(exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.CountIf, exp.ArrayAgg, exp.ArrayUniqueAgg),
        *(exp.Stddev, exp.StddevSamp, exp.StddevPop, exp.Variance, exp.VariancePop, exp.Median, exp.PercentileCont),
        *(exp.Mode, exp.AnyValue, exp.First, exp.FirstValue, exp.Last, exp.LastValue, exp.ArgMax, exp.ArgMin, exp.Corr),
        *(exp.CovarPop, exp.CovarSamp, exp.LogicalAnd, exp.LogicalOr, exp.ApproxDistinct),
        *(exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead),
        *(exp.NthValue, exp.Coalesce, exp.Nvl2, exp.Nullif, exp.If, exp.Case, exp.IsNan, exp.Greatest, exp.Least),
        *(exp.And, exp.Or, exp.Xor, exp.EqualNull),
        *(exp.Abs, exp.Round, exp.Sqrt, exp.Cbrt, exp.Exp, exp.Pow, exp.Sin, exp.Cos, exp.Tan, exp.Asin, exp.Acos),
        *(exp.Atan, exp.Atan2, exp.Sinh, exp.Cosh, exp.Tanh, exp.Radians, exp.Degrees, exp.Pi),
        *(exp.Lower, exp.Upper, exp.Trim, exp.Concat, exp.ConcatWs, exp.Left, exp.Right, exp.Pad, exp.Replace),
        *(exp.Translate, exp.Reverse, exp.Repeat, exp.RegexpSplit, exp.SplitPart, exp.RegexpExtract, exp.RegexpReplace),
        *(
            exp.RegexpLike,
            exp.StartsWith,
            exp.EndsWith,
            exp.Contains,
            exp.MD5,
            exp.SHA,
            exp.Uuid,
            exp.Rand,
            exp.Like,
            exp.ILike,
        ),
        *(exp.CurrentTimestamp, exp.CurrentDate, exp.UnixSeconds, exp.UnixMillis, exp.UnixMicros),
        *(exp.Array, exp.ArrayContains, exp.ArrayPosition, exp.ArrayMax, exp.ArrayMin),
        *(exp.ArrayCompact, exp.Flatten, exp.Struct, exp.VarMap, exp.MapKeys),
        *(exp.Explode, exp.Posexplode),
        *MORE_SAME,
    }
)

# Names that sqlglot does not know: DuckDB's name, or a macro of ours, and how many arguments it takes.
NAMED: dict[str, tuple[str, tuple[int, ...]]] = {
    "isnull": ("spark_isnull", (1,)),
    "isnotnull": ("spark_isnotnull", (1,)),
    "mean": ("avg", (1,)),
    "std": ("stddev", (1,)),
    "every": ("bool_and", (1,)),
    "pmod": ("spark_pmod", (2,)),
    "log1p": ("spark_log1p", (1,)),
    "timestamp_seconds": ("spark_timestamp_seconds", (1,)),
    "timestamp_millis": ("spark_timestamp_millis", (1,)),
    "timestamp_micros": ("spark_timestamp_micros", (1,)),
    "weekday": ("spark_weekday", (1,)),
    "make_date": ("make_date", (3,)),
    "array_union": ("list_union", (2,)),
    "arrays_overlap": ("list_has_any", (2,)),
    "map_values": ("map_values", (1,)),
    "cardinality": ("len", (1,)),
    **MORE_NAMED,
}

_ONCE = "once__"
_INT = exp.DataType.build("INT", dialect="duckdb")
_BIGINT = exp.DataType.build("BIGINT", dialect="duckdb")
_DATE = exp.DataType.build("DATE", dialect="duckdb")
_TIMESTAMP = exp.DataType.build("TIMESTAMPTZ", dialect="duckdb")

# https://docs.databricks.com/sql/language-manual/functions/date_trunc.html
_UNITS = {
    **dict.fromkeys(("year", "yyyy", "yy"), "year"),
    "quarter": "quarter",
    **dict.fromkeys(("month", "mm", "mon"), "month"),
    "week": "week",
    **dict.fromkeys(("day", "dd"), "day"),
    **{unit: unit for unit in ("hour", "minute", "second", "millisecond", "microsecond")},
}
_DIFFERENCE_UNITS = {
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "hour",
    "minute",
    "second",
    "millisecond",
    "microsecond",
}


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def once(macro: str, value: exp.Expr, *more: exp.Expr, nested: str | None = None) -> exp.Expression:
    """A call of a macro that names its first argument several times, which is computed once nevertheless.

    Macros are texts: one in the other, over and over, would grow without bound.

    Args:
        nested: the macro to call where the value has macros in it already, if it is another one.
    """
    inner = [node for node in value.find_all(exp.Anonymous) if str(node.this).startswith("spark_")]
    if not inner:
        return call(macro, value, *more)
    body = exp.Lambda(
        this=call(nested or macro, exp.to_identifier(_ONCE), *more), expressions=[exp.to_identifier(_ONCE)]
    )
    bound = call("list_transform", exp.Array(expressions=[value]), body)
    return exp.Bracket(this=bound, expressions=[exp.Literal.number(1)], offset=1)


def as_int(value: exp.Expr) -> exp.Expression:
    """Databricks has INT where DuckDB has BIGINT."""
    return exp.Cast(this=value, to=_INT.copy())


def timestamp(value: exp.Expression) -> exp.Expression:
    """For arguments that are a moment, a day, or a text of one: a number is none, unlike in CAST."""
    return exp.Cast(this=value, to=_TIMESTAMP.copy())


def rewrites() -> dict[type[exp.Expression], Rewrite]:
    """What is written differently for DuckDB, by the node that sqlglot parses it into."""
    return {
        exp.Div: lambda node: call("spark_divide", node.this, node.expression),
        exp.IntDiv: lambda node: call("spark_div", node.this, node.expression),
        exp.SafeDivide: lambda node: call("spark_try_divide", node.this, node.expression),
        exp.Ln: lambda node: call("spark_ln", node.this),
        exp.Log: _log,
        exp.Ceil: _whole("ceil"),
        exp.Floor: _whole("floor"),
        exp.Sign: lambda node: exp.cast(call("sign", node.this), "DOUBLE"),
        exp.Length: lambda node: as_int(call("length", node.this)),
        exp.ArraySize: lambda node: as_int(call("len", node.this)),
        exp.StrPosition: _position,
        exp.Substring: _substring,
        exp.SHA2: _sha2,
        exp.Quantile: lambda node: call("quantile_cont", node.this, node.args["quantile"]),
        exp.ApproxQuantile: lambda node: call("quantile_disc", node.this, node.args["quantile"]),
        exp.Bracket: _bracket,
        exp.TimestampTrunc: lambda node: call("date_trunc", _unit(node), timestamp(node.this)),
        exp.DateTrunc: lambda node: exp.Cast(this=call("date_trunc", _unit(node), _date(node.this)), to=_DATE.copy()),
        **{kind: _part(name) for kind, name in _PARTS.items()},
        exp.DayOfWeek: lambda node: call("spark_dayofweek", node.this),
        exp.Extract: _extract,
        exp.LastDay: lambda node: call("last_day", _date(node.this)),
        exp.AddMonths: lambda node: _date(
            exp.Add(this=_date(node.this), expression=call("to_months", as_int(node.expression)))
        ),
        exp.TsOrDsAdd: _date_add,
        exp.TimestampAdd: _timestamp_add,
        exp.DateDiff: _days_between,
        exp.TimestampDiff: _difference,
        exp.StrToUnix: _unix_timestamp,
        exp.TimeStrToTime: lambda node: timestamp(node.this),
        exp.GenerateSeries: _sequence,
        exp.UnixDate: lambda node: as_int(
            call("date_diff", exp.Literal.string("day"), _date(exp.Literal.string("1970-01-01")), _date(node.this))
        ),
        exp.DateFromUnixDate: lambda node: _date(
            exp.Add(this=_date(exp.Literal.string("1970-01-01")), expression=call("to_days", as_int(node.this)))
        ),
        exp.UnixToStr: lambda node: call("strftime", call("spark_timestamp_seconds", node.this), _format(node)),
        exp.StrToTime: lambda node: timestamp(call("strptime", node.this, _format(node))),
        exp.TimeToStr: lambda node: call("strftime", timestamp(node.this), _format(node)),
        exp.TsOrDsToDate: _to_date,
        exp.TimestampFromParts: _make_timestamp,
        exp.JSONExtractScalar: _get_json_object,
        exp.FromJson: _from_json,
        exp.MapContainsKey: lambda node: call("list_contains", call("map_keys", node.this), node.args["key"]),
        exp.ArrayToString: _array_join,
        exp.JSONExtract: _json_extract,
        exp.Exists: exists,
        **more_rewrites(),
    }


_PARTS: dict[type[exp.Expression], str] = {
    exp.Year: "year",
    exp.Quarter: "quarter",
    exp.Month: "month",
    exp.Day: "day",
    exp.DayOfMonth: "day",
    exp.DayOfYear: "dayofyear",
    exp.WeekOfYear: "week",
    exp.Hour: "hour",
    exp.Minute: "minute",
    exp.Second: "second",
}


def check_function(node: exp.Expression, rewritten: dict[type[exp.Expression], Rewrite]) -> None:
    """Raises SqlError where the function is not carried out."""
    if isinstance(node, exp.Cast) or type(node) in SAME or type(node) in rewritten:
        return
    if isinstance(node, exp.Anonymous):
        name, arguments = node.name.lower(), len(node.expressions)
        if name in NAMED and arguments in NAMED[name][1]:
            return
        if name in NAMED_LAMBDAS and arguments == NAMED_LAMBDAS[name][0]:
            return
        if name == "date_part" and arguments == 2:
            return
        raise unsupported(f"function {node.name.lower()}() with {arguments} argument(s)")
    raise unsupported(f"function {shown(node).partition('(')[0].lower()}()")


def _date(value: exp.Expression) -> exp.Expression:
    return exp.Cast(this=value, to=_DATE.copy())


def _whole(name: str) -> Rewrite:
    def rewrite(node: exp.Expression) -> exp.Expression:
        if node.args.get("decimals") is not None:
            raise unsupported(f"function {name}() with a scale", "round() takes one")
        return exp.Cast(this=call(name, node.this), to=_BIGINT.copy())

    return rewrite


def _part(name: str) -> Rewrite:
    return lambda node: as_int(call("date_part", exp.Literal.string(name), timestamp(node.this)))


def _extract(node: exp.Expression) -> exp.Expression:
    unit = node.this.name.lower()
    if unit not in {*_PARTS.values(), "years", "months", "days", "hours", "minutes"} or unit == "second":
        raise unsupported(f"EXTRACT({unit.upper()} FROM ...)", "use the function of that name")
    return as_int(call("date_part", exp.Literal.string(unit.rstrip("s")), timestamp(node.expression)))


def _unit(node: exp.Expression) -> exp.Expression:
    unit = node.args["unit"].name.lower()
    if unit not in _UNITS:
        raise SqlError(
            "INVALID_PARAMETER_VALUE.DATETIME_UNIT", f"'{unit}' is not a unit of date_trunc: {', '.join(_UNITS)}"
        )
    return exp.Literal.string(_UNITS[unit])


def _bracket(node: exp.Expression) -> exp.Expression:
    """`x[i]` counts from 0, element_at from 1; try_element_at forgives a place that is not there."""
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        raise unsupported(node.sql("databricks"))
    key = node.expressions[0]
    if node.args.get("safe") or (isinstance(key, exp.Literal) and key.is_string):
        # A key of a map, or an index that DuckDB answers with NULL; both count as DuckDB does.
        return exp.Bracket(this=node.this, expressions=[key], offset=1)
    return call("spark_element_at" if node.args.get("offset") == 1 else "spark_get", node.this, key)


def _position(node: exp.Expression) -> exp.Expression:
    if node.args.get("position") is not None or node.args.get("occurrence") is not None:
        raise unsupported("locate() with a position")
    return as_int(call("strpos", node.this, node.args["substr"]))


def _substring(node: exp.Expression) -> exp.Expression:
    length = node.args.get("length")
    start = node.args.get("start") or exp.Literal.number(1)
    return call("spark_substring", node.this, start, *([length] if length is not None else []))


def _sha2(node: exp.Expression) -> exp.Expression:
    if node.args.get("length") is not None and node.args["length"].name not in ("0", "256"):
        raise unsupported(f"sha2() of {node.args['length'].name} bits", "256 is there")
    return call("sha256", node.this)


def _date_add(node: exp.Expression) -> exp.Expression:
    unit = (node.args.get("unit") or exp.var("DAY")).name.upper()
    if unit != "DAY":
        raise unsupported(f"date_add() in units of {unit}")
    return _date(exp.Add(this=_date(node.this), expression=call("to_days", as_int(node.expression))))


def _timestamp_add(node: exp.Expression) -> exp.Expression:
    step = exp.Interval(this=node.expression, unit=node.args["unit"])
    return exp.Add(this=timestamp(node.this), expression=step)


def _days_between(node: exp.Expression) -> exp.Expression:
    """datediff(end, start). With a unit it was read as timestampdiff, which means something else."""
    start, end = node.expression, node.this
    return as_int(call("date_diff", exp.Literal.string("day"), _date(start), _date(end)))


def _difference(node: exp.Expression) -> exp.Expression:
    """Whole units that have passed."""
    end, start = node.this, node.expression
    name = node.args["unit"].name.lower()
    if name not in _DIFFERENCE_UNITS:
        raise unsupported(f"timestampdiff() in units of {name.upper()}")
    return call("date_sub", exp.Literal.string(name), timestamp(start), timestamp(end))


def _unix_timestamp(node: exp.Expression) -> exp.Expression:
    if node.args.get("format") is None or _format(node).name == "%Y-%m-%d %H:%M:%S":
        return call("spark_unix_timestamp", node.this)
    return call("spark_unix_timestamp", timestamp(call("strptime", node.this, _format(node))))


def _format(node: exp.Expression) -> exp.Expression:
    """A pattern of letters (yyyy-MM-dd), which sqlglot has read, for DuckDB's strftime and strptime."""
    written = node.args["format"]
    if not (isinstance(written, exp.Literal) and written.is_string):
        raise unsupported("a date pattern that is not a constant text")
    text = written.name.replace("strict", "")
    if re.search(r"%-?[^YymdHMSj-]", text) or re.search(r"[A-Za-z]", re.sub(r"%-?[A-Za-z]|T|Z", "", text)):
        raise unsupported(
            f"the date pattern {written.sql('databricks')}", "yyyy, yy, MM, dd, HH, mm, ss and DDD are there"
        )
    return exp.Literal.string(text)


def _log(node: exp.Expression) -> exp.Expression:
    if node.this.name in ("2", "10") and isinstance(node.this, exp.Literal):
        return call(f"spark_log{node.this.name}", node.expression)
    return call("spark_log", node.this, node.expression)


def _to_date(node: exp.Expression) -> exp.Expression:
    return _date(node.this if node.args.get("format") is None else call("strptime", node.this, _format(node)))


def _make_timestamp(node: exp.Expression) -> exp.Expression:
    if node.args.get("zone") is not None:
        raise unsupported("make_timestamp() with a time zone")
    parts = [node.args[name] for name in ("year", "month", "day", "hour", "min", "sec")]
    return timestamp(call("make_timestamp", *parts))


def _sequence(node: exp.Expression) -> exp.Expression:
    """Without a step it counts down where it must, and goes from day to day. Days stay days, and INT stays INT."""
    start, end, step = node.args["start"], node.args["end"], node.args.get("step")
    of_days = isinstance(start, exp.Cast) and start.to.this == exp.DataType.Type.DATE
    if of_days and step is None:
        step = exp.Interval(this=exp.Literal.number(1), unit=exp.var("DAY"))
    if isinstance(step, exp.Interval) and step.args["unit"].name.upper().rstrip("S") in _MONTHS:
        return _sequence_of_months(start, end, step, of_days=of_days)
    series = call("spark_sequence", start, end) if step is None else call("generate_series", start, end, step)
    if of_days and isinstance(step, exp.Interval) and step.args["unit"].name.upper().rstrip("S") in _DAYS_OR_MORE:
        return exp.Cast(this=series, to=exp.DataType.build("DATE[]", dialect="duckdb"))
    if all(_is_int(limit) for limit in (start, end)) and (step is None or _is_int(step)):
        return exp.Cast(this=series, to=exp.DataType.build("INT[]", dialect="duckdb"))
    return series


def _sequence_of_months(
    start: exp.Expression, end: exp.Expression, step: exp.Interval, *, of_days: bool
) -> exp.Expression:
    """Each one counted from the start: the last day of a month does not move to the 28th for good."""
    if not of_days or not step.this.name.isdigit() or int(step.this.name) < 1:
        raise unsupported(f"sequence() of moments in steps of {step.sql('databricks')}", "use dates and a step above 0")
    months = int(step.this.name) * _MONTHS[step.args["unit"].name.upper().rstrip("S")]
    return call("spark_sequence_of_months", start, end, exp.Literal.number(months))


_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_DAYS_OR_MORE = ("DAY", "WEEK")


def _is_int(value: exp.Expression) -> bool:
    value = value.this if isinstance(value, exp.Neg) else value
    return isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit() and int(value.name) < 2**31


def _array_join(node: exp.Expression) -> exp.Expression:
    if node.args.get("null") is not None:
        raise unsupported("array_join() with a text for NULL")
    return call("array_to_string", node.this, node.expression)


def _json_extract(node: exp.Expression) -> exp.Expression:
    if not isinstance(node, exp.JSONExtract) or not node.args.get("variant_extract"):
        raise unsupported(f"{node.sql('databricks')}", "use get_json_object(), or text:path")
    return colon_path(node, once)


def date_part(node: exp.Anonymous) -> exp.Expression:
    """date_part('YEAR', moment), as EXTRACT."""
    unit, moment = node.expressions
    if not (isinstance(unit, exp.Literal) and unit.is_string):
        raise unsupported("date_part() of a field that is not a constant text")
    return _extract(exp.Extract(this=exp.var(unit.name), expression=moment))


def _get_json_object(node: exp.Expression) -> exp.Expression:
    """The path with every name quoted, as DuckDB reads any name."""
    path = node.expression
    if not isinstance(path, exp.JSONPath):
        raise unsupported("get_json_object() with a path that is not a constant text")
    steps = []
    for step in path.expressions[1:]:
        if isinstance(step, exp.JSONPathKey) and isinstance(step.this, str):
            steps.append('."' + step.this.replace('"', '\\"') + '"')
        elif isinstance(step, exp.JSONPathSubscript) and isinstance(step.this, int):
            steps.append(f"[{step.this}]")
        else:
            raise unsupported(f"the JSON path {path.sql('databricks')}", "names and [numbers] after $ are there")
    return call("spark_get_json_object", node.this, exp.Literal.string("$" + "".join(steps)))


def _from_json(node: exp.Expression) -> exp.Expression:
    schema = node.expression
    if not (isinstance(schema, exp.Literal) and schema.is_string):
        raise unsupported("from_json() with a schema that is not a constant text")
    if node.args.get("options") is not None:
        raise unsupported("from_json() with options")
    return call("spark_from_json", node.this, exp.Literal.string(json.dumps(_structure(json_schema(schema.name)))))


def json_schema(text: str) -> types.DeltaType:
    """A schema of from_json: a type, or the fields of a struct (`a INT, b STRING`)."""
    try:
        return types.parse(text)
    except types.TypeTextError as error:
        try:
            return types.parse(f"struct<{text}>")
        except types.TypeTextError:
            raise SqlError("INVALID_SCHEMA.PARSE_ERROR", str(error), sql_state="42K07") from error


_JSON_TYPES = {
    "boolean": "BOOLEAN",
    "byte": "TINYINT",
    "short": "SMALLINT",
    "integer": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
}


def _structure(delta: types.DeltaType) -> object:
    """A type as the structure that DuckDB's json_transform reads."""
    if isinstance(delta, str):
        if delta.startswith("decimal"):
            return delta.upper()
        if delta not in _JSON_TYPES:
            raise unsupported(f"from_json() into {types.text_of(delta)}")
        return _JSON_TYPES[delta]
    if delta["type"] == "array":
        return [_structure(delta["elementType"])]
    if delta["type"] == "struct":
        return {field["name"]: _structure(field["type"]) for field in delta["fields"]}
    if delta["keyType"] != "string" or not isinstance(delta["valueType"], str):
        raise unsupported(f"from_json() into {types.text_of(delta)}", "keys are strings, values are single")
    return f"MAP(VARCHAR, {_structure(delta['valueType'])})"
