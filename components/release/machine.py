"""A release as a state machine: what has happened, what to do next. Pure: no clock, no network, no Pulumi.

```
             +------------------------------ nothing runs yet (FIRST) ------------------+
             |                                                                          v
 CLEAN -> DARK (0 %) -> SMOKE -> [APPROVAL] -> SHIFT (step) -> BAKE --last step--> TIDY -> released
             |             |         |            |  ^           |  \
             |             |         |            |  +-- pass ---+   +-- inconclusive, time used up --> held
             +-------------+---------+------------+---- fails ---+--> RESTORE -> PROOF -> failed
```

`begin` gives the first state and commands, `step` takes one event. A driver carries the commands out in order and
answers the last of them with one event; `Aborted` and `Lost` may come at any time. A config is put only when none is
under way, so that there are never two; after `Lost` nothing is done at all, because somebody else may be at work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ..traffic import WHOLE
from .split import Split, final_split, percent_of, same_split, with_candidate


class Start(StrEnum):
    """From where a release starts; decided before it does (components/release/case.py)."""

    FIRST = "first"
    """The endpoint serves nothing that is worth keeping: the candidate gets everything at once."""
    DARK = "dark"
    """The candidate is deployed at 0 % beside what runs, and goes through the steps."""
    CLEAN = "clean"
    """The same, but an abandoned release is in the way: what runs is put right first."""
    RETURN = "return"
    """The candidate was good a short while ago but is gone: deployed at 0 %, proven, then everything at once."""
    STANDING = "standing"
    """The same, and it still stands by: proven, then everything at once."""
    RESUME = "resume"
    """The candidate was on its way: goes on at the step it had reached."""
    RESTORE = "restore"
    """The candidate has failed before and was left with traffic: what ran before is put back."""


class Stage(StrEnum):
    CLEAN = "putting right"
    DARK = "dark"
    SMOKE = "smoke"
    APPROVAL = "approval"
    SHIFT = "shifting"
    BAKE = "baking"
    TIDY = "tidying"
    RESTORE = "restoring"
    PROOF = "proving the restored config"
    DONE = "done"


class Outcome(StrEnum):
    RELEASED = "released"
    FAILED = "failed"
    """Not released; what ran before runs again and answers. Without anything before: not promoted."""
    HELD = "held"
    """Stopped where it was; the next `up` goes on."""
    STOPPED = "stopped"
    """The driver may not go on: its lease or its engine is gone."""
    BROKEN = "broken"
    """What ran before could not be put back, or does not answer."""


class Trouble(StrEnum):
    """Why a config did not come into force. The first two may be tried again."""

    CONFLICT = "conflict"  # another update is under way
    ERROR = "error"  # nobody can say, or the service was not there
    REFUSED = "refused"  # the service does not want it: nothing has changed
    FAILED = "failed"  # accepted, but the entities did not come up


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, kw_only=True)
class Release:
    """What does not change while a release goes on."""

    candidate: str
    """Served entity of the new version."""
    good: Split
    """What runs before, and again after a failure; empty on a first deployment."""
    live: Split
    """What runs when this driver begins: differs from `good` where it takes up something interrupted."""
    start: Start
    steps: tuple[int, ...]
    standby: tuple[str, ...]
    """Entities that stay at 0 % after the release."""
    bake_seconds: float
    lag_seconds: float = 0.0
    """How late the slowest gate's figures arrive; added to every bake."""
    poll_seconds: float
    bake_cap_seconds: float
    """All bakes of one driver together."""
    error_limit: int = 4
    """More consecutive errors than this end the release; an error is a question that got no usable answer."""
    put_attempts: int = 6
    """How often a config that met another update is sent, at most."""
    approval_before: int | None = None
    """The step (percent) that a person has to allow."""
    resume_step: int = -1
    """Index of the step that was reached; -1 is the dark stage."""
    resume_since: float | None = None
    """When the bake of that step began."""
    resume_passed: bool = False
    """Whether that bake was passed already."""
    resume_failure: str = ""
    """With RESTORE: why the candidate failed."""


# --- events: what has happened ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Applied:
    """The config that was put is in force."""

    at: float


@dataclass(frozen=True)
class Unapplied:
    """The config that was put is not in force, and no update is under way (but with CONFLICT)."""

    at: float
    trouble: Trouble
    why: str


@dataclass(frozen=True)
class Passed:
    """All queries were answered as expected."""

    at: float


