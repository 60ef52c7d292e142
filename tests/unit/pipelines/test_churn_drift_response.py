"""What holds a retraining back, at every boundary, and what no sequence of windows can ever bring about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.churn.drift_detection import Drift, Performance, Policy, judge
from pipelines.churn.drift_parameters import guard_of, start_of
from pipelines.churn.drift_response import Decision, Guard, History, decide
from pipelines.errors import PipelineError

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
FIRST = datetime(2024, 9, 1, tzinfo=UTC)
NOW = datetime(2024, 9, 20, 2, tzinfo=UTC)
POLICY = Policy(since=FIRST)
FREE = Guard(cooldown_days=0.0, weekly_cap=99)


def window(day: int, metric: float | None = 0.9, loss: float | None = -1.0, model: str = "m") -> Performance:
    """A window of so many days after the first."""
    return Performance(time=FIRST + day * DAY, model_id=model, rows=100, performance_metric=metric, expected_loss=loss)


def bad(day: int) -> Performance:
    return window(day, metric=0.3, loss=-44.0)


def drifted(day: int, prediction: float, churn: float) -> list[Drift]:
    values = {"prediction": prediction, "churn": churn}
    return [
        Drift(time=FIRST + day * DAY, model_id="m", column_name=name, drift_metric=value)
        for name, value in values.items()
    ]


def decided(rows: Sequence[Performance], guard: Guard = FREE, drift: Sequence[Drift] = (), **history: Any) -> Decision:
    return decide(rows, drift, POLICY, guard, History(**{"now": NOW, **history}))


# --- what is told -----------------------------------------------------------------------------------------------------


def test_no_window_is_no_data_and_sets_nothing_going() -> None:
    decision = decided([])
    assert (decision.outcome, decision.all_violations_count, decision.retrain) == ("no data", 0, False)


def test_windows_without_a_violation_are_told_apart_from_no_data() -> None:
    decision = decided([window(0)])
    assert (decision.outcome, decision.all_violations_count, decision.retrain) == ("no violation", 0, False)


def test_a_violation_that_nothing_holds_back_retrains() -> None:
    decision = decided([bad(0)])
    assert (decision.outcome, decision.all_violations_count, decision.retrain) == ("violation", 1, True)
    assert decision.reasons == ()


def test_what_is_held_back_counts_nothing_and_still_says_what_was_found() -> None:
    decision = decided([bad(0), bad(1)], Guard(cooldown_days=3), retrainings=[NOW - DAY])
    assert (decision.outcome, decision.all_violations_count, decision.retrain) == ("held back", 0, False)
    assert (decision.verdict.all_violations_count, decision.reasons) == (2, ("cooldown",))
    assert "held back by cooldown" in str(decision)


def test_nothing_is_held_back_where_there_was_nothing_to_set_going() -> None:
    decision = decided([window(0)], Guard(), retrainings=[NOW - SECOND], triggers=[NOW - SECOND])
    assert (decision.outcome, decision.reasons) == ("no violation", ())


def test_a_baseline_that_is_missing_changes_nothing_because_windows_are_compared_with_each_other() -> None:
    assert decided([window(0), window(1)], drift=drifted(1, 0.3, 0.3)).all_violations_count == 1


# --- cooldown ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ago", "held"),
    [
        (timedelta(0), True),
        (3 * DAY - SECOND, True),
        (3 * DAY - timedelta(microseconds=1), True),
        (3 * DAY, False),
        (3 * DAY + SECOND, False),
    ],
)
def test_the_cooldown_ends_to_the_second(ago: timedelta, held: bool) -> None:
    assert ("cooldown" in decided([bad(0)], Guard(cooldown_days=3), retrainings=[NOW - ago]).reasons) is held


def test_a_retraining_that_was_set_going_and_failed_cools_down_as_well() -> None:
    assert decided([bad(0)], Guard(cooldown_days=3), triggers=[NOW - DAY]).reasons == ("cooldown", "hysteresis")


def test_a_cooldown_of_no_days_holds_nothing_back() -> None:
    assert decided([bad(0)], Guard(cooldown_days=0), retrainings=[NOW]).retrain


def test_a_first_training_is_no_retraining_to_cool_down_from() -> None:
    assert decided([bad(0)], Guard(), trained=NOW - SECOND).retrain


def test_a_cooldown_over_a_change_of_summer_time_is_hours_and_not_days_of_a_calendar() -> None:
    summer, winter = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
    trained = datetime(2024, 10, 26, 2, tzinfo=summer)
    three_days_later_on_the_wall = datetime(2024, 10, 29, 2, tzinfo=winter)
    guard = Guard(cooldown_days=3)
    assert decided([bad(0)], guard, now=three_days_later_on_the_wall, retrainings=[trained]).retrain
    assert not decided(
        [bad(0)], guard, now=three_days_later_on_the_wall - timedelta(hours=1, seconds=1), retrainings=[trained]
    ).retrain


# --- weekly cap -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "held"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_week_has_no_more_retrainings_than_its_cap(count: int, held: bool) -> None:
    guard = Guard(cooldown_days=0, weekly_cap=2)
    retrainings = [NOW - DAY * (2 + number) for number in range(count)]
    assert (decided([bad(0)], guard, retrainings=retrainings).reasons == ("weekly cap",)) is held


def test_a_new_calendar_week_does_not_empty_the_cap() -> None:
    monday = datetime(2024, 9, 16, 2, tzinfo=UTC)
    guard = Guard(cooldown_days=0, weekly_cap=1)
    assert decided([bad(0)], guard, now=monday, retrainings=[monday - DAY]).reasons == ("weekly cap",)


@pytest.mark.parametrize(("ago", "held"), [(7 * DAY - SECOND, True), (7 * DAY, False)])
def test_what_is_seven_days_old_is_of_no_week_any_more(ago: timedelta, held: bool) -> None:
    decision = decided([bad(0)], Guard(cooldown_days=0, weekly_cap=1), retrainings=[NOW - ago])
    assert ("weekly cap" in decision.reasons) is held


def test_a_retraining_set_going_by_detection_counts_once() -> None:
    guard = Guard(cooldown_days=0, weekly_cap=2)
    set_going, made = NOW - 2 * DAY, NOW - 2 * DAY + timedelta(minutes=10)
    assert decided([bad(18)], guard, triggers=[set_going], retrainings=[made], trained=made).retrain


def test_retrainings_by_hand_and_failed_ones_fill_the_cap_too() -> None:
    guard = Guard(cooldown_days=0, weekly_cap=2)
    assert not decided([bad(0)], guard, retrainings=[NOW - DAY, NOW - 2 * DAY]).retrain
    failed = decided([bad(0)], guard, triggers=[NOW - DAY, NOW - 2 * DAY], trained=NOW - SECOND)
    assert failed.reasons == ("weekly cap",)


# --- hysteresis -------------------------------------------------------------------------------------------------------

FIRED = FIRST + timedelta(days=5, hours=2)


def test_having_fired_it_is_silent_while_windows_stay_bad_and_no_version_came() -> None:
    assert decided([bad(day) for day in range(4, 10)], triggers=[FIRED]).reasons == ("hysteresis",)


def test_a_new_version_arms_it_again() -> None:
    assert decided([bad(8)], triggers=[FIRED], trained=FIRED + SECOND).retrain


def test_a_version_of_before_it_fired_does_not() -> None:
    assert decided([bad(8)], triggers=[FIRED], trained=FIRED).reasons == ("hysteresis",)


@pytest.mark.parametrize(
    ("metric", "loss", "armed"),
    [
        (0.55, -26.0, True),
        (0.5499999, -25.0000001, False),
        (0.5499999, -25.0, True),
        (0.52, -29.0, False),
        (None, None, False),
        (float("nan"), float("nan"), False),
    ],
)
def test_a_window_within_the_lower_limits_arms_it_again(metric: float | None, loss: float | None, armed: bool) -> None:
    rows = [bad(4), window(6, metric=metric, loss=loss), bad(7)]
    decision = decided(rows, triggers=[FIRED])
    assert decision.retrain is armed
    if armed:
        # What was there before all was well has been answered.
        assert [one.time for one in decision.verdict.violating] == [FIRST + 7 * DAY]


@pytest.mark.parametrize(("drift", "armed"), [(0.15, True), (0.1500001, False)])
def test_drift_arms_it_again_at_its_lower_limit_and_not_above(drift: float, armed: bool) -> None:
    rows = [window(day, metric=None, loss=None) for day in (6, 7)]
    found = [*drifted(6, drift, drift), *drifted(7, 0.4, 0.4)]
    assert decided(rows, drift=found, triggers=[FIRED]).retrain is armed


def test_a_window_that_began_before_it_fired_does_not_arm_it() -> None:
    assert decided([window(5), bad(6)], triggers=[FIRED]).reasons == ("hysteresis",)
    assert decided([window(5), bad(6)], triggers=[FIRST + 5 * DAY]).retrain


def test_one_model_that_stays_bad_keeps_the_window_from_arming_it() -> None:
    rows = [window(6), window(6, metric=0.3, loss=-44.0, model="other"), bad(7)]
    assert decided(rows, triggers=[FIRED]).reasons == ("hysteresis",)


def test_a_calm_window_arms_it_however_long_ago_it_was() -> None:
    rows = [window(6), *(bad(day) for day in range(7, 17))]
    assert decided(rows, triggers=[FIRED]).retrain


def test_old_violations_do_not_come_back_when_it_is_armed_again() -> None:
    decision = decided([bad(4), bad(5), window(6)], triggers=[FIRED])
    assert (decision.outcome, decision.verdict.windows) == ("no violation", 1)


# --- the settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"performance_rearm": 0.49}, {"expected_loss_rearm": 30.1}, {"drift_rearm": 0.1900001}]
)
def test_a_lower_limit_beyond_the_limit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PipelineError, match=f"{next(iter(changes))} is .*wrong side"):
        decided([bad(0)], replace(FREE, **changes))


@pytest.mark.parametrize("changes", [{"cooldown_days": -1.0}, {"weekly_cap": 0}])
def test_a_guard_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PipelineError, match="use 0 or more, 1 or more"):
        Guard(**changes)


def test_the_jobs_parameters_are_read_and_what_they_leave_out_is_the_default() -> None:
    assert guard_of({}) == Guard()
    given = guard_of({"cooldown_days": "1.5", "weekly_cap": "4", "drift_rearm": "0.1"})
    assert given == Guard(cooldown_days=1.5, weekly_cap=4, drift_rearm=0.1)
    with pytest.raises(PipelineError, match="weekly_cap is 'some'"):
        guard_of({"weekly_cap": "some"})
    assert start_of({"start_date": "2024-06-01"}) == datetime(2024, 6, 1, tzinfo=UTC)
    with pytest.raises(PipelineError, match="start_date is 'June'"):
        start_of({"start_date": "June"})


def test_a_decision_needs_to_know_from_when_on_windows_count() -> None:
    with pytest.raises(PipelineError, match="from when on"):
        decide([], [], Policy(), FREE, History(now=NOW))


# --- whatever the windows ---------------------------------------------------------------------------------------------

measures = st.one_of(st.none(), st.floats(0, 1), st.just(float("nan")))
rows_of = st.lists(
    st.builds(
        lambda day, model, metric, loss, rows, segment: Performance(
            time=FIRST + day * DAY,
            model_id=model,
            rows=rows,
            performance_metric=metric,
            expected_loss=loss,
            segment=segment,
        ),
        st.integers(0, 12),
        st.sampled_from("ab"),
        measures,
        st.one_of(st.none(), st.floats(-100, 0)),
        st.integers(0, 60),
        st.sampled_from(["", "contract=One year"]),
    ),
    max_size=25,
)
drifts = st.lists(
    st.builds(
        lambda day, model, column, value: Drift(
            time=FIRST + day * DAY, model_id=model, column_name=column, drift_metric=value
        ),
        st.integers(0, 12),
        st.sampled_from("ab"),
        st.sampled_from(["prediction", "churn"]),
        measures,
    ),
    max_size=25,
)
policies = st.builds(
    lambda performance, loss, drift, performance_needs, drift_needs, needed, more, rows: Policy(
        since=FIRST,
        performance_threshold=performance,
        expected_loss_threshold=loss,
        drift_threshold=drift,
        performance_needs=performance_needs,
        drift_needs=drift_needs,
        needed_windows=needed,
        last_windows=needed + more,
        minimum_rows=rows,
    ),
    st.floats(0, 1),
    st.floats(0, 100),
    st.floats(0, 1),
    st.sampled_from(["all", "any"]),
    st.sampled_from(["all", "any"]),
    st.integers(1, 4),
    st.integers(0, 8),
    st.integers(1, 50),
)
moments = st.lists(st.integers(0, 15 * 24 * 3600).map(lambda ago: NOW - ago * SECOND), max_size=4)


@given(rows_of, drifts, policies, st.floats(0, 1), st.floats(0, 50), st.floats(0, 1))
def test_looser_limits_never_count_more(
    rows: list[Performance], drift: list[Drift], policy: Policy, lower: float, further: float, higher: float
) -> None:
    looser = replace(
        policy,
        performance_threshold=policy.performance_threshold * lower,
        expected_loss_threshold=policy.expected_loss_threshold + further,
        drift_threshold=policy.drift_threshold + higher,
    )
    assert judge(rows, drift, looser).all_violations_count <= judge(rows, drift, policy).all_violations_count


@given(rows_of, drifts, policies)
def test_it_never_fires_on_fewer_windows_than_are_needed(
    rows: list[Performance], drift: list[Drift], policy: Policy
) -> None:
    verdict = judge(rows, drift, policy)
    times: dict[str, set[datetime]] = {}
    for one in verdict.violating:
        times.setdefault(one.segment, set()).add(one.time)
    most = max((len(starts) for starts in times.values()), default=0)
    assert (verdict.all_violations_count > 0) is (most >= policy.needed_windows)
    assert len({one.window.time for one in verdict.judged}) <= policy.last_windows


@given(rows_of, drifts, policies, moments, moments, st.floats(0, 10), st.integers(1, 3))
def test_within_cooldown_or_over_the_cap_nothing_is_ever_set_going(
    rows: list[Performance],
    drift: list[Drift],
    policy: Policy,
    triggers: list[datetime],
    retrainings: list[datetime],
    cooldown: float,
    cap: int,
) -> None:
    guard = Guard(
        cooldown_days=cooldown, weekly_cap=cap, performance_rearm=1.0, expected_loss_rearm=0.0, drift_rearm=0.0
    )
    history = History(now=NOW, triggers=triggers, retrainings=retrainings, trained=max(retrainings, default=None))
    decision = decide(rows, drift, policy, guard, history)
    if not decision.retrain:
        assert decision.all_violations_count == 0
        return
    assert all(NOW - moment >= cooldown * DAY for moment in (*triggers, *retrainings))
    assert sum(NOW - moment < 7 * DAY for moment in triggers) < cap
    assert sum(NOW - moment < 7 * DAY for moment in retrainings) < cap
    assert decision.all_violations_count <= judge(rows, drift, policy).all_violations_count


@given(rows_of, drifts, policies, moments)
def test_history_can_only_hold_back(
    rows: list[Performance], drift: list[Drift], policy: Policy, triggers: list[datetime]
) -> None:
    guard = Guard(cooldown_days=0, weekly_cap=99, performance_rearm=1.0, expected_loss_rearm=0.0, drift_rearm=0.0)
    free = decide(rows, drift, policy, guard, History(now=NOW))
    held = decide(rows, drift, policy, guard, History(now=NOW, triggers=triggers))
    assert held.all_violations_count <= free.all_violations_count
    assert free.all_violations_count == judge(rows, drift, policy).all_violations_count
