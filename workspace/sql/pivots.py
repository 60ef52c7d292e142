"""PIVOT as grouping with filtered aggregates, UNPIVOT as a lateral list of values.

Sources: https://docs.databricks.com/sql/language-manual/sql-ref-syntax-qry-select-pivot.html and ...-unpivot.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from workspace.sql.errors import SqlError, unsupported

# The names of a query's columns, in order.
ColumnsOf = Callable[[exp.Select], list[str]]


def move_pivots(tree: exp.Expression, columns_of: ColumnsOf) -> None:
    """Replace every pivoted table in a bound tree, the innermost first."""
    pivoted = [node for node in tree.walk(bfs=False) if isinstance(node, exp.Expression) and node.args.get("pivots")]
    for node in reversed(pivoted):
        pivots = node.args["pivots"]
        if len(pivots) != 1:
            raise unsupported("several PIVOT clauses of one table", "nest them in subqueries")
        node.set("pivots", None)
        joins = node.args.get("joins")
        node.set("joins", None)
        columns = columns_of(_seen_from(node))
        make = _unpivoted if pivots[0].args.get("unpivot") else _pivoted
        select = make(pivots[0], node.copy(), columns)
        alias = pivots[0].args.get("alias") or exp.TableAlias(this=exp.to_identifier("__pivoted"))
        node.replace(exp.Subquery(this=select, alias=alias, joins=joins))


def _seen_from(node: exp.Expression) -> exp.Select:
    """SELECT * FROM the node, with the WITH clauses that it can see."""
    select = exp.select("*").from_(node.copy())
    parent = node.parent
    commons: list[exp.Expr] = []
    while parent is not None:
        clause = parent.args.get("with_")
        if isinstance(clause, exp.With):
            inside = [common for common in clause.expressions if not _is_within(node, common)]
            commons = [common.copy() for common in inside] + commons
        parent = parent.parent
    if commons:
        select.set("with_", exp.With(expressions=commons))
    return select


def _is_within(node: exp.Expr, other: exp.Expr) -> bool:
    parent: exp.Expr | None = node
    while parent is not None:
        if parent is other:
            return True
        parent = parent.parent
    return False


def _pivoted(pivot: exp.Pivot, source: exp.Expression, columns: list[str]) -> exp.Select:
    if len(pivot.args["fields"]) != 1:
        raise unsupported("PIVOT over several FOR clauses")
    (field,) = pivot.args["fields"]
    keys = list(field.this.expressions) if isinstance(field.this, exp.Tuple) else [field.this]
    aggregates = list(pivot.expressions)
    used = {column.name.lower() for part in (*keys, *aggregates) for column in part.find_all(exp.Column)}
    groups = [name for name in columns if name.lower() not in used]
    projections: list[exp.Expr] = [exp.column(exp.to_identifier(name, quoted=True)) for name in groups]
    names = iter(identifier.name for identifier in pivot.args.get("columns") or [])
    for value in field.expressions:
        condition = _equals(keys, value.this if isinstance(value, exp.PivotAlias) else value)
        for aggregate in aggregates:
            projections.append(exp.alias_(_filtered(aggregate, condition), next(names), quoted=True))
    select = exp.Select(expressions=projections).from_(source)
    return select.group_by(*(column.copy() for column in projections[: len(groups)])) if groups else select


def _equals(keys: list[exp.Expression], value: exp.Expression) -> exp.Expr:
    values = list(value.expressions) if isinstance(value, exp.Tuple) else [value]
    if len(values) != len(keys):
        raise SqlError(
            "PIVOT_VALUE_DATA_TYPE_MISMATCH",
            f"Invalid pivot value '{value.sql('databricks')}': {len(keys)} column(s) are pivoted",
            sql_state="42K09",
        )
    # A NULL is a value like others.
    pairs = [exp.NullSafeEQ(this=key.copy(), expression=one.copy()) for key, one in zip(keys, values, strict=True)]
    return exp.and_(*pairs)


def _filtered(aggregate: exp.Expression, condition: exp.Expr) -> exp.Expr:
    """The aggregate over the rows of one pivoted value; NULL where there are none, also for counts."""
    value = aggregate.unalias().copy()
    holder = exp.Paren(this=value)
    for function in list(holder.find_all(exp.AggFunc)):
        inside = function.copy()
        function.replace(exp.Filter(this=inside, expression=exp.Where(this=condition.copy())))
    any_row = exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=condition.copy()))
    return exp.case().when(exp.GT(this=any_row, expression=exp.Literal.number(0)), holder.this.copy())


def _unpivoted(pivot: exp.Pivot, source: exp.Expression, columns: list[str]) -> exp.Select:
    (field,) = pivot.args["fields"]
    if len(pivot.expressions) != 1 or isinstance(pivot.expressions[0], exp.Tuple):
        raise unsupported("UNPIVOT of several columns at once", "unpivot one value column")
    value_name, key_name = pivot.expressions[0].name, field.this.name
    rows, taken = [], set()
    for column, label in _unpivoted_columns(field):
        taken.add(column.name.lower())
        rows.append(exp.Tuple(expressions=[exp.Literal.string(label), column.copy()]))
    kept: list[exp.Expression] = [
        exp.column(exp.to_identifier(name, quoted=True)) for name in columns if name.lower() not in taken
    ]
    made = [exp.to_identifier(name, quoted=True) for name in (key_name, value_name)]
    values = exp.Values(expressions=rows, alias=exp.TableAlias(this=exp.to_identifier("__values"), columns=made))
    lateral = exp.Lateral(
        this=exp.Subquery(this=exp.select("*").from_(values)),
        alias=exp.TableAlias(this=exp.to_identifier("__unpivoted")),
    )
    shown = [exp.column(name.copy(), table="__unpivoted") for name in made]
    select = exp.Select(expressions=[*kept, *shown]).from_(source)
    select.append("joins", exp.Join(this=lateral, kind="CROSS"))
    if not pivot.args.get("include_nulls"):
        select = select.where(exp.Not(this=exp.Is(this=shown[1].copy(), expression=exp.null())))
    return select


def _unpivoted_columns(field: exp.In) -> Iterator[tuple[exp.Expression, str]]:
    for item in field.expressions:
        column, label = item, ""
        if isinstance(item, exp.PivotAlias):
            column, label = item.this, item.args["alias"].name
        if not isinstance(column, exp.Column):
            raise unsupported(f"{item.sql('databricks')} in UNPIVOT", "name columns")
        yield column, label or column.name
