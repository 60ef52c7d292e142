"""Quality monitors as the official client sees them, and as the Databricks provider needs them back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, ResourceAlreadyExists
from databricks.sdk.errors import NotImplemented as NotImplementedByService
from databricks.sdk.service.catalog import (
    MonitorCronSchedule,
    MonitorInferenceLog,
    MonitorInferenceLogProblemType,
    MonitorInfoStatus,
    MonitorSnapshot,
)

from tests.support.served import opened_state, served
from workspace.errors import not_found
from workspace.monitors import Monitors
from workspace.monitors.store import CatalogView
from workspace.state import State

TABLE = "main.rec.inf"
PATH = f"/api/2.1/unity-catalog/tables/{TABLE}/monitor"


@dataclass(frozen=True)
class Column:
    name: str
    type_text: str


@dataclass(frozen=True)
class Table:
    full_name: str
    table_id: str
    columns: list[Column] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.full_name.split(".")[2]


COLUMNS = [
    Column("ts", "timestamp"),
    Column("p", "double"),
    Column("y", "double"),
    Column("model", "string"),
    Column("country", "string"),
    Column("tags", "array<string>"),
]


class Catalog:
    """The tables and schemas that the monitors of a test find."""

    def __init__(self) -> None:
        self.tables = {name: Table(name, f"id of {name}", COLUMNS) for name in (TABLE, "main.rec.base")}
        self.schemas = {("main", "rec")}

    def table(self, full_name: str) -> Table:
        if full_name not in self.tables:
            raise not_found(f"Table '{full_name}' does not exist.")
        return self.tables[full_name]

    def require_schema(self, catalog: str, schema: str) -> None:
        if (catalog, schema) not in self.schemas:
            raise not_found(f"Schema '{catalog}.{schema}' does not exist.")

    def view(self) -> CatalogView:
        return CatalogView(table=self.table, require_schema=self.require_schema)


@pytest.fixture
def catalog() -> Catalog:
    return Catalog()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with opened_state(tmp_path) as opened:
        yield opened


@pytest.fixture
def client(state: State, catalog: Catalog) -> Iterator[WorkspaceClient]:
    with served(state, [Monitors(state, catalog.view())]) as workspace:
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
    assert found.monitor_version == 1


def test_a_monitor_stays_pending_while_it_is_provisioned(state: State, catalog: Catalog) -> None:
    with served(state, [Monitors(state, catalog.view(), provisioning_seconds=3600)]) as client:
        post(client, body())
        assert client.quality_monitors.get(TABLE).status is MonitorInfoStatus.MONITOR_STATUS_PENDING


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


def test_the_output_schema_of_a_monitor_cannot_change(client: WorkspaceClient, catalog: Catalog) -> None:
    catalog.schemas.add(("main", "other"))
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
        ({"custom_metrics": metric(type="AGGREGATE")}, "type must be one of .*received 'AGGREGATE'"),
        ({"custom_metrics": metric(input_columns=["q"])}, "no column 'q'"),
        ({"custom_metrics": metric(input_columns=[])}, "input_columns must name columns"),
        ({"custom_metrics": metric() + metric()}, "'ctr' is defined twice"),
        ({"custom_metrics": metric(definition="")}, "definition is required"),
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
        ({"output_schema_name": "main.nowhere"}, "Schema 'main.nowhere' does not exist"),
        ({"baseline_table_name": "main.rec.gone"}, "'main.rec.gone' does not exist"),
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
    assert post(client, body())["monitor_version"] == 1


def test_a_table_made_anew_under_the_same_name_has_no_monitor(client: WorkspaceClient, catalog: Catalog) -> None:
    post(client, body())
    catalog.tables[TABLE] = Table(TABLE, "another id", COLUMNS)
    with pytest.raises(NotFound, match="does not have a monitor"):
        client.quality_monitors.get(TABLE)
    post(client, body())


def test_a_refresh_that_would_compute_nothing_is_refused(client: WorkspaceClient) -> None:
    post(client, body())
    with pytest.raises(NotImplementedByService, match=f"{TABLE}/monitor/refreshes: it computes no metrics"):
        client.quality_monitors.run_refresh(TABLE)
    assert not client.quality_monitors.list_refreshes(TABLE).refreshes
    with pytest.raises(NotFound, match="Refresh 7"):
        client.quality_monitors.get_refresh(TABLE, 7)
    with pytest.raises(NotFound, match="Refresh 7"):
        client.quality_monitors.cancel_refresh(TABLE, 7)


def test_a_monitor_survives_a_restart(tmp_path: Path, catalog: Catalog) -> None:
    with opened_state(tmp_path) as state, served(state, [Monitors(state, catalog.view())]) as client:
        created = client.quality_monitors.create(
            TABLE,
            "main.rec",
            "/Shared/m",
            snapshot=MonitorSnapshot(),
            schedule=MonitorCronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="UTC"),
        )
    with opened_state(tmp_path) as state, served(state, [Monitors(state, catalog.view())]) as client:
        found = client.quality_monitors.get(TABLE)
    assert found.schedule == created.schedule
    assert found.snapshot is not None
    assert found.status is MonitorInfoStatus.MONITOR_STATUS_ACTIVE
