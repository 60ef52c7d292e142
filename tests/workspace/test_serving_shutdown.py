"""The end of a server: bounded whatever hangs, with everything that was acknowledged on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from databricks.sdk.service.serving import AiGatewayConfig, AiGatewayInferenceTableConfig, EndpointCoreConfigInput
from deltalake import DeltaTable

from tests.support.feature_serving import entity, eventually, save_model
from tests.support.models import register
from tests.support.server import PROJECT, WorkspaceServer
from workspace.daemon import STOP_SECONDS
from workspace.shutdown import END_SECONDS

START = Callable[[], WorkspaceServer]
ENDLESS = (
    "WITH n AS (SELECT explode(sequence(1, 30000)) AS i) SELECT count(*) FROM n a JOIN n b ON a.i <> b.i JOIN n c"
    " ON c.i % 7 = a.i % 5 WHERE a.i + b.i * c.i % 11 = 3"
)
HANGS = """
import sys, threading
from contextlib import asynccontextmanager
import uvicorn
from starlette.applications import Starlette
from workspace import shutdown

shutdown.END_SECONDS = 0.5

def hang_for_ever():
    threading.Event().wait()

@asynccontextmanager
async def lifespan(_):
    print("started", file=sys.stderr, flush=True)
    yield
    hang_for_ever()

shutdown.BoundedServer(uvicorn.Config(Starlette(lifespan=lifespan), port=0, log_level="critical")).run()
"""
# What a process exits with that had to be ended by force, naming what hung.
FORCED = 1


def log_of(server: WorkspaceServer) -> str:
    return (server.state / "server.log").read_text()[-4000:]


def test_statements_cancelled_before_they_ran_do_not_hold_up_the_end(start_server: START) -> None:
    server = start_server()
    client = server.client()
    for _ in range(6):
        # Cancelled at once: DuckDB may not have begun, and forgets an interrupt that comes too early.
        sent = client.statement_execution.execute_statement(ENDLESS, "local", wait_timeout="0s")
        client.statement_execution.cancel_execution(str(sent.statement_id))
    client.statement_execution.execute_statement(ENDLESS, "local", wait_timeout="0s")
    assert server.stop() != FORCED, log_of(server)


def test_models_that_load_and_requests_under_way_do_not_hold_up_the_end(start_server: START, tmp_path: Path) -> None:
    server = start_server()
    client = server.client()
    model = register(client, "loads", save_model(tmp_path / "loads", "return [1.0]", "import time; time.sleep(3600)"))
    slow = register(client, "slow", save_model(tmp_path / "slow", "import time; time.sleep(3600)"))
    table = AiGatewayInferenceTableConfig(
        catalog_name="main", schema_name="ml", table_name_prefix="ended", enabled=True
    )
    client.api_client.do("PUT", "/_workspace/settings", body={"inference_table_delivery_lag_seconds": 3600})
    client.serving_endpoints.create(
        "slow",
        config=EndpointCoreConfigInput(name="slow", served_entities=[entity(slow, 1, "e")]),
        ai_gateway=AiGatewayConfig(inference_table_config=table),
    ).result()
    client.serving_endpoints.create(
        "loads", config=EndpointCoreConfigInput(name="loads", served_entities=[entity(model, 1, "e")])
    )
    headers = {"Authorization": f"Bearer {server.token}"}
    with httpx.Client(base_url=server.host, headers=headers, timeout=0.5) as asking:
        bad = asking.post("/serving-endpoints/slow/invocations", json={"dataframe_records": [{"b": 1.0}]})
        assert bad.status_code == 400
        with pytest.raises(httpx.TimeoutException):
            asking.post("/serving-endpoints/slow/invocations", json={"dataframe_records": [{"a": 1.0}]})
        assert server.stop() != FORCED, log_of(server)
    server.start()
    client = server.client()
    client.api_client.do("PUT", "/_workspace/settings", body={"inference_table_delivery_lag_seconds": 0})
    location = str(client.tables.get("main.ml.ended_payload").storage_location)

    def logged() -> list[str]:
        return list(DeltaTable(location).to_pyarrow_table().to_pydict()["databricks_request_id"])

    # The answer that was given before the end is in its table after it.
    eventually(lambda: logged() == [bad.headers["databricks-request-id"]])


def test_what_hangs_is_named_in_the_log_and_the_process_ends_all_the_same(tmp_path: Path) -> None:
    script = tmp_path / "hangs.py"
    script.write_text(HANGS)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"started\n"
    process.terminate()
    assert process.wait(timeout=10) == 1
    assert b"hang_for_ever" in process.stderr.read()
    # The tools that stop a server give it longer than it gives itself.
    assert END_SECONDS < STOP_SECONDS
