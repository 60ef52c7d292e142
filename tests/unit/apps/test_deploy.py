"""What the deploying calls accept, what they write into a stack file, and the documents that they answer with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.deploy import (
    DeployError,
    ModelUri,
    ModelUriError,
    RagResult,
    create_online_tables,
    deploy,
    deploy_rag_model,
    deploy_with_online_tables,
)
from apps.deploy import rag as rag_module
from apps.deploy.__main__ import DONE, FAILED, REFUSED, main
from apps.deploy.project import ROOT, DeployProject
from apps.deploy.rag import PROJECT

MODEL = "main.ml_models.rag_chatbot"
FARES = "p03.e2e_demo_simon.taxi_fare_regressor"
OUTPUTS = {"endpointUrl": "http://127.0.0.1:9/serving-endpoints/rag-chatbot-production/invocations"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "p03.e2e_demo_simon.taxi_fare_regressor/15",
            ModelUri("p03.e2e_demo_simon.taxi_fare_regressor", version="15"),
        ),
        ("models:/a.b.c/1", ModelUri("a.b.c", version="1")),
        ("models:/a.b.c@champion", ModelUri("a.b.c", alias="champion")),
        ("a.b.c@champion", ModelUri("a.b.c", alias="champion")),
        ("a.b.c/007", ModelUri("a.b.c", version="7")),
    ],
)
def test_every_form_of_a_model_uri_is_read(text: str, expected: ModelUri) -> None:
    assert ModelUri.parse(text) == expected
    # One way to write it: with the scheme, and the version without leading zeros.
    shown = f"models:/{expected.model}" + (f"/{expected.version}" if expected.version else f"@{expected.alias}")
    assert str(expected) == shown
    assert ModelUri.parse(shown) == expected


@pytest.mark.parametrize(
    "text",
    ["models:/your_model/1", "a.b/1", "a.b.c", "a.b.c/", "a.b.c/v1", "a.b.c/1@champion", "runs:/1/m", "a.b.c.d/1", ""],
)
def test_any_other_text_is_refused_with_the_forms_that_are_right(text: str) -> None:
    with pytest.raises(ModelUriError, match=r"catalog\.schema\.model/15"):
        ModelUri.parse(text)


def test_the_result_document_has_exactly_its_four_fields() -> None:
    assert RagResult("rag-chatbot-production", "created", "success", 3).document() == (
        '{"endpoint_name":"rag-chatbot-production","action":"created","status":"success","model_version":3}'
    )


class Engine:
    """Stands in for the Automation API and the workspace; the stack file is a real one."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, folder: Path, project: Path = PROJECT, name: str = "rag-serving"
    ) -> None:
        self.folder = folder
        self._key = f"{name}:serving"
        self.exists = False
        self.outputs: Mapping[str, Any] | None = OUTPUTS
        self.answers = True
        self.served: list[Mapping[str, Any]] = []
        self._stack = ""
        for file in ("Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.prod.yaml"):
            shutil.copy2(project / file, folder / file)

        def opened(project: DeployProject) -> Engine:
            self._stack = project.stack
            return self

        def up(project: DeployProject, _tell: Callable[[str], None]) -> Mapping[str, Any] | None:
            self.served.append(self.settings(project.stack))
            return self.outputs

        monkeypatch.setattr(DeployProject, "endpoint_exists", lambda _: self.exists)
        monkeypatch.setattr(DeployProject, "opened", opened)
        monkeypatch.setattr(DeployProject, "up", up)
        monkeypatch.setattr(rag_module, "_answers", lambda *_: self.answers)

    def settings(self, stack: str) -> Any:
        return yaml.safe_load((self.folder / f"Pulumi.{stack}.yaml").read_text())["config"][self._key]

    def set_config(self, key: str, value: Any, *, path: bool) -> None:
        assert path
        file = self.folder / f"Pulumi.{self._stack}.yaml"
        content = yaml.safe_load(file.read_text())
        place = content["config"][self._key]
        *steps, last = key.removeprefix(f"{self._key}.").replace("[0]", ".0").split(".")
        for step in steps:
            place = place[int(step) if step.isdigit() else step]
        place[last] = value.value
        file.write_text(yaml.safe_dump(content))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    return Engine(monkeypatch, tmp_path)


def test_the_version_and_the_size_go_into_the_file_of_the_endpoints_stack(engine: Engine) -> None:
    result = deploy_rag_model(MODEL, 4, "rag-chatbot-production", folder=engine.folder)
    assert json.loads(result.document()) == {
        "endpoint_name": "rag-chatbot-production",
        "action": "created",
        "status": "success",
        "model_version": 4,
    }
    (settings,) = engine.served
    assert settings["model"]["aliases"] == {"staging": "observed", "production": "4"}
    assert settings["endpoint"]["entities"] == [{"alias": "production", "traffic": 100, "workloadSize": "Medium"}]
    assert engine.settings("staging")["endpoint"]["entities"][0]["workloadSize"] == "Small"


