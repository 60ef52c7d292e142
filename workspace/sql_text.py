"""SQL text of queries, files and notebook cells, taken apart into statements and the parameters that each one names."""

from __future__ import annotations

import re

from sqlglot import TokenType
from sqlglot.dialects import Databricks

_MUSTACHE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")

# `value:field` reads a field of a semi-structured value; only after something else is `:name` a parameter.
_BEFORE_A_PATH = (TokenType.VAR, TokenType.IDENTIFIER, TokenType.R_PAREN, TokenType.R_BRACKET)


def split(text: str) -> list[str]:
    """The statements of a query text, without those that hold nothing but comments; raises sqlglot's TokenError."""
    statements, start, has_words = [], 0, False
    for token in Databricks().tokenize(text):
        if token.token_type is not TokenType.SEMICOLON:
            has_words = True
            continue
        if has_words:
            statements.append(text[start : token.start].strip())
        start, has_words = token.end + 1, False
    if has_words:
        statements.append(text[start:].strip())
    return statements


def named_parameters(statement: str) -> list[str]:
    """The `:name` markers of a statement, in order, each once."""
    tokens = Databricks().tokenize(statement)
    names = [
        following.text
        for before, marker, following in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if marker.token_type is TokenType.COLON
        and following.start == marker.end + 1
        and not (before.end + 1 == marker.start and before.token_type in _BEFORE_A_PATH)
    ]
    return list(dict.fromkeys(names))


def mustache_parameters(text: str) -> list[str]:
    """The `{{ name }}` placeholders of the older kind of query."""
    return _MUSTACHE.findall(text)
