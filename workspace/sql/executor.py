"""Carries out one statement: what kind it is, and who carries it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from deltalake.exceptions import DeltaError
from sqlglot import exp

from workspace.documents import Documents
from workspace.errors import ApiError
from workspace.sql import alter, commands, ddl, dml, inspection
from workspace.sql.authorization import authorize, insufficient
from workspace.sql.context import Context, from_api
from workspace.sql.copying import copy_into
from workspace.sql.engine import Cursor, Engine, Result
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.external import ExternalFiles
from workspace.sql.merge import merge
from workspace.sql.names import Session
from workspace.sql.parsing import Parameter, parse, rewritten, tokens
from workspace.sql.sources import Sources
from workspace.sql.translate import named_outputs
from workspace.sql.udfs import Functions
from workspace.unity_catalog.privileges import PrivilegeError
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
    exp.Copy: copy_into,
    exp.Describe: inspection.describe,
    exp.Use: inspection.use,
}


class Executor:
    """Runs statements; safe for use from many threads."""

    def __init__(self, catalog: UnityCatalog, documents: Documents, engine: Engine, external: ExternalFiles) -> None:
        self._catalog = catalog
        self._documents = documents
        self.functions = Functions(documents, self._schema_id)
        self._external = external
        self._engine = engine

    def cursor(self) -> Cursor:
        """For `run`: to be interrupted from another thread, and closed."""
        return self._engine.cursor()

    def run(self, statement: str, parameters: Sequence[Parameter], session: Session, cursor: Cursor) -> Result:
        """Raises SqlError, in Databricks' words."""
        sources = Sources(self._catalog, session, cursor, self._external, self.functions)
        context = Context(self._catalog, session, cursor, sources, self._external, self._documents, self.functions)
        try:
            text = rewritten(statement, parameters)
            done = commands.carry_out(context, text)
            if done is not None:
                return done
            tree = parse(statement, parameters)
            authorize(tree, session, self._catalog, lambda name: self.functions.find(name) is not None)
            if isinstance(tree, exp.Query | exp.Values):
                return context.query(named_outputs(tree))
            if isinstance(tree, exp.Command):
                raise unsupported(" ".join(word.text.upper() for word in tokens(text)[:3]))
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

    def _schema_id(self, full_name: str) -> str | None:
        catalog, _, schema = full_name.partition(".")
        if not self._catalog.containers.has_schema(catalog, schema):
            return None
        return str(self._catalog.containers.schema(catalog, schema)["schema_id"])
