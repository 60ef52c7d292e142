"""Functions of arrays and maps that take a lambda.

DuckDB's lambdas count places from 1 and know lists only: places are moved, maps become lists of entries and back.
Source: https://docs.databricks.com/sql/language-manual/sql-ref-lambda-functions.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from workspace.sql.errors import unsupported

_PAIR = "__pair"


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def transform(node: exp.Expression) -> exp.Expression:
    return call("list_transform", node.this, _with_places(node.expression))


def array_filter(node: exp.Expression) -> exp.Expression:
    return call("list_filter", node.this, _with_places(node.expression))


def aggregate(node: exp.Expression) -> exp.Expression:
    """aggregate(array, start, merge[, finish])."""
    merged = call("list_reduce", node.this, _lambda(node.args["merge"], 2), node.args["initial"])
    finish = node.args.get("finish")
    if finish is None:
        return merged
    (name,) = (parameter.name for parameter in _lambda(finish, 1).expressions)
    one = call("list_transform", exp.Array(expressions=[merged]), _made([name], finish.this))
    return exp.Bracket(this=one, expressions=[exp.Literal.number(1)], offset=1)


def exists(node: exp.Expression) -> exp.Expression:
    return call("spark_any", call("list_transform", node.this, _lambda(node.expression, 1)))


def forall(node: exp.Anonymous) -> exp.Expression:
    array, test = node.expressions
    return call("spark_every", call("list_transform", array, _lambda(test, 1)))


def zip_with(node: exp.Anonymous) -> exp.Expression:
    first, second, function = node.expressions
    names = [parameter.name for parameter in _lambda(function, 2).expressions]
    places = {
        name: exp.Bracket(this=exp.to_identifier(_PAIR), expressions=[exp.Literal.number(place)], offset=1)
        for place, name in enumerate(names, start=1)
    }
    return call("list_transform", call("list_zip", first, second), _made([_PAIR], _replaced(function.this, places)))


def transform_values(node: exp.Anonymous) -> exp.Expression:
    body, key, _ = _entry(node.expressions[1])
    entries = _made([_PAIR], call("row", key, body))
    return call("map_from_entries", call("list_transform", call("map_entries", node.expressions[0]), entries))


def transform_keys(node: exp.Anonymous) -> exp.Expression:
    body, _, value = _entry(node.expressions[1])
    entries = _made([_PAIR], call("row", body, value))
    return call("map_from_entries", call("list_transform", call("map_entries", node.expressions[0]), entries))


def map_filter(node: exp.Anonymous) -> exp.Expression:
    body, _, _ = _entry(node.expressions[1])
    kept = call("list_filter", call("map_entries", node.expressions[0]), _made([_PAIR], body))
    return call("map_from_entries", kept)


NAMED_LAMBDAS: dict[str, tuple[int, Callable[[exp.Anonymous], exp.Expression]]] = {
    "forall": (2, forall),
    "zip_with": (3, zip_with),
    "transform_values": (2, transform_values),
    "transform_keys": (2, transform_keys),
    "map_filter": (2, map_filter),
}


def _entry(function: exp.Expression) -> tuple[exp.Expression, exp.Expression, exp.Expression]:
    """The body over an entry of a map, and the entry's key and value."""
    key, value = (
        exp.Dot(this=exp.to_identifier(_PAIR), expression=exp.to_identifier(part)) for part in ("key", "value")
    )
    names = [parameter.name for parameter in _lambda(function, 2).expressions]
    return _replaced(function.this, dict(zip(names, (key, value), strict=True))), key.copy(), value.copy()


def _lambda(function: exp.Expression, count: int) -> exp.Lambda:
    if not isinstance(function, exp.Lambda):
        raise unsupported(f"{function.sql('databricks')} where a lambda function is expected")
    if len(function.expressions) != count:
        raise unsupported(f"a lambda function of {len(function.expressions)} parameters where {count} are expected")
    return function


def _with_places(function: exp.Expression) -> exp.Lambda:
    """A lambda of an element, or of an element and its place counted from 0."""
    if isinstance(function, exp.Lambda) and len(function.expressions) == 2:
        names = [parameter.name for parameter in function.expressions]
        place = exp.Cast(
            this=exp.Paren(this=exp.Sub(this=exp.to_identifier(names[1]), expression=exp.Literal.number(1))),
            to=exp.DataType.build("INT", dialect="duckdb"),
        )
        return _made(names, _replaced(function.this, {names[1]: place}))
    return _lambda(function, 1)


def _made(names: list[str], body: exp.Expression) -> exp.Lambda:
    return exp.Lambda(this=body.copy(), expressions=[exp.to_identifier(name) for name in names])


def _replaced(body: exp.Expression, values: Mapping[str, exp.Expression]) -> exp.Expression:
    """The body with its parameters replaced; a lambda inside hides its own."""
    holder = exp.Paren(this=body.copy())
    for node in list(holder.find_all(exp.Identifier)):
        if node.name in values and _is_parameter(node):
            node.replace(values[node.name].copy())
    replaced: exp.Expression = holder.this
    return replaced


def _is_parameter(node: exp.Identifier) -> bool:
    parent = node.parent
    if isinstance(parent, exp.Dot) and parent.expression is node:
        return False
    if isinstance(parent, exp.Column) and parent.args.get("table") is not None:
        return False
    if isinstance(parent, exp.Alias | exp.TableAlias | exp.Table | exp.PropertyEQ) and parent.this is not node:
        return False
    return not (isinstance(parent, exp.Lambda) and node in parent.expressions)
