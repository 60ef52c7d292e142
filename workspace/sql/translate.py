"""A Databricks query as DuckDB SQL that means the same, or a refusal that names what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import sqlglot
from sqlglot import exp
from sqlglot.errors import UnsupportedError

from workspace.sql.allowed import check_node
from workspace.sql.casts import rewrite_cast
from workspace.sql.errors import unsupported
from workspace.sql.functions import NAMED, Rewrite, as_int, call, check_function, date_part, rewrites
from workspace.sql.generators import IN_FROM, is_generator, move_generators
from workspace.sql.lambdas import NAMED_LAMBDAS
from workspace.sql.names import Session
from workspace.sql.windows import COLUMN, is_window, move_windows

TABLE_CHANGES = "table_changes"
READ_FILES = "read_files"
_DAYS_OR_MORE = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile)


def to_duckdb(tree: exp.Expression, session: Session, *, maps: bool = False) -> str:
    """DuckDB SQL for a query that `check` has let pass. The tree is changed on the way.

    Args:
        maps: whether explode() of a value whose type is not told takes a map apart, not an array.

    Raises SqlError naming a construct that can be carried out in other forms only.
    """
    holder = exp.Paren(this=tree)
    session_values = _session_values(session)
    moment = datetime.fromtimestamp(session.now(), UTC)
    rewritten = rewrites()
    nodes = list(tree.walk(bfs=False))
    # Children come after their parents in the walk: backwards, every rewrite finds its arguments rewritten.
    for node in reversed(nodes):
        new = _moment(node, moment) or _rewrite(node, rewritten, session_values)
        if new is not node:
            node.replace(new)
    for select in list(holder.find_all(exp.Select)):
        move_windows(select)
        move_generators(select, maps=maps)
    try:
        return str(holder.this.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE, comments=False))
    except UnsupportedError as error:
        raise unsupported(str(error)) from error


def naive_type(tree: exp.Expression) -> str:
    """What a timestamp without zone is in the query's result (`datatypes.type_text`).

    DuckDB makes one of a date and an interval. On Databricks that is a date again where the interval has days or more,
    and a timestamp otherwise.
    """
    if any(kind.this == exp.DataType.Type.TIMESTAMPNTZ for kind in tree.find_all(exp.DataType)):
        return "timestamp_ntz"
    units = [interval.args.get("unit") for interval in tree.find_all(exp.Interval)]
    if units and all(isinstance(unit, exp.Var) and unit.name.upper().rstrip("S") in _DAYS_OR_MORE for unit in units):
        return "date"
    return "timestamp"


def named_outputs(tree: exp.Expression) -> exp.Expression:
    """The query with a name for every result column that has none: its own text, as Databricks names it."""
    if isinstance(tree, exp.Values):
        return exp.select("*").from_(tree)
    select = tree
    while isinstance(select, exp.SetOperation | exp.Subquery):
        select = select.this
    for projection in select.expressions if isinstance(select, exp.Select) else []:
        if is_generator(projection) or isinstance(projection, exp.Star | exp.Aliases) or projection.is_star:
            continue
        if is_window(projection):
            projection.replace(exp.alias_(projection.copy(), COLUMN, quoted=True))
        elif isinstance(projection, exp.JSONExtract) and projection.output_name:
            projection.replace(exp.alias_(projection.copy(), projection.output_name, quoted=True))
        elif not projection.output_name or isinstance(projection, exp.Cast) or _is_qualified_call(projection):
            name = projection.sql("databricks", normalize_functions="lower").replace("count(*)", "count(1)")
            projection.replace(exp.alias_(projection.copy(), name, quoted=True))
    return tree


def _is_qualified_call(projection: exp.Expression) -> bool:
    return isinstance(projection, exp.Dot) and isinstance(projection.expression, exp.Func)


def check(tree: exp.Expression) -> None:
    """Raises SqlError naming the first construct that is not carried out."""
    for node in tree.walk():
        _check(node)


def _check(node: exp.Expr) -> None:
    check_node(node)
    if isinstance(node, exp.CurrentUser | exp.CurrentCatalog | exp.CurrentSchema | exp.CurrentDatabase):
        return
    if isinstance(node, exp.Expression) and isinstance(node, exp.Func):
        if isinstance(node.parent, exp.Table):
            if node.name.lower() in (TABLE_CHANGES, READ_FILES, *IN_FROM) or is_generator(node):
                return
            raise unsupported(f"table function {node.sql('databricks')}")
        if not is_window(node) and not is_generator(node):
            check_function(node, rewrites())


def _rewrite(
    node: exp.Expr,
    rewritten: Mapping[type[exp.Expression], Rewrite],
    session_values: Mapping[type[exp.Expr], str],
) -> exp.Expr:
    if isinstance(node, exp.Cast):
        return rewrite_cast(node)
    if type(node) in session_values:
        return exp.Literal.string(session_values[type(node)])
    if isinstance(node, exp.Window) and isinstance(node.this, _RANKS):
        return as_int(exp.Window(**node.args))
    if isinstance(node, exp.Values):
        return _named_values(node)
    if isinstance(node, exp.Anonymous) and node.name.lower() in NAMED_LAMBDAS:
        return NAMED_LAMBDAS[node.name.lower()][1](node)
    if isinstance(node, exp.Anonymous) and node.name.lower() == "date_part":
        return date_part(node)
    if isinstance(node, exp.Anonymous) and node.name.lower() in NAMED:
        return call(NAMED[node.name.lower()][0], *node.expressions)
    if not isinstance(node, exp.Expression):
        return node
    rewrite = rewritten.get(type(node))
    return node if rewrite is None else rewrite(node)


def _moment(node: exp.Expr, now: datetime) -> exp.Expr | None:
    """The value of current_timestamp() and current_date(), which are the same throughout a query; None for others."""
    if isinstance(node, exp.CurrentTimestamp):
        return _constant(now.isoformat(sep=" "), "TIMESTAMPTZ")
    if isinstance(node, exp.CurrentDate):
        return _constant(now.date().isoformat(), "DATE")
    return None


def _constant(text: str, kind: str) -> exp.Cast:
    return exp.Cast(this=exp.Literal.string(text), to=exp.DataType.build(kind, dialect="duckdb"))


def _session_values(session: Session) -> dict[type[exp.Expr], str]:
    return {
        exp.CurrentUser: session.user,
        exp.CurrentCatalog: session.catalog,
        exp.CurrentSchema: session.schema,
        exp.CurrentDatabase: session.schema,
    }


def _named_values(node: exp.Values) -> exp.Expression:
    """Columns of VALUES are col1, col2, ... where the query gives no names."""
    alias = node.args.get("alias")
    if alias is not None and alias.columns:
        return node
    first = node.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    columns = [exp.to_identifier(f"col{index}") for index in range(1, width + 1)]
    name = alias.this if alias is not None else exp.to_identifier("values_1")
    return exp.Values(expressions=node.expressions, alias=exp.TableAlias(this=name, columns=columns))
