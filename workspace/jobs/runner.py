"""Runs task graphs: one thread a run, the tasks of a run one after the other in the order of their dependencies."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlglot.errors import SqlglotError

from workspace.documents import Document
from workspace.errors import ApiError
from workspace.jobs import runs, statements
from workspace.jobs.runs import Runs
from workspace.jobs.settings import Settings

logger = logging.getLogger("workspace")

STOP_SECONDS = 10


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
    ) -> object:
        """Raises ApiError for a statement that cannot be run."""
        ...


class _TaskFailedError(Exception):
    """A task ended without success; the message is what the run shows."""


class Runner:
    """Starts, cancels and, after a restart, closes runs; at most `max_concurrent_runs` of a job go at once."""

    def __init__(self, stored: Runs, sql: Sql) -> None:
        self._runs = stored
        self._sql = sql
        self._admission = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._stopping = threading.Event()

    def recover(self) -> None:
        """Close what a stopped or killed server left running; start what was queued."""
        waiting: list[Document] = []
        for run in reversed(self._runs.all()):
            if run["state"]["life_cycle_state"] == runs.QUEUED:
                waiting.append(run)
            elif not runs.is_over(run):
                self._runs.change(run["run_id"], _interrupted)
        for run in waiting:
            self._start_next(run["job_id"])

    def stop(self) -> None:
        """Let the statements that are being executed finish; no further task starts."""
        self._stopping.set()
        for thread in list(self._threads):
            thread.join(timeout=STOP_SECONDS)

    def submit(self, run: Document, settings: Settings) -> None:
        """Start the run, queue it, or skip it, as the job's settings say."""
        limit = settings["max_concurrent_runs"]
        with self._admission:
            active = [one for one in self._runs.of_job(run["job_id"], *runs.ACTIVE) if one["run_id"] != run["run_id"]]
            if len(active) < limit:
                self._launch(run)
            elif limit and settings.get("queue", {}).get("enabled"):
                message = f"Queued: {len(active)} of {limit} concurrent runs of the job are active."
                self._runs.change(run["run_id"], lambda record: record.update(_queued(message, limit)))
            else:
                message = f"The maximum of {limit} concurrent runs of the job is reached."
                self._runs.change(
                    run["run_id"], lambda record: _close_all(record, runs.TOO_MANY_RUNS, message, runs.SKIPPED)
                )

    def cancel(self, run_id: int) -> None:
        """No further task of the run starts; a statement that is being executed is not interrupted."""

        def change(run: Document) -> None:
            life_cycle = run["state"]["life_cycle_state"]
            if life_cycle in (runs.PENDING, runs.QUEUED):
                _close_all(run, runs.CANCELED, "Run cancelled.")
            elif life_cycle == runs.RUNNING:
                run["state"] = runs.state(runs.TERMINATING, message="Run cancelled.")

        self._runs.change(run_id, change)

    def _launch(self, run: Document) -> None:
        name = f"job run {run['run_id']}"
        thread = threading.Thread(target=self._drive, args=(run["run_id"], run["job_id"]), name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _drive(self, run_id: int, job_id: int) -> None:
        try:
            self._take_tasks(run_id)
        except Exception as error:
            # Nobody awaits this thread: what it does not store, nobody learns.
            logger.exception("run %s failed", run_id)
            why = f"{type(error).__name__}: {error}"
            self._runs.change(run_id, lambda run: _interrupted(run, why))
        finally:
            self._threads.discard(threading.current_thread())
        if not self._stopping.is_set():
            self._start_next(job_id)

    def _take_tasks(self, run_id: int) -> None:
        run = self._runs.change(run_id, _running)
        for number in range(len(run["tasks"])):
            if self._stopping.is_set():
                return
            self._take_task(run_id, number)
        self._runs.change(run_id, _close_run)

    def _start_next(self, job_id: int) -> None:
        with self._admission:
            active = self._runs.of_job(job_id, *runs.ACTIVE)
            for run in self._runs.of_job(job_id, runs.QUEUED)[: max(0, self._limit(job_id) - len(active))]:
                self._runs.change(run["run_id"], lambda record: record.update(state=runs.state(runs.PENDING)))
                self._launch(run)

    def _limit(self, job_id: int) -> int:
        """The limit that the job had when the oldest of its queued runs was submitted."""
        queued = self._runs.of_job(job_id, runs.QUEUED)
        return int(queued[0]["max_concurrent_runs"]) if queued else 0

    def _take_task(self, run_id: int, number: int) -> None:
        """Run one task, unless the run is cancelled or something it depends on did not succeed."""

        def begin(run: Document) -> None:
            task = run["tasks"][number]
            if runs.is_over(task):
                return
            needed = {dependency["task_key"] for dependency in task.get("depends_on", [])}
            missed = [one["task_key"] for one in run["tasks"] if one["task_key"] in needed and not _succeeded(one)]
            if run["state"]["life_cycle_state"] != runs.RUNNING:
                runs.end(task, runs.CANCELED, "Run cancelled.")
            elif missed:
                runs.end(task, runs.UPSTREAM_FAILED, f"Upstream task {', '.join(missed)} did not succeed.")
            else:
                task["start_time"] = runs.now_ms()
                task["state"] = runs.state(runs.RUNNING)

        run = self._runs.change(run_id, begin)
        task = run["tasks"][number]
        if task["state"]["life_cycle_state"] != runs.RUNNING:
            return
        executed: list[str] = []
        try:
            self._execute(task, run["parameters"], executed)
            message = ""
        except _TaskFailedError as failure:
            message = str(failure)

        def finish(record: Document) -> None:
            done = record["tasks"][number]
            done["statements"] = executed
            limit = done["timeout_seconds"]
            if message:
                runs.end(done, runs.FAILED, message)
            elif limit and runs.now_ms() - done["start_time"] > limit * 1000:
                runs.end(done, runs.TIMEDOUT, f"The task took longer than timeout_seconds ({limit}).")
            else:
                runs.end(done, runs.SUCCESS)

        self._runs.change(run_id, finish)

    def _execute(self, task: Document, parameters: Mapping[str, str], executed: list[str]) -> None:
        """Run the saved query of a SQL task, statement by statement, noting in `executed` those that succeeded."""
        query_id = task["sql_task"]["query"]["query_id"]
        try:
            query = self._sql.saved_query(query_id)
            placeholders = statements.mustache_parameters(query.query_text)
            if placeholders:
                raise _TaskFailedError(
                    f"query {query_id} uses {{{{ {placeholders[0]} }}}}: the embedded workspace knows named parameters "
                    f"only, write :{placeholders[0]}"
                )
            values = statements.resolve(task["sql_task"].get("parameters", {}), parameters)
            for statement in statements.split(query.query_text):
                names = statements.named_parameters(statement)
                given = [{"name": name, "value": values[name]} for name in names if name in values]
                self._sql.execute(statement, given, query.catalog, query.schema)
                executed.append(statement)
        except ApiError as error:
            raise _TaskFailedError(error.message) from error
        except SqlglotError as error:
            raise _TaskFailedError(f"query {query_id} is not SQL: {error}") from error
        except statements.UnknownParameterError as error:
            raise _TaskFailedError(str(error)) from error


def _queued(message: str, limit: int) -> Document:
    return {"state": runs.state(runs.QUEUED, message=message), "max_concurrent_runs": limit}


def _running(run: Document) -> None:
    if run["state"]["life_cycle_state"] == runs.PENDING:
        run["start_time"] = runs.now_ms()
        run["state"] = runs.state(runs.RUNNING)


def _close_run(run: Document) -> None:
    if runs.is_over(run):
        return
    cancelled = run["state"]["life_cycle_state"] == runs.TERMINATING
    failed = [task for task in run["tasks"] if not _succeeded(task) and task["state"]["result_state"] != runs.CANCELED]
    if cancelled:
        runs.end(run, runs.CANCELED, "Run cancelled.")
    elif failed:
        first = failed[0]
        runs.end(run, runs.FAILED, f"Task {first['task_key']} failed with message: {first['state']['state_message']}.")
    else:
        runs.end(run, runs.SUCCESS)


def _close_all(run: Document, result: str, message: str, life_cycle: str = runs.TERMINATED) -> None:
    for record in [*run["tasks"], run]:
        if not runs.is_over(record):
            runs.end(record, result, message, life_cycle)


def _interrupted(run: Document, why: str = "The workspace stopped while the run was active.") -> None:
    _close_all(run, runs.FAILED, why, runs.INTERNAL_ERROR)


def _succeeded(task: Document) -> bool:
    return bool(task["state"].get("result_state") == runs.SUCCESS)
