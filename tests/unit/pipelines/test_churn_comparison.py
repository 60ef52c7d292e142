"""A retrained model against the champion: when it is better, what is tagged where it is not, and what weighs more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from databricks.sdk.service.catalog import ModelVersionInfo

from pipelines.churn.comparison import MINIMUM_ROWS, Compared, compare, since_when, verdict
from pipelines.churn.training import weights_of
from pipelines.sql import Result

SINCE = datetime(2024, 9, 8, tzinfo=UTC)


def rows(*labels: str) -> pd.DataFrame:
    return pd.DataFrame({"churn": labels, "monthly_charges": [50.0] * len(labels)})


def compared(mine: str, champions: str, truth: str = "YYNN") -> Compared:
    """Of letters: Y for Yes, N for No."""
    read = {"Y": "Yes", "N": "No"}
    texts = [[read[one] for one in text] for text in (truth, mine, champions)]
    return verdict(rows(*texts[0]), texts[1], texts[2], since=SINCE, against="2")


@pytest.mark.parametrize(
    ("mine", "champions", "outcome"),
    [
        ("YYNN", "YNNN", "better"),
        ("YYNN", "YYNN", "not better"),
        ("YNNN", "YYNN", "not better"),
        # More found, and more taken for leaving who stay: worse in one of the two.
        ("YYYY", "YNNN", "not better"),
        ("YNNN", "YNNY", "better"),
    ],
)
def test_better_is_better_in_one_measure_and_worse_in_neither(mine: str, champions: str, outcome: str) -> None:
    assert compared(mine, champions).outcome == outcome


def test_one_that_is_not_better_did_not_pass_whatever_it_does_on_older_rows() -> None:
    worse, better = compared("YNNN", "YYNN"), compared("YYNN", "YNNN")
    assert (worse.tags["comparison"], worse.tags["validation"], worse.tags["compared_with"]) == (
        "not better",
        "failed",
        "2",
    )
    assert "not better than version 2 on 4 rows since 2024-09-08" in worse.tags["validation_failed"]
    assert len(worse.tags["validation_failed"]) <= 256
    assert "validation" not in better.tags
    assert better.tags["compared_since"] == "2024-09-08T00:00:00Z"


def test_what_was_measured_is_in_the_runs_metrics_and_the_journal() -> None:
    one = compared("YYNN", "YNNN")
    assert one.metrics == {
        "recent_rows": 4.0,
        "recent_f1_macro": 1.0,
        "recent_expected_loss": 0.0,
        "recent_champion_f1_macro": pytest.approx(0.7333333),
        "recent_champion_expected_loss": -12.5,
    }
    assert one.document() == {
        "rows": 4,
        "challenger": {"f1_macro": 1.0, "expected_loss": 0.0},
        "champion": {"f1_macro": pytest.approx(0.7333333), "expected_loss": -12.5},
    }


def made(moment: datetime) -> ModelVersionInfo:
    return ModelVersionInfo(created_at=round(moment.timestamp() * 1_000), version=2)


def test_rows_tell_the_two_apart_since_the_drift_or_since_the_champion_was_made_if_that_was_later() -> None:
    assert since_when(made(SINCE - timedelta(days=30)), SINCE) == SINCE
    assert since_when(made(SINCE + timedelta(days=1)), SINCE) == SINCE + timedelta(days=1)
    assert since_when(made(SINCE), None) == SINCE
    assert since_when(None, SINCE) == SINCE
    assert since_when(None, None) is None


def test_without_a_champion_or_with_too_few_rows_nothing_is_claimed() -> None:
    class Few:
        """A warehouse that knows so many labelled rows, all of one label."""

        def __init__(self, count: int) -> None:
            self.count = count

        def run(self, statement: str, parameters: Any = None) -> Result:
            assert parameters == {"since": "2024-09-08T00:00:00+00:00"}
            names = ["tenure", "monthly_charges", "total_charges", "num_optional_services", "avg_price_increase"]
            return Result(columns=[*names, "churn"], rows=[[1.0] * 5 + ["Yes"]] * self.count)

    trained: Any = None
    for count in (MINIMUM_ROWS - 1, MINIMUM_ROWS):
        found = compare(Few(count), "c.s.m", trained, made(SINCE), SINCE)
        assert (found.outcome, found.against, found.rows) == ("not compared", "2", count)
        assert found.metrics == {}
    alone = compare(Few(99), "c.s.m", trained, None, SINCE)
    assert (alone.outcome, alone.tags) == (
        "not compared",
        {"comparison": "not compared", "compared_with": "none", "compared_since": "2024-09-08T00:00:00Z"},
    )


@pytest.mark.parametrize(("early", "late"), [(90, 10), (10, 90), (50, 50)])
def test_recent_rows_have_three_quarters_of_all_weight_however_few_they_are(early: int, late: int) -> None:
    moments = pd.Series([SINCE - timedelta(days=1)] * early + [SINCE] * late)
    weights = weights_of(moments, SINCE)
    assert weights.sum() == pytest.approx(early + late)
    assert weights[early:].sum() / weights.sum() == pytest.approx(0.75)
    assert len(set(np.round(weights, 9))) <= 2


@pytest.mark.parametrize("moment", [SINCE, SINCE - timedelta(days=1)])
def test_where_all_rows_are_of_one_time_none_weighs_more(moment: datetime) -> None:
    assert list(weights_of(pd.Series([moment] * 5), SINCE)) == [1.0] * 5
