"""SQL tasks: a saved query, a SQL file, or an alert, on the workspace's warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlglot.errors import SqlglotError

from workspace.documents import Document
from workspace.errors import ApiError
from workspace.jobs.sources import Sources
from workspace.jobs.work import Attempt, Outcome, TaskFailedError, overridden
from workspace.sql_text import mustache_parameters, named_parameters, split

OUTPUT_ROWS = 1000
"""`{{tasks.<name>.output.rows}}` holds at most so many rows (Databricks, "Dynamic value references")."""


class SavedQuery(Protocol):
    """What `/api/2.0/sql/queries` keeps of a query, as far as a job needs it."""

    @property
    def query_text(self) -> str: ...

    @property
    def catalog(self) -> str | None: ...

    @property
    def schema(self) -> str | None: ...


class Sql(Protocol):
    """The SQL service as jobs see it."""

    def saved_query(self, query_id: str) -> SavedQuery:
        """Raises ApiError 404."""
        ...

    def execute(
        self,
        statement: str,
        parameters: Sequence[Mapping[str, Any]] = (),
        catalog: str | None = None,
        schema: str | None = None,
    ) -> Any:
        """The rows, as an Arrow table; raises ApiError for a statement that cannot be run."""
        ...


class Alerts(Protocol):
    """The alerts of the workspace as jobs see them (`workspace.alerts.Alerts`)."""

    def evaluate(self, alert_id: str) -> Mapping[str, Any]:
        """Run an alert's query and tell its subscribers; the record, with `state` and `error`. ApiError 404."""
        ...


class Identities(Protocol):
    """Who a task runs as."""

    def acting_as(self, name: str) -> AbstractContextManager[object]:
        """Have what happens inside the block be asked by the user or service principal of that name."""
        ...


class SqlWork:
    """Runs the statements of a SQL task one after the other; one that is being executed is not interrupted."""

    def __init__(self, sql: Sql, sources: Sources, identities: Identities, alerts: Alerts | None) -> None:
        self._sql = sql
        self._sources = sources
        self._identities = identities
        self._alerts = alerts

    def __call__(self, attempt: Attempt) -> Outcome:
        with self._identities.acting_as(attempt.run["run_as_user_name"]):
            body = attempt.task["sql_task"]
            if "alert" in body:
                state = _evaluated(self._alerts, body["alert"]["alert_id"])
                output = {"alert_output": {"alert_state": state, "warehouse_id": body["warehouse_id"]}}
                return Outcome({"sql_output": output, "alert_state": state})
            if "file" in body:
                text = self._sources.text(body["file"]["path"])
                return self._statements(attempt, f"file {body['file']['path']}", text, None, None)
            query_id = body["query"]["query_id"]
            query = self._sql.saved_query(query_id)
            return self._statements(attempt, f"query {query_id}", query.query_text, query.catalog, query.schema)

    def _statements(self, attempt: Attempt, what: str, text: str, catalog: str | None, schema: str | None) -> Outcome:
        body, executed = attempt.task["sql_task"], list[str]()
        placeholders = mustache_parameters(text)
        if placeholders:
            raise TaskFailedError(
                f"{what} uses {{{{ {placeholders[0]} }}}}: the embedded workspace knows named parameters "
                f"only, write :{placeholders[0]}"
            )
        # Weakest first: what the task says, what run-now says for SQL tasks, the parameters of the job.
        values = {**body.get("parameters", {}), **(overridden(attempt.run, "sql_params") or {})}
        values |= attempt.run["parameters"]
        rows: list[Document] = []
        try:
            for statement in split(text):
                if attempt.stop.reason is not None:
                    break
                names = named_parameters(statement)
                given = [{"name": name, "value": str(values[name])} for name in names if name in values]
                found = self._sql.execute(statement, given, catalog, schema)
                rows = found.slice(0, OUTPUT_ROWS).to_pylist() if found is not None else []
                executed.append(statement)
                attempt.note({"sql_output": _output(body, executed)})
        except ApiError as error:
            raise TaskFailedError(error.message, code=error.error_code) from error
        except SqlglotError as error:
            raise TaskFailedError(f"{what} is not SQL: {error}") from error
        return Outcome({"sql_output": _output(body, executed), "rows": [_plain(row) for row in rows]})


class AlertWork:
    """Evaluates an alert for a task of its own kind."""

    def __init__(self, identities: Identities, alerts: Alerts | None) -> None:
        self._identities = identities
        self._alerts = alerts

    def __call__(self, attempt: Attempt) -> Outcome:
        with self._identities.acting_as(attempt.run["run_as_user_name"]):
            state = _evaluated(self._alerts, attempt.task["alert_task"]["alert_id"])
        return Outcome({"alert_output": {"alert_state": state}, "alert_state": state})


def _evaluated(alerts: Alerts | None, alert_id: str) -> str:
    """The state of an alert that was evaluated now; TaskFailedError where its query failed."""
    if alerts is None:
        raise TaskFailedError(f"alert {alert_id} cannot be evaluated: this workspace was assembled without alerts")
    record = alerts.evaluate(alert_id)
    if record["state"] == "ERROR":
        raise TaskFailedError(f"alert {alert_id} cannot be told: {record['error']}", code="AlertError")
    return str(record["state"])


def _output(body: Document, executed: Sequence[str]) -> Document:
    return {
        "query_output": {
            "warehouse_id": body["warehouse_id"],
            "query_text": ";\n".join(executed),
            "sql_statements": [{"lookup_key": str(number)} for number in range(len(executed))],
        }
    }


def _plain(row: Mapping[str, Any]) -> Document:
    """A row as JSON can hold it."""
    return {
        name: value if isinstance(value, str | int | float | bool | None) else str(value) for name, value in row.items()
    }
