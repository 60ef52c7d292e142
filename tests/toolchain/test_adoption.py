"""What an interrupted creation has made is found by what the program asked for, or the reason why not is said."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import MonitorSnapshot
from databricks.sdk.service.ml import OnlineStore

from tests.support.server import WorkspaceServer
from toolchain.adoption import AmbiguousCreationError, find_created, is_looked_up, workspace_of
from toolchain.report import ToolchainError

JOB = "databricks:index/job:Job"
QUERY = "databricks:index/query:Query"
STORE = "databricks:index/onlineStore:OnlineStore"
TABLE = "databricks:index/sqlTable:SqlTable"
MONITOR = "databricks:index/qualityMonitor:QualityMonitor"
MODEL = "databricks:index/registeredModel:RegisteredModel"
ENDPOINT = "databricks:index/modelServing:ModelServing"
PLACE = {"catalogName": "main", "schemaName": "rec"}

INPUTS = {
    JOB: {"name": "unpack"},
    QUERY: {"displayName": "statement"},
    STORE: {"name": "store"},
    TABLE: {**PLACE, "name": "clicks"},
    MONITOR: {"tableName": "main.rec.clicks"},
    MODEL: {**PLACE, "name": "ranker"},
    ENDPOINT: {"name": "ranker"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceServer]:
    server = WorkspaceServer(tmp_path_factory.mktemp("adoption") / "workspace")
    server.start()
    client = server.client()
    client.schemas.create(name="rec", catalog_name="main")
    yield server
    server.stop()


@pytest.fixture
def client(server: WorkspaceServer) -> WorkspaceClient:
    """A client as the toolchain makes it."""
    return workspace_of(environ_of(server))


def environ_of(server: WorkspaceServer, **changes: str) -> dict[str, str]:
    return {"DATABRICKS_HOST": server.host, "DATABRICKS_TOKEN": server.token, **changes}


@pytest.mark.parametrize("type_token", sorted(INPUTS))
def test_what_is_not_there_is_not_found(client: WorkspaceClient, type_token: str) -> None:
    inputs = {name: value if name in PLACE else f"{value}_of_nobody" for name, value in INPUTS[type_token].items()}
    assert is_looked_up(type_token)
    assert find_created(client, type_token, inputs) is None


def test_what_is_there_is_found_by_the_id_that_the_state_has_for_it(client: WorkspaceClient) -> None:
    statement = client.statement_execution.execute_statement(
        "CREATE TABLE main.rec.clicks (id INT)", "local", wait_timeout="30s"
    )
    assert statement.status is not None
    assert statement.status.error is None, statement.status.error
    client.api_client.do("POST", "/api/2.1/unity-catalog/models", body={**_snake(PLACE), "name": "ranker"})
    client.feature_store.create_online_store(OnlineStore(name="store", capacity="CU_1"))
    client.quality_monitors.create(
        "main.rec.clicks", output_schema_name="main.rec", assets_dir="/Shared/m", snapshot=MonitorSnapshot()
    )
    job, near = client.jobs.create(name="unpack"), client.jobs.create(name="UNPACK")
    query = client.api_client.do("POST", "/api/2.0/sql/queries", body={"query": _query("statement")})
    assert {type_token: find_created(client, type_token, INPUTS[type_token]) for type_token in INPUTS} == {
        JOB: str(job.job_id),
        QUERY: query["id"] if isinstance(query, dict) else None,
        STORE: "store",
        TABLE: "main.rec.clicks",
        MONITOR: "main.rec.clicks",
        MODEL: "main.rec.ranker",
        ENDPOINT: None,
    }
    assert job.job_id != near.job_id


def test_two_jobs_or_queries_of_one_name_are_both_named_with_the_way_out(client: WorkspaceClient) -> None:
    jobs = [str(client.jobs.create(name="twice").job_id) for _ in range(2)]
    answers = [
        client.api_client.do("POST", "/api/2.0/sql/queries", body={"query": _query("twice", folder)})
        # One folder has no two of a name.
        for folder in ("/Workspace/Shared", "/Workspace/Users/someone@example.com")
    ]
    queries = [answer["id"] for answer in answers if isinstance(answer, dict)]
    for type_token, inputs, ids in (
        (JOB, {"name": "twice"}, jobs),
        (QUERY, {"displayName": "twice"}, queries),
    ):
        with pytest.raises(AmbiguousCreationError, match=r"2 .* are called 'twice'") as raised:
            find_created(client, type_token, inputs)
        assert all(identity in str(raised.value) for identity in ids)
        assert "delete the one that nobody uses, then run again" in str(raised.value)


def test_a_refused_token_is_said_in_words_and_concludes_nothing(server: WorkspaceServer) -> None:
    with pytest.raises(
        ToolchainError, match=r"does not tell what it had made by then: .*Nothing has been changed"
    ) as it:
        find_created(workspace_of(environ_of(server, DATABRICKS_TOKEN="not-the-token")), JOB, INPUTS[JOB])
    assert server.host in str(it.value)
    assert "Invalid access token" in str(it.value)
    assert "not-the-token" not in str(it.value)


def test_a_host_that_does_not_answer_is_said_in_words(monkeypatch: pytest.MonkeyPatch, server: WorkspaceServer) -> None:
    monkeypatch.setattr("toolchain.adoption.RETRY_SECONDS", 1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # bound, and never listened on: refused
        host = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ToolchainError, match=f"{host} does not tell what it had made by then"):
            find_created(workspace_of(environ_of(server, DATABRICKS_HOST=host)), JOB, INPUTS[JOB])


def test_no_way_to_log_in_is_said_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_FILE", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ToolchainError, match="the workspace does not tell what it had made by then"):
        find_created(workspace_of({}), JOB, INPUTS[JOB])


def test_another_login_in_the_process_does_not_get_in_the_way(
    monkeypatch: pytest.MonkeyPatch, server: WorkspaceServer
) -> None:
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "someone")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "something")
    assert find_created(workspace_of(environ_of(server)), STORE, {"name": "store_of_nobody"}) is None


def test_a_type_that_can_be_made_twice_is_not_asked_about(server: WorkspaceServer) -> None:
    grants = "databricks:index/grants:Grants"
    assert not is_looked_up(grants)
    refused = workspace_of(environ_of(server, DATABRICKS_TOKEN="not-the-token"))
    assert find_created(refused, grants, {}) is None


def _query(name: str, folder: str = "/Workspace/Shared") -> dict[str, str]:
    return {"display_name": name, "query_text": "SELECT 1", "warehouse_id": "local", "parent_path": folder}


def _snake(place: dict[str, str]) -> dict[str, str]:
    return {"catalog_name": place["catalogName"], "schema_name": place["schemaName"]}
