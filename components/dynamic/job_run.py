"""`JobRun`: a job, or some of its tasks, carried through to success before anything that depends on it.

The plugin makes jobs and runs none. A deployment needs that where a job makes what is deployed: it publishes the rows
that an endpoint's model reads. A run leaves no thing behind that could be read or deleted; what is kept is which run it
was.
Source: Jobs API 2.2 (`jobs/run-now` with `only` and `idempotency_token`, `jobs/runs/get`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult

from ..arguments import Arguments
from .errors import AbsentError, ProviderError, asking
from .explicit_provider import WorkspaceResource
from .provider import Props, WorkspaceProvider, changed, guarded, known, without_provider
from .waiting import wait_for

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import Run

PROVIDER_VERSION = "1"
_LIMITS = ("poll_seconds", "timeout_seconds")
_OVER = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


class JobRunProvider(WorkspaceProvider):
    """Runs a job and waits for the end of the run."""

    @guarded
    def check(self, _olds: Props, news: Props) -> CheckResult:
        inputs = without_provider(news)
        failures = [
            self.failure(name, f"is {value:g}, expected more than 0")
            for name in _LIMITS
            if (value := known(inputs, name)) is not None and not value > 0
        ]
        return CheckResult(inputs, [*failures, *self._tasks(inputs)])

    @guarded
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """Another job is another run; so are other tasks, a new trigger or provider version, on the same resource."""
        replaces = changed(_olds, _news, ["job_id"])
        again = changed(_olds, _news, ["tasks", "triggers", "provider_version"])
        return DiffResult(changes=bool(replaces or again), replaces=replaces, delete_before_replace=True)

    @guarded
    def create(self, props: Props) -> CreateResult:
        """Raises ProviderError where the run fails: there is no resource then, and the next `up` runs again."""
        inputs = without_provider(props)
        run_id = self._run(inputs)
        return CreateResult(id_=f"{inputs['job_id']}/{run_id}", outs={**inputs, "run_id": run_id})

    @guarded
    def read(self, id_: str, props: Props) -> ReadResult:
        """Gone where the job is: what it ran was another job's."""
        outs = without_provider(props)
        try:
            with asking(f"reading job {outs['job_id']}"):
                self.client.jobs.get(int(outs["job_id"]))
        except AbsentError:
            return ReadResult(id_="", outs={})
        return ReadResult(id_=id_, outs=outs)

    @guarded
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        inputs = without_provider(_news)
        return UpdateResult(outs={**inputs, "run_id": self._run(inputs)})

    @guarded
    def delete(self, _id: str, _props: Props) -> None:
        """What a run has done stays."""

    def _tasks(self, inputs: Props) -> list[CheckFailure]:
        tasks = known(inputs, "tasks")
        if tasks is not None and len(set(tasks)) != len(tasks):
            return [self.failure("tasks", f"{tasks} names a task twice; name each once, or none for all")]
        return []

    def _run(self, inputs: Props) -> str:
        """Runs and waits; the id of the run. Raises ProviderError with what the failed tasks said."""
        job_id, tasks = inputs["job_id"], inputs["tasks"]
        what = f"job {job_id}" + (f" ({', '.join(tasks)})" if tasks else "")
        with asking(f"running {what}"):
            # The token makes one run of a call that had to be sent again.
            started = self.client.jobs.run_now(
                int(job_id), only=list(tasks) or None, idempotency_token=uuid.uuid4().hex
            )
        run_id = started.run_id

        def probe() -> tuple[Run | None, str]:
            with asking(f"reading run {run_id} of {what}"):
                run = self.client.jobs.get_run(run_id)
            state = run.state.life_cycle_state.value if run.state and run.state.life_cycle_state else "without a state"
            return (run if state in _OVER else None), state

        run = wait_for(
            probe,
            what=f"run {run_id} of {what}",
            poll_seconds=inputs["poll_seconds"],
            timeout_seconds=inputs["timeout_seconds"],
            clock=self.clock,
            remedy="Look at the run in the workspace; it goes on. Then run `pulumi up` again, which starts another one",
        )
        if _result(run) != "SUCCESS":
            raise ProviderError(
                f"run {run_id} of {what} ended {_result(run)}: {run.state.state_message if run.state else ''}",
                *self._causes(run),
                f"Look at {run.run_page_url or 'the run in the workspace'}, mend the cause, then run `pulumi up` again",
            )
        return str(run_id)

    def _causes(self, run: Run) -> list[str]:
        """What the tasks that failed said."""
        causes = []
        for task in run.tasks or []:
            result = task.state.result_state.value if task.state and task.state.result_state else ""
            if result in ("FAILED", "TIMEDOUT", "CANCELED") and task.run_id is not None:
                with asking(f"reading the output of task {task.task_key}"):
                    output = self.client.jobs.get_run_output(task.run_id)
                causes.append(f"{task.task_key} {result}: {output.error or (task.state and task.state.state_message)}")
        return causes


def _result(run: Run) -> str:
    state = run.state
    if state is None:
        return "without a state"
    return str((state.result_state or state.life_cycle_state).value)  # type: ignore[union-attr]  # it is over


@dataclass(frozen=True, kw_only=True)
class JobRunArgs(Arguments):
    """What a `JobRun` is made of."""

    job_id: pulumi.Input[str]
    """Job that is run, with the defaults of its parameters."""
    tasks: Sequence[str] = ()
    """Keys of the tasks that run; what they wait for in the job is taken as done. All tasks when empty."""
    triggers: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Whatever says that it has to run again, as texts by name: a change runs it."""
    poll_seconds: float = 10.0
    """Between two looks at the run."""
    timeout_seconds: float = 3600.0
    """How long the run may take."""
    provider_version: str = PROVIDER_VERSION
    """Version of the provider's behaviour; a new one shows as an update, which runs the job."""


class JobRun(WorkspaceResource, module="serving", name="JobRun"):
    """A run of a job that succeeded."""

    job_id: pulumi.Output[str]
    run_id: pulumi.Output[str]
    """Known when the run has succeeded, so whatever takes it waits for that."""

    def __init__(self, name: str, args: JobRunArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: Props = {
            "job_id": args.job_id,
            "tasks": list(args.tasks),
            "triggers": dict(args.triggers),
            "poll_seconds": args.poll_seconds,
            "timeout_seconds": args.timeout_seconds,
            "provider_version": args.provider_version,
            "run_id": None,
        }
        super().__init__(JobRunProvider(), name, props, opts)
