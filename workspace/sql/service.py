"""SQL as a service of the workspace: statements, warehouses, saved queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from starlette.responses import Response
from starlette.routing import BaseRoute

from workspace.errors import ApiError, bad_request, invalid
from workspace.files import Files
from workspace.files.presigned import PREFIX, UrlSigner
from workspace.http import Call, Json, api
from workspace.sql import warehouses
from workspace.sql.delivery import BLOBS
from workspace.sql.engine import Engine
from workspace.sql.errors import SqlError
from workspace.sql.executor import Executor
from workspace.sql.external import ExternalFiles
from workspace.sql.parsing import statements_of
from workspace.sql.queries import Queries, SavedQuery
from workspace.sql.requests import named_parameters
from workspace.sql.statements import Statements
from workspace.sql.udfs import info
from workspace.state import State
from workspace.unity_catalog.securables import FUNCTION, Contents
from workspace.unity_catalog.service import FIRST_CATALOG, UnityCatalog

STATEMENTS = "/api/2.0/sql/statements"
QUERIES = "/api/2.0/sql/queries"
FUNCTIONS = "/api/2.1/unity-catalog/functions"
DEFAULT_SCHEMA = "default"


class Sql:
    """Runs Databricks SQL over the tables of Unity Catalog."""

    def __init__(self, state: State, catalog: UnityCatalog, files: Files, now: Callable[[], float] = time.time) -> None:
        self._catalog = catalog
        self._engine = Engine()
        self._executor = Executor(catalog, state.documents, self._engine, ExternalFiles(catalog, files.path))
        self._statements = Statements(self._executor, FIRST_CATALOG, DEFAULT_SCHEMA, UrlSigner(state.token), now)
        self._queries = Queries(state.documents)

    def execute(
        self,
        statement: str,
        parameters: Sequence[Mapping[str, Any]] = (),
        catalog: str | None = None,
        schema: str | None = None,
    ) -> pa.Table:
        """Run one statement for another service; its rows.

        Args:
            parameters: as in the statement execution API: `name`, `value` (text or None), `type` (STRING if left out).

        Raises ApiError 400 with Databricks' words where the statement fails.
        """
        cursor = self._executor.cursor()
        try:
            session = self._statements.session(catalog, schema)
            return self._executor.run(statement, named_parameters(parameters), session, cursor).rows
        except SqlError as error:
            raise bad_request(str(error)) from error
        finally:
            cursor.close()

    def execute_script(
        self,
        text: str,
        parameters: Sequence[Mapping[str, Any]] = (),
        catalog: str | None = None,
        schema: str | None = None,
    ) -> list[pa.Table]:
        """Run the statements of a text one after the other in one session: USE and temporary views last to its end.

        Returns the rows of each. Raises ApiError 400 where one fails; what ran before it stays done.
        """
        cursor = self._executor.cursor()
        try:
            session = self._statements.session(catalog, schema)
            given = named_parameters(parameters)
            return [self._executor.run(one, given, session, cursor).rows for one in statements_of(text)]
        except SqlError as error:
            raise bad_request(str(error)) from error
        finally:
            cursor.close()

    def saved_query(self, query_id: str) -> SavedQuery:
        """Raises ApiError 404 where there is no such query."""
        return self._queries.saved(query_id)

    def functions(self) -> Contents:
        """The functions that users define, for Unity Catalog: counted, granted on, dropped with their schema."""
        stored = self._executor.functions
        return Contents(
            FUNCTION,
            names=stored.names,
            identity=lambda name: str(self._known_function(name)["function_id"]),
            drop=stored.drop,
            owner=lambda name: str(self._known_function(name)["owner"]),
        )

    def function(self, full_name: str) -> Json:
        """A function that users define, as it is kept: language, parameters, returns, definition. ApiError 404."""
        return self._known_function(full_name)

    def _known_function(self, full_name: str) -> Json:
        """Raises ApiError 404."""
        found = self._executor.functions.find(full_name)
        if found is None:
            raise ApiError(404, "FUNCTION_DOES_NOT_EXIST", f"Function '{full_name}' does not exist.")
        return found

    def creator_of_query(self, query_id: str) -> str | None:
        """The user name of a saved query's owner; None where there is no such query."""
        return self._queries.owner(query_id)

    def routes(self) -> list[BaseRoute]:
        queries = self._queries
        return [
            api("POST", STATEMENTS, self._submit),
            api("GET", f"{STATEMENTS}/{{id}}", self._get),
            api("POST", f"{STATEMENTS}/{{id}}/cancel", self._cancel),
            api("GET", f"{STATEMENTS}/{{id}}/result/chunks/{{index}}", self._chunk),
            api("GET", f"{PREFIX}{BLOBS}/{{id}}/{{index}}", self._blob),
            *warehouses.routes(),
            api("GET", FUNCTIONS, self._list_functions),
            api("GET", f"{FUNCTIONS}/{{name}}", lambda call: info(self._function(call))),
            api("DELETE", f"{FUNCTIONS}/{{name}}", self._drop_function),
            api("POST", QUERIES, lambda call: queries.create(call.body, call.caller.user_name)),
            api("GET", QUERIES, self._list_queries),
            api("GET", f"{QUERIES}/{{id}}", lambda call: queries.get(call.path["id"])),
            api("PATCH", f"{QUERIES}/{{id}}", self._change_query),
            api("DELETE", f"{QUERIES}/{{id}}", self._trash_query),
        ]

    def start(self) -> None: ...

    def stop(self) -> None:
        self._statements.stop()
        self._engine.close()

    def _submit(self, call: Call) -> Json:
        warehouse, _ = call.require("warehouse_id", "statement")
        warehouses.require(warehouse)
        return self._statements.submit(call.body, call.headers["host"])

    def _get(self, call: Call) -> Json:
        return self._statements.describe(self._statements.get(call.path["id"]), call.headers["host"])

    def _cancel(self, call: Call) -> Json:
        self._statements.cancel(call.path["id"])
        return {}

    def _chunk(self, call: Call) -> Json:
        return self._statements.chunk(call.path["id"], _index(call), call.headers["host"])

    def _blob(self, call: Call) -> Response:
        _index(call)
        content, media_type = self._statements.blob(call.path["id"], call.path["index"], call.query)
        return Response(content, media_type=media_type)

    def _list_functions(self, call: Call) -> Json:
        catalog, schema = (call.query.get(name, "") for name in ("catalog_name", "schema_name"))
        if not catalog or not schema:
            raise invalid("catalog_name and schema_name are required")
        self._catalog.containers.schema(catalog.lower(), schema.lower())
        functions = self._executor.functions
        found = [functions.find(name) for name in functions.names(f"{catalog}.{schema}")]
        return {"functions": [info(one) for one in found if one is not None]}

    def _function(self, call: Call) -> Json:
        return self._known_function(call.path["name"])

    def _drop_function(self, call: Call) -> Json:
        self._executor.functions.drop(str(self._function(call)["full_name"]))
        return {}

    def _list_queries(self, call: Call) -> Json:
        size = call.query.get("page_size", "0")
        if not size.isdigit():
            raise invalid(f"page_size must be a number, received '{size}'")
        return self._queries.list(int(size), call.query.get("page_token", ""))

    def _change_query(self, call: Call) -> Json:
        return self._queries.change(call.path["id"], call.body, call.caller.user_name)

    def _trash_query(self, call: Call) -> Json:
        self._queries.trash(call.path["id"])
        return {}


def _index(call: Call) -> int:
    text = call.path["index"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid(f"chunk_index must be a number, received '{text}'")
    return int(text)
