"""Drift detection over a monitor's metric tables on a warehouse, and the journal that every decision goes to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from databricks.sdk import WorkspaceClient

from pipelines.churn.drift_job import detect
from pipelines.churn.drift_journal import Journal, Retraining
from pipelines.churn.drift_response import Decision
from pipelines.churn.tables import statement
from pipelines.errors import PipelineError
from pipelines.sql import Warehouse as Runner
from tests.support.warehouse import Warehouse

SLICE = "senior_citizen='Yes'"
# Of one window and model.
COLUMNS = (
    "window STRUCT<start: TIMESTAMP, end: TIMESTAMP>, granularity STRING, model_version STRING, column_name STRING"
)
PROFILE = f"{COLUMNS}, slice_key STRING, slice_value STRING, log_type STRING, count BIGINT, expected_loss DOUBLE, "
PROFILE += "f1_score STRUCT<macro: DOUBLE>"
DRIFT = f"{COLUMNS}, window_cmp STRUCT<start: TIMESTAMP, end: TIMESTAMP>, slice_key STRING, slice_value STRING, "
DRIFT += "drift_type STRING, js_distance DOUBLE"


class Metrics:
    """A monitor's metric tables, written by hand."""

    def __init__(self, sql: Warehouse, client: WorkspaceClient) -> None:
        self.sql, self.client = sql, client
        self.runner = Runner(client, "local", sql.catalog, sql.schema)
        self.model = sql.full("churn")

    def create(self) -> None:
        self.sql.execute(f"CREATE TABLE p ({PROFILE})")
        self.sql.execute(f"CREATE TABLE d ({DRIFT})")

    def window(self, day: str, f1: str, loss: str, *, rows: int = 100, labels: int = 100, sliced: bool = False) -> None:
        key, value = (f'"{SLICE}"', "'true'") if sliced else ("NULL", "NULL")
        for column, count in ((":table", rows), ("churn", labels)):
            self.sql.execute(
                f"INSERT INTO p SELECT {_start(day)}, '1 day', '1', '{column}', {key}, {value}, 'INPUT', {count}, "
                f"CAST({loss} AS DOUBLE), named_struct('macro', CAST({f1} AS DOUBLE))"
            )

    def drift(self, day: str, prediction: str, churn: str) -> None:
        for column, value in (("prediction", prediction), ("churn", churn)):
            self.sql.execute(
                f"INSERT INTO d SELECT {_start(day)}, '1 day', '1', '{column}', "
                f"named_struct('start', TIMESTAMP'{day}' - INTERVAL 1 DAY, 'end', TIMESTAMP'{day}'), "
                "NULL, NULL, 'CONSECUTIVE', "
                f"CAST({value} AS DOUBLE)"
            )

    def detect(self, run_id: str | None = None, **changes: str) -> Decision:
        parameters = {
            "profile_metrics_table": self.sql.full("p"),
            "drift_metrics_table": self.sql.full("d"),
            "model": self.model,
            "performance_metric": "f1_score.macro",
            "drift_metric": "js_distance",
            "start_date": "2024-06-01",
            "warehouse_id": "local",
            **changes,
        }
        return detect(parameters, self.client, run_id=run_id)

    def journal(self) -> list[Mapping[str, object]]:
        result = self.runner.run("SELECT * FROM advanced_churn_drift_decisions ORDER BY decided_at")
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def _start(day: str) -> str:
    return f"named_struct('start', TIMESTAMP'{day}', 'end', TIMESTAMP'{day}' + INTERVAL 1 DAY)"


@pytest.fixture
def metrics(sql: Warehouse, client: WorkspaceClient) -> Metrics:
    return Metrics(sql, client)


def test_a_monitor_that_was_never_refreshed_is_no_data_and_is_written_down(metrics: Metrics) -> None:
    decision = metrics.detect()
    assert (decision.outcome, decision.all_violations_count) == ("no data", 0)
    (row,) = metrics.journal()
    assert (row["event"], row["outcome"], row["retrain"], row["windows"]) == ("decision", "no data", False, 0)
    assert (row["first_window"], row["all_violations_count"]) == (None, 0)


def test_tables_that_are_empty_are_no_data_too(metrics: Metrics) -> None:
    metrics.create()
    assert metrics.detect().outcome == "no data"


@pytest.mark.parametrize(
    ("prediction", "churn", "counts"),
    [("0.19", "0.5", 0), ("0.1900001", "0.1900001", 1), ("'NaN'", "0.5", 0), ("NULL", "NULL", 0)],
)
def test_boundaries_are_those_of_the_numbers_in_the_table(
    metrics: Metrics, prediction: str, churn: str, counts: int
) -> None:
    metrics.create()
    metrics.window("2024-09-01", "0.9", "-1")
    metrics.window("2024-09-02", "0.9", "-1")
    metrics.drift("2024-09-02", prediction, churn)
    assert metrics.detect().all_violations_count == counts


def test_drift_against_a_window_of_too_few_rows_is_not_known(metrics: Metrics) -> None:
    """Such as the queries that prove a deployment, on the day before the first real one."""
    metrics.create()
    metrics.window("2024-09-01", "0.9", "-1", rows=29)
    metrics.window("2024-09-02", "0.9", "-1")
    metrics.drift("2024-09-02", "0.5", "0.5")
    assert metrics.detect(start_date="2024-09-02", minimum_rows="30").outcome == "no violation"
    assert metrics.detect(start_date="2024-09-02", minimum_rows="29").all_violations_count == 1


