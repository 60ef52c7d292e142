"""From the text of a request to one parsed statement: named parameters and IDENTIFIER() are resolved here."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError, TokenError

from workspace.sql.builtins import check_calls
from workspace.sql.errors import SqlError, syntax_error, unsupported
from workspace.sql.windows import COLUMN, NAME
from workspace.unity_catalog import types

DIALECT = "databricks"
# What it cannot read comes back as a Command, which is refused or carried out by name; its warning says nothing more.
logging.getLogger("sqlglot").setLevel(logging.ERROR)
_DIFFERENCES = ("DATEDIFF", "DATE_DIFF")
_UNITS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND")


@dataclass(frozen=True)
class Parameter:
    """A named parameter of a request: text, and the type that it is cast to; no value is NULL."""

    name: str
    value: str | None = None
    type_text: str = "STRING"


def parse(statement: str, parameters: Sequence[Parameter] = ()) -> exp.Expression:
    """The one statement in the text, with its parameters bound.

    Raises SqlError for text that is no statement, that is more than one, or that has a parameter without a value.
    """
    bound = {parameter.name: parameter for parameter in parameters}
    text = _rewrite_text(statement, bound)
    check_calls(tokens(text))
    try:
        trees = [tree for tree in sqlglot.parse(text, read=DIALECT) if tree is not None]
    except (ParseError, TokenError) as error:
        raise syntax_error(_parse_message(error)) from error
    if not trees:
        raise syntax_error("Syntax error: the statement is empty.")
    if len(trees) > 1:
        raise syntax_error(f"Syntax error: one statement is executed at a time, found {len(trees)}.")
    tree = trees[0]
    if not isinstance(tree, exp.Expression):
        raise syntax_error("Syntax error: the text is no statement.")
    for placeholder in list(tree.find_all(exp.Placeholder)):
        placeholder.replace(_value(placeholder, bound))
    for variable in tree.find_all(exp.Parameter):
        if not (isinstance(variable.parent, exp.TableAlias) and variable.parent.this is variable):
            raise unsupported(f"session variables and widgets ({variable})", "use named parameters (:name)")
    return tree


def rewritten(statement: str, parameters: Sequence[Parameter] = ()) -> str:
    """The text with the named object in the place of each IDENTIFIER(...)."""
    return _rewrite_text(statement, {parameter.name: parameter for parameter in parameters})


def tokens(text: str) -> list[Token]:
    """Raises SqlError where the text cannot be told apart into words."""
    try:
        return list(sqlglot.tokenize(text, read=DIALECT))
    except TokenError as error:
        raise syntax_error(_parse_message(error)) from error


def statements_of(text: str) -> list[str]:
    """The statements of a script, told apart by semicolons; SqlError where it cannot be read."""
    found, start = [], 0
    for token in tokens(text):
        if token.token_type == TokenType.SEMICOLON:
            found.append(text[start : token.start])
            start = token.end + 1
    found.append(text[start:])
    return [one.strip() for one in found if tokens(one)]


def _value(placeholder: exp.Placeholder, bound: Mapping[str, Parameter]) -> exp.Expression:
    name = placeholder.name
    if not name:
        raise unsupported("parameters without names (?)", "use named parameters (:name)")
    parameter = bound.get(name)
    if parameter is None:
        raise SqlError(
            "UNBOUND_SQL_PARAMETER",
            f"Found the unbound parameter: {name}. "
            "Please, fix `args` and provide a mapping of the parameter to a value.",
            sql_state="42P02",
        )
    try:
        types.parse(parameter.type_text)
    except types.TypeTextError as error:
        raise SqlError("INVALID_PARAMETER_MARKER_VALUE", f"parameter '{name}': {error}") from error
    literal = exp.null() if parameter.value is None else exp.Literal.string(parameter.value)
    if parameter.type_text.lower() == "string" and parameter.value is not None:
        return literal
    return exp.cast(literal, exp.DataType.build(parameter.type_text, dialect=DIALECT))


def _rewrite_text(text: str, bound: Mapping[str, Parameter]) -> str:
    """Put the named object in the place of each IDENTIFIER(...), whose argument is a constant text."""
    found = tokens(text)
    result, done = [], 0
    for index, token in enumerate(found[:-1]):
        if token.text.upper() == "COLUMN" and index and found[0].text.upper() == "ALTER":
            verb, next_type = found[index - 1].text.upper(), found[index + 1].token_type
            if verb == "ADD" and next_type == TokenType.L_PAREN:
                result += [text[done : token.start], "COLUMNS"]
                done = token.end + 1
            elif verb == "CHANGE" and index + 2 < len(found) and found[index + 2].text.upper() == "COMMENT":
                result += [text[done : found[index - 1].start], "ALTER COLUMN"]
                done = token.end + 1
            continue
        if token.text.upper() in _DIFFERENCES and _has_unit(found, index):
            # With a unit it is another function under the same name; sqlglot does not keep them apart.
            result += [text[done : token.start], "TIMESTAMPDIFF"]
            done = token.end + 1
            continue
        if token.text.lower() == COLUMN and found[index + 1].token_type == TokenType.L_PAREN:
            if token.token_type not in (TokenType.STRING, TokenType.IDENTIFIER):
                result += [text[done : token.start], NAME]
                done = token.end + 1
            continue
        if token.text.upper() != "IDENTIFIER" or token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            continue
        if found[index + 1].token_type != TokenType.L_PAREN:
            continue
        close = _closing(found, index + 1)
        name = _constant_text(found[index + 2 : close], bound)
        result += [text[done : token.start], ".".join(f"`{part.strip('`')}`" for part in name.split("."))]
        done = found[close].end + 1
    return "".join([*result, text[done:]])


def _has_unit(found: Sequence[Token], index: int) -> bool:
    """datediff(DAY, start, end) against datediff(end, start)."""
    return (
        index + 3 < len(found)
        and found[index + 1].token_type == TokenType.L_PAREN
        and found[index + 2].text.upper() in _UNITS
        and found[index + 3].token_type == TokenType.COMMA
    )


def _closing(found: Sequence[Token], start: int) -> int:
    depth = 0
    for index in range(start, len(found)):
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(found[index].token_type, 0)
        if depth == 0:
            return index
    raise syntax_error("Syntax error: IDENTIFIER( is not closed.")


def _constant_text(inside: Sequence[Token], bound: Mapping[str, Parameter]) -> str:
    """Strings and parameters joined by ||."""
    parts: list[str] = []
    index = 0
    while index < len(inside):
        token = inside[index]
        if token.token_type == TokenType.STRING:
            parts.append(token.text)
        elif token.token_type == TokenType.COLON and index + 1 < len(inside):
            index += 1
            parameter = bound.get(inside[index].text)
            if parameter is None or parameter.value is None:
                raise SqlError("UNBOUND_SQL_PARAMETER", f"Found the unbound parameter: {inside[index].text}.")
            parts.append(parameter.value)
        else:
            raise unsupported(f"IDENTIFIER() of {token.text!r}", "give it a string or parameters, joined by ||")
        index += 1
        if index < len(inside):
            if inside[index].token_type != TokenType.DPIPE:
                raise unsupported(f"IDENTIFIER() with {inside[index].text!r}", "join strings and parameters by ||")
            index += 1
    name = "".join(parts)
    if not name:
        raise SqlError("INVALID_IDENTIFIER", "IDENTIFIER() was given an empty name", sql_state="42602")
    return name


def _parse_message(error: ParseError | TokenError) -> str:
    details = getattr(error, "errors", None)
    if details:
        first = details[0]
        near = first.get("highlight") or "end of input"
        place = f"(line {first.get('line')}, pos {first.get('col')})"
        return f"Syntax error at or near '{near}': {first.get('description')} {place}"
    return f"Syntax error: {error}"