@dataclass(frozen=True)
class Wrong:
    """A query was answered wrongly."""

    at: float
    why: str


@dataclass(frozen=True)
class Unread:
    """What was asked (queries, metrics, approval) got no usable answer."""

    at: float
    why: str


@dataclass(frozen=True)
class Looked:
    """The gates, as far as they can be judged by now."""

    at: float
    verdict: Verdict
    why: str


@dataclass(frozen=True)
class Approved:
    at: float


@dataclass(frozen=True)
class Unapproved:
    at: float
    why: str


@dataclass(frozen=True)
class Aborted:
    """Somebody wants it to end."""

    at: float
    by: str


@dataclass(frozen=True)
class Lost:
    """The lease belongs to somebody else, or nobody waits for the result any more."""

    at: float
    why: str


Event = Applied | Unapplied | Passed | Wrong | Unread | Looked | Approved | Unapproved | Aborted | Lost


# --- commands: what to do ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Put:
    """Send this config, and wait until it is in force or cannot be."""

    split: Split
    after_seconds: float = 0.0


@dataclass(frozen=True)
class Smoke:
    """Ask the whole suite of this entity."""

    entity: str
    after_seconds: float = 0.0


@dataclass(frozen=True)
class Look:
    """Wait, then judge the gates on what happened since `since`."""

    since: float
    after_seconds: float


@dataclass(frozen=True)
class AskApproval:
    before: int
    after_seconds: float = 0.0


@dataclass(frozen=True)
class Remember:
    """Note at the version that it failed here, so that nobody tries it again unasked. Answered by no event."""

    why: str


@dataclass(frozen=True)
class End:
    """There is nothing more to do. Answered by no event."""

    outcome: Outcome
    why: str


Command = Put | Smoke | Look | AskApproval | Remember | End
Commands = tuple[Command, ...]


@dataclass(frozen=True, kw_only=True)
class State:
    stage: Stage
    live: Split
    """What is known to be in force."""
    wanted: Split | None = None
    """What has been put and is not decided yet."""
    step: int = -1
    smoked: bool = False
    """The candidate has answered the suite, asked directly, since this driver began."""
    dirty: bool = False
    """Something was put that may have changed the endpoint."""
    since: float = 0.0
    until: float = 0.0
    seen: float = 0.0
    passed: bool = False
    """The bake of this step: when it began, when it ends, when it was looked at last, whether it was good."""
    baked: float = 0.0
    """Seconds of all bakes so far."""
    errors: int = 0
    attempts: int = 0
    aborted: str = ""
    failure: str = ""
    outcome: Outcome | None = None


class UnexpectedEventError(Exception):
    """A driver reported something that nobody had asked it for."""


def begin(release: Release, at: float) -> tuple[State, Commands]:
    """The first state of a release, and what to do."""
    state = State(stage=Stage.DARK, live=release.live)
    match release.start:
        case Start.FIRST:
            return _put(state, Stage.DARK, final_split(release.candidate, ()))
        case Start.DARK | Start.RETURN:
            return _put(state, Stage.DARK, with_candidate(release.good, release.candidate, 0))
        case Start.CLEAN:
            return _put(state, Stage.CLEAN, release.good)
        case Start.STANDING:
            return replace(state, stage=Stage.SMOKE), (Smoke(release.candidate),)
        case Start.RESUME:
            resumed = replace(state, stage=Stage.SMOKE, step=release.resume_step, dirty=True)
            return resumed, (Smoke(release.candidate),)
        case Start.RESTORE:
            return _restore(release, replace(state, failure=release.resume_failure, dirty=True))


