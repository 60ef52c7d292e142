"""Statements that were sent: they run on threads of their own, can be waited for, cancelled, and asked about later."""

from __future__ import annotations

import logging
import math
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass, field
from typing import Any

from workspace.errors import ApiError, invalid
from workspace.http import Json
from workspace.sql import results
from workspace.sql.engine import CancelledError, Cursor, Result
from workspace.sql.errors import SqlError
from workspace.sql.executor import Executor
from workspace.sql.names import Session
from workspace.sql.parsing import Parameter

logger = logging.getLogger("workspace")

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELED, CLOSED = (
    "PENDING",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "CANCELED",
    "CLOSED",
)
KEPT = 200
WORKERS = 8
# https://docs.databricks.com/api/workspace/statementexecution: 0 s, or 5 s to 50 s.
_WAIT = re.compile(r"(\d+)s")
_DEFAULT_WAIT = "10s"
_INTERRUPT_PAUSE_SECONDS = 0.02
_STOP_SECONDS = 3.0
_KNOWN_FIELDS = frozenset(
    {"statement", "warehouse_id", "catalog", "schema", "parameters", "row_limit", "byte_limit", "disposition", "format"}
    | {"wait_timeout", "on_wait_timeout", "query_tags"}
)


@dataclass
class Statement:
    """One statement and what became of it."""

    id: str
    cursor: Cursor
    state: str = PENDING
    error: str | None = None
    result: Result | None = None
    truncated: bool = False
    started: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the cursor is closed: nothing of the statement runs any more, whatever its state says."""

    def close(self) -> None:
        self.cursor.close()
        self.over.set()


class Statements:
    """The newest statements of this server; they do not outlive it, as results of Databricks do not outlive an hour."""

    def __init__(self, executor: Executor, default_catalog: str, default_schema: str, user: str) -> None:
        self._executor = executor
        self._defaults = (default_catalog, default_schema)
        self._user = user
        self._statements: OrderedDict[str, Statement] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="sql")

    def session(self, catalog: str | None, schema: str | None) -> Session:
        return Session((catalog or self._defaults[0]).lower(), (schema or self._defaults[1]).lower(), self._user)

    def submit(self, body: Mapping[str, Any]) -> Json:
        """Run a statement, and wait for it as long as the request says."""
        unknown = sorted(set(body) - _KNOWN_FIELDS)
        if unknown:
            raise invalid(f"the embedded workspace does not know the field(s) {unknown} of a statement")
        if body.get("disposition", "INLINE") != "INLINE" or body.get("format", "JSON_ARRAY") != "JSON_ARRAY":
            raise invalid("the embedded workspace answers with disposition INLINE and format JSON_ARRAY only")
        seconds = _seconds(body.get("wait_timeout", _DEFAULT_WAIT))
        after = body.get("on_wait_timeout", "CONTINUE")
        if after not in ("CONTINUE", "CANCEL"):
            raise invalid(f"on_wait_timeout must be CONTINUE or CANCEL, received '{after}'")
        if seconds == 0 and after == "CANCEL":
            raise invalid("on_wait_timeout CANCEL needs a wait_timeout of 5s or more")
        session = self.session(body.get("catalog"), body.get("schema"))
        given = named_parameters(body.get("parameters") or [])
        statement = self._new()
        future = self._pool.submit(self._run, statement, str(body["statement"]), given, session, body.get("row_limit"))
        self._wait(future, statement, seconds, after)
        return self.describe(statement)

    def get(self, statement_id: str) -> Statement:
        with self._lock:
            statement = self._statements.get(statement_id)
        if statement is None:
            raise ApiError(404, "NOT_FOUND", f"The statement {statement_id} was not found.")
        return statement

    def cancel(self, statement_id: str) -> None:
        """Ask it to stop. One that is over stays what it is."""
        statement = self.get(statement_id)
        with self._lock:
            if statement.state not in (PENDING, RUNNING):
                return
            statement.state = CANCELED
        threading.Thread(target=self._interrupt, args=([statement], math.inf), name="sql-cancel", daemon=True).start()

    def describe(self, statement: Statement) -> Json:
        """State, and the first chunk of the result where there is one."""
        status: Json = {"state": statement.state}
        if statement.error is not None and statement.state == FAILED:
            status["error"] = {"error_code": "BAD_REQUEST", "message": statement.error}
        answer: Json = {"statement_id": statement.id, "status": status}
        if statement.state == SUCCEEDED and statement.result is not None:
            answer["manifest"] = results.manifest(statement.result, truncated=statement.truncated)
            answer["result"] = results.chunk(statement.result, 0, statement.id)
        return answer

    def chunk(self, statement_id: str, index: int) -> Json:
        statement = self.get(statement_id)
        if statement.state != SUCCEEDED or statement.result is None:
            raise ApiError(400, "BAD_REQUEST", f"The statement {statement_id} is {statement.state}: it has no result.")
        if not 0 <= index < max(1, results.chunk_count(statement.result)):
            raise ApiError(400, "BAD_REQUEST", f"The statement {statement_id} has no chunk {index}.")
        return results.chunk(statement.result, index, statement_id)

    def stop(self) -> None:
        """End what runs, cancelled or not; what cannot be interrupted in time ends with the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            running = [one for one in self._statements.values() if one.started and not one.over.is_set()]
        self._interrupt(running, _STOP_SECONDS)

    def _interrupt(self, statements: list[Statement], seconds: float) -> None:
        """Interrupt until they are over: DuckDB forgets an interrupt that comes before the query."""
        deadline = time.monotonic() + seconds
        while statements and time.monotonic() < deadline:
            with self._lock:
                # Only under the lock is it known that the cursor is not closed yet.
                for statement in statements:
                    if not statement.over.is_set():
                        statement.cursor.interrupt()
            statements[0].over.wait(_INTERRUPT_PAUSE_SECONDS)
            statements = [one for one in statements if not one.over.is_set()]

    def _new(self) -> Statement:
        statement = Statement(str(uuid.uuid4()), self._executor.cursor())
        with self._lock:
            self._statements[statement.id] = statement
            over = [found.id for found in self._statements.values() if found.state not in (PENDING, RUNNING)]
            for old in over[: max(0, len(self._statements) - KEPT)]:
                del self._statements[old]
        return statement

    def _run(
        self, statement: Statement, text: str, given: list[Parameter], session: Session, row_limit: int | None
    ) -> None:
        with self._lock:
            if statement.state == CANCELED:
                statement.close()
                return
            statement.state, statement.started = RUNNING, True
        state, error, result = FAILED, None, None
        try:
            result = self._executor.run(text, given, session, statement.cursor)
            state = SUCCEEDED
        except CancelledError:
            state = CANCELED
        except SqlError as failure:
            error = str(failure)
        except Exception as failure:
            logger.exception("a statement failed in a way that nobody foresaw")
            error = f"[INTERNAL_ERROR] {type(failure).__name__}: {failure}"
            raise
        finally:
            self._close(statement, state, error, result, row_limit)

    def _close(
        self, statement: Statement, state: str, error: str | None, result: Result | None, row_limit: int | None
    ) -> None:
        if result is not None and row_limit is not None and result.rows.num_rows > row_limit:
            result, statement.truncated = Result(result.columns, result.rows.slice(0, row_limit)), True
        with self._lock:
            if statement.state != CANCELED:
                statement.state, statement.error, statement.result = state, error, result
            statement.close()

    def _wait(self, future: Future[None], statement: Statement, seconds: int, after: str) -> None:
        if seconds == 0:
            return
        try:
            future.result(timeout=seconds)
        except StillRunning:
            if after == "CANCEL":
                self.cancel(statement.id)


def named_parameters(given: Sequence[Mapping[str, Any]]) -> list[Parameter]:
    """Named parameters of a request; ApiError 400 for one without a name."""
    found = []
    for item in given:
        if not item.get("name"):
            raise invalid("a statement's parameter has a name; positional parameters (?) are not carried out")
        value = item.get("value")
        found.append(Parameter(str(item["name"]), None if value is None else str(value), item.get("type") or "STRING"))
    return found


def _seconds(text: str) -> int:
    match = _WAIT.fullmatch(str(text))
    seconds = int(match.group(1)) if match else -1
    if seconds != 0 and not 5 <= seconds <= 50:
        raise invalid(f"wait_timeout must be 0s, or from 5s to 50s; received '{text}'")
    return seconds
