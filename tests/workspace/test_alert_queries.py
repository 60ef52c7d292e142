"""The questions of the alerts, on a warehouse: what they answer about rows that are there, late, or too few."""

from __future__ import annotations

import pytest

from components import alert_queries
from components.alert_queries import Traffic
from components.names import ThreePartName
from tests.support.warehouse import Warehouse


@pytest.fixture
def payload(sql: Warehouse) -> ThreePartName:
    sql.execute(
        "CREATE TABLE p_payload (request_time TIMESTAMP, status_code INT, execution_duration_ms BIGINT, "
        "response STRING)"
    )
    return ThreePartName.parse(sql.full("p_payload"))


def traffic(payload: ThreePartName, *, lag: int = 60, least: int = 1) -> Traffic:
    return Traffic(payload_table=payload, window_minutes=15, delivery_lag_minutes=lag, min_requests=least)


def add(sql: Warehouse, *rows: tuple[int, int, int]) -> None:
    """(minutes ago, status, milliseconds)"""
    values = ", ".join(
        f"""(current_timestamp() - INTERVAL {minutes} MINUTES, {status}, {ms}, '{{"usage": {{"total_tokens": 7}}}}')"""
        for minutes, status, ms in rows
    )
    sql.execute(f"INSERT INTO p_payload VALUES {values}")


def answers(sql: Warehouse, statement: str) -> list[float]:
    return [float(str(row[0])) for row in sql.rows(statement)]


def test_shares_latency_and_tokens_are_those_of_the_last_window_that_was_delivered(
    sql: Warehouse, payload: ThreePartName
) -> None:
    # The table lags by 40 minutes; the request of two hours ago is in no window.
    add(sql, (120, 500, 9000), (50, 500, 300), (45, 200, 100), (41, 200, 100), (40, 200, 100))
    assert answers(sql, alert_queries.error_share(traffic(payload))) == [0.25]
    assert answers(sql, alert_queries.latency_p95(traffic(payload))) == [pytest.approx(270.0)]
    assert answers(sql, alert_queries.tokens(traffic(payload))) == [28]


def test_old_rows_and_too_few_rows_are_no_answer(sql: Warehouse, payload: ThreePartName) -> None:
    assert answers(sql, alert_queries.error_share(traffic(payload))) == []
    add(sql, (50, 500, 300), (45, 200, 100))
    assert answers(sql, alert_queries.error_share(traffic(payload, least=3))) == []
    assert answers(sql, alert_queries.error_share(traffic(payload, lag=10))) == []
    assert answers(sql, alert_queries.error_share(traffic(payload, least=2))) == [0.5]


def test_answers_without_a_usage_count_as_no_tokens(sql: Warehouse, payload: ThreePartName) -> None:
    sql.execute("INSERT INTO p_payload VALUES (current_timestamp(), 200, 5, '{\"predictions\": [1]}')")
    assert answers(sql, alert_queries.tokens(traffic(payload))) == [0]


