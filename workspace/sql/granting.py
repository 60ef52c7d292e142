"""GRANT, REVOKE and SHOW GRANTS: the grants of Unity Catalog, in SQL.

Sources: https://docs.databricks.com/sql/language-manual/security-grant.html, security-revoke.html,
security-show-grant.html
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import Token, TokenType

from workspace.identity.caller import current_caller
from workspace.sql.context import Context, nothing, rows_of
from workspace.sql.engine import Result
from workspace.sql.errors import syntax_error, unsupported
from workspace.unity_catalog.privileges import principals_of
from workspace.unity_catalog.securables import CATALOG, FUNCTION, METASTORE, SCHEMA, TABLE, VOLUME

Words = Sequence[Token]

_KINDS = {
    "TABLE": TABLE,
    "VIEW": TABLE,
    "SCHEMA": SCHEMA,
    "DATABASE": SCHEMA,
    "CATALOG": CATALOG,
    "FUNCTION": FUNCTION,
    "MODEL": FUNCTION,
    "VOLUME": VOLUME,
    "METASTORE": METASTORE,
}
_LEVELS = {TABLE: 3, VOLUME: 3, FUNCTION: 3, SCHEMA: 2, CATALOG: 1, METASTORE: 0}


def grant(context: Context, text: str, words: Words) -> Result:
    """`GRANT privileges ON [kind] name TO principal`, from the word after GRANT on."""
    _change(context, words, "add", "TO")
    return nothing()


def revoke(context: Context, text: str, words: Words) -> Result:
    """`REVOKE privileges ON [kind] name FROM principal`, from the word after REVOKE on."""
    _change(context, words, "remove", "FROM")
    return nothing()


def show_grants(context: Context, text: str, words: Words) -> Result:
    """`SHOW GRANTS [principal] ON [kind] name`, from the word after GRANTS on: those of others to managers only."""
    at = _position(words, "ON", "SHOW GRANTS")
    principal = _text(words[:at]) or None
    kind, name = _securable(context, words[at + 1 :])
    found = context.catalog.grants.get(kind, name, principal)
    if not context.catalog.privileges.manages(current_caller(), kind, name):
        mine = principals_of(current_caller())
        found = [one for one in found if one["principal"].casefold() in mine]
    columns = dict.fromkeys(("Principal", "ActionType", "ObjectType", "ObjectKey"), "string")
    rows = [
        (one["principal"], privilege.replace("_", " "), kind.upper(), name)
        for one in found
        for privilege in one["privileges"]
    ]
    return rows_of(columns, *rows)


def _change(context: Context, words: Words, change: str, preposition: str) -> None:
    what = "GRANT" if change == "add" else "REVOKE"
    on, to = _position(words, "ON", what), _position(words, preposition, what)
    principal = _text(words[to + 1 :])
    if not principal:
        raise syntax_error(f"Syntax error: {what} names no principal.")
    kind, name = _securable(context, words[on + 1 : to])
    context.catalog.privileges.require_manage(current_caller(), kind, name)
    context.catalog.grants.change(kind, name, [{"principal": principal, change: _privileges(words[:on])}])


def _privileges(words: Words) -> list[str]:
    """Names of privileges, of several words each, between commas."""
    found: list[list[str]] = [[]]
    for word in words:
        if word.token_type == TokenType.COMMA:
            found.append([])
        else:
            found[-1].append(word.text.upper())
    if not all(found):
        raise syntax_error("Syntax error: the name of a privilege is missing.")
    return ["_".join(parts) for parts in found]


def _securable(context: Context, words: Words) -> tuple[str, str]:
    """Kind and full name; a table where no kind is named."""
    first = words[0].text.upper() if words else ""
    named = first in _KINDS and words[0].token_type != TokenType.IDENTIFIER
    kind = _KINDS[first] if named else TABLE
    if kind == METASTORE:
        return kind, context.catalog.metastore_id
    parts = [part.strip("`").lower() for part in _text(words[1:] if named else words).split(".")]
    levels = _LEVELS[kind]
    whole = [*[context.session.catalog, context.session.schema][: levels - len(parts)], *parts]
    if not all(parts) or len(whole) != levels:
        raise unsupported(f"a grant on {_text(words) or 'nothing'}", f"{', '.join(_KINDS)} and a name are there")
    return kind, ".".join(whole)


def _position(words: Words, wanted: str, what: str) -> int:
    for index, word in enumerate(words):
        if word.text.upper() == wanted and word.token_type not in (TokenType.IDENTIFIER, TokenType.STRING):
            return index
    raise syntax_error(f"Syntax error: {what} has no {wanted}.")


def _text(words: Words) -> str:
    return "".join(word.text for word in words)
