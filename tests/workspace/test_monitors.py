"""Quality monitors as the official client sees them, and as the Databricks provider needs them back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied, ResourceAlreadyExists
from databricks.sdk.service.catalog import (
    MonitorCronSchedule,
    MonitorInferenceLog,
    MonitorInferenceLogProblemType,
    MonitorInfoStatus,
    MonitorSnapshot,
)

from tests.support.served import opened_state, served
from tests.support.watching import refreshed
from workspace.clock import Clock
from workspace.identity import OWNER
from workspace.monitors import Monitors
from workspace.state import State
from workspace.unity_catalog import Column, UnityCatalog

TABLE = "main.rec.inf"
BASE = "main.rec.base"
PATH = f"/api/2.1/unity-catalog/tables/{TABLE}/monitor"

COLUMNS = [
    Column("ts", "timestamp"),
    Column("p", "double"),
    Column("y", "double"),
    Column("model", "string"),
    Column("country", "string"),
    Column("tags", "array<string>"),
]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with opened_state(tmp_path) as opened:
        yield opened


@pytest.fixture
def catalog(state: State) -> UnityCatalog:
    """`main.rec` with a table to watch and a baseline."""
    catalog = UnityCatalog(state)
    catalog.containers.create_schema({"name": "rec", "catalog_name": "main"}, OWNER.user_name)
    for name in (TABLE, BASE):
        catalog.tables.create(name, COLUMNS)
    return catalog


@pytest.fixture
def client(state: State, catalog: UnityCatalog) -> Iterator[WorkspaceClient]:
    clock = Clock(state)
    with served(state, [clock, catalog, Monitors(state, catalog, clock)], OWNER) as workspace:
        yield workspace


def body(**changes: Any) -> dict[str, Any]:
    """What the official provider sends to create a monitor; `None` takes a field out."""
    sent: dict[str, Any] = {
        "assets_dir": "/Shared/m",
        "baseline_table_name": "main.rec.base",
        "custom_metrics": [
            {
                "definition": "avg(`{{input_column}}`)",
                "input_columns": ["p"],
                "name": "ctr",
                "output_data_type": "double",
                "type": "CUSTOM_METRIC_TYPE_AGGREGATE",
            }
        ],
        "inference_log": {
            "granularities": ["1 day"],
            "label_col": "y",
            "model_id_col": "model",
            "prediction_col": "p",
            "problem_type": "PROBLEM_TYPE_REGRESSION",
            "timestamp_col": "ts",
        },
        "output_schema_name": "main.rec",
        "schedule": {"quartz_cron_expression": "0 0 12 * * ?", "timezone_id": "UTC"},
        "slicing_exprs": ["country"],
        "warehouse_id": "local",
    }
    sent.update(changes)
    return {name: value for name, value in sent.items() if value is not None}


def inference(**changes: Any) -> dict[str, Any]:
    profile = {**body()["inference_log"], **changes}
    return {name: value for name, value in profile.items() if value is not None}


def metric(**changes: Any) -> list[dict[str, Any]]:
    return [{**body()["custom_metrics"][0], **changes}]


def post(client: WorkspaceClient, sent: dict[str, Any], path: str = PATH) -> dict[str, Any]:
    answer = client.api_client.do("POST", path, body=sent)
    assert isinstance(answer, dict)
    return answer


def test_a_monitor_is_pending_when_created_and_active_with_a_dashboard_when_read(client: WorkspaceClient) -> None:
    created = client.quality_monitors.create(
        TABLE,
        "main.rec",
        "/Shared/m",
        inference_log=MonitorInferenceLog(
            problem_type=MonitorInferenceLogProblemType.PROBLEM_TYPE_CLASSIFICATION,
            timestamp_col="ts",
            granularities=["5 minutes", "2 weeks"],
            prediction_col="p",
            model_id_col="model",
        ),
    )
    assert created.status is MonitorInfoStatus.MONITOR_STATUS_PENDING
    assert created.dashboard_id is None
    found = client.quality_monitors.get(TABLE)
    assert found.status is MonitorInfoStatus.MONITOR_STATUS_ACTIVE
    assert found.dashboard_id
    assert found.table_name == TABLE
    assert found.profile_metrics_table_name == "main.rec.inf_profile_metrics"
    assert found.drift_metrics_table_name == "main.rec.inf_drift_metrics"
    assert found.assets_dir == "/Shared/m"
    assert found.monitor_version == 0


def test_a_monitor_is_pending_until_the_workspaces_clock_says_that_it_is_provisioned(
    state: State, catalog: UnityCatalog
) -> None:
    clock = Clock(state)
    with served(state, [clock, catalog, Monitors(state, catalog, clock, provisioning_seconds=3600)], OWNER) as client:
        post(client, body())
        assert client.quality_monitors.get(TABLE).status is MonitorInfoStatus.MONITOR_STATUS_PENDING
        clock.advance(3600)
        assert client.quality_monitors.get(TABLE).status is MonitorInfoStatus.MONITOR_STATUS_ACTIVE


def test_what_was_sent_is_read_back_with_the_defaults_of_the_service(client: WorkspaceClient) -> None:
    post(client, body(skip_builtin_dashboard=True))
    answer = client.api_client.do("GET", PATH)
    assert isinstance(answer, dict)
    sent = body()
    for name in ("baseline_table_name", "custom_metrics", "inference_log", "output_schema_name", "slicing_exprs"):
        assert answer[name] == sent[name]
    assert answer["schedule"] == {**sent["schedule"], "pause_status": "UNPAUSED"}
    assert "dashboard_id" not in answer


def test_put_replaces_everything_but_the_assets_and_counts_the_version(client: WorkspaceClient) -> None:
    post(client, body())
    before = client.quality_monitors.get(TABLE)
    changed = body(assets_dir=None, warehouse_id=None, schedule=None, slicing_exprs=["country", "p > 10"])
    client.api_client.do("PUT", PATH, body={**changed, "dashboard_id": before.dashboard_id})
    after = client.quality_monitors.get(TABLE)
    assert after.monitor_version == before.monitor_version + 1
    assert after.schedule is None
    assert after.slicing_exprs == ["country", "p > 10"]
    assert after.assets_dir == "/Shared/m"
    assert after.dashboard_id == before.dashboard_id
    assert after.profile_metrics_table_name == before.profile_metrics_table_name


def test_the_output_schema_of_a_monitor_cannot_change(client: WorkspaceClient) -> None:
    client.schemas.create("other", "main")
    post(client, body())
    with pytest.raises(BadRequest, match=r"'main.rec' to 'main.other'.*create it anew"):
        client.quality_monitors.update(TABLE, "main.other", snapshot=MonitorSnapshot())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inference_log": None}, "exactly one of inference_log, time_series, snapshot; received none"),
        ({"snapshot": {}}, "received inference_log, snapshot"),
        ({"inference_log": inference(timestamp_col="when")}, "no column 'when'; it has ts, p"),
        ({"inference_log": inference(timestamp_col="tags")}, "array<string>, which cannot be read as a time"),
        ({"inference_log": inference(prediction_col="q")}, "prediction_col: the table has no column 'q'"),
        ({"inference_log": inference(label_col="z")}, "label_col: the table has no column 'z'"),
        ({"inference_log": inference(label_col=True)}, "label_col is required and must be a text; received True"),
        ({"slicing_exprs": "country"}, "slicing_exprs must be a list, received 'country'"),
        ({"custom_metrics": metric(input_columns=[1])}, "must name columns, received 1"),
        ({"custom_metrics": metric(output_data_type='{"a": 1}')}, "is not the JSON of a Spark type"),
        ({"notifications": {"on_failure": {"email_addresses": "a@b"}}}, "must be a list of addresses, received 'a@b'"),
        ({"inference_log": inference(prediction_proba_col="z")}, "prediction_proba_col: the table has no column 'z'"),
        ({"inference_log": inference(model_id_col=None)}, "inference_log.model_id_col is required"),
        ({"inference_log": inference(granularities=["1 fortnight"])}, "'1 fortnight' is not one of"),
        ({"inference_log": inference(granularities=["0 weeks"])}, "'0 weeks' is not one of"),
        ({"inference_log": inference(granularities=[])}, "granularities must name at least one"),
        (
            {"inference_log": inference(problem_type="REGRESSION")},
            "problem_type must be one of .*received 'REGRESSION'",
        ),
        ({"inference_log": None, "time_series": {"timestamp_col": "ts", "granularities": ["1 decade"]}}, "'1 decade'"),
        ({"output_schema_name": "rec"}, "form catalog.schema, received 'rec'"),
        ({"assets_dir": None}, "assets_dir"),
        ({"assets_dir": "Shared/m"}, "absolute workspace path, received 'Shared/m'"),
        ({"schedule": {"quartz_cron_expression": "0 12 * * *", "timezone_id": "UTC"}}, "6 or 7 fields"),
        (
            {"schedule": {"quartz_cron_expression": "0 0 12 * * ?", "timezone_id": "Mars/Base"}},
            "'Mars/Base' is no time",
        ),
        ({"slicing_exprs": ["county"]}, "no column 'county'"),
        ({"slicing_exprs": ["country ="]}, "not a column expression"),
        ({"slicing_exprs": ["1 = 1"]}, "names no column"),
        ({"slicing_exprs": ["p > (SELECT max(p) FROM main.rec.base)"]}, "cannot contain subqueries"),
        ({"custom_metrics": metric(type="AGGREGATE")}, "type must be one of .*received 'AGGREGATE'"),
        ({"custom_metrics": metric(input_columns=["q"])}, "no column 'q'"),
        ({"custom_metrics": metric(input_columns=[])}, "input_columns must name columns"),
        ({"custom_metrics": metric() + metric()}, "'ctr' is defined twice"),
        ({"custom_metrics": metric(definition="")}, "definition is required"),
        ({"custom_metrics": metric(definition="avg({{input}})")}, "'input' is undefined; .* know input_column, "),
        ({"custom_metrics": metric(definition="avg(")}, "definition is no SQL expression"),
        ({"custom_metrics": metric(definition="(SELECT max(p) FROM main.rec.base)")}, "joins or subqueries"),
        ({"custom_metrics": metric(output_data_type="duble")}, "output_data_type: 'duble' is not a .* type"),
        ({"custom_metrics": metric(name="avg")}, "cannot have another column 'avg'"),
    ],
)
def test_a_monitor_that_makes_no_sense_is_refused(
    client: WorkspaceClient, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        post(client, body(**changes))
    with pytest.raises(NotFound, match="does not have a monitor"):
        client.quality_monitors.get(TABLE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output_schema_name": "main.nowhere"}, "nowhere"),
        ({"baseline_table_name": "main.rec.gone"}, "main.rec.gone"),
    ],
)
def test_what_a_monitor_needs_must_exist(client: WorkspaceClient, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NotFound, match=message):
        post(client, body(**changes))


def test_a_missing_table_is_not_found_by_any_call(client: WorkspaceClient) -> None:
    gone = "main.rec.gone"
    with pytest.raises(NotFound, match=gone):
        post(client, body(), PATH.replace(TABLE, gone))
    with pytest.raises(NotFound, match=gone):
        client.quality_monitors.get(gone)
    with pytest.raises(NotFound, match=gone):
        client.quality_monitors.update(gone, "main.rec", snapshot=MonitorSnapshot())
    with pytest.raises(NotFound, match=gone):
        client.quality_monitors.delete(gone)


def test_a_table_has_one_monitor(client: WorkspaceClient) -> None:
    post(client, body())
    with pytest.raises(ResourceAlreadyExists, match=TABLE):
        post(client, body())


def test_a_deleted_monitor_can_be_made_again(client: WorkspaceClient) -> None:
    post(client, body())
    client.quality_monitors.delete(TABLE)
    with pytest.raises(NotFound):
        client.quality_monitors.get(TABLE)
    with pytest.raises(NotFound):
        client.quality_monitors.delete(TABLE)
    assert post(client, body())["monitor_version"] == 0


def test_a_table_made_anew_under_the_same_name_has_no_monitor(client: WorkspaceClient, catalog: UnityCatalog) -> None:
    post(client, body())
    refreshed(client, TABLE)
    client.tables.delete(TABLE)
    catalog.tables.create(TABLE, COLUMNS)
    with pytest.raises(NotFound, match="does not have a monitor"):
        client.quality_monitors.get(TABLE)
    post(client, body())


def test_a_refresh_that_is_not_there_is_not_found(client: WorkspaceClient) -> None:
    with pytest.raises(NotFound, match="does not have a monitor"):
        client.quality_monitors.run_refresh(TABLE)
    post(client, body())
    with pytest.raises(NotFound, match="Refresh 77"):
        client.quality_monitors.get_refresh(TABLE, 77)
    with pytest.raises(NotFound, match="Refresh 77"):
        client.quality_monitors.cancel_refresh(TABLE, 77)


def test_another_dashboard_has_another_id(client: WorkspaceClient) -> None:
    post(client, body())
    before = client.quality_monitors.get(TABLE).dashboard_id
    answer = client.quality_monitors.regenerate_dashboard(TABLE)
    assert answer.dashboard_id != before
    assert answer.parent_folder == "/Shared/m"
    assert client.quality_monitors.get(TABLE).dashboard_id == answer.dashboard_id


def test_a_metric_table_is_not_written_over_a_table_of_somebody_else(
    client: WorkspaceClient, catalog: UnityCatalog
) -> None:
    catalog.tables.create(f"{TABLE}_profile_metrics", [Column("mine", "string")])
    with pytest.raises(BadRequest, match="is not a metric table"):
        post(client, body())
    with pytest.raises(NotFound):
        client.quality_monitors.get(TABLE)


def test_metric_tables_stay_when_their_monitor_goes(client: WorkspaceClient) -> None:
    post(client, body())
    client.quality_monitors.delete(TABLE)
    assert client.tables.get(f"{TABLE}_profile_metrics").name == "inf_profile_metrics"
    assert client.tables.get(f"{TABLE}_drift_metrics").name == "inf_drift_metrics"


def test_who_may_not_read_the_table_sees_no_monitor(client: WorkspaceClient, state: State) -> None:
    post(client, body())
    assert client.config.host
    ann = WorkspaceClient(host=client.config.host, token="token-of-ann")
    with pytest.raises(PermissionDenied, match="does not have"):
        ann.quality_monitors.get(TABLE)
    with pytest.raises(PermissionDenied, match="does not have"):
        ann.quality_monitors.run_refresh(TABLE)


def test_a_monitor_survives_a_restart(tmp_path: Path, state: State, catalog: UnityCatalog) -> None:
    clock = Clock(state)
    with served(state, [clock, catalog, Monitors(state, catalog, clock)], OWNER) as client:
        created = client.quality_monitors.create(
            TABLE,
            "main.rec",
            "/Shared/m",
            snapshot=MonitorSnapshot(),
            schedule=MonitorCronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="UTC"),
        )
        first = refreshed(client, TABLE)
    state.close()
    with opened_state(tmp_path) as again:
        catalog, clock = UnityCatalog(again), Clock(again)
        with served(again, [clock, catalog, Monitors(again, catalog, clock)], OWNER) as client:
            found = client.quality_monitors.get(TABLE)
            assert client.quality_monitors.get_refresh(TABLE, first.refresh_id) == first
    assert found.schedule == created.schedule
    assert found.snapshot is not None
    assert found.status is MonitorInfoStatus.MONITOR_STATUS_ACTIVE
