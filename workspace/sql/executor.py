"""Carries out one statement: what kind it is, and who carries it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from deltalake.exceptions import DeltaError
from sqlglot import TokenType, exp

from workspace.errors import ApiError
from workspace.identity.caller import current_caller
from workspace.sql import alter, ddl, dml, inspection
from workspace.sql.authorization import authorize, insufficient, require_table
from workspace.sql.context import Context, from_api, nothing
from workspace.sql.engine import Cursor, Engine, Result
from workspace.sql.errors import SqlError, syntax_error, unsupported
from workspace.sql.merge import merge
from workspace.sql.names import Session
from workspace.sql.parsing import Parameter, parse, tokens
from workspace.sql.sources import Sources
from workspace.sql.translate import named_outputs
from workspace.unity_catalog.privileges import PrivilegeError
from workspace.unity_catalog.securables import CATALOG
from workspace.unity_catalog.service import UnityCatalog

_KINDS: dict[type[exp.Expression], Callable[[Context, Any], Result]] = {
    exp.Insert: dml.insert,
    exp.Update: dml.update,
    exp.Delete: dml.delete,
    exp.TruncateTable: dml.truncate,
    exp.Merge: merge,
    exp.Create: ddl.create,
    exp.Drop: ddl.drop,
    exp.Alter: alter.alter,
    exp.Comment: alter.comment_on,
    exp.Describe: inspection.describe,
    exp.Use: inspection.use,
}


class Executor:
    """Runs statements; safe for use from many threads."""

    def __init__(self, catalog: UnityCatalog, engine: Engine) -> None:
        self._catalog = catalog
        self._engine = engine

    def cursor(self) -> Cursor:
        """For `run`: to be interrupted from another thread, and closed."""
        return self._engine.cursor()

    def run(self, statement: str, parameters: Sequence[Parameter], session: Session, cursor: Cursor) -> Result:
        """Raises SqlError, in Databricks' words."""
        tree = parse(statement, parameters)
        context = Context(self._catalog, session, cursor, Sources(self._catalog.tables, session, cursor))
        try:
            authorize(tree, session, self._catalog)
            if isinstance(tree, exp.Query | exp.Values):
                return context.query(named_outputs(tree))
            if isinstance(tree, exp.Command):
                return _command(context, statement)
            carry_out = _KINDS.get(type(tree))
            if carry_out is None:
                raise unsupported(f"{type(tree).__name__.upper()} statements")
            return carry_out(context, tree)
        except PrivilegeError as error:
            raise insufficient(error) from error
        except ApiError as error:
            raise from_api(error) from error
        except (DeltaError, pa.ArrowException) as error:
            raise SqlError("INTERNAL_ERROR", str(error)) from error


def _command(context: Context, statement: str) -> Result:
    """Statements that sqlglot leaves as words."""
    words = [word for word in tokens(statement) if word.token_type != TokenType.SEMICOLON]
    texts = [word.text.upper() for word in words]
    if texts[:1] == ["SHOW"]:
        # sqlglot takes the rest of such a statement for one word.
        return inspection.show(context, tokens(statement[words[0].end + 1 :].rstrip("; \n")))
    if texts[:2] == ["ALTER", "TABLE"] and "UNSET" in texts and "TBLPROPERTIES" in texts:
        at = texts.index("UNSET")
        name = exp.to_table(statement[words[2].start : words[at].start].strip(), dialect="databricks")
        require_table(context.catalog, context.session.full_name(name), "MODIFY")
        return alter.unset_properties(context, name, words[at + 2 :])
    if texts[:2] in (["CREATE", "CATALOG"], ["DROP", "CATALOG"]):
        return _catalog(context, texts[0], [word.text for word in words[2:]])
    raise unsupported(" ".join(texts[:3]))


def _catalog(context: Context, verb: str, rest: list[str]) -> Result:
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