def test_having_set_a_retraining_going_it_waits_and_every_decision_is_in_the_journal(metrics: Metrics) -> None:
    metrics.create()
    metrics.window("2024-09-02", "0.4", "-31")
    first, second = metrics.detect(), metrics.detect()
    assert (first.outcome, first.all_violations_count) == ("violation", 1)
    assert (second.outcome, second.reasons, second.all_violations_count) == ("held back", ("cooldown", "hysteresis"), 0)
    one, two = metrics.journal()
    assert (one["retrain"], two["retrain"]) == (True, False)
    assert (two["outcome"], two["reasons"]) == ("held back", "cooldown, hysteresis")
    assert (two["all_violations_count"], two["violations_found"]) == (0, 1)
    assert json.loads(str(one["violating"])) == [
        {
            "start": "2024-09-02T00:00:00+00:00",
            "model_id": "1",
            "segment": "",
            "performance_metric": 0.4,
            "expected_loss": -31.0,
            "drift": {},
        }
    ]
    limits = json.loads(str(one["policy"]))
    assert (limits["drift_threshold"], limits["cooldown_days"], limits["weekly_cap"]) == (0.19, 3.0, 2)
    journal = Journal(metrics.runner)
    assert journal.triggers(metrics.model) == [one["decided_at"]]
    assert journal.triggers(metrics.sql.full("other")) == []
    assert journal.last_violating_since(metrics.model) == datetime(2024, 9, 2, tzinfo=UTC)
    assert abs(journal.now() - datetime.now(UTC)) < timedelta(days=365)


def test_a_run_that_is_repaired_decides_anew_and_counts_once(metrics: Metrics) -> None:
    """Its first decision may have been lost: the task broke off between the journal and the task value, say."""
    metrics.create()
    metrics.window("2024-09-02", "0.4", "-31")
    said = [metrics.detect("11", cooldown_days="0").outcome for _ in range(3)]
    assert said == ["violation"] * 3
    assert [(row["run_id"], row["retrain"]) for row in metrics.journal()] == [("11", True)] * 3
    # For every other run it has set one retraining going, when it did so first.
    journal = Journal(metrics.runner, run_id="12")
    assert journal.triggers(metrics.model) == [metrics.journal()[0]["decided_at"]]
    other = metrics.detect("12", cooldown_days="0", weekly_cap="2")
    assert (other.outcome, other.reasons) == ("held back", ("hysteresis",))
    assert metrics.detect("11", cooldown_days="0").outcome == "violation"


def test_a_journal_of_before_runs_were_told_apart_goes_on_with_its_rows(metrics: Metrics) -> None:
    metrics.create()
    metrics.window("2024-09-02", "0.4", "-31")
    older = statement("create_drift_decisions").replace(",\n  run_id STRING", "")
    assert "run_id" not in older
    metrics.sql.execute(older)
    for hour in (1, 2):
        metrics.sql.execute(
            "INSERT INTO advanced_churn_drift_decisions (decided_at, event, model, retrain, violating) VALUES "
            f"(current_timestamp() - INTERVAL {hour} HOURS, 'decision', '{metrics.model}', true, '[]')"
        )
    decision = metrics.detect("11")
    assert (decision.outcome, decision.reasons) == ("held back", ("cooldown", "weekly cap", "hysteresis"))
    assert [row["run_id"] for row in metrics.journal()] == [None, None, "11"]


def test_slices_are_judged_where_they_are_asked_for_and_no_row_of_theirs_is_read_where_not(metrics: Metrics) -> None:
    metrics.create()
    metrics.window("2024-09-02", "0.8", "-9")
    metrics.window("2024-09-02", "0.3", "-48", sliced=True)
    assert metrics.detect().verdict.windows == 1
    decision = metrics.detect(judge_slices="true")
    assert [window.segment for window in decision.verdict.violating] == [f"{SLICE}=true"]
    assert decision.all_violations_count == 1


def test_labels_that_arrive_late_make_the_window_count_when_there_are_enough(metrics: Metrics) -> None:
    metrics.create()
    metrics.window("2024-09-02", "0.4", "-31", rows=100, labels=29)
    assert metrics.detect(minimum_rows="30").outcome == "no violation"
    metrics.sql.execute("UPDATE p SET count = 30 WHERE column_name = 'churn'")
    assert metrics.detect(minimum_rows="30").all_violations_count == 1


def test_windows_before_the_start_date_are_old_violations(metrics: Metrics) -> None:
    metrics.create()
    metrics.window("2024-05-31", "0.1", "-99")
    metrics.window("2024-09-02", "0.9", "-1")
    assert (metrics.detect().outcome, metrics.detect().verdict.windows) == ("no violation", 1)
    assert metrics.detect(start_date="2024-05-31").all_violations_count == 1


def test_a_wrong_parameter_leaves_no_decision_behind(metrics: Metrics) -> None:
    with pytest.raises(PipelineError, match="start_date is 'June'"):
        metrics.detect(start_date="June")
    with pytest.raises(PipelineError, match=r"drift_rearm is 0\.3"):
        metrics.detect(drift_rearm="0.3")
    with pytest.raises(PipelineError, match="cannot be written into a statement"):
        metrics.detect(journal="a; DROP TABLE b")


def test_a_retraining_is_written_beside_the_decisions(metrics: Metrics) -> None:
    Journal(metrics.runner, "of_my_own").add_retraining(
        Retraining(
            model=metrics.model,
            version="3",
            outcome="better",
            explanation="it's better; 'quoted'",
            since=datetime(2024, 9, 2, tzinfo=UTC),
            compared_with="2",
            measured={"rows": 40},
        )
    )
    (row,) = metrics.runner.run("SELECT * FROM of_my_own").rows
    assert {"training", "better", "3", "2", '{"rows": 40}', "it's better; 'quoted'"} <= set(row)
    (table,) = list(metrics.client.tables.list(metrics.sql.catalog, metrics.sql.schema))
    assert (table.properties or {})["delta.enableChangeDataFeed"] == "true"
