"""The question that a deployment ends with, what is taken for "no endpoint", and what a command line has to have."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import yaml
from databricks.sdk.errors import NotFound, PermissionDenied
from pulumi import automation

from apps.deploy import rag
from apps.deploy.__main__ import main
from apps.deploy.project import ROOT, DeployError, DeployProject

URL = "http://127.0.0.1:1/serving-endpoints/rag-chatbot-production/invocations"


class Project:
    """As much of a project as the question needs."""

    def client(self) -> Any:
        return SimpleNamespace(config=SimpleNamespace(authenticate=lambda: {"Authorization": "Bearer t"}))


@pytest.mark.parametrize(("status", "answers"), [(200, True), (404, False), (503, False)])
def test_the_question_is_the_documents_and_another_status_is_told_with_its_body(
    status: int, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def post(url: str, **options: Any) -> httpx.Response:
        asked.append({"url": url, **options})
        return httpx.Response(status, text="the body of it")

    monkeypatch.setattr(httpx, "post", post)
    said: list[str] = []
    assert rag._answers(Project(), URL, said.append) is answers  # type: ignore[arg-type]
    assert asked == [
        {
            "url": URL,
            "json": {"dataframe_records": [{"query": "Test query"}]},
            "headers": {"Authorization": "Bearer t"},
            "timeout": 60.0,
        }
    ]
    assert said == ([] if answers else [f"test query was answered {status}: the body of it"])


def test_only_not_there_means_that_there_is_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    def answering(error: Exception | None) -> Any:
        def get(_: str) -> None:
            if error is not None:
                raise error

        return SimpleNamespace(serving_endpoints=SimpleNamespace(get=get))

    project = DeployProject(Path(), "rag-serving", "prod")
    monkeypatch.setattr(DeployProject, "settings", lambda _: {"endpoint": {"name": "ep"}})
    for error, exists in ((None, True), (NotFound("no"), False)):
        monkeypatch.setattr(DeployProject, "client", lambda _, error=error: answering(error))
        assert project.endpoint_exists() is exists
    monkeypatch.setattr(DeployProject, "client", lambda _: answering(PermissionDenied("no")))
    with pytest.raises(PermissionDenied):
        project.endpoint_exists()


@pytest.mark.parametrize("missing", ["--model-name", "--model-version", "--endpoint-name"])
def test_a_call_without_model_version_or_endpoint_is_refused(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"--model-name": "a.b.c", "--model-version": "3", "--endpoint-name": "ep"}
    words = [word for option, value in given.items() if option != missing for word in (option, value)]
    with pytest.raises(SystemExit) as ended:
        main(["rag", *words])
    assert ended.value.code == 2
    assert missing in capsys.readouterr().err


COMMAND = ["rollback", "--stack", "staging"]


def test_without_an_engine_the_command_says_where_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(COMMAND) == 2
    assert "no pulumi on PATH" in capsys.readouterr().err


def test_a_stack_that_the_engine_cannot_open_ends_in_the_engines_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise automation.CommandError(cast("Any", "code: 255\nstderr: error: passphrase must be set\n"))

    monkeypatch.setattr("apps.deploy.project.shutil.which", lambda _: "pulumi")
    monkeypatch.setattr(automation, "create_or_select_stack", refuses)
    assert main(COMMAND) == 2
    assert "stack staging cannot be opened: code: 255\nstderr: error: passphrase must be set" in capsys.readouterr().err
    # What was not tried is no failed update: nothing says that words stand above.
    with pytest.raises(DeployError, match="passphrase must be set"):
        DeployProject.open(ROOT, "staging").up(lambda _: None)


def test_a_workspace_that_does_not_answer_is_given_up_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-of-nobody")
    (tmp_path / "Pulumi.yaml").write_text("name: rag-serving\n")
    settings = {"model": {"name": "a.b.c"}, "endpoint": {"name": "ep"}}
    config = {"databricks:host": "http://127.0.0.1:9", "rag-serving:serving": settings}
    (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": config}))
    with pytest.raises(DeployError, match=r"the workspace at http://127\.0\.0\.1:9 cannot be reached"):
        DeployProject.open(tmp_path, "prod").endpoint_exists()
