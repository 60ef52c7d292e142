"""However a deployment ends, the stack file says what was deployed, and the exit code says what became of it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi import automation

from apps.deploy.__main__ import FAILED, INTERRUPTED, REFUSED, main
from apps.deploy.project import ROOT, DeployError, DeployProject
from apps.deploy.rag import PROJECT, deploy_rag_model
from apps.deploy.signals import finishing


class Stack:
    """A stack of the Automation API whose `up` ends as it is told; it writes settings the way the engine does."""

    def __init__(self, file: Path, ends: Callable[[], Any]) -> None:
        self.file, self.ends, self.ups = file, ends, 0

    def set_config(self, key: str, value: Any, *, path: bool) -> None:
        assert path
        self.file.write_text(f"{self.file.read_text()}# {key}: {value.value}\n")

    def up(self, **_: Any) -> Any:
        self.ups += 1
        assert "# rag-serving:serving.model.aliases.production: 4" in self.file.read_text()
        return self.ends()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.prod.yaml"):
        shutil.copy2(PROJECT / name, tmp_path / name)
    return tmp_path


def raising(error: BaseException) -> Callable[[], Any]:
    def ends() -> Any:
        raise error

    return ends


def failed(text: str) -> automation.CommandError:
    result = automation.CommandResult(stdout="", stderr=text, code=255)
    kind = automation.ConcurrentUpdateError if "locked" in text else automation.CommandError
    return kind(result)


@pytest.mark.parametrize(
    ("ends", "raised", "is_kept"),
    [
        (lambda: SimpleNamespace(outputs={}), None, True),
        (raising(failed("a resource failed")), None, False),
        (raising(failed("the stack is currently locked by 1 lock(s)")), DeployError, False),
        (raising(KeyboardInterrupt()), KeyboardInterrupt, False),
    ],
)
def test_the_stack_file_keeps_the_version_only_where_it_was_deployed(
    ends: Callable[[], Any],
    raised: type[BaseException] | None,
    is_kept: bool,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = folder / "Pulumi.prod.yaml"
    before = file.read_bytes()
    stack = Stack(file, ends)
    monkeypatch.setattr(DeployProject, "opened", lambda _: stack)
    said: list[str] = []
    project = DeployProject.open(folder, "prod")
    if raised is None:
        assert (project.up_with("a.b.c", "4", said.append) is not None) == is_kept
    else:
        with pytest.raises(raised):
            project.up_with("a.b.c", "4", said.append)
    assert stack.ups == 1
    assert (file.read_bytes() == before) == (not is_kept)
    assert any("is as it was" in line for line in said) == (not is_kept)


@pytest.mark.parametrize("exists", [True, False])
def test_a_failed_update_of_an_endpoint_that_somebody_else_made_names_the_way(
    exists: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack(folder / "Pulumi.prod.yaml", raising(failed("the endpoint exists already")))
    monkeypatch.setattr(DeployProject, "opened", lambda _: stack)
    monkeypatch.setattr(DeployProject, "endpoint_exists", lambda _: exists)
    said: list[str] = []
    result = deploy_rag_model("a.b.c", 4, "rag-chatbot-production", folder=folder, tell=said.append)
    assert (result.action, result.status) == ("updated" if exists else "created", "failed")
    assert any("docs/adoption.md" in line for line in said) == exists


def test_a_file_that_was_written_by_half_is_put_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "Pulumi.prod.yaml"
    before = file.read_bytes()
    stack = Stack(file, raising(AssertionError("nothing is to be brought up")))
    write = stack.set_config

    def half(key: str, value: Any, *, path: bool) -> None:
        if key.endswith("production"):
            raise failed("no such path")
        write(key, value, path=path)

    monkeypatch.setattr(stack, "set_config", half)
    monkeypatch.setattr(DeployProject, "opened", lambda _: stack)
    with pytest.raises(DeployError, match="cannot be written: "):
        DeployProject.open(folder, "prod").up_with("a.b.c", "4", lambda _: None)
    assert file.read_bytes() == before


def test_online_tables_that_failed_were_tried_and_an_interrupt_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for outcome, code in ((failed("x"), FAILED), (failed("locked"), REFUSED), (KeyboardInterrupt(), INTERRUPTED)):
        stack = SimpleNamespace(up=lambda outcome=outcome, **_: raising(outcome)())
        monkeypatch.setattr(DeployProject, "opened", lambda _, stack=stack: stack)
        assert main(["create-online-tables", "--env", "staging", "--folder", str(ROOT)]) == code
        said = capsys.readouterr()
        assert (said.out, said.err.startswith("Traceback")) == ("", False)


def test_stack_files_of_another_make_do_not_hide_the_endpoints_own(folder: Path) -> None:
    (folder / "Pulumi.dev.yaml").write_text("config:\n")
    (folder / "Pulumi.eu.west.yaml").write_text((folder / "Pulumi.prod.yaml").read_text().replace("-production", "-eu"))
    assert DeployProject.with_endpoint(folder, "rag-chatbot-production").stack == "prod"
    assert DeployProject.with_endpoint(folder, "rag-chatbot-eu").stack == "eu.west"
    with pytest.raises(DeployError, match=r"Pulumi\.dev\.yaml has no rag-serving:serving"):
        DeployProject.open(folder, "dev")


def test_the_first_signal_waits_for_the_engine_and_the_second_does_not() -> None:
    said: list[str] = []
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt), finishing(said.append):  # noqa: PT012 - the second one ends the block
        os.kill(os.getpid(), signal.SIGINT)
        assert said == ["SIGINT: waiting until the engine has ended what it has begun; a second signal does not wait"]
        os.kill(os.getpid(), signal.SIGINT)
    with finishing(said.append):
        os.kill(os.getpid(), signal.SIGTERM)
    assert said[-1].startswith("SIGTERM: waiting")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
