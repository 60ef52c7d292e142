"""Carries a release out: does what the state machine says, and tells it what came of it.

Every write is preceded by a reading of the endpoint that shows the lease still there. A write whose answer is lost is
looked up by its config version: accepted, or not. Nothing here decides anything about a release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from ..dynamic.errors import ProviderError, WorkspaceError
from ..dynamic.smoke_ask import Asker, Patience
from ..dynamic.smoke_diagnosis import UNREACHED
from ..dynamic.smoke_report import failure_lines
from ..dynamic.smoke_run import SmokeRun, ask_everything
from ..dynamic.smoke_suite import SmokeCase
from ..traffic import WHOLE
from . import machine
from .gates import together
from .lease import AbortedError, Lease, LostError, ReleaseClock
from .live import Endpoint, Entity, put_config
from .machine import AskApproval, Command, End, Event, Look, Outcome, Put, Remember, Smoke, State
from .measures import Measures
from .memory import Failure, Memory, Progress
from .narration import Narration
from .plan import Plan
from .split import Split, percent_of, same_split, shown
from .table_gates import TableGates

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


class DriverClock(ReleaseClock, Protocol):
    def now(self) -> float: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """One release, with everything that it needs."""

    id: str
    endpoint: str
    model: str
    version: str
    digest: str
    release: machine.Release
    plan: Plan
    entities: Mapping[str, Entity]
    """Those that run, and the candidate."""
    cases: Sequence[SmokeCase]
    patience: Patience
    tries: int
    """How often this digest has failed before."""
    payload_table: str | None = None
    warehouse_id: str | None = None
    update_timeout_seconds: float = 2700.0
    """For an update of the endpoint; the plugin's own limit is the same."""


@dataclass(frozen=True)
class Result:
    """How a release ended."""

    outcome: Outcome
    why: str
    state: State
    queries_sent: int
    run: SmokeRun | None
    """The last run of the suite."""
    remembered: bool
    """Whether the failure is held against the version."""


