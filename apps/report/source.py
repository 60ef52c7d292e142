"""Where the numbers come from: queries on a SQL warehouse, calls of the REST API. A failure is a reason, not a zero."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.sql import (
    Disposition,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    StatementResponse,
    StatementState,
)

T = TypeVar("T")
Value = int | float | str | bool | datetime | date | None
Row = Mapping[str, Any]

_PATIENCE_SECONDS = 300.0
_WAITING = (StatementState.PENDING, StatementState.RUNNING)
_TEXT = 300

UNREADABLE = "could not be read"
"""In the reason of a reading that was refused, or failed."""


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What was found, or why there is nothing. `value` of an empty answer is there, and empty."""

    value: T
    missing: str = ""
    """Why there is nothing, in words for the reader; empty where there is something."""


@dataclass(frozen=True)
class Asked:
    """One question as it was put, for the report's appendix."""

    what: str
    statement: str
    rows: int
    problem: str = ""


@dataclass
class Source:
    """One workspace and one warehouse of it."""

    client: WorkspaceClient
    warehouse_id: str
    asked: list[Asked] = field(default_factory=list)

    def rows(self, what: str, statement: str) -> Reading[list[Row]]:
        """The rows of a query, each value as Python's own type (times as aware UTC datetimes).

        Args:
            what: what is asked, in words, for the appendix.
        """
        try:
            found = self._run(statement)
        except DatabricksError as error:
            reason = short(str(error))
            self.asked.append(Asked(what, statement, 0, reason))
            return Reading([], f"{what} {UNREADABLE}: {reason}")
        self.asked.append(Asked(what, statement, len(found)))
        return Reading(found, "" if found else f"{what}: the query gives no rows")

    def one(self, what: str, ask: Callable[[], T]) -> Reading[T | None]:
        """The answer of an API call; None with a reason where it is refused."""
        try:
            return Reading(ask())
        except DatabricksError as error:
            return Reading(None, f"{what} {UNREADABLE}: {short(str(error))}")

    def many(self, what: str, ask: Callable[[], Iterable[T]]) -> Reading[list[T]]:
        """The items that an API call lists; none with a reason where it is refused."""
        try:
            return Reading(list(ask()))
        except DatabricksError as error:
            return Reading([], f"{what} {UNREADABLE}: {short(str(error))}")

    def _run(self, statement: str) -> list[Row]:
        api = self.client.statement_execution
        answer = api.execute_statement(
            statement,
            self.warehouse_id,
            wait_timeout="30s",
            on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CONTINUE,
            format=Format.JSON_ARRAY,
            disposition=Disposition.INLINE,
        )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while answer.status and answer.status.state in _WAITING:
            if time.monotonic() > deadline:
                raise DatabricksError(f"the warehouse was not done within {_PATIENCE_SECONDS:g} seconds")
            time.sleep(1)
            answer = api.get_statement(answer.statement_id or "")
        state = answer.status.state if answer.status else None
        if state != StatementState.SUCCEEDED:
            reason = answer.status.error.message if answer.status and answer.status.error else "no reason is given"
            raise DatabricksError(reason)
        return _decoded(answer, self._chunks(answer))

    def _chunks(self, answer: StatementResponse) -> list[list[Any]]:
        result = answer.result
        found: list[list[Any]] = []
        while result is not None:
            found += result.data_array or []
            if result.next_chunk_index is None:
                break
            result = self.client.statement_execution.get_statement_result_chunk_n(
                answer.statement_id or "", result.next_chunk_index
            )
        return found


def short(text: str) -> str:
    """The first sentence of a service's words, cut where it is long."""
    line = text.strip().splitlines()[0] if text.strip() else "no reason is given"
    sentence = re.split(r"(?<=[a-z]\.)\s", line, maxsplit=1)[0]
    return sentence if len(sentence) <= _TEXT else f"{sentence[:_TEXT]}…"


def moment(text: str) -> datetime:
    """A time as the services write it, in UTC."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


# JSON_ARRAY carries every value as text; the manifest says what it was.
_DECODERS: dict[str, Callable[[str], Value]] = {
    **dict.fromkeys(("BYTE", "SHORT", "INT", "LONG"), int),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), float),
    "BOOLEAN": lambda text: text == "true",
    "TIMESTAMP": moment,
    "DATE": date.fromisoformat,
}


def _decoded(answer: StatementResponse, rows: Sequence[Sequence[Any]]) -> list[Row]:
    schema = answer.manifest.schema if answer.manifest else None
    columns = [
        (column.name or "", _DECODERS.get(column.type_name.value if column.type_name else "", str))
        for column in (schema.columns if schema else None) or []
    ]
    return [
        {
            name: None if value is None else decode(str(value))
            for (name, decode), value in zip(columns, row, strict=True)
        }
        for row in rows
    ]