def test_the_age_is_that_of_the_newest_row_and_an_empty_table_has_none(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE source (pickup TIMESTAMP)")
    table = ThreePartName.parse(sql.full("source"))
    assert answers(sql, alert_queries.age_minutes(table, "pickup")) == []
    sql.execute(
        "INSERT INTO source VALUES (current_timestamp() - INTERVAL 3 HOURS), (current_timestamp() - INTERVAL 1 HOUR)"
    )
    (age,) = answers(sql, alert_queries.age_minutes(table, "pickup"))
    assert 59 <= age <= 62


def test_drift_is_judged_in_the_newest_window_that_has_a_value(sql: Warehouse) -> None:
    sql.execute(
        "CREATE TABLE drift (window STRUCT<start: TIMESTAMP, end: TIMESTAMP>, window_cmp STRUCT<start: TIMESTAMP, end: "
        "TIMESTAMP>, granularity STRING, served_entity_id "
        "STRING, column_name STRING, slice_key STRING, slice_value STRING, drift_type STRING, js_distance DOUBLE)"
    )
    rows = [
        ("2026-01-01", "1 day", "prediction", "NULL", "CONSECUTIVE", "0.9"),
        ("2026-01-02", "1 day", "prediction", "NULL", "CONSECUTIVE", "0.2"),
        ("2026-01-02", "1 day", "churn", "NULL", "CONSECUTIVE", "0.1"),
        ("2026-01-02", "1 day", "prediction", "'contract'", "CONSECUTIVE", "0.6"),
        ("2026-01-02", "1 day", "prediction", "NULL", "BASELINE", "0.7"),
        ("2026-01-02", "1 hour", "prediction", "NULL", "CONSECUTIVE", "0.8"),
        ("2026-01-03", "1 day", "prediction", "NULL", "CONSECUTIVE", "NULL"),
    ]
    for day, granularity, column, key, kind, value in rows:
        sql.execute(
            f"INSERT INTO drift SELECT named_struct('start', TIMESTAMP'{day} 00:00:00', 'end', TIMESTAMP'{day} "
            f"23:00:00'), "
            f"named_struct('start', TIMESTAMP'{day} 00:00:00' - INTERVAL 1 DAY, 'end', TIMESTAMP'{day} 00:00:00'), "
            f"'{granularity}', '1', '{column}', {key}, {key}, '{kind}', CAST({value} AS DOUBLE)"
        )
    table = ThreePartName.parse(sql.full("drift"))

    def judged(**changes: object) -> list[float]:
        values: dict[str, object] = {
            "columns": ["prediction", "churn"],
            "drift_type": "CONSECUTIVE",
            "granularity": "1 day",
            "sliced": False,
            **changes,
        }
        return sorted(answers(sql, alert_queries.drift(table, "js_distance", **values)))  # type: ignore[arg-type]

    assert judged() == [0.1, 0.2]
    assert judged(sliced=True) == [0.6]
    sql.execute(
        "CREATE TABLE profile_of_drift (window STRUCT<start: TIMESTAMP, end: TIMESTAMP>, granularity STRING, "
        "served_entity_id STRING, column_name STRING, slice_key STRING, slice_value STRING, log_type STRING, "
        "count BIGINT)"
    )
    for number, column, count in ((1, "prediction", 99), (2, "prediction", 29), (1, "churn", 40), (2, "churn", 50)):
        sql.execute(
            f"INSERT INTO profile_of_drift SELECT named_struct('start', TIMESTAMP'2026-01-0{number} 00:00:00', 'end', "
            f"TIMESTAMP'2026-01-0{number} 23:00:00'), '1 day', '1', '{column}', NULL, NULL, 'INPUT', {count}"
        )
    profile = ThreePartName.parse(sql.full("profile_of_drift"))
    assert judged(profile_table=profile, min_rows=29) == [0.1, 0.2]
    assert judged(profile_table=profile, min_rows=30) == [0.1]
    assert judged(profile_table=profile, min_rows=40) == [0.1]
    # The window that it is compared with has fewer.
    assert judged(profile_table=profile, min_rows=41) == []
    assert judged(drift_type="BASELINE") == [0.7]
    assert judged(granularity="1 hour") == [0.8]
    assert judged(columns=["age"]) == []


def test_quality_is_that_of_the_whole_table_in_the_newest_window(sql: Warehouse) -> None:
    sql.execute(
        "CREATE TABLE profile (window STRUCT<start: TIMESTAMP, end: TIMESTAMP>, granularity STRING, column_name "
        "STRING, "
        "slice_key STRING, slice_value STRING, log_type STRING, f1_score STRUCT<macro: DOUBLE, weighted: DOUBLE>)"
    )
    rows = [("2026-01-01", ":table", 0.9), ("2026-01-02", ":table", 0.4), ("2026-01-02", "prediction", 0.1)]
    for day, column, value in rows:
        sql.execute(
            f"INSERT INTO profile SELECT named_struct('start', TIMESTAMP'{day} 00:00:00', 'end', "
            f"TIMESTAMP'{day} 23:00:00'), '1 day', '{column}', NULL, NULL, 'INPUT', "
            f"named_struct('macro', CAST({value} AS DOUBLE), 'weighted', CAST(0 AS DOUBLE))"
        )
    table = ThreePartName.parse(sql.full("profile"))
    statement = alert_queries.quality(table, "f1_score.macro", granularity="1 day", sliced=False)
    assert answers(sql, statement) == [0.4]


def test_quality_is_judged_in_the_newest_window_whose_labels_have_arrived(sql: Warehouse) -> None:
    sql.execute(
        "CREATE TABLE late (window STRUCT<start: TIMESTAMP, end: TIMESTAMP>, granularity STRING, served_entity_id "
        "STRING, column_name STRING, slice_key STRING, slice_value STRING, log_type STRING, count BIGINT, "
        "expected_loss DOUBLE)"
    )

    def window(day: int, column: str, count: int, loss: float, model: str = "1", segment: str = "NULL") -> None:
        sql.execute(
            f"INSERT INTO late SELECT named_struct('start', TIMESTAMP'2026-01-0{day}', 'end', "
            f"TIMESTAMP'2026-01-0{day} 23:00:00'), '1 day', '{model}', '{column}', {segment}, {segment}, 'INPUT', "
            f"{count}, CAST({loss} AS DOUBLE)"
        )

    window(1, ":table", 100, -40)
    window(1, "churn", 100, 0)
    window(2, ":table", 100, 0)
    window(2, "churn", 0, 0)
    window(2, "churn", 100, 0, model="2")
    window(1, ":table", 100, -50, segment="'contract'")
    window(1, "churn", 29, 0, segment="'contract'")
    table = ThreePartName.parse(sql.full("late"))

    def judged(*, sliced: bool = False, label_column: str | None = "churn", min_rows: int = 1) -> list[float]:
        return answers(
            sql,
            alert_queries.quality(
                table, "expected_loss", granularity="1 day", sliced=sliced, label_column=label_column, min_rows=min_rows
            ),
        )

    # Without a word about labels the newest window says that nothing was lost, for nobody knows yet.
    assert judged(label_column=None) == [0]
    assert judged() == [-40]
    assert judged(min_rows=101) == []
    assert judged(sliced=True, min_rows=29) == [-50]
    assert judged(sliced=True, min_rows=30) == []
    assert judged(label_column=None, min_rows=101) == []


def test_the_daily_summary_counts_each_day_newest_first(sql: Warehouse, payload: ThreePartName) -> None:
    day = 24 * 60
    add(sql, (9 * day, 200, 1), (day, 200, 100), (day, 500, 300), (0, 200, 50))
    rows = sql.rows(alert_queries.daily_summary(payload))
    assert [(row[1], row[4]) for row in rows] == [("1", "0"), ("2", "1")]
    assert [float(str(row[2])) for row in rows] == [50.0, 200.0]