class Driver:
    """Drives one release, once."""

    def __init__(
        self, client: WorkspaceClient, job: Job, lease: Lease, memory: Memory, clock: DriverClock, narration: Narration
    ) -> None:
        self._client = client
        self._job = job
        self._lease = lease
        self._memory = memory
        self._clock = clock
        self._narration = narration
        self._asker = Asker(client, job.endpoint, job.patience, clock)
        self._measures: tuple[float, Measures] | None = None
        self._run: SmokeRun | None = None
        self._sent = 0
        self._remembered = False

    def drive(self) -> Result:
        """Goes through the release to its end. The lease has been acquired; it is given up by whoever did that."""
        release, end = self._job.release, None
        state, commands = machine.begin(release, self._clock.wall())
        while end is None:
            question: Command | None = None
            for command in commands:
                if isinstance(command, End):
                    end = command
                elif isinstance(command, Remember):
                    self._remember(command.why)
                else:
                    question = command
            if end is None and question is not None:
                # An event more than one, where an abort came in between; all of them count before the next question.
                commands = ()
                for event in self._answer(state, question):
                    state, commands = machine.step(release, state, event)
                    if state.stage is machine.Stage.DONE:
                        break
        self._settle(state, end)
        return Result(end.outcome, end.why, state, self._sent + self._asker.sent, self._run, self._remembered)

    def _answer(self, state: State, question: Command) -> Iterator[Event]:
        """The events that answer a question; `Aborted` may precede the answer to a `Put`."""
        try:
            match question:
                case Put():
                    yield from self._put(state, question)
                case Smoke():
                    yield self._smoke(state, question)
                case Look():
                    yield self._look(state, question)
                case AskApproval():
                    yield self._ask_approval(state, question)
        except LostError as lost:
            yield machine.Lost(self._clock.wall(), str(lost))
        except AbortedError as aborted:
            yield machine.Aborted(self._clock.wall(), str(aborted))

    # --- a config ----------------------------------------------------------------------------------------------------

    def _put(self, state: State, put: Put) -> Iterator[Event]:
        obey = not machine.is_final(self._job.release, state)
        try:
            self._pause(state, put.after_seconds, obey_abort=obey)
            before = self._check(state, obey_abort=obey)
            if obey:
                self._note(state, "running", since=None)
                before = self._check(state, obey_abort=obey)
            self._narration.putting(state, put.split)
            accepted, trouble = self._send(put.split, before)
        except AbortedError as aborted:
            # Not sent: as if another update had been in the way, which the machine does not wait for any more.
            yield machine.Aborted(self._clock.wall(), str(aborted))
            yield machine.Unapplied(self._clock.wall(), machine.Trouble.CONFLICT, "it was not sent any more")
            return
        except WorkspaceError as error:
            yield machine.Unapplied(self._clock.wall(), machine.Trouble.ERROR, str(error))
            return
        if not accepted:
            yield trouble
            return
        yield from self._await(put.split, before.newest, obey_abort=obey)

    def _send(self, split: Split, before: Endpoint) -> tuple[bool, machine.Unapplied]:
        """Sends a config. Whether it was accepted, which a lost answer does not say but the endpoint does."""
        trouble = machine.Unapplied(self._clock.wall(), machine.Trouble.ERROR, "")
        try:
            put_config(self._client, self._job.endpoint, self._job.entities, split)
        except WorkspaceError as error:
            kinds = {"conflict": machine.Trouble.CONFLICT, "unavailable": machine.Trouble.ERROR}
            trouble = replace(trouble, trouble=kinds.get(error.kind, machine.Trouble.REFUSED), why=str(error))
            if trouble.trouble is machine.Trouble.REFUSED:
                return False, trouble
            # 409 is also what a second sending of the client gets, after the first one took effect.
            found = self._lease.check(obey_abort=False)
            return found.newest > before.newest and same_split(found.newest_split, split), trouble
        return True, trouble

    def _await(self, split: Split, version_before: int, *, obey_abort: bool) -> Iterator[Event]:
        """Until the update is over. An abort is told at once; the update cannot be called back."""
        started, aborted, unread = self._clock.wall(), False, 0
        while True:
            try:
                found = self._lease.check(obey_abort=obey_abort and not aborted)
                unread = 0
            except AbortedError as error:
                aborted = True
                yield machine.Aborted(self._clock.wall(), str(error))
                continue
            except WorkspaceError as error:
                unread += 1
                if unread > self._job.plan.error_limit:
                    yield machine.Unapplied(self._clock.wall(), machine.Trouble.ERROR, str(error))
                    return
                self._clock.sleep(self._job.plan.poll_seconds)
                continue
            now = self._clock.wall()
            if found.newest > version_before and not found.updating:
                yield self._settled(found, split)
                return
            if now - started > self._job.update_timeout_seconds:
                yield machine.Unapplied(
                    now, machine.Trouble.ERROR, f"the update is still under way after {now - started:.0f} s"
                )
                return
            self._narration.waiting(split, now - started)
            self._clock.sleep(min(self._job.plan.poll_seconds, 5.0))

    def _settled(self, found: Endpoint, split: Split) -> Event:
        now = self._clock.wall()
        if found.failed:
            why = "; ".join(found.messages) or "the update of the endpoint failed"
            return machine.Unapplied(now, machine.Trouble.FAILED, why)
        if not same_split(found.split, split):
            raise LostError(_not_ours(found))
        self._narration.applied(split)
        return machine.Applied(now)

    # --- questions ---------------------------------------------------------------------------------------------------

    def _smoke(self, state: State, smoke: Smoke) -> Event:
        proving = state.stage is machine.Stage.PROOF
        self._pause(state, smoke.after_seconds, obey_abort=not proving)
        try:
            self._check(state, obey_abort=not proving)
        except WorkspaceError as error:
            return machine.Unread(self._clock.wall(), str(error))
        serving = [name for name, share in state.live if share]
        entities = serving if proving else [smoke.entity]
        self._narration.asking(entities, len(self._job.cases))
        run = ask_everything(
            self._client,
            self._job.endpoint,
            entities,
            self._job.cases,
            patience=self._job.patience,
            clock=self._clock,
            through_endpoint=proving or percent_of(state.live, smoke.entity) == WHOLE,
            versions={name: one.version for name, one in self._job.entities.items()},
        )
        self._run = run
        self._sent += run.sent
        now = self._clock.wall()
        if not run.failures:
            self._narration.passed(entities, run.sent)
            return machine.Passed(now)
        if all(_says_nothing(one.answer.status, one.answer.body) for one in run.failures):
            return machine.Unread(now, f"the endpoint was not reached: {run.failures[0].answer.body}")
        return machine.Wrong(now, "\n".join(failure_lines(run)))

    def _look(self, state: State, look: Look) -> Event:
        try:
            measures = self._measures_of(state, look.since)
            self._pause(state, look.after_seconds)
            self._check(state)
            now = self._clock.wall()
            found = measures.look(now, since=look.since, until=state.until)
        except ProviderError as error:
            self._narration.unread(error)
            return machine.Unread(self._clock.wall(), str(error).splitlines()[0])
        verdict, why = together(found.judged)
        self._narration.looked(state, found, now)
        return machine.Looked(now, verdict, why)

    def _measures_of(self, state: State, since: float) -> Measures:
        """Those of this bake; begun with the first look at it."""
        if self._measures is not None and self._measures[0] == state.until:
            return self._measures[1]
        job = self._job
        table = None
        if job.payload_table and job.warehouse_id and job.plan.lag_seconds:
            table = TableGates(self._client, job.warehouse_id, job.payload_table, job.id)
        measures = Measures(
            self._client,
            job.endpoint,
            job.plan,
            job.cases,
            candidate=job.release.candidate,
            stable=[name for name, share in state.live if share and name != job.release.candidate],
            asker=self._asker,
            table=table,
            release=job.id,
            note=self._narration.note,
        )
        self._note(state, "running", since=since)
        measures.begin(self._clock.wall())
        self._measures = (state.until, measures)
        return measures

    def _ask_approval(self, state: State, question: AskApproval) -> Event:
        job = self._job
        self._pause(state, question.after_seconds)
        try:
            self._check(state)
            tags = self._memory.tags(job.model, job.version)
        except WorkspaceError as error:
            return machine.Unread(self._clock.wall(), str(error))
        given = tags.get(job.plan.approval_tag, "").strip().lower()
        if given in ("true", "yes", "approved"):
            self._narration.note(f"{question.before} % is allowed: tag {job.plan.approval_tag} says {given}")
            return machine.Approved(self._clock.wall())
        return machine.Unapproved(
            self._clock.wall(),
            f"{question.before} % waits for a person: set tag {job.plan.approval_tag} of version {job.version} of "
            f"{job.model} to true, then run `pulumi up` again",
        )

    # --- what stays --------------------------------------------------------------------------------------------------

    def _note(self, state: State, how: str, *, since: float | None) -> None:
        """How far it has come, at the version. Without that note nothing is put: nobody could take it up again."""
        job = self._job
        progress = Progress(
            release=job.id,
            digest=job.digest,
            candidate=job.release.candidate,
            good=job.release.good,
            step=state.step,
            since=since,
            state=how,
        )
        self._memory.note(job.model, job.version, progress)

    def _remember(self, why: str) -> None:
        job = self._job
        failure = Failure(
            digest=job.digest,
            why=why.splitlines()[0],
            at=datetime.fromtimestamp(self._clock.wall(), UTC).isoformat(timespec="seconds"),
            tries=job.tries + 1,
            first=not job.release.good,
        )
        self._narration.failing(why)
        try:
            self._lease.check(obey_abort=False)
            self._memory.remember(job.model, job.version, failure)
            self._remembered = True
        except (WorkspaceError, LostError) as error:
            self._narration.note(f"that it failed could not be noted at version {job.version}: {error}")

    def _settle(self, state: State, end: End) -> None:
        """The notes at the version, as the end has it. A driver that has lost its lease writes nothing."""
        job = self._job
        self._narration.ended(end)
        if end.outcome is Outcome.STOPPED:
            return
        try:
            self._lease.check(obey_abort=False)
            if end.outcome is Outcome.HELD:
                how = "passed" if state.passed else "held"
                self._note(state, how, since=state.since if self._measures is not None else None)
            elif end.outcome in (Outcome.RELEASED, Outcome.FAILED):
                self._memory.clear_progress(job.model, job.version)
                if end.outcome is Outcome.RELEASED and job.tries:
                    self._memory.forget_failure(job.model, job.version)
        except (WorkspaceError, LostError) as error:
            self._narration.note(f"the notes at version {job.version} could not be put in order: {error}")

    def _check(self, state: State, *, obey_abort: bool = True) -> Endpoint:
        """The lease, and that the endpoint runs what this release has put. Whoever changed it by hand had a reason."""
        found = self._lease.check(obey_abort=obey_abort)
        if found.updating or any(same_split(found.split, ours) for ours in (state.live, state.wanted or ())):
            return found
        raise LostError(_not_ours(found))

    def _pause(self, state: State, seconds: float, *, obey_abort: bool = True) -> None:
        """Waits, in pieces no longer than a poll, looking at lease and abort after each."""
        left = seconds
        while left > 0:
            piece = min(left, self._job.plan.poll_seconds)
            self._clock.sleep(piece)
            left -= piece
            if left > 0:
                try:
                    self._check(state, obey_abort=obey_abort)
                except WorkspaceError:
                    # The look after the pause says so; a lease that runs out meanwhile is noticed there.
                    continue


def _not_ours(found: Endpoint) -> str:
    return (
        f"somebody else has changed the config: the endpoint runs {shown(found.split)}, which this release has not put"
    )


def _says_nothing(status: int | None, body: str) -> bool:
    """Whether an answer is none of the version's: nothing was reached, or the caller was not let in."""
    return (status is None and body.startswith(UNREACHED)) or status in (401, 403)
