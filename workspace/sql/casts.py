"""CAST, TRY_CAST and :: with Databricks' meaning (ANSI mode)."""

from __future__ import annotations

from sqlglot import exp

from workspace.sql.errors import unsupported
from workspace.sql.functions import once
from workspace.sql.macros import INTEGRAL, cast_macro, nested

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
        return _cast(name, node.this, safe=safe)
    if kind in _TIMESTAMPS:
        return _cast("TIMESTAMPTZ", node.this, safe=safe)
    if kind == _Type.DOUBLE:
        return _cast("DOUBLE", node.this, safe=safe)
    if kind == _Type.FLOAT:
        return exp.Cast(this=_cast("DOUBLE", node.this, safe=safe), to=target)
    if kind == _Type.TEXT:
        return once("spark_string", node.this)
    raise unsupported(f"CAST to {target.sql('databricks')}")


def _cast(name: str, value: exp.Expr, *, safe: bool) -> exp.Expression:
    macro = cast_macro(name, safe=safe)
    return once(macro, value, nested=nested(macro))
