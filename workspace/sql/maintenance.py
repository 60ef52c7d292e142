"""OPTIMIZE, VACUUM and RESTORE, carried out by delta-rs.

Sources: https://docs.databricks.com/sql/language-manual/delta-optimize.html, delta-vacuum.html, delta-restore.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlglot import Token, TokenType, exp

from workspace.sql import versions
from workspace.sql.authorization import require_table
from workspace.sql.context import Context, rows_of
from workspace.sql.engine import Result
from workspace.sql.errors import syntax_error, unsupported
from workspace.sql.rows import writable
from workspace.unity_catalog.table import Table

_DEFAULT_RETENTION_HOURS = 168


def optimize(context: Context, text: str, words: Sequence[Token]) -> Result:
    """`OPTIMIZE name`, from the word after OPTIMIZE on."""
    name, rest = _name(text, words)
    if rest:
        raise unsupported(f"OPTIMIZE ... {' '.join(word.text.upper() for word in rest[:2])}", "OPTIMIZE name is there")
    table = _target(context, name, "OPTIMIZE")
    with context.tables.locked(table.full_name):
        metrics = context.tables.delta(table.full_name).optimize.compact()
    return rows_of({"path": "string", "metrics": "string"}, (table.storage_location, json.dumps(metrics)))


def vacuum(context: Context, text: str, words: Sequence[Token]) -> Result:
    """`VACUUM name [RETAIN n HOURS] [DRY RUN]`, from the word after VACUUM on."""
    name, rest = _name(text, words)
    texts = [word.text.upper() for word in rest]
    hours = _DEFAULT_RETENTION_HOURS
    if texts[:1] == ["RETAIN"] and len(texts) >= 3 and texts[1].isdigit() and texts[2] in ("HOURS", "HOUR"):
        hours, texts = int(texts[1]), texts[3:]
    dry_run = texts == ["DRY", "RUN"]
    if texts and not dry_run:
        raise unsupported(f"VACUUM ... {' '.join(texts)}", "RETAIN n HOURS and DRY RUN are there")
    table = _target(context, name, "VACUUM")
    with context.tables.locked(table.full_name):
        gone = context.tables.delta(table.full_name).vacuum(retention_hours=hours, dry_run=dry_run)
    if dry_run:
        return rows_of({"path": "string"}, *((f"{table.storage_location}/{path}",) for path in gone))
    return rows_of({"path": "string"}, (table.storage_location,))


def restore(context: Context, text: str, words: Sequence[Token]) -> Result:
    """`RESTORE [TABLE] name TO VERSION AS OF n`, from the word after RESTORE on."""
    words = words[1:] if words and words[0].text.upper() == "TABLE" else words
    name, rest = _name(text, words)
    texts = [word.text.upper() for word in rest]
    rest = rest[1:] if texts[:1] == ["TO"] else rest
    texts = [word.text.upper() for word in rest]
    if len(texts) != 4 or texts[1:3] != ["AS", "OF"] or texts[0] not in ("VERSION", "TIMESTAMP"):
        raise unsupported("RESTORE in another form", "RESTORE TABLE name TO VERSION AS OF n is there")
    table = _target(context, name, "RESTORE")
    with context.tables.locked(table.full_name):
        delta = context.tables.delta(table.full_name)
        if texts[0] == "VERSION":
            if rest[3].token_type != TokenType.NUMBER or not texts[3].isdigit():
                raise syntax_error(f"Syntax error at or near '{texts[3]}': a version is a number.")
            version = int(texts[3])
        else:
            moment = versions.moment_of(exp.Literal.string(rest[3].text), context.cursor, context.session)
            version = versions.at_moment(delta, moment, table.full_name)
        versions.load(context.tables.delta(table.full_name), version, table.full_name)
        metrics = delta.restore(version)
    names = {"num_removed_files": "numRemovedFile", "num_restored_files": "numRestoredFile"}
    return rows_of(dict.fromkeys(names, "bigint"), tuple(int(metrics.get(name, 0)) for name in names.values()))


def _target(context: Context, name: exp.Table, what: str) -> Table:
    require_table(context.catalog, context.session.full_name(name), "MODIFY")
    return writable(context, name, what)


def _name(text: str, words: Sequence[Token]) -> tuple[exp.Table, Sequence[Token]]:
    """The name that the words begin with, and the words after it."""
    if not words:
        raise syntax_error("Syntax error: a table's name is missing.")
    end = 0
    while end + 2 < len(words) and words[end + 1].token_type == TokenType.DOT:
        end += 2
    name = text[words[0].start : words[end].end + 1]
    return exp.to_table(name, dialect="databricks"), words[end + 1 :]