def test_an_endpoint_that_is_there_is_updated_and_a_bad_answer_is_a_failure(engine: Engine) -> None:
    engine.exists, engine.answers = True, False
    result = deploy_rag_model(MODEL, 4, "rag-chatbot-production", "Large", folder=engine.folder)
    assert (result.action, result.status) == ("updated", "failed")
    # The version is what runs, so the file says so.
    assert engine.settings("prod")["model"]["aliases"]["production"] == "4"


def test_a_failed_update_leaves_the_stack_file_as_it_was(engine: Engine) -> None:
    before = (engine.folder / "Pulumi.prod.yaml").read_bytes()
    engine.outputs = None
    result = deploy_rag_model(MODEL, 4, "rag-chatbot-production", folder=engine.folder)
    assert result.status == "failed"
    assert engine.served[0]["model"]["aliases"]["production"] == "4"
    assert (engine.folder / "Pulumi.prod.yaml").read_bytes() == before


def test_what_does_not_fit_is_refused_before_anything_is_written(engine: Engine) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"workload_size": "Huge"}, "workload_size is 'Huge'; use Small, Medium, Large"),
        ({"model_version": 0}, "model_version is 0"),
        ({"endpoint_name": "elsewhere"}, "stands in none of the stack files"),
        ({"stack": "staging"}, "serves rag-chatbot-endpoint, not rag-chatbot-production"),
    ]
    for arguments, message in refused:
        given = {"model_name": MODEL, "model_version": 4, "endpoint_name": "rag-chatbot-production", **arguments}
        with pytest.raises(DeployError, match=message):
            deploy_rag_model(**given, folder=engine.folder)
    with pytest.raises(ModelUriError):
        deploy_rag_model("rag_chatbot", 4, "rag-chatbot-production", folder=engine.folder)
    assert engine.served == []


def test_the_command_prints_the_document_alone_and_ends_with_its_code(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["rag", "--model-name", MODEL, "--model-version", "4", "--folder", str(engine.folder)]
    assert main([*command, "--endpoint-name", "rag-chatbot-production"]) == DONE
    assert json.loads(capsys.readouterr().out)["status"] == "success"
    engine.outputs = None
    assert main([*command, "--endpoint-name", "rag-chatbot-production"]) == FAILED
    assert json.loads(capsys.readouterr().out)["status"] == "failed"
    assert main([*command, "--endpoint-name", "elsewhere"]) == REFUSED
    said = capsys.readouterr()
    assert (said.out, "elsewhere" in said.err) == ("", True)


def test_environments_are_staging_and_prod(tmp_path: Path) -> None:
    for call in (lambda: deploy_with_online_tables("a.b.c/1", "dev"), lambda: create_online_tables("dev")):
        with pytest.raises(DeployError, match="env is 'dev'; use staging or prod"):
            call()


def test_the_older_name_says_that_it_is_deprecated_and_how_to_opt_out() -> None:
    said: list[str] = []
    with pytest.deprecated_call(match="deploy_with_online_tables"), pytest.raises(DeployError):
        deploy("models:/a.b.c/1", "dev", tell=said.append)
    assert "makes online tables now, which cost money" in said[0]
    assert "--no-online-tables" in said[0]


def test_the_older_name_deploys_what_the_newer_one_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = Engine(monkeypatch, tmp_path, ROOT, "taxi-serving")
    engine.outputs = {
        "onlineTableStates": {"p03.e2e_demo_simon.trip_pickup_features_online": "ONLINE_NO_PENDING_UPDATE"},
        "smokeResult": {"status": "passed", "queriesSent": 2.0},
    }
    said: list[str] = []
    newer = deploy_with_online_tables(f"{FARES}/16", "staging", folder=tmp_path, tell=said.append)
    told = list(said)
    said.clear()
    with pytest.deprecated_call():
        older = deploy(f"models:/{FARES}/16", "staging", folder=tmp_path, tell=said.append)
    assert older == newer
    assert (older.status, older.endpoint_name, older.model_version) == ("success", "taxi-fare-regressor-staging", "16")
    assert said[1:] == told
    assert "online table p03.e2e_demo_simon.trip_pickup_features_online: ONLINE_NO_PENDING_UPDATE" in told
    assert "validation: passed, 2 queries" in told
    assert [one["model"]["aliases"] for one in engine.served] == [{"champion": "16"}] * 2