def step(release: Release, state: State, event: Event) -> tuple[State, Commands]:
    """What an event makes of a state, and what to do about it.

    Raises:
        UnexpectedEventError: the event answers nothing that was asked in this state.
    """
    if state.stage is Stage.DONE:
        raise UnexpectedEventError(f"{type(event).__name__} after the end")
    match state.stage, event:
        case _, Lost():
            return _end(state, Outcome.STOPPED, event.why)
        case _, Aborted():
            return _aborted(release, state, event)
        case ((Stage.SMOKE | Stage.PROOF | Stage.BAKE | Stage.APPROVAL), Unread()):
            return _unread(release, state, event)
        case _, Applied() if state.wanted is not None:
            settled = replace(state, live=state.wanted, wanted=None, dirty=True, attempts=0, errors=0)
            return _applied(release, settled, event.at)
        case _, Unapplied() if state.wanted is not None:
            return _unapplied(release, state, event)
        case Stage.SMOKE, Passed():
            return _smoked(release, replace(state, smoked=True, errors=0), event.at)
        case Stage.SMOKE, Wrong():
            return _fail(release, state, event.why, remember=True)
        case Stage.APPROVAL, Approved():
            return _shift(release, replace(state, errors=0))
        case Stage.APPROVAL, Unapproved():
            return _end(state, Outcome.HELD, event.why)
        case Stage.BAKE, Looked():
            return _looked(release, replace(state, errors=0), event)
        case Stage.PROOF, Passed():
            return _end(state, Outcome.FAILED, state.failure)
        case Stage.PROOF, Wrong():
            return _end(state, Outcome.BROKEN, f"{state.failure}; what was put back does not answer: {event.why}")
    raise UnexpectedEventError(f"{type(event).__name__} while {state.stage}")


def _applied(release: Release, state: State, at: float) -> tuple[State, Commands]:
    if state.stage is Stage.RESTORE:
        return replace(state, stage=Stage.PROOF), (Smoke(_majority(release.good)),)
    if state.stage is Stage.TIDY and not state.aborted:
        return _end(state, Outcome.RELEASED, "")
    if state.aborted:
        return _fail(release, state, state.aborted, remember=True)
    if state.stage is Stage.CLEAN:
        return _put(state, Stage.DARK, with_candidate(release.good, release.candidate, 0))
    if state.stage is Stage.DARK:
        return replace(state, stage=Stage.SMOKE), (Smoke(release.candidate),)
    return _bake(release, state, at, since=at)


def _unapplied(release: Release, state: State, event: Unapplied) -> tuple[State, Commands]:
    wanted = state.wanted
    assert wanted is not None  # noqa: S101 - the caller has looked
    settled = replace(state, wanted=None, dirty=state.dirty or event.trouble in (Trouble.FAILED, Trouble.ERROR))
    if state.aborted:
        return _fail(release, settled, state.aborted, remember=True)
    attempts = state.attempts + 1
    again = event.trouble in (Trouble.CONFLICT, Trouble.ERROR) or state.stage is Stage.RESTORE
    if again and attempts < release.put_attempts and event.trouble is not Trouble.REFUSED:
        pause = release.poll_seconds * min(2.0 ** (attempts - 1), 8.0)
        return replace(settled, wanted=wanted, attempts=attempts), (Put(wanted, pause),)
    if state.stage is Stage.RESTORE:
        return _end(settled, Outcome.BROKEN, f"{state.failure}; the config before could not be put back: {event.why}")
    if _is_over(release, state):
        # The candidate has passed everything and serves everything: what is left over costs, and is named.
        return _end(settled, Outcome.RELEASED, f"an entity that is no longer needed could not be removed: {event.why}")
    # Only an entity that did not come up says something about the version.
    return _fail(release, settled, event.why, remember=event.trouble is Trouble.FAILED)


def _smoked(release: Release, state: State, at: float) -> tuple[State, Commands]:
    if release.start is Start.FIRST:
        return _end(state, Outcome.RELEASED, "")
    if release.start in (Start.RETURN, Start.STANDING):
        return _tidy(release, state)
    if release.start is Start.RESUME and state.step >= 0:
        planned = with_candidate(release.good, release.candidate, release.steps[state.step])
        if not same_split(planned, state.live):
            return _put(state, Stage.SHIFT, planned)
        if release.resume_passed:
            return _next(release, replace(state, passed=True))
        return _bake(release, state, at, since=at if release.resume_since is None else release.resume_since)
    return _next(release, state)


def _next(release: Release, state: State) -> tuple[State, Commands]:
    """To the next step, if there is one and a person need not allow it first."""
    following = state.step + 1
    if following >= len(release.steps):
        return _tidy(release, state)
    if state.baked > 0 and state.baked + release.bake_seconds + release.lag_seconds > release.bake_cap_seconds:
        return _end(state, Outcome.HELD, "the next step's bake would exceed the bake time of one `pulumi up`")
    if release.steps[following] == release.approval_before:
        return replace(state, stage=Stage.APPROVAL), (AskApproval(release.steps[following]),)
    return _shift(release, state)


