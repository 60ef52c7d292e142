"""Which nodes of a parsed query, with which of their parts, are carried out. All others are refused by name.

sqlglot reads the SQL of many databases and writes what it can: a part that the writer has no words for is left out.
So a query is let pass only where every node and every part of it is known to keep its meaning. Functions have tables
of their own (`functions.py`, `library.py`, `builtins.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from workspace.sql.errors import SqlError, shown, unsupported

# Refused, in the words that users have for them.
REFUSED: Mapping[type[exp.Expr], str] = {
    exp.Hint: "hints (/*+ ... */)",
    exp.TableSample: "TABLESAMPLE",
    exp.MatchRecognize: "MATCH_RECOGNIZE",
    exp.Distribute: "DISTRIBUTE BY",
    exp.Sort: "SORT BY",
    exp.Cluster: "CLUSTER BY",
    exp.Into: "SELECT INTO",
    exp.Lock: "locking clauses",
    exp.Collate: "COLLATE",
    exp.Fetch: "FETCH FIRST",
}
_MODIFIERS = "with_ order limit offset"
_BOTH = "this expression"
_PARTS: dict[type[exp.Expr], str] = {
    # Queries.
    exp.Select: f"{_MODIFIERS} distinct expressions from_ laterals joins where group having qualify windows",
    exp.Union: f"{_MODIFIERS} this expression distinct",
    exp.Intersect: f"{_MODIFIERS} this expression distinct",
    exp.Except: f"{_MODIFIERS} this expression distinct",
    exp.Subquery: f"{_MODIFIERS} this alias joins laterals pivots",
    exp.Values: "expressions alias",
    exp.With: "expressions recursive",
    exp.CTE: "this alias",
    exp.From: "this",
    exp.Table: "this db catalog alias joins laterals pivots version",
    exp.TableAlias: "this columns",
    exp.Version: "this kind expression",
    exp.Join: "this side kind on using method",
    exp.Lateral: "this view outer alias",
    exp.Pivot: "expressions fields unpivot alias columns include_nulls pivot_column_naming",
    exp.PivotAlias: "this alias",
    exp.Where: "this",
    exp.Group: "expressions grouping_sets cube rollup all",
    exp.GroupingSets: "expressions",
    exp.Cube: "expressions",
    exp.Rollup: "expressions",
    exp.Having: "this",
    exp.Qualify: "this",
    exp.Order: "expressions",
    exp.Ordered: "this desc nulls_first",
    exp.Limit: "expression",
    exp.Offset: "expression",
    exp.Distinct: "expressions",
    exp.Window: "this partition_by order spec alias over",
    exp.WindowSpec: "kind start start_side end end_side",
    # Names and values.
    exp.Alias: "this alias",
    exp.Aliases: "this expressions",
    exp.Column: "this table db catalog",
    exp.Dot: _BOTH,
    exp.Identifier: "this quoted",
    exp.Star: "except_ except",
    exp.Literal: "this is_string",
    exp.Boolean: "this",
    exp.Null: "",
    exp.Var: "this",
    exp.Parameter: "this",
    exp.Interval: "this unit",
    exp.DataType: "this expressions nested",
    exp.DataTypeParam: "this",
    exp.ColumnDef: "this kind",
    exp.Tuple: "expressions",
    exp.Paren: "this",
    exp.Bracket: "this expressions offset safe",
    exp.Kwarg: _BOTH,
    exp.PropertyEQ: _BOTH,
    exp.Lambda: "this expressions",
    # Operators.
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.IntDiv), _BOTH),
    exp.Div: f"{_BOTH} typed safe",
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ), _BOTH),
    **dict.fromkeys((exp.And, exp.Or, exp.Xor, exp.Is, exp.Like, exp.ILike, exp.RegexpLike), _BOTH),
    **dict.fromkeys((exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor), _BOTH),
    exp.BitwiseNot: "this",
    exp.Not: "this",
    exp.Neg: "this",
    exp.DPipe: f"{_BOTH} safe",
    exp.Between: "this low high",
    exp.In: "this expressions query field",
    exp.Escape: _BOTH,
    exp.Filter: _BOTH,
    exp.WithinGroup: _BOTH,
    exp.IgnoreNulls: "this",
    exp.RespectNulls: "this",
    exp.AtTimeZone: "this zone",
    exp.FromTimeZone: "this zone",
    # Paths into JSON.
    exp.JSONPath: "expressions",
    exp.JSONPathRoot: "",
    exp.JSONPathKey: "this quoted",
    exp.JSONPathSubscript: "this",
    exp.JSONPathWildcard: "",
}
PARTS: Mapping[type[exp.Expr], frozenset[str]] = {kind: frozenset(names.split()) for kind, names in _PARTS.items()}
_SORTED_AGGREGATES = (exp.PercentileCont, exp.PercentileDisc)


def check_node(node: exp.Expr) -> None:
    """Raises SqlError where the node is no function and is not carried out, or one of its parts is not."""
    if type(node) in REFUSED:
        raise unsupported(REFUSED[type(node)])
    known = PARTS.get(type(node))
    if known is None:
        if isinstance(node, exp.Func) or type(node) in _SESSION:
            return
        raise unsupported(f"{shown(node)} ({type(node).__name__})")
    for name, value in node.args.items():
        if name in known or value is None or value is False or value == []:
            continue
        refused = next((REFUSED[type(one)] for one in _nodes(value) if type(one) in REFUSED), None)
        raise unsupported(refused or f"{name.upper().strip('_')} in {type(node).__name__.upper()}: {shown(node)}")
    if isinstance(node, exp.WithinGroup) and not isinstance(node.this, _SORTED_AGGREGATES):
        raise unsupported(f"WITHIN GROUP of {shown(node.this)}", "percentile_cont() and percentile_disc() have one")
    if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Select | exp.Column | exp.Count | exp.Func):
        raise SqlError("INVALID_USAGE_OF_STAR_OR_REGEX", f"Invalid usage of '*' in {shown(node)}", sql_state="42000")


_SESSION = (exp.CurrentUser, exp.CurrentCatalog, exp.CurrentSchema, exp.CurrentDatabase)


def _nodes(value: object) -> list[exp.Expr]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, exp.Expr)]
