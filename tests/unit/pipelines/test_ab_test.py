"""A contender takes over only where it is shown to be no worse, and is told apart from one that nobody knows yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipelines.ab_test import AbPolicy, AbRequest, Arm, judge
from pipelines.ab_test.task import tags_of
from pipelines.errors import PipelineError

PARAMETERS = {"model": "c.s.m", "incumbent_alias": "production", "contender_alias": "champion", "table": "c.s.answers"}
RANK = {"failed": 0, "inconclusive": 1, "passed": 2}


def arm(version: str, rows: int, mistakes: int, loss: float = 10.0) -> Arm:
    """Every mistake costs the same."""
    return Arm(version=version, rows=rows, mistakes=mistakes, loss=loss * mistakes, loss_squares=loss**2 * mistakes)


@pytest.mark.parametrize(
    ("incumbent", "contender", "outcome"),
    [
        # 20 % and 20 % of many: no worse by more than 2 points, for sure.
        (arm("3", 8_000, 1_600), arm("4", 4_000, 800), "passed"),
        (arm("3", 8_000, 1_600), arm("4", 4_000, 600), "passed"),
        # Worse, and that for sure; or worse as far as anybody knows; or the same, of too few to know.
        (arm("3", 8_000, 1_600), arm("4", 4_000, 1_000), "failed"),
        (arm("3", 800, 160), arm("4", 200, 46), "inconclusive"),
        (arm("3", 800, 160), arm("4", 200, 40), "inconclusive"),
        # Worse for sure, and by less than is allowed.
        (arm("3", 900_000, 180_000), arm("4", 900_000, 183_000), "passed"),
        (arm("3", 8_000, 1_600), arm("4", 199, 0), "no data"),
        (arm("3", 0, 0), arm("4", 4_000, 800), "no data"),
        (arm("3", 200, 0), arm("4", 200, 0), "passed"),
    ],
)
def test_no_worse_has_to_be_shown_and_so_has_worse(incumbent: Arm, contender: Arm, outcome: str) -> None:
    assert judge(incumbent, contender, AbPolicy()).outcome == outcome


def test_a_loss_that_is_larger_fails_a_contender_with_no_more_mistakes() -> None:
    dear = replace(arm("4", 4_000, 800), loss=24_000.0, loss_squares=30.0**2 * 800)
    verdict = judge(arm("3", 8_000, 1_600), dear, AbPolicy())
    assert verdict.outcome == "failed"
    assert "mean loss +4" in verdict.explanation
    assert judge(arm("3", 8_000, 1_600), dear, AbPolicy(loss_margin=6.0)).outcome == "passed"


def test_the_bound_on_the_loss_is_that_of_welch() -> None:
    random = np.random.default_rng(1)
    one, other = random.gamma(2.0, 5.0, 900), random.gamma(2.0, 5.5, 300)
    arms = [
        Arm(version=name, rows=len(x), loss=float(x.sum()), loss_squares=float((x**2).sum()))
        for name, x in (("3", one), ("4", other))
    ]
    _, loss = judge(arms[0], arms[1], AbPolicy()).differences
    error = np.sqrt(one.var(ddof=1) / 900 + other.var(ddof=1) / 300)
    assert loss.value == pytest.approx(other.mean() - one.mean())
    assert loss.upper - loss.value == pytest.approx(stats.norm.ppf(0.95) * error)
    assert loss.value - loss.lower == pytest.approx(stats.norm.ppf(0.95) * error)


@given(st.integers(200, 5_000), st.integers(200, 5_000), st.data())
def test_more_mistakes_never_make_a_contender_look_better(many: int, few: int, data: st.DataObject) -> None:
    incumbent = arm("3", many, data.draw(st.integers(0, many)))
    better, worse = sorted(data.draw(st.tuples(st.integers(0, few), st.integers(0, few))))
    # The spread of a share is largest in the middle: outcomes are compared by the bounds they rest on.
    of_better, of_worse = (judge(incumbent, arm("4", few, n, loss=0), AbPolicy()) for n in (better, worse))
    assert of_better.differences[0].value <= of_worse.differences[0].value
    if max(better, worse) <= few // 2:
        assert RANK[of_better.outcome] >= RANK[of_worse.outcome]


def test_one_that_is_worse_than_allowed_passes_no_oftener_than_the_confidence_says() -> None:
    """2,000 tests of a contender exactly at the margin, and of one that is as good as the incumbent."""
    random = np.random.default_rng(2)

    def passing(rate: float, rows: int) -> float:
        drawn = zip(random.binomial(4 * rows, 0.2, 2_000), random.binomial(rows, rate, 2_000), strict=True)
        return float(
            np.mean(
                [
                    judge(arm("3", 4 * rows, int(a), 0), arm("4", rows, int(b), 0), AbPolicy()).outcome == "passed"
                    for a, b in drawn
                ]
            )
        )

    assert passing(0.22, 500) <= 0.05 + 3 * (0.05 * 0.95 / 2_000) ** 0.5
    assert passing(0.20, 4_000) > 0.8


def test_the_tags_say_what_the_verdict_rests_on() -> None:
    tags = tags_of(judge(arm("3", 8_000, 1_600), arm("4", 4_000, 800), AbPolicy()))
    assert (tags["ab_result"], tags["ab_against"], tags["ab_rows"]) == ("passed", "3", "4000 against 8000")
    assert tags["ab_explanation"].startswith("version 4 against 3, 4000 and 8000 rows: share of mistakes +0 (at most")
    assert tags["ab_date"].endswith("Z")
    assert max(map(len, tags.values())) <= 256


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"table": "answers"}, "three plain parts"),
        ({"label": "churn; DROP TABLE x"}, "no plain column name"),
        ({"contender_alias": "production"}, "Both aliases are production"),
        ({"error_margin": "-0.1"}, "a margin is 0 or more"),
        ({"minimum_rows": "5"}, "judge by 30 rows or more"),
        ({"loss_margin": "much"}, "cannot be judged by"),
        ({"loss_margin": "nan"}, "a margin is 0 or more"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_value(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(PipelineError, match=says):
        AbRequest.from_parameters({**PARAMETERS, **changes})


def test_what_the_job_leaves_out_is_named() -> None:
    with pytest.raises(PipelineError, match="lacks the parameters contender_alias, table"):
        AbRequest.from_parameters({name: PARAMETERS[name] for name in ("model", "incumbent_alias")})
