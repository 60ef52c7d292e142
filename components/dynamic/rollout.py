"""`TrafficRollout`: entities and traffic of an endpoint, changed by releases that prove themselves or revert.

`ModelServing` owns the endpoint's existence, tags and gateway, and declares no config; this owns the config. What a
release is stands in `components/release/` (the state machine in `machine.py`); here it is made of a stack's inputs,
told at preview, and turned into outputs or one error.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar

from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult

from ..release.driver import Driver, DriverClock, Job, Result
from ..release.lease import Lease, LostError, OthersLeaseError
from ..release.live import read_endpoint
from ..release.machine import Outcome
from ..release.memory import Memory
from ..release.narration import Narration
from ..release.split import same_split, shown
from ..release.survey import Survey, job_of, survey
from ..release.transcript import Transcript, report_folder
from . import engine
from .errors import AbsentError, ProviderError, WorkspaceError
from .provider import Props, WorkspaceProvider, changed, guarded, is_unknown, without_provider
from .rollout_inputs import Inputs, InputsError, Outputs, WallClock

_IDENTITY = ("endpoint_name", "endpoint_id")


class TrafficRolloutProvider(WorkspaceProvider):
    """Releases on create and on update; `delete` leaves the config to whoever owns the endpoint."""

    clock: ClassVar[DriverClock] = WallClock()

    @guarded
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """The inputs make sense, and a new resource does not try again what has failed."""
        inputs = without_provider(news)
        if any(is_unknown(value) for name, value in inputs.items() if name != "endpoint_id"):
            return CheckResult(inputs, [])
        try:
            wanted = Inputs.of(inputs)
        except InputsError as error:
            return CheckResult(inputs, [self.failure(name, reason) for name, reason in error.problems])
        return CheckResult(inputs, [] if without_provider(_olds) else list(self._first_look(wanted)))

    @guarded
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """Compares with the endpoint itself: traffic that was moved by hand, or left by a killed run, is a change."""
        replaces = changed(_olds, _news, _IDENTITY)
        if replaces or is_unknown(_news):
            return DiffResult(changes=True, replaces=replaces, delete_before_replace=False)
        wanted, olds = Inputs.of(without_provider(_news)), Outputs.of(_olds)
        reasons = list(self._reasons(wanted, olds, _news.get("provider_version"), _olds.get("provider_version")))
        if reasons:
            found = self._survey(wanted, olds)
            if found.decision.refused:
                raise ProviderError(self._headline(wanted, "is not begun"), found.decision.says)
            self._tell(wanted, found, reasons)
        return DiffResult(changes=bool(reasons), replaces=[], delete_before_replace=False)

    @guarded
    def create(self, props: Props) -> CreateResult:
        """A first deployment, or the taking over of an endpoint that serves already."""
        inputs = without_provider(props)
        wanted = Inputs.of(inputs)
        return CreateResult(id_=str(inputs["endpoint_id"]), outs=self._release(wanted, inputs, None))

    @guarded
    def read(self, id_: str, props: Props) -> ReadResult:
        """What runs now; gone where the endpoint is gone, or another one has its name. Asks no query."""
        outs = without_provider(props)
        try:
            endpoint = read_endpoint(self.client, outs["endpoint_name"])
        except AbsentError:
            return ReadResult(id_="", outs={})
        if endpoint.id != outs["endpoint_id"] or not endpoint.split:
            return ReadResult(id_="", outs={})
        return ReadResult(id_=id_, outs={**outs, "split": dict(endpoint.split)})

    @guarded
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        """A release. One that does not succeed leaves the old outputs in state."""
        inputs = without_provider(_news)
        return UpdateResult(outs=self._release(Inputs.of(inputs), inputs, Outputs.of(_olds)))

    @guarded
    def delete(self, _id: str, _props: Props) -> None:
        """Nothing: an endpoint cannot be without a config, and goes with its `ModelServing`."""

    # --- before ------------------------------------------------------------------------------------------------------

    def _first_look(self, wanted: Inputs) -> Iterator[CheckFailure]:
        try:
            found = self._survey(wanted, None)
        except AbsentError:
            self._inform(wanted, f"{wanted.endpoint_name} does not exist yet: first deployment, nothing can be dark")
            return
        except WorkspaceError as error:
            yield self.failure("endpoint_name", error)
            return
        if found.decision.refused:
            yield self.failure("version", found.decision.says)
        else:
            self._tell(wanted, found, [])

    def _reasons(self, wanted: Inputs, olds: Outputs, new: object, old: object) -> Iterator[str]:
        """Why something has to be done, in words."""
        if wanted.wanted.digest != olds.digest:
            yield f"version {olds.version or 'none'} -> {wanted.wanted.version}, its settings, or the smoke queries"
        if new != old:
            yield "the provider's behaviour"
        try:
            endpoint = read_endpoint(self.client, wanted.endpoint_name)
        except AbsentError:
            raise ProviderError(
                f"endpoint {wanted.endpoint_name} is gone, and this stack's state does not know it",
                "Somebody deleted it: `pulumi refresh` takes note of that, then `pulumi up` makes it again",
            ) from None
        if not same_split(endpoint.split, olds.left):
            yield f"the endpoint runs {shown(endpoint.split)}, this stack left it at {shown(olds.left)}"
        ended = [name for name, until in olds.standby.items() if until <= self.clock.wall()]
        if ended and wanted.wanted.digest == olds.digest:
            yield f"the rollback window of {', '.join(ended)} is over: it stands by no longer"

    def _survey(self, wanted: Inputs, olds: Outputs | None) -> Survey:
        return survey(
            self.client,
            wanted.endpoint_name,
            wanted.wanted,
            None if olds is None else olds.known(),
            retry=wanted.plan.retry,
            now=self.clock.wall(),
        )

    def _tell(self, wanted: Inputs, found: Survey, reasons: list[str]) -> None:
        """What will happen, where previews show it."""
        lines = [found.decision.says, *(f"because of {reason}" for reason in reasons)]
        if found.decision.start is not None and found.decision.start.value in ("dark", "clean", "resume"):
            lines.append(wanted.plan.told())
        self._inform(wanted, "; ".join(lines))

    def _inform(self, wanted: Inputs, text: str) -> None:
        engine.inform(self.redact(f"release of version {wanted.wanted.version}: {text}"))

    # --- the release -------------------------------------------------------------------------------------------------

    def _release(self, wanted: Inputs, inputs: Props, olds: Outputs | None) -> Props:
        id_ = f"{datetime.fromtimestamp(self.clock.wall(), UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        lease = Lease(
            self.client,
            wanted.endpoint_name,
            id_,
            seconds=wanted.plan.lease_seconds,
            clock=self.clock,
            is_waited_for=engine.is_waiting,
        )
        try:
            lease.acquire(engine.progress)
        except (OthersLeaseError, LostError) as error:
            raise ProviderError(self._headline(wanted, "was not begun"), str(error)) from None
        try:
            # Read under the lease: what a preview saw may have changed since.
            found = self._survey(wanted, olds)
            if found.decision.refused:
                raise ProviderError(self._headline(wanted, "is not begun"), found.decision.says)
            return self._drive(wanted, inputs, olds, found, lease, id_)
        finally:
            self._give_up(lease, finished=engine.is_waiting())

    def _drive(
        self, wanted: Inputs, inputs: Props, olds: Outputs | None, found: Survey, lease: Lease, id_: str
    ) -> Props:
        job = job_of(
            found,
            wanted.wanted,
            wanted.plan,
            id_=id_,
            endpoint_name=wanted.endpoint_name,
            cases=wanted.cases,
            patience=wanted.patience,
            payload_table=wanted.payload_table,
            warehouse_id=wanted.warehouse_id,
        )
        before = olds.version if olds is not None and olds.version else "none"
        title = f"Release {id_}: {wanted.endpoint_name}, version {before} -> {wanted.wanted.version}"
        transcript = Transcript(id_, title, report_folder(wanted.report_folder), self.redact)
        transcript.head(found.decision.says, f"digest {wanted.wanted.digest}", wanted.plan.told())
        narration = Narration(
            job.release,
            wanted.plan,
            transcript,
            self.clock,
            say=lambda line: engine.progress(self.redact(line)),
            warn=lambda line: engine.warn(self.redact(line)),
        )
        result = Driver(self.client, job, lease, Memory(self.client, job.endpoint), self.clock, narration).drive()
        if result.outcome is not Outcome.RELEASED:
            raise self._error(wanted, job, result, transcript)
        if result.why:
            engine.warn(self.redact(result.why))
        standby = [name for name, _ in result.state.live if name != job.release.candidate]
        return wanted.outputs(
            inputs,
            olds,
            release=id_,
            serving=job.release.candidate,
            split=dict(result.state.live),
            standby=standby,
            versions={name: (one.version, one.settings) for name, one in job.entities.items()},
            result=result,
            history=[self.redact(line) for line in narration.history],
            now=self.clock.wall(),
        )

    def _error(self, wanted: Inputs, job: Job, result: Result, transcript: Transcript) -> ProviderError:
        live = shown(result.state.live)
        first, *more = result.why.splitlines() or [""]
        more += [f"transcript: {transcript.path}"] if transcript.path else []
        match result.outcome:
            case Outcome.HELD:
                headline, last = f"is held at {live}: {first}", "The next `pulumi up` goes on from there"
            case Outcome.STOPPED:
                headline = f"stopped: {first}"
                last = "Nothing was changed after that; the next `pulumi up` goes on from here, or puts it right"
            case Outcome.BROKEN:
                headline = f"failed, and what ran before is not back: {first}"
                last = "The next `pulumi up` puts it back; until then the endpoint runs " + live
            case _:
                headline = f"failed: {first}"
                runs = f"{live} runs, as before" if job.release.good else "there was nothing to go back to"
                again = f"set retry to {wanted.wanted.digest}-{job.tries + 1} to try the same once more"
                last = (
                    f"{runs}; no alias has moved; {again if result.remembered else 'the next `pulumi up` tries again'}"
                )
        return ProviderError(self._headline(wanted, headline), *more, last)

    def _headline(self, wanted: Inputs, what: str) -> str:
        return f"release of version {wanted.wanted.version} on endpoint {wanted.endpoint_name} {what}"

    def _give_up(self, lease: Lease, *, finished: bool) -> None:
        try:
            lease.give_up(finished=finished)
        except WorkspaceError as error:
            engine.warn(
                self.redact(f"the lease on the endpoint could not be given back, it runs out by itself: {error}")
            )
