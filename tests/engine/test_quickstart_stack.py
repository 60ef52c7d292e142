"""The quickstart stack, whole: an alias past its gate, and a table scored on Spark in the model's own environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from databricks.sdk.service.jobs import RunResultState
from mlflow import MlflowClient

from components.config.errors import parse_stack_config
from examples.quickstart.config import QuickstartConfig
from pipelines.sql import Warehouse
from tests.support.engine import EngineProject
from tests.support.example import PROJECT, credentials, new_project, run_pipeline
from tests.support.job_runs import SPARK_SECONDS, task_results, waited
from tests.support.reads import only_reads
from tests.support.server import WorkspaceServer

SCHEMA = "main.churn_quickstart"
MODEL = f"{SCHEMA}.mlops_churn"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[EngineProject, WorkspaceServer]]:
    server = WorkspaceServer(tmp_path / "workspace")
    server.start()
    run_pipeline("quickstart", server, "--catalog", "main", "--schema", "churn_quickstart")
    for name, value in credentials(server).items():
        monkeypatch.setenv(name, value)
    yield new_project("quickstart", server, tmp_path / "project"), server
    server.kill()


def test_the_table_is_scored_by_the_champion_in_the_models_own_environment(
    stack: tuple[EngineProject, WorkspaceServer],
) -> None:
    project, server = stack
    client = server.client()
    with only_reads(server):
        planned = project.preview()
    assert planned.ok, planned
    registry = MlflowClient("databricks", "databricks-uc")
    registry.set_model_version_tag(MODEL, "1", "validation", "failed")
    refused = project.up()
    assert not refused.ok
    assert "tag validation" in refused.text, refused
    registry.set_model_version_tag(MODEL, "1", "validation", "passed")
    made = project.up()
    assert made.ok, made
    with only_reads(server):
        again = project.up()
    assert again.operations() == [], again
    outputs = project.outputs()
    # Evidence is what the policy of production asks of an alias.
    (moved,) = [one for one in project.resources() if one["type"].endswith(":ModelAlias")]
    assert moved["outputs"]["evidence"].startswith("sha256:")
    assert outputs["modelUri"] == f"models:/{MODEL}@champion"
    assert outputs["consumers"] == {"batch": {"alias": "champion", "version": "1"}}
    assert client.model_versions.get_by_alias(MODEL, "champion").version == 1

    job = int(outputs["jobIds"]["batch"])
    settings = client.jobs.get(job).settings
    assert settings is not None
    assert {one.name: one.default for one in settings.parameters or []}["model_uri"] == outputs["modelUri"]
    run = waited(client, client.jobs.run_now(job).bind()["run_id"], SPARK_SECONDS)
    found = client.jobs.get_run_output((run.tasks or [])[0].run_id or 0)
    assert task_results(run) == {"Batch_scoring": RunResultState.SUCCESS}, (found.error, found.error_trace)

    sql = Warehouse(client, "local", "main", "churn_quickstart")
    scored = sql.run(
        "SELECT count(*) AS rows, count(DISTINCT p.customer_id) AS customers, count(p.predictions) AS predictions, "
        "avg(CASE WHEN p.predictions = l.churn THEN 1.0 ELSE 0.0 END) AS accuracy, min(p.model_version) AS version "
        "FROM mlops_churn_predictions AS p JOIN advanced_churn_label_table AS l ON l.customer_id = p.customer_id"
    ).only_row()
    asked = sql.run("SELECT count(*) AS rows FROM mlops_churn_inference").only_row()["rows"]
    assert (scored["rows"], scored["customers"], scored["predictions"], scored["version"]) == (asked, asked, asked, 1)
    # Those are the customers that training judged the version on: Spark says of them what scikit-learn said.
    tags = registry.get_model_version(MODEL, "1").tags
    assert float(str(scored["accuracy"])) == pytest.approx(float(tags["accuracy"]), abs=1e-6)
    assert tags["validation"] == tags["validation_business"] == "passed"

    gone = project.destroy()
    assert gone.ok, gone
    assert list(client.jobs.list()) == []


@pytest.mark.parametrize("name", ["local", "staging", "prod"])
def test_every_stack_file_is_valid_and_says_what_the_document_says(name: str) -> None:
    content = yaml.safe_load((PROJECT / "examples" / "quickstart" / f"Pulumi.{name}.yaml").read_text())
    config = parse_stack_config(
        {"environment": name, **content["config"]["churn-quickstart:serving"]}, QuickstartConfig, where="the test"
    )
    assert config.profile == "quickstart"
    assert config.model.name == f"{config.catalog}.{config.schema_name}.mlops_churn"
    assert (config.batch.input_table, config.batch.prediction_column) == ("mlops_churn_inference", "predictions")
    assert config.model.consumers == {"batch": "champion"}


def test_the_notebook_downloads_installs_and_restarts_in_that_order_before_it_scores() -> None:
    text = (PROJECT / "pipelines" / "quickstart" / "notebooks" / "batch_inference.py").read_text()
    steps = ["/requirements.txt", "%pip install --quiet -r $requirements", "restartPython()", "score("]
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    cells = text.split("# COMMAND ----------")
    # A restart forgets everything: what comes after it imports for itself.
    restarted = next(number for number, cell in enumerate(cells) if "restartPython()" in cell)
    assert "model_uri" not in "".join(cells[restarted + 1 :])
