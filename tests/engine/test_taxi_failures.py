"""A deployment that fails leaves alias and service as they were, one `up` mends it, and no secret shows anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from databricks.sdk import WorkspaceClient

from tests.engine.test_taxi_stack import RECORD
from tests.support.models import create_version, finalize, upload
from tests.support.taxi import ENDPOINT, MODEL, Taxi

PLANTED = "planted-secret-7f3a9c"
INPUTS = [{"type": "double", "name": "trip_distance", "required": True}]
BROKEN = {
    "MLmodel": yaml.safe_dump(
        {
            "flavors": {"python_function": {"loader_module": "tests.nothing"}},
            "signature": {"inputs": json.dumps(INPUTS), "outputs": json.dumps([{"type": "double", "required": True}])},
        }
    ),
    "requirements.txt": "mlflow\n",
}


def broken_version(client: WorkspaceClient) -> int:
    """A READY version whose code is in a module that does not exist: its files alone do not show that."""
    version = create_version(client, MODEL)
    upload(client, MODEL, version, BROKEN)
    assert finalize(client, MODEL, version)["status"] == "READY"
    return version


def test_a_model_that_raises_on_load_fails_the_up_while_the_old_version_answers(running: Taxi) -> None:
    client = running.server.client()
    before = running.ask({"dataframe_records": [RECORD]})
    broken = broken_version(client)
    running.change(lambda serving: serving["model"].update(featureLookup=False))

    failed = running.project.up()
    assert failed.exit_code != 0
    assert "No module named 'tests'" in failed.text, failed.errors()
    assert f"taxi_fare_regressor-{broken}" in failed.text, failed
    assert running.alias() == "1"
    assert running.ask({"dataframe_records": [RECORD]}) == before

    running.change(lambda serving: serving["model"]["aliases"].update(champion="1"))
    corrected = running.project.up()
    assert corrected.ok, corrected
    assert running.alias() == "1"
    endpoint = client.serving_endpoints.get(ENDPOINT)
    assert endpoint.config is not None
    assert [entity.entity_version for entity in endpoint.config.served_entities or []] == ["1"]
    again = running.project.up()
    assert again.operations() == [], again


def test_a_first_deployment_that_cannot_load_leaves_no_endpoint_and_no_alias(fresh: Taxi) -> None:
    client = fresh.server.client()
    broken_version(client)
    fresh.change(lambda serving: serving["model"].update(featureLookup=False))

    failed = fresh.project.up()
    assert failed.exit_code != 0
    assert "No module named 'tests'" in failed.text, failed.errors()
    assert client.registered_models.get(MODEL, include_aliases=True).aliases in (None, [])

    fresh.change(lambda serving: serving["model"]["aliases"].update(champion="1"))
    corrected = fresh.project.up()
    assert corrected.ok, corrected
    assert fresh.alias() == "1"


def test_the_token_and_a_planted_secret_are_in_no_output_no_state_and_no_log(running: Taxi) -> None:
    """The secret stands in the stack's own configuration, as a Pulumi secret, and in the environment."""
    running.project.must("config", "set", "--secret", "taxi-serving:planted", PLANTED, "--stack", "local")
    running.project.environ = {**running.project.environ, "PLANTED_PASSWORD": PLANTED, "DATABRICKS_DEBUG_HEADERS": "1"}
    outcomes = [running.project.up(), running.project.preview("--diff"), running.project.refresh()]
    outputs = running.project.must("stack", "output", "--stack", running.project.stack, "--json")
    token = running.server.token
    for outcome in [*outcomes, outputs]:
        assert token not in outcome.text, outcome.command
        assert PLANTED not in outcome.text, outcome.command
    assert files_that_hold(running.project.folder, token) == []
    assert files_that_hold(running.project.folder, PLANTED) == []
    assert files_that_hold(running.server.state, token) == ["token"]


def files_that_hold(folder: Path, secret: str) -> list[str]:
    """Every file below a folder with the text in it."""
    return [
        str(file.relative_to(folder))
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.is_symlink() and secret.encode() in file.read_bytes()
    ]
