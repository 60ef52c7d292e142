"""Functions that make rows: in LATERAL VIEW, in the SELECT list and in FROM, as lateral subqueries with unnest.

Source: https://docs.databricks.com/sql/language-manual/sql-ref-syntax-qry-select-lateral-view.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from workspace.sql.errors import SqlError, unsupported
from workspace.sql.functions import as_int, call

# Outer ones are subclasses of Explode: the order is the one to look in.
_ORDER: tuple[tuple[type[exp.Expr], type[exp.Expr], bool], ...] = (
    (exp.PosexplodeOuter, exp.Posexplode, True),
    (exp.Posexplode, exp.Posexplode, False),
    (exp.ExplodeOuter, exp.Explode, True),
    (exp.Explode, exp.Explode, False),
    (exp.Inline, exp.Inline, False),
    (exp.Stack, exp.Stack, False),
)
_KINDS = (exp.Explode, exp.Posexplode, exp.ExplodeOuter, exp.PosexplodeOuter, exp.Inline, exp.Stack)
_OUTER_NAMES = {"inline_outer": exp.Inline}
_MAPS = (exp.VarMap, exp.Map, exp.StarMap)
_MAP_FUNCTIONS = {"map_filter", "map_concat", "map_from_entries", "map_from_arrays", "str_to_map", "transform_values"}
RANGE = "range"
IN_FROM = frozenset({RANGE, "inline_outer"})


@dataclass(frozen=True)
class _Rows:
    """What a generator makes: a query, and the names of its columns; None where they are the fields of a struct."""

    query: exp.Select
    columns: tuple[str, ...] | None
    outer: bool


def is_generator(node: object) -> bool:
    return isinstance(node, _KINDS) or (isinstance(node, exp.Anonymous) and node.name.lower() in _OUTER_NAMES)


def move_generators(select: exp.Select, *, maps: bool) -> None:
    """Put the generators of a SELECT among its joins. `maps`: explode() without told columns takes maps apart."""
    for position, lateral in enumerate(select.args.get("laterals") or []):
        select.append("joins", _lateral_view(lateral, f"lateral_view_{position}", maps=maps))
    select.set("laterals", [])
    _in_from(select, maps=maps)
    _in_projections(select, maps=maps)


def _lateral_view(lateral: exp.Lateral, default_name: str, *, maps: bool) -> exp.Join:
    if not is_generator(lateral.this):
        raise unsupported(f"LATERAL VIEW {lateral.this.sql('databricks')}")
    alias = lateral.args.get("alias")
    given = [column.name for column in alias.columns] if alias is not None else []
    rows = _rows(lateral.this, given, maps=maps)
    name = alias.this.name if alias is not None and alias.this is not None else default_name
    return _join(rows, name, given, outer=bool(lateral.args.get("outer")))


def _in_from(select: exp.Select, *, maps: bool) -> None:
    """`FROM explode(...)`, `FROM range(3)`, `JOIN LATERAL explode(...)`."""
    clause = select.args.get("from_")
    sources = [clause.this] if clause is not None else []
    for source in sources:
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Func):
            rows, alias, given = _table_function(source, source.this, maps=maps)
            source.replace(_subquery(rows, alias, given))
    for join in select.args.get("joins") or []:
        source = join.this
        if isinstance(source, exp.Lateral) and not isinstance(source.this, exp.Subquery):
            rows, alias, given = _table_function(source, source.this, maps=maps)
            made = _join(rows, alias, given, outer=False)
            join.set("this", made.this)
        elif isinstance(source, exp.Table) and isinstance(source.this, exp.Func):
            rows, alias, given = _table_function(source, source.this, maps=maps)
            source.replace(_subquery(rows, alias, given))


def _table_function(node: exp.Expr, function: exp.Expr, *, maps: bool) -> tuple[_Rows, str, list[str]]:
    alias = node.args.get("alias")
    given = [column.name for column in alias.columns] if alias is not None else []
    name = alias.this.name if alias is not None and alias.this is not None else function.key.lower()
    if isinstance(function, exp.Anonymous) and function.name.lower() == RANGE:
        return _range(function), name, given
    if not is_generator(function):
        raise unsupported(f"table function {function.sql('databricks')}")
    return _rows(function, given, maps=maps), name, given


def _range(function: exp.Anonymous) -> _Rows:
    numbers = list(function.expressions)
    if not 1 <= len(numbers) <= 3:
        raise unsupported(f"range() with {len(numbers)} arguments", "give an end, or start, end and step")
    unnest = call("unnest", call("range", *numbers))
    return _Rows(exp.Select(expressions=[exp.alias_(unnest, "id")]), ("id",), outer=False)


def _in_projections(select: exp.Select, *, maps: bool) -> None:
    found = [projection for projection in select.expressions if is_generator(_bare(projection))]
    if len(found) > 1:
        raise SqlError(
            "UNSUPPORTED_GENERATOR.MULTI_GENERATOR",
            "The generator is not supported: only one generator allowed per SELECT clause but found "
            f"{len(found)}: {', '.join(_bare(projection).sql('databricks') for projection in found)}.",
            sql_state="42K0E",
        )
    for projection in select.expressions:
        inner = next((node for node in projection.find_all(*_KINDS) if node is not _bare(projection)), None)
        if inner is not None and not any(isinstance(node, exp.Query) for node in _between(inner, projection)):
            raise SqlError(
                "UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS",
                f"The generator is not supported: nested in expressions {projection.sql('databricks')}.",
                sql_state="42K0E",
            )
    for projection in found:
        _move_projection(select, projection, maps=maps)


def _move_projection(select: exp.Select, projection: exp.Expression, *, maps: bool) -> None:
    generator = _bare(projection)
    given = _told_names(projection)
    if generator.find(exp.AggFunc) is not None:
        # Rows of an aggregate: a lateral subquery cannot see it.
        if not isinstance(generator, exp.Explode) or len(given) > 1:
            raise unsupported(f"{generator.sql('databricks')} of an aggregate", "aggregate in a subquery first")
        projection.replace(exp.alias_(call("unnest", generator.this), given[0] if given else "col", quoted=True))
        return
    rows = _rows(generator, given, maps=maps)
    name = "__generated"
    columns = given or list(rows.columns or ())
    if columns:
        shown: list[exp.Expr] = [
            exp.alias_(exp.column(exp.to_identifier(column, quoted=True), table=name), column, quoted=True)
            for column in columns
        ]
    else:
        shown = [exp.Column(this=exp.Star(), table=exp.to_identifier(name))]
    place = select.expressions.index(projection)
    select.set("expressions", [*select.expressions[:place], *shown, *select.expressions[place + 1 :]])
    if select.args.get("from_") is None:
        source = exp.Subquery(this=exp.Select(expressions=[exp.alias_(exp.Literal.number(1), "__one")]))
        source.set("alias", exp.TableAlias(this=exp.to_identifier("__one_row")))
        select.set("from_", exp.From(this=source))
    select.append("joins", _join(rows, name, columns, outer=False))


def _bare(projection: exp.Expression) -> exp.Expression:
    while isinstance(projection, exp.Alias | exp.Aliases | exp.Paren):
        projection = projection.this
    return projection


def _told_names(projection: exp.Expression) -> list[str]:
    if isinstance(projection, exp.Aliases):
        return [name.name for name in projection.expressions]
    return [projection.alias] if isinstance(projection, exp.Alias) else []


def _between(node: exp.Expr, top: exp.Expression) -> list[exp.Expr]:
    path = []
    parent = node.parent
    while parent is not None and parent is not top:
        path.append(parent)
        parent = parent.parent
    return path


def _rows(generator: exp.Expr, given: Sequence[str], *, maps: bool) -> _Rows:
    """The query that makes the rows of a generator whose arguments are rewritten already."""
    if isinstance(generator, exp.Anonymous):
        kind: type[exp.Expr] = _OUTER_NAMES[generator.name.lower()]
        outer, argument = True, generator.expressions[0]
    else:
        kind, outer = next((kind, outer) for found, kind, outer in _ORDER if isinstance(generator, found))
        argument = generator.this
    if kind is exp.Stack:
        return _stack(generator, given)
    if kind is exp.Inline:
        unnest = exp.Anonymous(
            this="unnest", expressions=[argument, exp.PropertyEQ(this=exp.var("max_depth"), expression=_number(2))]
        )
        return _Rows(exp.Select(expressions=[unnest]), None, outer)
    numbered = kind is exp.Posexplode
    as_map = _is_map(argument) or len(given) == 2 + numbered or (maps and not given)
    columns = (("pos",) if numbered else ()) + (("key", "value") if as_map else ("col",))
    if given and len(given) != len(columns):
        raise SqlError(
            "UDTF_ALIAS_NUMBER_MISMATCH",
            "The number of aliases supplied in the AS clause does not match the number of columns output by the "
            f"generator: expected {len(columns)}, found {len(given)}.",
            sql_state="42802",
        )
    whole = [call("map_keys", argument.copy()), call("map_values", argument.copy())] if as_map else [argument.copy()]
    parts: list[exp.Expr] = [call("unnest", part) for part in whole]
    if numbered:
        positions = call("range", _number(0), call("len", whole[0].copy()))
        parts.insert(0, as_int(call("unnest", positions)))
    named = [exp.alias_(part, name, quoted=True) for part, name in zip(parts, columns, strict=True)]
    return _Rows(exp.Select(expressions=named), columns, outer)


def _stack(generator: exp.Expr, given: Sequence[str]) -> _Rows:
    count, values = generator.this, list(generator.expressions)
    if not (isinstance(count, exp.Literal) and count.name.isdigit() and int(count.name) > 0):
        raise unsupported("stack() with a number of rows that is not a constant")
    width = -(-len(values) // int(count.name))
    values += [exp.null()] * (width * int(count.name) - len(values))
    rows = [exp.Tuple(expressions=values[start : start + width]) for start in range(0, len(values), width)]
    columns = tuple(given) if len(given) == width else tuple(f"col{index}" for index in range(width))
    alias = exp.TableAlias(this=exp.to_identifier("stacked"), columns=[exp.to_identifier(name) for name in columns])
    return _Rows(exp.select("*").from_(exp.Values(expressions=rows, alias=alias)), columns, outer=False)


def _is_map(argument: exp.Expression) -> bool:
    named = isinstance(argument, exp.Anonymous) and argument.name.lower() in _MAP_FUNCTIONS
    return isinstance(argument, _MAPS) or named


def _join(rows: _Rows, name: str, given: Sequence[str], *, outer: bool) -> exp.Join:
    source = exp.Lateral(this=exp.Subquery(this=rows.query), alias=_alias(name, given))
    if outer or rows.outer:
        return exp.Join(this=source, side="LEFT", on=exp.true())
    return exp.Join(this=source, kind="CROSS")


def _subquery(rows: _Rows, name: str, given: Sequence[str]) -> exp.Subquery:
    return exp.Subquery(this=rows.query, alias=_alias(name, given))


def _alias(name: str, columns: Sequence[str]) -> exp.TableAlias:
    return exp.TableAlias(
        this=exp.to_identifier(name, quoted=True),
        columns=[exp.to_identifier(column, quoted=True) for column in columns],
    )


def _number(value: int) -> exp.Expr:
    return exp.Literal.number(value)
