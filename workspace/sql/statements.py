"""Statements that were sent: they run on threads of their own, can be waited for, cancelled, and asked about later."""

from __future__ import annotations

import logging
import math
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from workspace.errors import ApiError
from workspace.files.presigned import UrlSigner
from workspace.http import Json
from workspace.identity.caller import current_caller
from workspace.sql.delivery import INLINE_BYTES, Delivered, verified
from workspace.sql.engine import CancelledError, Cursor
from workspace.sql.errors import SqlError
from workspace.sql.executor import Executor
from workspace.sql.names import Session
from workspace.sql.requests import CANCEL, Request

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
_SQL_STATE = re.compile(r"SQLSTATE: (\w{5})")
_TOO_LONG = (
    "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most "
    f"{INLINE_BYTES} bytes. Please execute the statement with disposition=EXTERNAL_LINKS if you want to download the "
    "full result."
)
_INTERRUPT_PAUSE_SECONDS = 0.02
_STOP_SECONDS = 3.0


@dataclass
class Statement:
    """One statement and what became of it."""

    id: str
    cursor: Cursor
    user: str
    """Who sent it: nobody else sees it."""
    state: str = PENDING
    error: str | None = None
    result: Delivered | None = None
    started: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the cursor is closed: nothing of the statement runs any more, whatever its state says."""

    def close(self) -> None:
        self.cursor.close()
        self.over.set()


class Statements:
    """The newest statements of this server; they do not outlive it, as results of Databricks do not outlive an hour."""

    def __init__(
        self,
        executor: Executor,
        default_catalog: str,
        default_schema: str,
        signer: UrlSigner,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._executor = executor
        self._now = now
        self._defaults = (default_catalog, default_schema)
        self._signer = signer
        self._statements: OrderedDict[str, Statement] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="sql")

    def session(self, catalog: str | None, schema: str | None) -> Session:
        names = (catalog or self._defaults[0]).lower(), (schema or self._defaults[1]).lower()
        return Session(*names, current_caller().user_name, now=self._now)

    def submit(self, body: Mapping[str, Any], host: str) -> Json:
        """Run a statement, and wait for it as long as the request says; `host` is what links are made for."""
        request = Request.of(body)
        session = self.session(request.catalog, request.schema)
        statement = self._new()
        future = self._pool.submit(copy_context().run, self._run, statement, request, session)
        self._wait(future, statement, request.wait_seconds, request.after_wait)
        return self.describe(statement, host)

    def get(self, statement_id: str) -> Statement:
        with self._lock:
            statement = self._statements.get(statement_id)
        if statement is None or statement.user != current_caller().user_name:
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

    def describe(self, statement: Statement, host: str) -> Json:
        """State, and the first chunk of the result where there is one."""
        status: Json = {"state": statement.state}
        if statement.error is not None and statement.state == FAILED:
            internal = statement.error.startswith("[INTERNAL_ERROR]")
            code = "INTERNAL_ERROR" if internal else "BAD_REQUEST"
            status["error"] = {"error_code": code, "message": statement.error}
            if found := _SQL_STATE.search(statement.error):
                status["sql_state"] = found.group(1)
        answer: Json = {"statement_id": statement.id, "status": status}
        if statement.state == SUCCEEDED and statement.result is not None:
            answer["manifest"] = statement.result.manifest()
            answer["result"] = statement.result.chunk(0, statement.id, host, self._signer)
        return answer

    def chunk(self, statement_id: str, index: int, host: str) -> Json:
        return self._with_chunk(statement_id, index).chunk(index, statement_id, host, self._signer)

    def blob(self, statement_id: str, index: str, query: Mapping[str, str]) -> tuple[bytes, str]:
        """What a link leads to, and its media type; ApiError 403 where the link is not one that was given out."""
        verified(self._signer, statement_id, index, query)
        result = self._with_chunk(statement_id, int(index))
        return result.encoded(int(index)), result.media_type

    def _with_chunk(self, statement_id: str, index: int) -> Delivered:
        statement = self.get(statement_id)
        if statement.state != SUCCEEDED or statement.result is None:
            raise ApiError(400, "BAD_REQUEST", f"The statement {statement_id} is {statement.state}: it has no result.")
        if not 0 <= index < max(1, statement.result.chunk_count):
            raise ApiError(400, "BAD_REQUEST", f"The statement {statement_id} has no chunk {index}.")
        return statement.result

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
        statement = Statement(str(uuid.uuid4()), self._executor.cursor(), current_caller().user_name)
        with self._lock:
            self._statements[statement.id] = statement
            over = [found.id for found in self._statements.values() if found.state not in (PENDING, RUNNING)]
            for old in over[: max(0, len(self._statements) - KEPT)]:
                del self._statements[old]
        return statement

    def _run(self, statement: Statement, request: Request, session: Session) -> None:
        with self._lock:
            if statement.state == CANCELED:
                statement.close()
                return
            statement.state, statement.started = RUNNING, True
        state, error, result = FAILED, None, None
        try:
            found = self._executor.run(request.statement, request.parameters, session, statement.cursor)
            result = Delivered.of(found, request)
            if result.too_long:
                result, error = None, _TOO_LONG
            else:
                state = SUCCEEDED
        except CancelledError:
            state = CANCELED
        except SqlError as failure:
            error = str(failure)
        except Exception as failure:
            logger.exception("a statement failed in a way that nobody foresaw")
            error = f"[INTERNAL_ERROR] {type(failure).__name__}: {failure}"
        finally:
            self._close(statement, state, error, result)

    def _close(self, statement: Statement, state: str, error: str | None, result: Delivered | None) -> None:
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
            if after == CANCEL:
                self.cancel(statement.id)
