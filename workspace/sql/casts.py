"""CAST, TRY_CAST and :: with Databricks' meaning (ANSI mode)."""

from __future__ import annotations

from sqlglot import exp

from workspace.sql.errors import unsupported
from workspace.sql.functions import call
from workspace.sql.macros import INTEGRAL, cast_macro

_Type = exp.DataType.Type
_TIMESTAMPS = (_Type.TIMESTAMP, _Type.TIMESTAMPTZ, _Type.TIMESTAMPLTZ)
_PLAIN = (_Type.BOOLEAN, _Type.DATE, _Type.TIMESTAMPNTZ, _Type.DECIMAL, _Type.BINARY)
_NESTED = (_Type.ARRAY, _Type.STRUCT, _Type.MAP)


def rewrite_cast(node: exp.Expression) -> exp.Expression:
    """The cast for DuckDB. Raises SqlError for a type that is not carried out."""
    target: exp.DataType = node.args["to"]
    kind = target.this
    safe = isinstance(node, exp.TryCast)
    if node.args.get("format") is not None:
        raise unsupported("CAST with a FORMAT")
    plain = (exp.TryCast if safe else exp.Cast)(this=node.this, to=target)
    if isinstance(node.this, exp.Null) or kind in _NESTED or kind in _PLAIN:
        return plain
    name = "INT" if kind == _Type.INT else kind.name
    if name in INTEGRAL:
        return call(cast_macro(name, safe=safe), node.this)
    if kind in _TIMESTAMPS:
        return call(cast_macro("TIMESTAMPTZ", safe=safe), node.this)
    if kind == _Type.DOUBLE:
        return call(cast_macro("DOUBLE", safe=safe), node.this)
    if kind == _Type.FLOAT:
        return exp.Cast(this=call(cast_macro("DOUBLE", safe=safe), node.this), to=target)
    if kind == _Type.TEXT:
        return call("spark_string", node.this)
    raise unsupported(f"CAST to {target.sql('databricks')}")
