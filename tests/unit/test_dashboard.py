"""A dashboard asks what reports ask, in the form that the service takes, and tells before anything is made what is
wrong with it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.alert_queries import daily_summary
from components.dashboard import (
    DashboardDriftArgs,
    DashboardError,
    DashboardPermission,
    ServingDashboard,
    ServingDashboardArgs,
)
from components.dashboard_content import DatasetArgs, WidgetArgs, serialized
from components.names import InvalidNameError, ThreePartName
from tests.unit.recording import Recording, record

PAYLOAD = "main.monitoring.rag_inference_payload"
DRIFT = DashboardDriftArgs(
    drift_metrics_table="c.s.drift",
    profile_metrics_table="c.s.profile",
    measures=["js_distance"],
    quality=["f1_score.macro", "expected_loss"],
    drift_type="BASELINE",
)


def args(**changes: Any) -> ServingDashboardArgs:
    values: dict[str, Any] = {
        "title": "rag-chatbot-endpoint",
        "payload_table": PAYLOAD,
        "warehouse_id": "wh",
        "parent_path": "/Workspace/Shared/rag",
        **changes,
    }
    return ServingDashboardArgs(**values)


def made(**changes: Any) -> Recording:
    return record(lambda: ServingDashboard("traffic", args(**changes)).dashboard_id)


def content(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made(**changes).one(":Dashboard")["serializedDashboard"])
    return found


def queries(document: dict[str, Any]) -> dict[str, str]:
    return {dataset["name"]: "".join(dataset["queryLines"]) for dataset in document["datasets"]}


def test_it_shows_the_last_seven_days_by_date_newest_first() -> None:
    document = content()
    query = queries(document)["traffic"]
    assert query == daily_summary(ThreePartName.parse(PAYLOAD), days=7)
    for words in ("request_count", "avg_latency_ms", "p95_latency_ms", "error_count", "INTERVAL 7 DAYS", "date DESC"):
        assert words in query
    assert set(queries(document)) == {"traffic"}


def test_with_a_monitor_it_shows_drift_and_quality_too() -> None:
    document = content(drift=DRIFT, days=14)
    found = queries(document)
    assert set(found) == {"traffic", "drift", "quality"}
    for words in (
        "FROM `c`.`s`.`drift`",
        "drift_type = 'BASELINE'",
        "max(js_distance) AS js_distance",
        "INTERVAL 14 DAYS",
    ):
        assert words in found["drift"]
    for words in ("FROM `c`.`s`.`profile`", "f1_score.macro AS f1_score_macro", "expected_loss AS expected_loss"):
        assert words in found["quality"]
    titles = [one["widget"]["spec"]["frame"]["title"] for one in document["pages"][0]["layout"]]
    assert titles[-3:] == ["js_distance by window", "f1_score.macro by window", "expected_loss by window"]


def test_every_widget_draws_columns_that_its_query_selects_and_none_covers_another() -> None:
    document = content(drift=DRIFT)
    found = queries(document)
    taken: set[tuple[int, int]] = set()
    for entry in document["pages"][0]["layout"]:
        (query,) = entry["widget"]["queries"]
        fields = {one["name"] for one in query["query"]["fields"]}
        assert all(f" {name}" in found[query["query"]["datasetName"]] for name in fields)
        drawn = json.dumps(entry["widget"]["spec"]["encodings"])
        assert {part["fieldName"] for part in _encoded(json.loads(drawn))} == fields
        place = entry["position"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["width"])
            for y in range(place["y"], place["y"] + place["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 6
        taken |= cells


def test_viewers_see_it_with_their_own_rights_unless_it_is_said() -> None:
    recording = made(permissions=[DashboardPermission(level="CAN_RUN", group="grp-support")])
    dashboard = recording.one(":Dashboard")
    assert dashboard["embedCredentials"] is False
    assert (dashboard["parentPath"], dashboard["warehouseId"]) == ("/Workspace/Shared/rag", "wh")
    permissions = recording.one(":Permissions")
    assert permissions["dashboardId"] == "traffic-id"
    assert permissions["accessControls"] == [{"groupName": "grp-support", "permissionLevel": "CAN_RUN"}]
    assert made(embed_credentials=True).one(":Dashboard")["embedCredentials"] is True


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parent_path": "Shared"}, "begins at no root"),
        ({"title": "a/b"}, "without a slash"),
        ({"days": 0}, "use 1 or more"),
        ({"permissions": [DashboardPermission(level="CAN_QUERY", group="g")]}, "'CAN_QUERY'"),
        ({"permissions": [DashboardPermission(level="CAN_RUN")]}, "names nobody or several"),
    ],
)
def test_what_makes_no_dashboard_is_refused_before_anything_is_made(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DashboardError, match=words):
        made(**changes)


def test_a_table_without_three_parts_is_refused() -> None:
    with pytest.raises(InvalidNameError):
        made(payload_table="payload")


@pytest.mark.parametrize(
    ("widgets", "words"),
    [
        ([], "shows nothing"),
        ([WidgetArgs(title="w", dataset="other", kind="table", y={"a": "A"})], "and there is d"),
        ([WidgetArgs(title="w", dataset="d", kind="line", y={"a": "A"})], "names no column"),
        ([WidgetArgs(title="w", dataset="d", kind="table", y={"a": "A"}, width=7)], "6 columns"),
    ],
)
def test_a_content_that_cannot_be_drawn_is_refused(widgets: list[WidgetArgs], words: str) -> None:
    with pytest.raises(DashboardError, match=words):
        serialized("title", [DatasetArgs(name="d", title="D", query="SELECT 1 AS a")], widgets)


def _encoded(value: Any) -> list[dict[str, Any]]:
    """Every encoding that names a field, wherever it stands."""
    if isinstance(value, dict):
        own = [value] if "fieldName" in value else []
        return [*own, *(found for part in value.values() for found in _encoded(part))]
    return [found for part in value for found in _encoded(part)] if isinstance(value, list) else []
