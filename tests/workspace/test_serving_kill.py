"""A server that is killed: nothing answered is lost, nothing is left running, and it answers again after a restart."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    AiGatewayUsageTrackingConfig,
    EndpointCoreConfigInput,
)
from deltalake import DeltaTable

from tests.support.feature_serving import entity, eventually, save_model
from tests.support.models import register
from tests.support.server import WorkspaceServer

START = Callable[[], WorkspaceServer]
RECORD = {"dataframe_records": [{"a": 1.0}]}


def serve(client: WorkspaceClient, model: str) -> None:
    table = AiGatewayInferenceTableConfig(
        catalog_name="main", schema_name="ml", table_name_prefix="killed", enabled=True
    )
    client.serving_endpoints.create(
        "ep",
        config=EndpointCoreConfigInput(name="ep", served_entities=[entity(model, 1, "e")]),
        ai_gateway=AiGatewayConfig(
            inference_table_config=table, usage_tracking_config=AiGatewayUsageTrackingConfig(enabled=True)
        ),
    ).result()


def model_processes(server: WorkspaceServer) -> set[int]:
    """Processes whose work folder is in the server's state: every process of a served entity, and nothing else."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                folder = os.readlink(process / "cwd")
            except OSError:
                continue
            if folder.startswith(str(server.state / "serving")):
                found.add(int(process.name))
    return found


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The model starts a process of its own, as some do; that must end too.
    load = "import subprocess; subprocess.Popen(['sleep', '600'])"
    return save_model(tmp_path_factory.mktemp("saved") / "model", "return [1.0] * len(model_input)", load)


def test_killed_server_loses_no_answer_leaves_no_process_and_answers_again(start_server: START, saved: Path) -> None:
    server = start_server()
    client = server.client()
    serve(client, register(client, "numbers", saved))
    assert len(model_processes(server)) == 2
    answered: list[str] = []
    lock = threading.Lock()

    def keep_asking(count: int) -> None:
        headers = {"Authorization": f"Bearer {server.token}"}
        with httpx.Client(base_url=server.host, headers=headers) as asking:
            try:
                while len(answered) < count:
                    answer = asking.post("/serving-endpoints/ep/invocations", json=RECORD)
                    assert answer.status_code == 200
                    with lock:
                        answered.append(answer.headers["databricks-request-id"])
            except httpx.TransportError:
                return

    threads = [threading.Thread(target=keep_asking, args=(10**9,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answered) > 300)
    server.kill()
    for thread in threads:
        thread.join()
    eventually(lambda: model_processes(server) == set())
    server.start()
    # What was awake is woken with the server, before anybody asks.
    eventually(lambda: len(model_processes(server)) == 2)
    keep_asking(len(answered) + 10)

    def rows() -> list[str]:
        location = server.client().tables.get("main.ml.killed_payload").storage_location
        found = DeltaTable(str(location)).to_pyarrow_table().to_pydict()
        return [str(one) for one in found["databricks_request_id"]]

    eventually(lambda: set(answered) <= set(rows()))
    logged = rows()
    assert len(logged) == len(set(logged))
    # A request that the kill caught between its row and its answer is one more, for each of the clients.
    assert len(logged) - len(answered) <= 16
    # The usage of each request was written with it, and both are read by SQL.
    joined = server.client().statement_execution.execute_statement(
        "SELECT count(*), count(DISTINCT u.databricks_request_id), count(DISTINCT e.endpoint_name)"
        " FROM main.ml.killed_payload p JOIN system.serving.endpoint_usage u USING (databricks_request_id)"
        " JOIN system.serving.served_entities e ON e.served_entity_id = u.served_entity_id",
        "local",
    )
    assert joined.result is not None
    assert joined.result.data_array == [[str(len(logged)), str(len(logged)), "1"]]
    server.stop()
    assert model_processes(server) == set()


def test_update_that_a_kill_interrupted_is_finished_after_the_restart(start_server: START, saved: Path) -> None:
    server = start_server()
    client = server.client()
    model = register(client, "numbers", saved)
    client.api_client.do("PUT", "/_workspace/settings", body={"endpoint_provisioning_seconds": 600})
    config = EndpointCoreConfigInput(name="ep", served_entities=[entity(model, 1, "e")])
    client.serving_endpoints.create("ep", config=config)
    assert client.serving_endpoints.get("ep").pending_config is not None
    client.api_client.do("PUT", "/_workspace/settings", body={"endpoint_provisioning_seconds": 0})
    server.restart()
    client = server.client()
    client.serving_endpoints.wait_get_serving_endpoint_not_updating("ep")
    assert client.serving_endpoints.query("ep", dataframe_records=[{"a": 1.0}]).predictions == [1.0]
