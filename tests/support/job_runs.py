"""The SQL service's part in tests of jobs, and short names for what these tests do over and over."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import (
    ConditionTask,
    ConditionTaskOp,
    Run,
    RunLifeCycleState,
    RunResultState,
    SqlTask,
    SqlTaskQuery,
    Task,
    TaskDependency,
)

from workspace.clock import Clock
from workspace.errors import invalid, not_found
from workspace.http import Service
from workspace.jobs import Jobs, Surroundings
from workspace.jobs.notices import Mail
from workspace.state import State

PATIENCE_SECONDS = 120
SPARK_SECONDS = 400
"""For a task on Spark: the first one of a clone gets Delta's jars, too."""
OVER = (RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR)


@dataclass(frozen=True)
class Query:
    query_text: str
    catalog: str | None = "main"
    schema: str | None = "rec"


class AnyoneRuns:
    """Identities of a workspace without a directory: whoever is named may run, and processes get nothing."""

    def acting_as(self, name: str) -> AbstractContextManager[object]:
        return nullcontext(name)

    def variables(self, run_as: str) -> Mapping[str, str]:
        return {}


def jobs_over(state: State, sql: RecordingSql, mail: Mail | None = None) -> list[Service]:
    """The service of jobs with its clock, and nothing around them but `sql`."""
    clock = Clock(state)
    around = Surroundings(sql=sql, run_as=AnyoneRuns(), host=lambda: None, mail=mail)
    return [clock, Jobs(state, clock, around)]


def advance(client: WorkspaceClient, seconds: float) -> None:
    """Move the time of the workspace ahead."""
    client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": seconds})


class RecordingSql:
    """Saved queries by id, what was executed, and a gate that can hold a statement."""

    def __init__(self) -> None:
        self.queries: dict[str, Query] = {}
        self.executed: list[tuple[str, dict[str, Any], str | None, str | None]] = []
        self.failures = 0
        """How many of the next statements are to fail."""
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def saved_query(self, query_id: str) -> Query:
        if query_id not in self.queries:
            raise not_found(f"Query {query_id} does not exist.")
        return self.queries[query_id]

    def execute(
        self,
        statement: str,
        parameters: Sequence[Mapping[str, Any]] = (),
        catalog: str | None = None,
        schema: str | None = None,
    ) -> None:
        self.entered.set()
        if not self.gate.wait(timeout=30):
            raise RuntimeError("the gate of the test stayed shut")
        if self.failures > 0:
            self.failures -= 1
            raise invalid("[CONFLICT] it failed this time.")
        if "no_such_table" in statement:
            raise invalid("[TABLE_OR_VIEW_NOT_FOUND] The table or view `no_such_table` cannot be found.")
        self.executed.append((statement, {one["name"]: one["value"] for one in parameters}, catalog, schema))


def sql_task(key: str, query_id: str = "q", *after: str, **more: Any) -> Task:
    return Task(
        task_key=key,
        sql_task=SqlTask(
            warehouse_id="local", query=SqlTaskQuery(query_id=query_id), parameters=more.pop("given", None)
        ),
        depends_on=[TaskDependency(task_key=name) for name in after] or None,
        **more,
    )


def condition(key: str, left: str, op: ConditionTaskOp, right: str, *after: str, **more: Any) -> Task:
    return Task(
        task_key=key,
        condition_task=ConditionTask(left=left, op=op, right=right),
        depends_on=[TaskDependency(task_key=name) for name in after] or None,
        **more,
    )


def create(client: WorkspaceClient, *tasks: Task, **settings: Any) -> int:
    job_id = client.jobs.create(name="retrain", tasks=list(tasks), **settings).job_id
    assert job_id is not None
    return job_id


def finished(client: WorkspaceClient, job_id: int, **arguments: Any) -> Run:
    """Start the job and wait until it is over, however it ends."""
    return waited(client, started(client, job_id, **arguments))


def started(client: WorkspaceClient, job_id: int, **arguments: Any) -> int:
    run_id = client.jobs.run_now(job_id, **arguments).bind()["run_id"]
    assert isinstance(run_id, int)
    return run_id


def waited(client: WorkspaceClient, run_id: int, seconds: float = PATIENCE_SECONDS) -> Run:
    """The run once it is over (the SDK's own waiter sleeps whole seconds between two looks)."""
    deadline = time.monotonic() + seconds
    while True:
        run = client.jobs.get_run(run_id)
        if ends(run)[0] in OVER:
            return run
        if time.monotonic() > deadline:
            raise TimeoutError(f"run {run_id} is not over after {seconds:.0f} s: {run.state}")
        time.sleep(0.02)


def ends(run: Run) -> tuple[RunLifeCycleState | None, RunResultState | None]:
    assert run.state is not None
    return run.state.life_cycle_state, run.state.result_state


def task_results(run: Run) -> dict[str, RunResultState | None]:
    return {task.task_key: task.state.result_state for task in run.tasks or [] if task.state}
