"""What reports ask is plain SQL of checked names, and what an alert watches can be read from its query again."""

from __future__ import annotations

import pytest

from components import alert_queries, report_queries
from components.alert_queries import Traffic
from components.names import ThreePartName
from components.report_queries import Watched, watched_by

TABLE = ThreePartName.parse("c.s.t")


def test_what_a_drift_alert_watches_is_read_from_its_query_again() -> None:
    query = alert_queries.drift(
        TABLE, "js_distance", columns=["prediction", "churn"], drift_type="BASELINE", granularity="1 hour", sliced=True
    )
    assert watched_by(query) == Watched(
        measure="js_distance",
        columns=("prediction", "churn"),
        drift_type="BASELINE",
        granularity="1 hour",
        sliced=True,
    )


def test_a_drift_alert_that_leaves_out_small_windows_is_read_too() -> None:
    query = alert_queries.drift(
        TABLE,
        "ks_test.statistic",
        columns=["prediction"],
        drift_type="CONSECUTIVE",
        granularity="1 day",
        sliced=False,
        profile_table=ThreePartName.parse("c.s.profile"),
        min_rows=30,
    )
    assert watched_by(query) == Watched(
        measure="ks_test.statistic",
        columns=("prediction",),
        drift_type="CONSECUTIVE",
        granularity="1 day",
        sliced=False,
        min_rows=30,
    )


@pytest.mark.parametrize(("label", "least"), [(None, 1), ("churn", 1), ("churn", 30), (None, 30)])
@pytest.mark.parametrize("sliced", [True, False])
def test_what_a_quality_alert_watches_is_read_from_its_query_again(label: str | None, least: int, sliced: bool) -> None:
    query = alert_queries.quality(
        TABLE, "f1_score.macro", granularity="1 day", sliced=sliced, label_column=label, min_rows=least
    )
    assert watched_by(query) == Watched(
        measure="f1_score.macro", columns=(), drift_type="", granularity="1 day", sliced=sliced, min_rows=least
    )


def test_an_alert_judges_every_window_by_the_query_that_it_asks_about_the_newest_one() -> None:
    for query in (
        alert_queries.quality(TABLE, "loss", granularity="1 day", sliced=True, label_column="churn", min_rows=30),
        alert_queries.drift(
            TABLE, "js_distance", columns=["churn"], drift_type="CONSECUTIVE", granularity="1 day", sliced=False
        ),
    ):
        judged = report_queries.judged_by(query + ";\n", days=7)
        assert judged is not None
        conditions, _, tail = judged.rpartition("FROM judged\n")
        assert query.startswith(conditions)
        assert tail == "WHERE window_start >= current_date() - INTERVAL 7 DAYS\nORDER BY window_start"
    assert report_queries.judged_by("SELECT 1", days=7) is None


def test_another_question_watches_nothing_of_a_monitor() -> None:
    traffic = Traffic(payload_table=TABLE, window_minutes=15, delivery_lag_minutes=60, min_requests=1)
    assert watched_by(alert_queries.error_share(traffic)) is None
    assert watched_by("SELECT 1") is None


def test_traffic_is_asked_for_the_endpoint_and_for_each_served_entity() -> None:
    whole = report_queries.traffic_by_day(TABLE, days=14, by_entity=False)
    assert "served_entity_id" not in whole
    each = report_queries.traffic_by_day(TABLE, days=14, by_entity=True)
    assert each.count("served_entity_id") == 2
    for words in ("percentile(execution_duration_ms, 0.95)", "status_code <> 200", "INTERVAL 14 DAYS", "total_tokens"):
        assert words in whole
        assert words in each


@pytest.mark.parametrize("name", ["f1; DROP TABLE x", "a.b.c", "", "1st"])
def test_a_measure_that_is_no_column_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no measure"):
        report_queries.quality_by_window(TABLE, measures=[name], model_column="m", granularity="1 day", days=1)


def test_a_text_that_would_leave_its_quotes_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        report_queries.entity_names("x' OR '1'='1")
