"""What drift detection counts, at every boundary, and how it asks for the metrics."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from databricks.sdk.service.catalog import ModelVersionInfo

from pipelines.churn.drift_detection import (
    TASK_VALUE,
    Drift,
    Performance,
    Policy,
    Verdict,
    Window,
    as_utc,
    drift_violation,
    judge,
    performance_violation,
    pivot,
)
from pipelines.churn.drift_job import last_training
from pipelines.churn.drift_parameters import policy_of
from pipelines.churn.drift_queries import drift_query, labels_query, performance_query
from pipelines.errors import PipelineError

DAY = datetime(2024, 9, 10, tzinfo=UTC)
NAN = math.nan


def performed(day: int = 0, metric: float | None = 0.9, loss: float | None = -1.0, rows: int = 100) -> Performance:
    return Performance(
        time=DAY + timedelta(days=day), model_id="m", rows=rows, performance_metric=metric, expected_loss=loss
    )


def moved(day: int = 0, prediction: float | None = 0.0, churn: float | None = 0.0) -> list[Drift]:
    return [
        Drift(time=DAY + timedelta(days=day), model_id="m", column_name=name, drift_metric=value)
        for name, value in (("prediction", prediction), ("churn", churn))
        if value is not None
    ]


@pytest.mark.parametrize(
    ("metric", "loss", "counts"),
    [
        (0.4, -31.0, True),
        (0.4, -29.0, False),
        (0.6, -31.0, False),
        (0.5, -31.0, False),
        (0.4999999, -30.0000001, True),
        (0.4, -30.0, False),
        (0.4, 31.0, True),
        (None, -31.0, False),
        (0.4, None, False),
        (NAN, -31.0, False),
        (0.4, NAN, False),
    ],
)
def test_performance_breaks_its_limits_only_beyond_both(metric: float | None, loss: float | None, counts: bool) -> None:
    assert performance_violation(performed(metric=metric, loss=loss), Policy()) is counts


def test_any_of_metric_and_loss_is_enough_where_it_is_asked_for() -> None:
    policy = Policy(performance_needs="any")
    assert performance_violation(performed(metric=0.4, loss=-29.0), policy)
    assert performance_violation(performed(metric=None, loss=-31.0), policy)
    assert not performance_violation(performed(metric=0.5, loss=-30.0), policy)


@pytest.mark.parametrize(
    ("prediction", "churn", "counts"),
    [
        (0.2, 0.2, True),
        (0.19, 0.5, False),
        (0.5, 0.19, False),
        (0.19, 0.19, False),
        (0.1900001, 0.1900001, True),
        (0.5, None, False),
        (0.5, NAN, False),
        (None, None, False),
    ],
)
def test_drift_breaks_its_limit_only_beyond_it_and_in_both_columns(
    prediction: float | None, churn: float | None, counts: bool
) -> None:
    verdict = judge([performed()], moved(prediction=prediction, churn=churn), Policy())
    assert verdict.drift_violations == int(counts)
    assert verdict.outcome == ("violation" if counts else "no violation")


def test_one_column_is_enough_where_it_is_asked_for() -> None:
    assert drift_violation({"prediction": 0.2, "churn": None}, Policy(drift_needs="any"))
    assert not drift_violation({"prediction": 0.19, "churn": None}, Policy(drift_needs="any"))


def test_the_total_is_the_sum_under_the_documented_name() -> None:
    verdict = judge([performed(metric=0.4, loss=-31.0)], moved(prediction=0.3, churn=0.3), Policy())
    assert (verdict.performance_violations, verdict.drift_violations, verdict.all_violations_count) == (1, 1, 2)
    assert TASK_VALUE == "all_violations_count"


def test_no_window_is_no_data_and_not_all_is_well() -> None:
    assert judge([], [], Policy()) == Verdict(outcome="no data")
    assert judge([], moved(prediction=0.5, churn=0.5), Policy()).outcome == "no data"
    assert judge([performed()], [], Policy()).outcome == "no violation"


def test_no_drift_at_all_leaves_performance_to_be_judged_in_strict_mode_too() -> None:
    bad = performed(metric=0.4, loss=-31.0)
    for strict in (False, True):
        verdict = judge([bad], [], Policy(strict=strict))
        assert (verdict.performance_violations, verdict.drift_violations) == (1, 0)


def test_the_first_window_has_no_drift_and_is_judged_all_the_same_unless_strict() -> None:
    performance = [performed(0, metric=0.4, loss=-31.0), performed(1)]
    assert judge(performance, moved(1), Policy()).performance_violations == 1
    strict = judge(performance, moved(1), Policy(strict=True))
    assert (strict.performance_violations, strict.windows) == (0, 1)


@pytest.mark.parametrize(("rows", "outcome"), [(1, "no data"), (49, "no data"), (50, "violation")])
def test_a_window_of_too_few_rows_is_no_evidence(rows: int, outcome: str) -> None:
    assert judge([performed(metric=0.1, loss=-99.0, rows=rows)], [], Policy(minimum_rows=50)).outcome == outcome


def test_one_row_is_enough_when_nothing_else_is_said() -> None:
    assert judge([performed(metric=0.1, loss=-99.0, rows=1)], [], Policy()).all_violations_count == 1


def test_windows_before_the_last_training_do_not_count_and_the_one_at_it_does() -> None:
    old, new = performed(0, metric=0.1, loss=-99.0), performed(1, metric=0.1, loss=-99.0)
    assert judge([old, new], [], Policy(since=DAY + timedelta(days=1))).violating == [Window(new.time, "m")]
    assert judge([old], [], Policy(since=DAY + timedelta(microseconds=1))).outcome == "no data"


def test_an_old_violation_is_forgotten_beyond_the_windows_that_are_looked_at() -> None:
    rows = [performed(0, metric=0.1, loss=-99.0), *(performed(day) for day in range(1, 8))]
    assert judge(rows, [], Policy(last_windows=8)).all_violations_count == 1
    verdict = judge(rows, [], Policy(last_windows=7))
    assert (verdict.all_violations_count, verdict.windows) == (0, 7)


def test_single_windows_count_only_when_enough_of_them_have_a_violation() -> None:
    bad = [performed(day, metric=0.1, loss=-99.0) for day in (0, 2)]
    policy = Policy(last_windows=3, needed_windows=2)
    one = judge([bad[0], performed(1), performed(2)], [], policy)
    assert (one.outcome, one.all_violations_count, len(one.violating)) == ("no violation", 0, 1)
    assert judge([*bad, performed(1)], [], policy).all_violations_count == 2


def test_two_models_in_one_window_are_one_window_of_those_needed() -> None:
    bad = [Performance(time=DAY, model_id=model, rows=9, performance_metric=0.1, expected_loss=-99.0) for model in "ab"]
    assert judge(bad, [], Policy(needed_windows=2)).all_violations_count == 0
    assert judge(bad, [], Policy()).all_violations_count == 2


def test_a_window_is_the_same_in_every_time_zone() -> None:
    tokyo, naive = DAY.astimezone(timezone(timedelta(hours=9))), DAY.replace(tzinfo=None)
    assert as_utc(tokyo) == as_utc(naive) == DAY
    drift = [Drift(time=tokyo, model_id="m", column_name=name, drift_metric=0.3) for name in ("prediction", "churn")]
    row = Performance(time=naive, model_id="m", rows=9, performance_metric=0.9, expected_loss=0.0)
    verdict = judge([row], drift, Policy(since=tokyo, strict=True))
    assert (verdict.drift_violations, verdict.windows) == (1, 1)


def test_drift_is_turned_by_column_and_the_first_value_counts() -> None:
    rows = [*moved(prediction=0.1, churn=NAN), *moved(prediction=0.9, churn=0.2)]
    assert pivot(rows) == {Window(DAY, "m"): {"prediction": 0.1, "churn": None}}


@pytest.mark.parametrize(
    "changes",
    [
        {"drift_threshold": NAN},
        {"needed_windows": 0},
        {"needed_windows": 3, "last_windows": 2},
        {"minimum_rows": 0},
        {"columns": ()},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PipelineError, match="use"):
        Policy(**changes)


def test_the_queries_have_every_documented_filter() -> None:
    performance = performance_query("c.s.p", "f1_score.macro", "model_version")
    for part in (
        "window.start AS time",
        "f1_score.macro AS performance_metric",
        "\n  expected_loss,",
        "model_version AS `Model Id`",
        "window.start >= CAST(:since AS TIMESTAMP)",
        "log_type = 'INPUT'",
        "column_name = ':table'",
        "slice_key IS NULL",
        "slice_value IS NULL",
        "ORDER BY window.start",
    ):
        assert part in performance
    drift = drift_query("c.s.d", "js_distance", "model_version", ("prediction", "churn"))
    for part in (
        "window.start AS time",
        "\n  column_name,",
        "model_version AS `Model Id`",
        "js_distance AS drift_metric",
        "column_name IN ('prediction', 'churn')",
        "window.start >= CAST(:since AS TIMESTAMP)",
        "drift_type = 'CONSECUTIVE'",
        "slice_key IS NULL",
        "slice_value IS NULL",
        "ORDER BY window.start",
    ):
        assert part in drift


@pytest.mark.parametrize(
    ("table", "metric"), [("c.s", "f1_score.macro"), ("c.s.p; DROP TABLE x", "f1"), ("c.s.p", "1; DROP"), ("c.s.p", "")]
)
def test_a_name_that_could_be_anything_else_is_refused(table: str, metric: str) -> None:
    with pytest.raises(PipelineError, match="cannot be written into a statement"):
        performance_query(table, metric, "m")


def test_parameters_are_read_and_what_they_leave_out_is_the_documents() -> None:
    policy = policy_of({}, DAY)
    assert (policy.performance_threshold, policy.expected_loss_threshold, policy.drift_threshold) == (0.5, 30.0, 0.19)
    assert (policy.strict, policy.since) == (False, DAY)
    changed = policy_of({"drift_threshold": "0.2", "needed_windows": "2", "strict": "true", "drift_needs": "any"}, DAY)
    assert (changed.drift_threshold, changed.needed_windows, changed.strict, changed.drift_needs) == (
        0.2,
        2,
        True,
        "any",
    )


@pytest.mark.parametrize(
    "parameters", [{"drift_threshold": "much"}, {"minimum_rows": "1.5"}, {"strict": "yes"}, {"drift_needs": "both"}]
)
def test_a_parameter_that_is_none_is_named(parameters: dict[str, str]) -> None:
    with pytest.raises(PipelineError, match=f"Job parameter {next(iter(parameters))} is"):
        policy_of(parameters, DAY)


def test_the_last_training_is_when_the_newest_version_was_made() -> None:
    versions = [ModelVersionInfo(created_at=round(one.timestamp() * 1_000)) for one in (DAY, DAY + timedelta(hours=5))]
    assert last_training(versions) == DAY + timedelta(hours=5)
    assert last_training([]) is None


def sliced(day: int, segment: str, metric: float, rows: int = 100) -> Performance:
    return Performance(
        time=DAY + timedelta(days=day),
        model_id="m",
        rows=rows,
        performance_metric=metric,
        expected_loss=-99.0,
        segment=segment,
    )


def test_a_slice_needs_as_many_bad_windows_as_the_whole_table_does() -> None:
    policy = Policy(needed_windows=2)
    seniors, others = "senior_citizen='Yes'=true", "contract=Two year"
    apart = [sliced(0, seniors, 0.1), sliced(1, others, 0.1), performed(0), performed(1)]
    assert judge(apart, [], policy).all_violations_count == 0
    assert len(judge(apart, [], policy).violating) == 2
    counted = judge([*apart, sliced(1, seniors, 0.1)], [], policy)
    assert (counted.outcome, counted.all_violations_count, len(counted.violating)) == ("violation", 2, 3)


def test_a_slice_has_drift_of_its_own() -> None:
    drift = [
        Drift(time=DAY, model_id="m", column_name=name, drift_metric=0.5, segment="contract=One year")
        for name in ("prediction", "churn")
    ]
    verdict = judge([performed(), sliced(0, "contract=One year", 0.9)], drift, Policy())
    assert verdict.violating == [Window(DAY, "m", "contract=One year")]


@pytest.mark.parametrize(("labelled", "counts"), [(None, True), (0, False), (29, False), (30, True)])
def test_what_labels_tell_waits_until_enough_have_arrived(labelled: int | None, counts: bool) -> None:
    row = replace(performed(metric=0.1, loss=-99.0), labelled=labelled)
    drift = moved(prediction=0.5, churn=0.5)
    verdict = judge([row], drift, Policy(minimum_rows=30))
    assert (verdict.performance_violations, verdict.drift_violations) == (int(counts), int(counts))
    # What needs no label is judged at once.
    assert judge([row], drift, Policy(minimum_rows=30, drift_needs="any")).drift_violations == 1


def test_labels_that_arrive_late_turn_an_unknown_window_into_a_violation() -> None:
    waiting = replace(performed(metric=None, loss=0.0), labelled=0)
    assert judge([waiting], moved(prediction=0.1), Policy(minimum_rows=50)).outcome == "no violation"
    arrived = replace(performed(metric=0.3, loss=-44.0), labelled=100)
    assert judge([arrived], moved(prediction=0.1), Policy(minimum_rows=50)).performance_violations == 1


def test_windows_over_a_change_of_summer_time_are_days_in_utc() -> None:
    """Berlin's clocks went back on 27 October 2024: that local day had 25 hours, and windows do not care."""
    berlin = ZoneInfo("Europe/Berlin")
    midnights = [datetime(2024, 10, day, 2 if day <= 27 else 1, tzinfo=berlin) for day in (26, 27, 28)]
    midnights[1] = midnights[1].replace(fold=0)
    assert [as_utc(moment) for moment in midnights] == [datetime(2024, 10, day, tzinfo=UTC) for day in (26, 27, 28)]
    rows = [
        Performance(time=moment, model_id="m", rows=9, performance_metric=0.1, expected_loss=-99.0)
        for moment in midnights
    ]
    verdict = judge(rows, [], Policy(since=datetime(2024, 10, 27, tzinfo=UTC), needed_windows=2))
    assert verdict.all_violations_count == 2


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [performed(day, metric=0.1 if day % 3 == 0 else 0.9, loss=-99.0) for day in range(9)]
    assert judge(rows[::-1], [], Policy()) == judge(rows, [], Policy())


def test_queries_of_slices_differ_by_the_filter_on_slices_alone() -> None:
    for sliced_text, whole in (
        (
            performance_query("c.s.p", "f1_score.macro", "m", slices=True),
            performance_query("c.s.p", "f1_score.macro", "m"),
        ),
        (labels_query("c.s.p", "churn", "m", slices=True), labels_query("c.s.p", "churn", "m")),
        (
            drift_query("c.s.d", "js_distance", "m", ("churn",), slices=True),
            drift_query("c.s.d", "js_distance", "m", ("churn",)),
        ),
    ):
        assert whole.replace("\n  AND slice_key IS NULL\n  AND slice_value IS NULL", "") == sliced_text
        assert "IS NULL" not in sliced_text
