"""The chatbot's stack, whole: questions are answered with sources, a second `up` does nothing, a size is changed in
place, and nothing is left of it in the end.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import mlflow
import pytest
from databricks.sdk.errors import NotFound
from mlflow import MlflowClient
from mlflow.models import Model

from apps.deploy import deploy_rag_model
from apps.report.__main__ import main as report
from components.outputs import StackOutputs
from tests.support.example import PROJECT, credentials
from tests.support.rag import ENDPOINT, MODEL, Rag, prepare
from tests.support.reads import only_reads
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse

SERVING = "databricks:index/modelServing:ModelServing"
SEARCH = "rag-search"
INDEX = {
    ("create", "databricks:index/vectorSearchEndpoint:VectorSearchEndpoint"),
    ("create", "databricks:index/vectorSearchIndex:VectorSearchIndex"),
}


@pytest.fixture(scope="module")
def rag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rag]:
    """The stack after one `up`, and a second run of the pipeline."""
    folder: Path = tmp_path_factory.mktemp("rag")
    server = WorkspaceServer(folder / "workspace")
    server.start()
    try:
        prepare(server)
        made = Rag.new(server, folder / "project")
        with only_reads(server):
            outcome = made.project.preview()
        assert outcome.ok, outcome
        outcome = made.project.up()
        assert outcome.ok, outcome
        yield made
    finally:
        server.kill()


def test_questions_are_answered_with_the_documents_that_say_so(rag: Rag) -> None:
    asked = {
        "What are the key features of Delta Lake?": ("ACID transactions", "delta-lake.md"),
        "Does moving an alias change what the endpoint serves?": ("version number", "model-registry.md"),
        "How do I keep the token of a served model secret?": ("double braces", "secrets.md"),
    }
    for question, (words, source) in asked.items():
        found = rag.ask(question)
        assert words in found["answer"], question
        assert source in found["sources"], question
    nothing = rag.ask("Who won the cup in Lisbon?")
    assert nothing["answer"] == "The documents do not say."


def test_the_alias_follows_the_proof_and_the_outputs_keep_the_contract(rag: Rag) -> None:
    outputs = StackOutputs.model_validate(rag.project.outputs())
    assert (outputs.endpoint_name, outputs.model_name) == (ENDPOINT, MODEL)
    assert outputs.payload_table == "main.monitoring.rag_inference_payload"
    assert outputs.smoke_result.answered_by == {"rag_chatbot-1": "ok"}
    assert set(outputs.alert_ids) == {"availability", "latency", "tokens"}
    client = rag.server.client()
    assert str(client.model_versions.get_by_alias(MODEL, "staging").version) == outputs.resolved_version == "1"
    query = client.queries.get(rag.project.outputs()["monitoringQueryId"])
    for words in ("request_count", "avg_latency_ms", "p95_latency_ms", "error_count", "INTERVAL 7 DAYS", "date DESC"):
        assert words in (query.query_text or "")
    dashboard = client.lakeview.get(rag.project.outputs()["monitoringDashboardId"])
    (dataset,) = json.loads(dashboard.serialized_dashboard or "")["datasets"]
    assert "".join(dataset["queryLines"]) == query.query_text
    assert client.lakeview.get_published(dashboard.dashboard_id or "").warehouse_id == "local"
    shown = {
        one.group_name: {level.permission_level.value for level in one.all_permissions or [] if level.permission_level}
        for one in client.permissions.get("dashboards", dashboard.dashboard_id or "").access_control_list or []
        if one.group_name
    }
    assert shown["grp-ml-owners"] == {"CAN_MANAGE"}
    assert "grp-apps" not in shown


def test_the_chatbot_is_logged_as_the_document_says(rag: Rag, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in credentials(rag.server).items():
        monkeypatch.setenv(name, value)
    # Without it MLflow makes a store in the folder that the tests run in.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")
    registry = MlflowClient("databricks", "databricks-uc")
    version = registry.get_model_version(MODEL, "1")
    assert version.tags["team"] == "data-science"
    assert "stage" not in version.tags  # where a version is in its life is said by aliases alone
    assert date.fromisoformat(version.tags["training_date"]).year >= 2026
    # Code that was copied without its history has no commit to tell. HEAD may have moved on since the pipeline ran.
    has_history = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, check=False)
    if has_history.returncode == 0:
        subprocess.run(["git", "cat-file", "-e", f"{version.tags['git_commit']}^{{commit}}"], cwd=PROJECT, check=True)
    run = registry.get_run(str(version.run_id))
    assert run.data.metrics["retrieval_questions"] >= 20
    assert float(version.tags["retrieval_hit_rate"]) == pytest.approx(run.data.metrics["retrieval_hit_rate"], abs=1e-6)
    assert run.data.metrics["retrieval_hit_rate"] > 0.9
    assert run.info.run_name == "rag_chatbot_v1"
    assert {"embedding_model", "llm_endpoint", "chunk_size", "top_k"} <= set(run.data.params)
    assert (run.data.params["chunk_size"], run.data.params["top_k"]) == ("500", "5")

    copy = mlflow.artifacts.download_artifacts(
        f"models:/{MODEL}/1", tracking_uri="databricks", registry_uri="databricks-uc", dst_path=str(tmp_path)
    )
    folder = Path(copy)
    logged = Model.load(folder)
    assert logged.signature is not None
    assert [(column.name, str(column.type)) for column in logged.signature.inputs] == [("query", "DataType.string")]
    assert {column.name for column in logged.signature.outputs} == {"answer", "sources"}
    example = json.loads((folder / "input_example.json").read_text())
    assert example == {"columns": ["query"], "data": [["What is Unity Catalog?"]]}
    requirements = (folder / "requirements.txt").read_text().split()
    assert requirements
    assert all("==" in one for one in requirements)
    assert "class RAGPyfuncModel" in (folder / "rag_model.py").read_text()


def test_a_report_is_made_of_the_deployed_stack(
    rag: Rag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in rag.project.environment().items():
        monkeypatch.setenv(name, value)
    project = ["--project", str(rag.project.folder), "--stack", "local"]
    assert report([*project, "--out", str(tmp_path / "report")]) == 0, capsys.readouterr().err
    page = (tmp_path / "report" / "report.html").read_text()
    assert f"Report of {ENDPOINT}" in page
    assert (tmp_path / "report" / "requests.png").is_file()
    for words in ("the stack has no monitor", "availability", "tokens", "Where aliases have been", "staging"):
        assert words in page
    assert rag.server.token not in page


def test_the_token_is_a_secret_for_the_model_and_nowhere_else(rag: Rag) -> None:
    client = rag.server.client()
    config = client.serving_endpoints.get(ENDPOINT).config
    assert config is not None
    assert config.served_entities is not None
    variables = config.served_entities[0].environment_vars or {}
    assert variables["DATABRICKS_TOKEN"] == "{{secrets/rag-serving-local/token}}"
    assert rag.server.token not in json.dumps(rag.project.resources())
    acls = {acl.principal: acl.permission for acl in client.secrets.list_acls("rag-serving-local")}
    assert acls["sp-serving"].value == "READ"


def test_pipeline_and_up_do_nothing_the_second_time(rag: Rag) -> None:
    assert "up to date" in prepare(rag.server)
    with only_reads(rag.server):
        outcome = rag.project.up()
    assert outcome.ok, outcome
    assert outcome.operations() == []


def test_one_call_deploys_a_version_and_says_what_became_of_it(rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in rag.project.environment().items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    result = deploy_rag_model(MODEL, 1, ENDPOINT, "Small", folder=rag.project.folder, stack="local", tell=said.append)
    assert json.loads(result.document()) == {
        "endpoint_name": ENDPOINT,
        "action": "updated",
        "status": "success",
        "model_version": 1,
    }
    before = (rag.project.folder / "Pulumi.local.yaml").read_bytes()
    failed = deploy_rag_model(MODEL, 77, ENDPOINT, "Small", folder=rag.project.folder, stack="local", tell=said.append)
    assert failed.status == "failed"
    assert "has no version 77" in "\n".join(said)
    assert (rag.project.folder / "Pulumi.local.yaml").read_bytes() == before


def test_another_size_is_an_update_of_one_resource_and_destroy_leaves_the_model(rag: Rag) -> None:
    rag.change(workloadSize="Medium")
    with only_reads(rag.server):
        planned = rag.project.preview()
    assert planned.operations() == [("update", SERVING)], planned
    outcome = rag.project.up()
    assert outcome.ok, outcome
    assert outcome.operations() == [("update", SERVING)]
    client = rag.server.client()
    config = client.serving_endpoints.get(ENDPOINT).config
    assert config is not None
    assert config.served_entities is not None
    assert config.served_entities[0].workload_size == "Medium"

    gone = rag.project.destroy()
    assert gone.ok, gone
    assert rag.project.resources() == [] or {one["type"] for one in rag.project.resources()} <= {"pulumi:pulumi:Stack"}
    assert [endpoint.name for endpoint in client.serving_endpoints.list()] == []
    assert [scope.name for scope in client.secrets.list_scopes()] == []
    assert list(client.lakeview.list()) == []
    assert str(client.model_versions.get(MODEL, 1).version) == "1"
    with pytest.raises(NotFound):
        client.model_versions.get_by_alias(MODEL, "staging")


def test_the_index_may_be_the_stacks_own_and_is_up_before_the_chatbot(rag: Rag) -> None:
    """The table of passages is the pipeline's (`--no-index`); endpoint, index and who may ask it are the stack's."""
    gone = rag.project.destroy()
    assert gone.ok, gone
    client = rag.server.client()
    for index in client.vector_search_indexes.list_indexes(SEARCH):
        client.vector_search_indexes.delete_index(index.name or "")
    client.vector_search_endpoints.delete_endpoint(SEARCH)
    numbers = Warehouse(client, "main", "ml_models").rows("SELECT DISTINCT size(embedding) FROM rag_chunks")[0][0]
    rag.change_retrieval(managedIndex={"sourceTable": "main.ml_models.rag_chunks", "dimension": int(numbers or 0)})

    made = rag.project.up()
    assert made.ok, made
    assert set(made.operations()) >= INDEX
    assert "delta-lake.md" in rag.ask("What are the key features of Delta Lake?")["sources"]
    assert "up to date" in prepare(rag.server, "--no-index")
    again = rag.project.up()
    assert again.ok, again
    assert again.operations() == []