def _shift(release: Release, state: State) -> tuple[State, Commands]:
    following = state.step + 1
    split = with_candidate(release.good, release.candidate, release.steps[following])
    return _put(replace(state, step=following, passed=False), Stage.SHIFT, split)


def _bake(release: Release, state: State, at: float, *, since: float) -> tuple[State, Commands]:
    # Taken up again, figures of a counter begin anew: they need a whole bake, late ones only what is left.
    until = max(since + release.bake_seconds + release.lag_seconds, at + release.bake_seconds)
    baking = replace(state, stage=Stage.BAKE, since=since, until=until, seen=at)
    return baking, (_look(release, baking, at),)


def _looked(release: Release, state: State, event: Looked) -> tuple[State, Commands]:
    state = replace(state, baked=state.baked + max(event.at - state.seen, 0.0), seen=max(event.at, state.seen))
    if event.verdict is Verdict.FAIL:
        return _fail(release, state, event.why, remember=True)
    if event.at < state.until:
        if state.baked >= release.bake_cap_seconds:
            return _end(state, Outcome.HELD, "the bake time of one `pulumi up` is used up")
        return state, (_look(release, state, event.at),)
    if event.verdict is Verdict.INCONCLUSIVE:
        return _end(state, Outcome.HELD, event.why)
    return _next(release, replace(state, passed=True))


def _unread(release: Release, state: State, event: Unread) -> tuple[State, Commands]:
    errors = state.errors + 1
    state = replace(state, errors=errors)
    if errors <= release.error_limit:
        again: Command = Look(state.since, release.poll_seconds)
        if state.stage is Stage.APPROVAL:
            again = AskApproval(release.steps[state.step + 1], release.poll_seconds)
        elif state.stage in (Stage.SMOKE, Stage.PROOF):
            entity = release.candidate if state.stage is Stage.SMOKE else _majority(release.good)
            again = Smoke(entity, release.poll_seconds)
        return state, (again,)
    why = f"{errors} consecutive errors, the last one: {event.why}"
    if state.stage is Stage.PROOF:
        return _end(state, Outcome.BROKEN, f"{state.failure}; whether what was put back answers is unknown: {why}")
    return _fail(release, state, why, remember=False)


def _aborted(release: Release, state: State, event: Aborted) -> tuple[State, Commands]:
    why = f"aborted by {event.by}"
    if is_final(release, state):
        return state, ()
    if state.wanted is not None:
        # A config is under way and cannot be called back; the next thing after it is the restoring.
        return replace(state, aborted=why), ()
    return _fail(release, state, why, remember=True)


def _fail(release: Release, state: State, why: str, *, remember: bool) -> tuple[State, Commands]:
    noted: Commands = (Remember(why),) if remember else ()
    state = replace(state, failure=why, wanted=None)
    if not release.good or (not state.dirty and same_split(state.live, release.good)):
        ended, commands = _end(state, Outcome.FAILED, why)
        return ended, (*noted, *commands)
    restoring, commands = _restore(release, state)
    return restoring, (*noted, *commands)


def _restore(release: Release, state: State) -> tuple[State, Commands]:
    return _put(replace(state, attempts=0, errors=0), Stage.RESTORE, release.good)


def _tidy(release: Release, state: State) -> tuple[State, Commands]:
    last = final_split(release.candidate, release.standby)
    if same_split(last, state.live):
        return _end(state, Outcome.RELEASED, "")
    return _put(state, Stage.TIDY, last)


def _put(state: State, stage: Stage, split: Split) -> tuple[State, Commands]:
    return replace(state, stage=stage, wanted=split, attempts=0), (Put(split),)


def _end(state: State, outcome: Outcome, why: str) -> tuple[State, Commands]:
    return replace(state, stage=Stage.DONE, outcome=outcome), (End(outcome, why),)


def is_final(release: Release, state: State) -> bool:
    """Whether an abort comes too late: what ran before is being put back, or only leftovers are being removed."""
    return state.stage in (Stage.RESTORE, Stage.PROOF) or _is_over(release, state)


def _is_over(release: Release, state: State) -> bool:
    return state.stage is Stage.TIDY and percent_of(state.live, release.candidate) == WHOLE


def _look(release: Release, state: State, at: float) -> Look:
    return Look(state.since, max(min(release.poll_seconds, state.until - at), 0.0))


def _majority(split: Split) -> str:
    return max(split, key=lambda route: percent_of(split, route[0]))[0]
