"""A table of one's own is watched over time, or as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from components.table_monitor import TableMonitor, TableMonitorArgs
from tests.unit.recording import record


def args(**changes: Any) -> TableMonitorArgs:
    values: dict[str, Any] = {
        "table": "p03.e2e.pickup_features",
        "assets_dir": "/Workspace/Shared/taxi/features",
        "timestamp_column": "as_of",
        "cron": "0 0 4 * * ?",
        "notify_on_failure": ["ml@example.com"],
        **changes,
    }
    return TableMonitorArgs(**values)


def test_a_time_column_makes_windows_and_metric_tables_go_beside_the_table() -> None:
    monitor = record(lambda: TableMonitor("features", args()).drift_metrics_table).one(":QualityMonitor")
    assert (monitor["tableName"], monitor["outputSchemaName"]) == ("p03.e2e.pickup_features", "p03.e2e")
    assert monitor["timeSeries"] == {"granularities": ["1 day"], "timestampCol": "as_of"}
    assert monitor["schedule"] == {"quartzCronExpression": "0 0 4 * * ?", "timezoneId": "UTC"}
    assert monitor["notifications"] == {"onFailure": {"emailAddresses": ["ml@example.com"]}}
    assert not {"snapshot", "inferenceLog"} & set(monitor)


def test_without_a_time_column_the_table_is_watched_as_a_whole() -> None:
    monitor = record(lambda: TableMonitor("features", args(timestamp_column=None)).table).one(":QualityMonitor")
    assert monitor["snapshot"] == {}
    assert "timeSeries" not in monitor


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"table": "pickup_features"}, "1 part"), ({"granularities": ()}, "no windows")],
)
def test_a_broken_rule_is_refused_before_anything_is_registered(changes: dict[str, Any], message: str) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            TableMonitor("features", args(**changes))

    assert record(broken).resources == []
