"""Statements that are told by their first words: those that sqlglot does not read, or leaves as words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sqlglot import Token, TokenType, exp

from workspace.identity.caller import current_caller
from workspace.sql import alter, granting, inspection, maintenance
from workspace.sql.authorization import require_table
from workspace.sql.context import Context, nothing
from workspace.sql.engine import Result
from workspace.sql.errors import syntax_error, unsupported
from workspace.sql.parsing import tokens
from workspace.unity_catalog.securables import CATALOG

Words = Sequence[Token]
_Command = Callable[[Context, str, Words], Result]


def carry_out(context: Context, text: str) -> Result | None:
    """The result of such a statement; None where the text is another one. Raises SqlError."""
    first = _FIRST.match(text)
    if first is None:
        return None
    verb = first.group(1).upper()
    # sqlglot takes what follows some verbs for one word: it is told apart on its own.
    rest = text[first.end() :] if verb in _VERBS else ""
    words = [word for word in tokens(rest) if word.token_type != TokenType.SEMICOLON]
    texts = [verb, *(word.text.upper() for word in words)]
    for start, command in _COMMANDS.items():
        if texts[: len(start)] == list(start):
            return command(context, rest, words[len(start) - 1 :])
    if texts[:2] == ["ALTER", "TABLE"]:
        return _alter_table(context, rest, words, texts)
    return None


def _alter_table(context: Context, text: str, words: Words, texts: Sequence[str]) -> Result | None:
    """ALTER TABLE name UNSET TBLPROPERTIES (...) and ALTER TABLE name [SET] OWNER TO principal."""
    if "UNSET" in texts and "TBLPROPERTIES" in texts:
        at = texts.index("UNSET") - 1
        name = _name(text, words[1:at])
        require_table(context.catalog, context.session.full_name(name), "MODIFY")
        return alter.unset_properties(context, name, list(words[at + 2 :]))
    if texts[-3:-1] == ["OWNER", "TO"]:
        end = -4 if texts[-4] == "SET" else -3
        name = _name(text, words[1:end])
        require_table(context.catalog, context.session.full_name(name), "MANAGE")
        context.tables.set_owner(context.sources.known(context.session.full_name(name)).full_name, words[-1].text)
        return nothing()
    return None


def _show(context: Context, text: str, words: Words) -> Result:
    return inspection.show(context, list(words))


def _describe(kind: str) -> _Command:
    def describe(context: Context, text: str, words: Words) -> Result:
        words = words[1:] if words and words[0].text.upper() == "EXTENDED" else words
        return inspection.describe_container(context, kind, "".join(word.text for word in words))

    return describe


def _detail(context: Context, text: str, words: Words) -> Result:
    return inspection.detail(context, _name(text, words))


def _name(text: str, words: Words) -> exp.Table:
    if not words:
        raise syntax_error("Syntax error: a table's name is missing.")
    return exp.to_table(text[words[0].start : words[-1].end + 1], dialect="databricks")


def _catalog(verb: str) -> _Command:
    return lambda context, _, words: _change_catalog(context, verb, [word.text for word in words])


def _change_catalog(context: Context, verb: str, rest: list[str]) -> Result:
    """CREATE CATALOG [IF NOT EXISTS] name [COMMENT 'text'], DROP CATALOG [IF EXISTS] name [CASCADE]."""
    containers = context.catalog.containers
    guard = ["IF", "NOT", "EXISTS"] if verb == "CREATE" else ["IF", "EXISTS"]
    guarded = [text.upper() for text in rest[: len(guard)]] == guard
    rest = rest[len(guard) :] if guarded else rest
    if not rest:
        raise syntax_error(f"Syntax error: {verb} CATALOG needs a name.")
    name, more = rest[0].strip("`").lower(), rest[1:]
    exists = any(catalog["name"] == name for catalog in containers.catalogs())
    if verb == "CREATE":
        if more and (more[0].upper() != "COMMENT" or len(more) != 2):
            raise unsupported(f"CREATE CATALOG ... {' '.join(more)}")
        if not (guarded and exists):
            comment = more[1] if more else None
            context.catalog.privileges.require_metastore(current_caller(), "CREATE_CATALOG")
            containers.create_catalog({"name": name, "comment": comment}, context.session.user)
        return nothing()
    if more and [text.upper() for text in more] not in (["CASCADE"], ["RESTRICT"]):
        raise unsupported(f"DROP CATALOG ... {' '.join(more)}")
    if not (guarded and not exists):
        context.catalog.privileges.require_manage(current_caller(), CATALOG, name)
        containers.delete_catalog(name, force=[text.upper() for text in more] == ["CASCADE"])
    return nothing()


_FIRST = re.compile(r"(?:\s|--[^\n]*\n|/\*(?!\+).*?\*/)*([A-Za-z]+)", re.DOTALL)

_COMMANDS: dict[tuple[str, ...], _Command] = {
    ("GRANT",): granting.grant,
    ("REVOKE",): granting.revoke,
    ("SHOW", "GRANTS"): granting.show_grants,
    ("SHOW", "GRANT"): granting.show_grants,
    ("SHOW",): _show,
    ("DESCRIBE", "DETAIL"): _detail,
    ("DESC", "DETAIL"): _detail,
    **{(verb, kind): _describe(kind) for verb in ("DESCRIBE", "DESC") for kind in ("CATALOG", "SCHEMA", "DATABASE")},
    ("CREATE", "CATALOG"): _catalog("CREATE"),
    ("DROP", "CATALOG"): _catalog("DROP"),
    ("OPTIMIZE",): maintenance.optimize,
    ("VACUUM",): maintenance.vacuum,
    ("RESTORE",): maintenance.restore,
}
_VERBS = frozenset({start[0] for start in _COMMANDS} | {"ALTER"})
