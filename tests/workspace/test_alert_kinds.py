"""Every alert of the component `ServingAlerts`, as it is declared, fires and resolves on a workspace, and both reach a
person and a notification destination.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.settings import Config, GenericWebhookConfig
from databricks.sdk.service.sql import AlertV2

from components.alerts import (
    DriftAlertArgs,
    FreshnessAlertArgs,
    QualityAlertArgs,
    ServingAlerts,
    ServingAlertsArgs,
    TrafficAlertArgs,
)
from tests.support.warehouse import Warehouse
from tests.unit.recording import record

PERSON = "ops@example.com"
PROFILE = (
    "window STRUCT<start: TIMESTAMP, end: TIMESTAMP>, granularity STRING, served_entity_id STRING, column_name STRING, "
    "slice_key STRING, slice_value STRING, "
)


@dataclass
class Alerts:
    """The alerts, made of what the component declares, and their tables."""

    sql: Warehouse
    ids: dict[str, str]
    destination: str

    def evaluate(self, short: str) -> str:
        answer = self.sql.client.api_client.do("POST", f"/_workspace/alerts/{self.ids[short]}/evaluate")
        assert isinstance(answer, dict)
        assert "error" not in answer, answer
        state = self.sql.client.alerts_v2.get_alert(self.ids[short]).evaluation.state
        return state.value if state is not None else ""

    def told(self, short: str) -> list[tuple[str, str]]:
        """State and channel of every notification, in order."""
        answer = self.sql.client.api_client.do("GET", "/_workspace/notifications")
        assert isinstance(answer, dict)
        return [
            (one["about"]["state"], one["channel"])
            for one in answer["notifications"]
            if one["about"].get("alert_id") == self.ids[short]
        ]

    def requests(self, *, status: int = 200, milliseconds: int = 20, tokens: int = 5) -> None:
        """What the inference table says now: ten requests of the last minutes."""
        self.sql.execute("DELETE FROM payload")
        self.sql.execute(
            f"INSERT INTO payload SELECT current_timestamp() - INTERVAL 2 MINUTES, {status}, {milliseconds}, "
            f'\'{{"usage": {{"total_tokens": {tokens}}}}}\' FROM (SELECT explode(sequence(1, 10)))'
        )

    def trips(self, minutes: int) -> None:
        self.sql.execute("DELETE FROM trips")
        self.sql.execute(f"INSERT INTO trips SELECT current_timestamp() - INTERVAL {minutes} MINUTES")

    def drift(self, day: int, value: float) -> None:
        self.sql.execute(
            f"INSERT INTO d SELECT {_window(day)}, '1 day', '*', 'churn', NULL, NULL, 'CONSECUTIVE', "
            f"CAST({value} AS DOUBLE)"
        )

    def quality(self, day: int, f1: float, loss: float) -> None:
        for column in (":table", "churn"):
            self.sql.execute(
                f"INSERT INTO p SELECT {_window(day)}, '1 day', '*', '{column}', NULL, NULL, 'INPUT', 100, "
                f"CAST({loss} AS DOUBLE), named_struct('macro', CAST({f1} AS DOUBLE))"
            )


@pytest.fixture
def alerts(sql: Warehouse, client: WorkspaceClient) -> Iterator[Alerts]:
    for table in (
        "payload (request_time TIMESTAMP, status_code INT, execution_duration_ms BIGINT, response STRING)",
        "trips (pickup TIMESTAMP)",
        f"d ({PROFILE}drift_type STRING, js_distance DOUBLE)",
        f"p ({PROFILE}log_type STRING, count BIGINT, expected_loss DOUBLE, f1_score STRUCT<macro: DOUBLE>)",
    ):
        sql.execute(f"CREATE TABLE {table}")
    hook = client.notification_destinations.create(
        config=Config(generic_webhook=GenericWebhookConfig(url="https://hooks.example.com/1")), display_name=sql.schema
    )
    profile = sql.full("p")
    args = ServingAlertsArgs(
        prefix=sql.schema,
        warehouse_id="local",
        parent_path="/Workspace/Shared",
        traffic=TrafficAlertArgs(
            payload_table=sql.full("payload"), max_error_share=0.01, max_p95_latency_ms=200, max_tokens=100
        ),
        freshness=[FreshnessAlertArgs(table=sql.full("trips"), column="pickup", max_age_minutes=60)],
        drift={"answers": DriftAlertArgs(table=sql.full("d"), columns=["churn"], measure="js_distance", limit=0.19)},
        quality={
            "f1": QualityAlertArgs(
                table=profile, measure="f1_score.macro", limit=0.5, comparison="LESS_THAN", label_column="churn"
            ),
            "loss": QualityAlertArgs(
                table=profile, measure="expected_loss", limit=-30, comparison="LESS_THAN", label_column="churn"
            ),
        },
        emails=[PERSON],
        destinations=[hook.id or ""],
    )
    declared = record(lambda: ServingAlerts("all", args).alert_ids).of_type(":AlertV2")
    made = {
        alert["displayName"].removeprefix(f"{sql.schema}-"): client.alerts_v2.create_alert(
            AlertV2.from_dict(_as_sent(alert))
        )
        for alert in declared
    }
    yield Alerts(sql, {short: alert.id or "" for short, alert in made.items()}, hook.id or "")
    for alert in made.values():
        client.alerts_v2.trash_alert(alert.id or "", purge=True)
    client.notification_destinations.delete(hook.id or "")


Change = Callable[[Alerts], None]
KINDS: dict[str, tuple[Change, Change, Change]] = {
    # At its limit, beyond it, and well again.
    "availability": (lambda a: a.requests(), lambda a: a.requests(status=500), lambda a: a.requests()),
    "latency": (
        lambda a: a.requests(milliseconds=200),
        lambda a: a.requests(milliseconds=201),
        lambda a: a.requests(milliseconds=20),
    ),
    "tokens": (lambda a: a.requests(tokens=10), lambda a: a.requests(tokens=11), lambda a: a.requests()),
    "freshness-trips": (lambda a: a.trips(59), lambda a: a.trips(61), lambda a: a.trips(0)),
    "drift-answers": (lambda a: a.drift(1, 0.19), lambda a: a.drift(2, 0.1900001), lambda a: a.drift(3, 0.01)),
    "quality-f1": (
        lambda a: a.quality(1, 0.5, -1),
        lambda a: a.quality(2, 0.4999, -1),
        lambda a: a.quality(3, 0.9, -1),
    ),
    "quality-loss": (
        lambda a: a.quality(4, 0.9, -30),
        lambda a: a.quality(5, 0.9, -30.01),
        lambda a: a.quality(6, 0.9, 0),
    ),
}


def test_every_kind_of_alert_is_silent_at_its_limit_fires_beyond_it_and_resolves(alerts: Alerts) -> None:
    assert set(alerts.ids) == set(KINDS)
    for short, (at_its_limit, beyond, well) in KINDS.items():
        # Nothing to judge by is no "all is well".
        if short in ("availability", "drift-answers", "quality-f1", "freshness-trips"):
            assert alerts.evaluate(short) == "UNKNOWN", short
        at_its_limit(alerts)
        assert alerts.evaluate(short) == "OK", short
        assert alerts.told(short) == [], short
        beyond(alerts)
        assert alerts.evaluate(short) == "TRIGGERED", short
        assert sorted(alerts.told(short)) == [("TRIGGERED", "EMAIL"), ("TRIGGERED", "WEBHOOK")], short
        well(alerts)
        assert alerts.evaluate(short) == "OK", short
        assert sorted(alerts.told(short)[2:]) == [("OK", "EMAIL"), ("OK", "WEBHOOK")], short


def _window(day: int) -> str:
    return f"named_struct('start', TIMESTAMP'2026-01-0{day}', 'end', TIMESTAMP'2026-01-0{day} 23:00:00')"


def _as_sent(value: Any) -> Any:
    """A resource's inputs under the names of the REST API."""
    if isinstance(value, dict):
        return {re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower(): _as_sent(one) for name, one in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)  # the engine's numbers are all floats
    return [_as_sent(one) for one in value] if isinstance(value, list) else value
