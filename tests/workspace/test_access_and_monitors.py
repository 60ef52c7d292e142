"""Permissions and monitors over the workspace's real parts: on real tables and real experiments."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import MonitorInfoStatus, MonitorSnapshot, MonitorTimeSeries
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel

from tests.support.served import opened_state, served
from workspace.monitors import CatalogView, Monitors
from workspace.unity_catalog import Column, UnityCatalog

TABLE = "main.rec.readings"


@pytest.fixture
def catalog_client(tmp_path: Path) -> Iterator[WorkspaceClient]:
    """A catalog that holds `TABLE` (ts TIMESTAMP, value DOUBLE), and monitors on it."""
    with opened_state(tmp_path) as state:
        catalog = UnityCatalog(state)
        view = CatalogView(table=catalog.tables.get, require_schema=catalog.containers.schema)
        with served(state, [catalog, Monitors(state, view)]) as workspace:
            workspace.schemas.create("rec", "main")
            catalog.tables.create(TABLE, [Column("ts", "timestamp"), Column("value", "double")])
            yield workspace


def test_a_monitor_watches_a_table_of_the_catalog(catalog_client: WorkspaceClient) -> None:
    monitors = catalog_client.quality_monitors
    series = MonitorTimeSeries(timestamp_col="ts", granularities=["1 day"])
    monitors.create(TABLE, "main.rec", "/Shared/m", time_series=series, slicing_exprs=["value > 10"])
    assert monitors.get(TABLE).status is MonitorInfoStatus.MONITOR_STATUS_ACTIVE
    with pytest.raises(NotFound, match=r"main\.rec\.gone"):
        monitors.update("main.rec.gone", "main.rec", snapshot=MonitorSnapshot())
    catalog_client.tables.delete(TABLE)
    with pytest.raises(NotFound, match=TABLE):
        monitors.get(TABLE)


def test_a_monitor_needs_the_schema_that_its_metrics_go_to(catalog_client: WorkspaceClient) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        catalog_client.quality_monitors.create(TABLE, "main.nowhere", "/Shared/m", snapshot=MonitorSnapshot())


def test_permissions_are_set_on_an_experiment_while_it_exists(client: WorkspaceClient) -> None:
    experiment = client.experiments.create_experiment(f"/Shared/{uuid.uuid4()}").experiment_id
    assert experiment is not None
    readers = AccessControlRequest(group_name="callers", permission_level=PermissionLevel.CAN_READ)
    client.permissions.set("experiments", experiment, access_control_list=[readers])
    assert client.permissions.get("experiments", experiment).object_type == "mlflowExperiment"
    client.experiments.delete_experiment(experiment)
    with pytest.raises(NotFound):
        client.permissions.get("experiments", experiment)
    with pytest.raises(NotFound):
        client.permissions.get("experiments", "no such id")
