"""The gate on lag, against a copy that really lags: CONTINUOUS, from a workspace that looks at its source no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from components.dynamic.errors import ProviderError
from components.dynamic.published_table import PublishedTableProvider
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse

SOURCE = "main.default.rides"
# Between two looks of the workspace at a source: none falls into the test.
LOOKS_SECONDS, PATIENCE_SECONDS, LIMIT_SECONDS = 86_400.0, 0.3, 0.001


def inputs(**changes: Any) -> dict[str, Any]:
    return {
        "source_table": SOURCE,
        "online_store": "rides",
        "online_table": f"{SOURCE}_online",
        "primary_keys": ["k"],
        "timeseries_key": None,
        "publish_mode": "CONTINUOUS",
        "poll_seconds": 0.05,
        "timeout_seconds": 60.0,
        "max_commit_age_seconds": None,
        "max_lag_seconds": LIMIT_SECONDS,
        "warehouse_id": "local",
        "triggers": {},
        "provider_version": "1",
        **changes,
    }


def test_a_copy_in_step_passes_the_gate_and_one_that_stays_behind_is_refused(
    start_server: Callable[[], WorkspaceServer],
) -> None:
    server = start_server()
    client = server.client()
    client.api_client.do("PUT", "/_workspace/settings", body={"continuous_sync_poll_seconds": LOOKS_SECONDS})
    if "default" not in {schema.name for schema in client.schemas.list("main")}:
        client.schemas.create("default", "main")
    warehouse = Warehouse(client, "main", "default")
    warehouse.execute(
        "CREATE TABLE rides (k INT NOT NULL, v STRING, CONSTRAINT rides_pk PRIMARY KEY (k)) "
        "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    client.api_client.do("POST", "/api/2.0/feature-store/online-stores", body={"name": "rides", "capacity": "CU_1"})
    tables = PublishedTableProvider()
    tables.configure(ConfigureRequest(Config({"databricks:host": server.host, "databricks:token": server.token}, "p")))
    made = tables.create(inputs()).outs
    assert made is not None

    warehouse.execute("INSERT INTO rides VALUES (1, 'late')")
    moved = inputs(triggers={"rows": "1"})
    with pytest.raises(ProviderError) as refused:
        tables.update("id", made, {**moved, "timeout_seconds": PATIENCE_SECONDS})
    assert f"behind {SOURCE}, expected at most {LIMIT_SECONDS:g} s" in str(refused.value)
    assert f"limit {PATIENCE_SECONDS:g} s" in str(refused.value)
    assert "give the store more capacity, or raise max_lag_seconds" in str(refused.value)
    # It follows the source as closely as it can already.
    assert "publish it CONTINUOUS" not in str(refused.value)
