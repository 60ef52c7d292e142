"""The state machine of a release under every order of events that hypothesis can think of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from components.release.machine import (
    Aborted,
    Applied,
    Approved,
    AskApproval,
    Command,
    Commands,
    End,
    Event,
    Look,
    Looked,
    Lost,
    Outcome,
    Passed,
    Put,
    Release,
    Remember,
    Smoke,
    Stage,
    Start,
    State,
    Trouble,
    Unapplied,
    Unapproved,
    UnexpectedEventError,
    Unread,
    Verdict,
    Wrong,
    begin,
    step,
)
from components.release.split import Split, percent_of, same_split, with_candidate

NEW = "fare-18"
GOOD: Split = (("fare-16", 0), ("fare-17", 100))
LONGEST = 2000

goods = st.sampled_from(
    [GOOD, (("fare-17", 100),), (("fare-17", 70), ("other", 30)), (("a", 33), ("b", 33), ("c", 34))]
)
step_lists = st.lists(st.integers(1, 99), max_size=4, unique=True).map(lambda found: (*sorted(found), 100))
starts = st.sampled_from(list(Start))


def release_of(start: Start = Start.DARK, **changes: Any) -> Release:
    values: dict[str, Any] = {
        "candidate": NEW,
        "good": () if start is Start.FIRST else GOOD,
        "live": () if start is Start.FIRST else GOOD,
        "start": start,
        "steps": (5, 20, 50, 100),
        "standby": ("fare-17",),
        "bake_seconds": 60.0,
        "poll_seconds": 15.0,
        "bake_cap_seconds": 1800.0,
        **changes,
    }
    return Release(**values)


class Exploration(RuleBasedStateMachine):
    """A driver and an endpoint that answer whatever the rules say; the endpoint knows what is really in force."""

    release: Release
    state: State

    @initialize(
        start=starts,
        good=goods,
        steps=step_lists,
        keep=st.booleans(),
        lag=st.sampled_from([0.0, 1200.0]),
        approval=st.booleans(),
        reached=st.integers(-1, 3),
    )
    def start_release(
        self, start: Start, good: Split, steps: tuple[int, ...], keep: bool, lag: float, approval: bool, reached: int
    ) -> None:
        good = () if start is Start.FIRST else good
        reached = min(reached, len(steps) - 1)
        live = good
        if start in (Start.RESUME, Start.RESTORE, Start.CLEAN):
            live = with_candidate(good, NEW, steps[reached] if reached >= 0 else 0)
        if start is Start.STANDING:
            good = live = with_candidate(good, NEW, 0)
        self.release = release_of(
            start,
            good=good,
            live=live,
            steps=steps,
            standby=tuple(name for name, share in good if share)[:1] if keep else (),
            lag_seconds=lag,
            approval_before=steps[-1] if approval else None,
            resume_step=reached,
            resume_since=None,
            resume_failure="it failed" if start is Start.RESTORE else "",
        )
        self.at = 0.0
        self.actual = live
        self.smoked = start is Start.FIRST
        self.remembered = False
        self.evidence = False
        self.events = 0
        self.asked: Command | None = None
        self.aborted = False
        self.lost = False
        self.restoring = start is Start.RESTORE
        state, commands = begin(self.release, self.at)
        self.take(state, commands)

    def take(self, state: State, commands: Commands) -> None:
        self.state = state
        for command in commands:
            if isinstance(command, Remember):
                self.remembered = True
            elif isinstance(command, End):
                assert command is commands[-1]
                self.asked = None
            else:
                assert self.asked is None, f"{command} while {self.asked} is not answered"
                assert not self.lost, "something is asked for after the lease was lost"
                self.asked = command
            if isinstance(command, Put):
                self.check_put(command.split)
        assert (self.state.stage is Stage.DONE) == isinstance(commands[-1] if commands else None, End)

    def check_put(self, split: Split) -> None:
        assert sum(share for _, share in split) == 100
        assert all(0 <= share <= 100 for _, share in split)
        before, after = percent_of(self.actual, NEW), percent_of(split, NEW)
        restoring = self.state.stage in (Stage.RESTORE, Stage.CLEAN)
        if restoring:
            assert same_split(split, self.release.good)
        else:
            assert after == 0 or self.smoked, "the new version gets traffic before it has passed the smoke queries"
            assert after >= before or self.release.start is Start.RESUME
        self.restoring = self.restoring or self.state.stage is Stage.RESTORE
        if self.restoring:
            assert self.state.stage is Stage.RESTORE, "after a failure nothing but the good config is put"

    def answer(self, event: Event) -> None:
        if not isinstance(event, Aborted):
            self.asked = None
        self.events += 1
        assert self.events < LONGEST
        self.take(*step(self.release, self.state, event))

    def later(self, seconds: float) -> float:
        self.at += seconds
        return self.at

    @precondition(lambda self: isinstance(self.asked, Put))
    @rule()
    def config_comes_into_force(self) -> None:
        assert isinstance(self.asked, Put)
        self.actual = self.asked.split
        self.answer(Applied(self.later(5)))

    @precondition(lambda self: isinstance(self.asked, Put))
    @rule(trouble=st.sampled_from(list(Trouble)))
    def config_does_not(self, trouble: Trouble) -> None:
        self.evidence = self.evidence or (trouble is Trouble.FAILED and self.state.stage is not Stage.RESTORE)
        self.answer(Unapplied(self.later(5), trouble, f"scripted {trouble}"))

    @precondition(lambda self: isinstance(self.asked, Smoke))
    @rule()
    def queries_pass(self) -> None:
        assert isinstance(self.asked, Smoke)
        assert percent_of(self.actual, self.asked.entity) >= 0
        assert self.asked.entity in dict(self.actual), "an entity is asked that is not deployed"
        self.smoked = self.smoked or self.asked.entity == NEW
        self.answer(Passed(self.later(1)))

    @precondition(lambda self: isinstance(self.asked, Smoke))
    @rule()
    def queries_fail(self) -> None:
        self.evidence = True
        self.answer(Wrong(self.later(1), "predictions[0] is 99"))

    @precondition(lambda self: isinstance(self.asked, Smoke | Look | AskApproval))
    @rule()
    def no_answer(self) -> None:
        self.answer(Unread(self.later(15), "no usable answer"))

    @precondition(lambda self: isinstance(self.asked, Look))
    @rule(verdict=st.sampled_from(list(Verdict)), whole_bake=st.booleans())
    def gates_are_judged(self, verdict: Verdict, whole_bake: bool) -> None:
        assert isinstance(self.asked, Look)
        assert self.asked.after_seconds >= 0
        self.evidence = self.evidence or verdict is Verdict.FAIL
        waited = max(self.state.until - self.at, 0.0) if whole_bake else self.asked.after_seconds
        self.answer(Looked(self.later(waited), verdict, f"scripted {verdict}"))

    @precondition(lambda self: isinstance(self.asked, AskApproval))
    @rule(allowed=st.booleans())
    def somebody_decides(self, allowed: bool) -> None:
        self.answer(Approved(self.later(1)) if allowed else Unapproved(self.later(1), "not yet"))

    @precondition(lambda self: self.asked is not None and not self.aborted)
    @rule()
    def somebody_aborts(self) -> None:
        self.aborted = True
        pending = self.asked
        if not isinstance(pending, Put) and self.state.stage is not Stage.PROOF:
            self.asked = None  # a driver that waits for anything else stops waiting
        self.answer(Aborted(self.at, "me"))

    @precondition(lambda self: self.asked is not None)
    @rule()
    def lease_is_lost(self) -> None:
        self.lost = True
        self.answer(Lost(self.at, "fence 8 is newer"))
        assert self.state.outcome is Outcome.STOPPED

    @precondition(lambda self: hasattr(self, "state") and self.state.stage is Stage.DONE)
    @rule()
    def nothing_follows_the_end(self) -> None:
        with pytest.raises(UnexpectedEventError):
            step(self.release, self.state, Passed(self.at))

    @invariant()
    def end_is_what_it_says(self) -> None:
        if not hasattr(self, "state") or self.state.stage is not Stage.DONE:
            return
        good, outcome = self.release.good, self.state.outcome
        if outcome is Outcome.RELEASED:
            assert percent_of(self.actual, NEW) == 100
            assert self.smoked
        if outcome is Outcome.FAILED and good:
            assert same_split(self.actual, good), "after a failure something else runs than before"
        if outcome is Outcome.HELD:
            assert same_split(self.actual, self.state.live)
        if outcome in (Outcome.FAILED, Outcome.BROKEN) and self.evidence and not self.restoring:
            assert self.remembered

    def teardown(self) -> None:
        """Whatever happened, a release ends: here with gates that never decide and a bake that never ends early."""
        if not hasattr(self, "state"):
            return
        while self.state.stage is not Stage.DONE:
            if isinstance(self.asked, Put):
                self.config_comes_into_force()
            elif isinstance(self.asked, Smoke):
                self.queries_pass()
            elif isinstance(self.asked, Look):
                self.gates_are_judged(Verdict.INCONCLUSIVE, False)
            else:
                self.somebody_decides(True)


TestExploration = Exploration.TestCase
TestExploration.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def run(release: Release, *events: Event) -> tuple[State, list[Command]]:
    """Feeds events in order; every command on the way."""
    state, commands = begin(release, 0.0)
    given = list(commands)
    for event in events:
        state, commands = step(release, state, event)
        given.extend(commands)
    return state, given


def test_a_good_release_goes_through_all_steps_and_keeps_the_version_before_at_zero() -> None:
    release = release_of(good=(("fare-17", 100),), live=(("fare-17", 100),), steps=(5, 100))
    state, commands = run(
        release,
        Applied(10),
        Passed(11),
        Applied(12),
        Looked(30, Verdict.INCONCLUSIVE, "few"),
        Looked(72, Verdict.PASS, ""),
        Applied(80),
        Looked(140, Verdict.PASS, ""),
    )
    assert [command.split for command in commands if isinstance(command, Put)] == [
        (("fare-17", 100), (NEW, 0)),
        (("fare-17", 95), (NEW, 5)),
        (("fare-17", 0), (NEW, 100)),
    ]
    assert state.outcome is Outcome.RELEASED, "the last step is the final config: nothing is put twice"


def test_an_inconclusive_bake_holds_where_it_is_and_goes_on_there() -> None:
    state, commands = run(
        release_of(), Applied(1), Passed(2), Applied(3), Looked(63, Verdict.INCONCLUSIVE, "12 of 59 requests")
    )
    assert state.outcome is Outcome.HELD
    assert commands[-1] == End(Outcome.HELD, "12 of 59 requests")
    again = release_of(Start.RESUME, live=state.live, resume_step=0, resume_since=3.0)
    resumed, commands = run(again, Passed(100), Looked(160, Verdict.PASS, ""))
    assert [command for command in commands if isinstance(command, Put)] == [
        Put(with_candidate(GOOD, NEW, 20)),
    ]
    assert resumed.step == 1


def test_the_fifth_consecutive_error_ends_a_release_and_is_not_held_against_the_version() -> None:
    start = (Applied(1), Passed(2), Applied(3))
    four = [Unread(4.0 + n, "503") for n in range(4)]
    state, _ = run(release_of(), *start, *four, Looked(9, Verdict.PASS, ""), *four)
    assert state.stage is Stage.BAKE
    state, commands = run(release_of(), *start, *four, Unread(9, "503"))
    assert state.stage is Stage.RESTORE
    assert not [command for command in commands if isinstance(command, Remember)]


def test_the_delivery_lag_is_added_to_the_bake() -> None:
    late = release_of(lag_seconds=1200.0)
    state, _ = run(late, Applied(1), Passed(2), Applied(3), Looked(63, Verdict.PASS, ""))
    assert state.stage is Stage.BAKE
    assert state.until == 3 + 60 + 1200


def test_the_bake_time_of_one_up_is_capped() -> None:
    capped = release_of(bake_cap_seconds=100.0)
    state, commands = run(capped, Applied(0), Passed(0), Applied(0), Looked(60, Verdict.PASS, ""))
    assert state.outcome is Outcome.HELD
    assert not [one for one in commands if isinstance(one, Put) and percent_of(one.split, NEW) == 20]
    long = release_of(bake_seconds=5000.0, bake_cap_seconds=100.0)
    state, _ = run(long, Applied(0), Passed(0), Applied(0), Looked(101, Verdict.PASS, ""))
    assert state.outcome is Outcome.HELD


def test_a_config_that_meets_another_update_is_sent_again_a_bounded_number_of_times() -> None:
    conflict = Unapplied(1, Trouble.CONFLICT, "409")
    _, commands = run(release_of(put_attempts=3), conflict, conflict)
    assert [one.after_seconds for one in commands if isinstance(one, Put)] == [0.0, 15.0, 30.0]
    _, commands = run(release_of(put_attempts=3), conflict, conflict, conflict)
    assert commands[-1] == End(Outcome.FAILED, "409"), "nothing was changed, so nothing is put back"


def test_a_deployment_that_failed_is_cleared_by_putting_the_good_config() -> None:
    _, commands = run(release_of(), Unapplied(1, Trouble.FAILED, "weights are missing"))
    assert commands[1:] == [Remember("weights are missing"), Put(GOOD)]


def test_a_bake_that_was_good_is_not_repeated_by_the_next_up() -> None:
    capped = release_of(bake_cap_seconds=100.0)
    state, _ = run(capped, Applied(0), Passed(0), Applied(0), Looked(60, Verdict.PASS, ""))
    assert state.passed
    again = release_of(Start.RESUME, live=state.live, resume_step=0, resume_since=0.0, resume_passed=True)
    _, commands = run(again, Passed(1))
    assert commands[-1] == Put(with_candidate(GOOD, NEW, 20))


def test_a_restore_that_is_refused_or_does_not_answer_is_called_broken() -> None:
    failed = (Applied(1), Wrong(2, "99"))
    state, _ = run(release_of(), *failed, Unapplied(3, Trouble.REFUSED, "403"))
    assert state.outcome is Outcome.BROKEN
    state, commands = run(release_of(), *failed, Applied(3), Wrong(4, "500"))
    assert state.outcome is Outcome.BROKEN
    assert isinstance(commands[-1], End)
    assert "does not answer" in commands[-1].why


def test_a_version_that_was_good_takes_no_steps() -> None:
    standing = release_of(Start.STANDING, good=((NEW, 0), ("fare-17", 100)), live=((NEW, 0), ("fare-17", 100)))
    state, commands = run(standing, Passed(1), Applied(2))
    assert state.outcome is Outcome.RELEASED
    assert [one for one in commands if isinstance(one, Put)] == [Put((("fare-17", 0), (NEW, 100)))]


def test_an_abort_during_an_update_restores_as_soon_as_it_is_over() -> None:
    state, commands = run(release_of(), Applied(1), Passed(2), Aborted(3, "me"))
    assert not isinstance(commands[-1], Remember)
    _, after = step(release_of(), state, Applied(4))
    assert after == (Remember("aborted by me"), Put(GOOD))


def test_a_person_has_to_allow_the_step_that_says_so() -> None:
    gated = release_of(approval_before=20)
    state, commands = run(gated, Applied(1), Passed(2), Applied(3), Looked(63, Verdict.PASS, ""))
    assert commands[-1] == AskApproval(20)
    held, _ = step(gated, state, Unapproved(64, "tag is not set"))
    assert held.outcome is Outcome.HELD
    shifted, _ = step(gated, state, Approved(64))
    assert shifted.wanted == with_candidate(GOOD, NEW, 20)


def test_an_answer_that_nobody_asked_for_is_a_mistake_of_the_driver() -> None:
    with pytest.raises(UnexpectedEventError):
        run(release_of(), Passed(1))
    with pytest.raises(UnexpectedEventError):
        run(release_of(Start.FIRST), Applied(1), Passed(2), Passed(3))
