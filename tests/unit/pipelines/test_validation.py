"""Limits on models: what passes, what fails, and what the version's tags say of it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import PipelineError
from pipelines.validation import Limit, Measured, classification, judge, regression, tags_of

F1 = Limit(metric="f1", kind="accuracy", at_least=0.5, may_lose=0.02)
LOSS = Limit(metric="loss", kind="business", at_least=-30.0, in_slices=False)
MOMENT = datetime(2026, 11, 27, 13, tzinfo=timezone(timedelta(hours=8)))


def measured(f1: float, loss: float = -1.0, rows: int = 100, **slices: Measured) -> Measured:
    return Measured(rows=rows, metrics={"f1": f1, "loss": loss}, slices=slices)


def test_a_value_at_its_limit_is_good_enough() -> None:
    assert judge(measured(0.5, -30.0), [F1, LOSS]).passed
    assert judge(measured(0.5), [Limit(metric="f1", kind="accuracy", at_most=0.5)]).passed


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        (measured(0.499), "accuracy", "f1 on all rows is 0.499, at least 0.5 is asked"),
        (measured(0.9, -30.001), "business", "loss on all rows is -30.001, at least -30 is asked"),
        (measured(math.nan), "accuracy", "f1 on all rows was not measured or is no number (measured: f1, loss)"),
        (measured(0.9, rows=9), "business", "9 rows are too few to judge on: 10 at least"),
    ],
)
def test_what_fails_is_told_by_the_kind_of_its_limit(given: Measured, kind: str, said: str) -> None:
    verdict = judge(given, [F1, LOSS], minimum_rows=10)
    assert not verdict.passed
    assert said in verdict.failed[kind]  # type: ignore[index]


def test_a_metric_that_nobody_measured_fails() -> None:
    assert judge(Measured(rows=5, metrics={}), [F1]).failures == [
        "f1 on all rows was not measured or is no number (measured: nothing)"
    ]


@given(st.floats(0.6, 0.9), st.floats(0, 0.2))
def test_a_version_may_lose_as_much_as_allowed_and_no_more(before: float, lost: float) -> None:
    verdict = judge(measured(before - lost), [F1], measured(before), against="3")
    assert verdict.passed == (lost <= 0.02 or math.isclose(lost, 0.02, rel_tol=1e-6))


def test_for_errors_lower_is_better() -> None:
    limit = Limit(metric="mae", kind="accuracy", higher_is_better=False, may_lose=0.1)
    before = Measured(rows=9, metrics={"mae": 1.0})
    assert judge(Measured(rows=9, metrics={"mae": 0.2}), [limit], before).passed
    assert judge(Measured(rows=9, metrics={"mae": 1.2}), [limit], before).failures == [
        "mae on all rows is 1.2, the champion's is 1: worse by more than 0.1"
    ]


def test_a_bad_slice_fails_a_good_whole_unless_it_is_too_small_to_tell() -> None:
    poor = measured(0.1, -99.0, rows=40)
    verdict = judge(measured(0.9, a=poor, b=measured(0.1, rows=5)), [F1, LOSS])
    assert verdict.failures == ["f1 on a is 0.1, at least 0.5 is asked"]
    assert verdict.skipped == ("b",)


def test_a_slice_is_compared_with_the_same_slice_of_the_champion() -> None:
    verdict = judge(measured(0.9, a=measured(0.7, rows=40)), [F1], measured(0.9, a=measured(0.8, rows=40)))
    assert verdict.failures == ["f1 on a is 0.7, the champion's is 0.8: worse by more than 0.02"]


def test_a_champion_that_cannot_be_measured_stands_in_nobodys_way() -> None:
    assert judge(measured(0.6), [F1], measured(math.nan)).passed


def test_tags_say_each_kind_apart_and_the_time_in_utc() -> None:
    tags = tags_of(judge(measured(0.4), [F1, LOSS], against="7"), MOMENT)
    assert tags == {
        "validation": "failed",
        "validation_accuracy": "failed",
        "validation_business": "passed",
        "validation_against": "7",
        "validation_date": "2026-11-27T05:00:00Z",
        "validation_failed": "f1 on all rows is 0.4, at least 0.5 is asked",
        "f1": "0.400000",
        "loss": "-1.000000",
    }


def test_tags_of_a_kind_without_limits_say_so_and_stay_short() -> None:
    many = {f"slice {number}": measured(0.1, rows=40) for number in range(40)}
    tags = tags_of(judge(Measured(rows=100, metrics={"f1": 0.9}, slices=many), [F1]), datetime.now(UTC))
    assert tags["validation_business"] == "none"
    assert tags["validation_against"] == "none"
    assert len(tags["validation_failed"]) == 256


def test_a_validation_that_asks_for_nothing_is_refused() -> None:
    with pytest.raises(PipelineError, match="no limits"):
        judge(measured(1.0), [])
    with pytest.raises(PipelineError, match="asks for nothing"):
        Limit(metric="f1", kind="accuracy")
    with pytest.raises(PipelineError, match=r"may_lose -1\.0"):
        Limit(metric="f1", kind="accuracy", may_lose=-1.0)
    with pytest.raises(PipelineError, match="of kind 'speed'"):
        Limit(metric="f1", kind="speed", at_least=1.0)  # type: ignore[arg-type]


def test_usual_measures_equal_their_definitions() -> None:
    labels = classification(["Yes", "No", "No", "Yes"], ["Yes", "No", "Yes", "No"])
    assert labels == pytest.approx({"accuracy": 0.5, "f1_macro": 0.5})
    truth, answers = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0])
    wanted = {
        "mae": np.abs(truth - answers).mean(),
        "rmse": np.sqrt(((truth - answers) ** 2).mean()),
        "r2": 1 - ((truth - answers) ** 2).sum() / ((truth - truth.mean()) ** 2).sum(),
    }
    assert regression(truth, answers) == pytest.approx(wanted)
