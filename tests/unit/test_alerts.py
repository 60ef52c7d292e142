"""Alerts ask about what was declared, compare in the right direction, and tell somebody."""

from __future__ import annotations

from typing import Any

import pytest

from components.alerts import (
    AlertError,
    DriftAlertArgs,
    FreshnessAlertArgs,
    QualityAlertArgs,
    ServingAlerts,
    ServingAlertsArgs,
    TrafficAlertArgs,
)
from tests.unit.recording import Recording, record

DRIFT: dict[str, Any] = {
    "table": "c.s.drift",
    "columns": ["prediction", "churn"],
    "measure": "js_distance",
    "limit": 0.19,
}
QUALITY: dict[str, Any] = {"table": "c.s.profile", "measure": "f1_score.macro", "limit": 0.5, "comparison": "LESS_THAN"}


def args(**changes: Any) -> ServingAlertsArgs:
    values: dict[str, Any] = {
        "prefix": "fares",
        "warehouse_id": "wh",
        "parent_path": "/Workspace/Shared/taxi",
        "traffic": TrafficAlertArgs(
            payload_table="c.s.p_payload", max_error_share=0.01, max_p95_latency_ms=200, max_tokens=1000
        ),
        "freshness": [FreshnessAlertArgs(table="c.s.trips", column="pickup", max_age_minutes=60)],
        "drift": {"label": DriftAlertArgs(**DRIFT)},
        "quality": {"f1": QualityAlertArgs(**QUALITY)},
        "emails": ["ops@example.com"],
        **changes,
    }
    return ServingAlertsArgs(**values)


def alerts(**changes: Any) -> dict[str, dict[str, Any]]:
    recording: Recording = record(lambda: ServingAlerts("fares", args(**changes)).alert_ids)
    return {alert["displayName"].removeprefix("fares-"): alert for alert in recording.of_type(":AlertV2")}


def test_there_is_one_alert_for_each_limit() -> None:
    assert set(alerts()) == {"availability", "latency", "tokens", "freshness-trips", "drift-label", "quality-f1"}


@pytest.mark.parametrize(
    ("short", "column", "comparison", "worst", "limit"),
    [
        ("availability", "error_share", "GREATER_THAN", "MAX", 0.01),
        ("latency", "p95_latency_ms", "GREATER_THAN", "MAX", 200.0),
        ("tokens", "total_tokens", "GREATER_THAN", "MAX", 1000.0),
        ("freshness-trips", "age_minutes", "GREATER_THAN", "MAX", 60.0),
        ("drift-label", "drift", "GREATER_THAN", "MAX", 0.19),
        ("quality-f1", "quality", "LESS_THAN", "MIN", 0.5),
    ],
)
def test_the_worst_value_is_compared_in_the_right_direction(
    short: str, column: str, comparison: str, worst: str, limit: float
) -> None:
    alert = alerts()[short]
    assert alert["evaluation"]["source"] == {"name": column, "aggregation": worst}
    assert alert["evaluation"]["comparisonOperator"] == comparison
    assert alert["evaluation"]["threshold"] == {"value": {"doubleValue": limit}}
    assert f"AS {column}" in alert["queryText"]


def test_too_little_data_is_a_state_of_its_own_and_no_silent_ok() -> None:
    assert {alert["evaluation"]["emptyResultState"] for alert in alerts().values()} == {"UNKNOWN"}


def test_everybody_named_hears_of_every_alert() -> None:
    for alert in alerts(destinations=["dest-1"]).values():
        assert alert["evaluation"]["notification"]["subscriptions"] == [
            {"userEmail": "ops@example.com"},
            {"destinationId": "dest-1"},
        ]


def test_folder_schedule_and_warehouse_are_stated() -> None:
    for alert in alerts().values():
        assert alert["parentPath"] == "/Workspace/Shared/taxi"
        assert alert["warehouseId"] == "wh"
        assert alert["schedule"] == {
            "quartzCronSchedule": "0 0/15 * * * ?",
            "timezoneId": "UTC",
            "pauseStatus": "UNPAUSED",
        }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"traffic": None, "freshness": [], "drift": {}, "quality": {}}, "no alert is described"),
        ({"emails": []}, "tell nobody"),
        ({"traffic": TrafficAlertArgs(payload_table="c.p", max_tokens=1)}, "2 parts instead of three"),
        ({"traffic": TrafficAlertArgs(payload_table="c.s.p", max_error_share=1.0)}, "from 0 to below 1"),
        ({"traffic": TrafficAlertArgs(payload_table="c.s.p", max_p95_latency_ms=-1)}, "never be kept"),
        ({"traffic": TrafficAlertArgs(payload_table="c.s.p", max_tokens=1, window_minutes=0)}, "use 1 or more"),
        ({"freshness": [FreshnessAlertArgs(table="c.s.t", column="a b", max_age_minutes=1)]}, "freshness column"),
        ({"drift": {"x": DriftAlertArgs(**{**DRIFT, "columns": []})}}, "names no column"),
        ({"drift": {"x": DriftAlertArgs(**{**DRIFT, "columns": ["a'b"]})}}, "drift column"),
        ({"drift": {"x": DriftAlertArgs(**{**DRIFT, "measure": "js; DROP"})}}, "drift measure"),
        ({"drift": {"x": DriftAlertArgs(**{**DRIFT, "granularity": "1 day'"})}}, "granularity"),
        ({"quality": {"x": QualityAlertArgs(**{**QUALITY, "measure": "f1 score"})}}, "quality measure"),
    ],
)
def test_an_alert_that_cannot_be_made_is_refused_before_anything_is_registered(
    changes: dict[str, Any], message: str
) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            ServingAlerts("fares", args(**changes))

    assert record(broken).resources == []


def test_tables_of_one_last_name_and_columns_of_one_table_are_watched_each() -> None:
    wanted = [("c.one.trips", "ts"), ("c.two.trips", "ts"), ("c.one.trips", "loaded_at")]
    made = alerts(
        freshness=[FreshnessAlertArgs(table=table, column=column, max_age_minutes=5) for table, column in wanted]
    )
    asked = [alert["queryText"] for name, alert in made.items() if "freshness" in name]
    assert len(asked) == len(set(asked)) == len(wanted)
    assert any(name.endswith("freshness-trips") for name in made)


def test_one_column_that_is_watched_twice_is_refused() -> None:
    twice = [FreshnessAlertArgs(table="c.s.trips", column="ts", max_age_minutes=minutes) for minutes in (5.0, 60.0)]
    with pytest.raises(AlertError, match=r"ts of c\.s\.trips is watched twice"):
        alerts(freshness=twice)
