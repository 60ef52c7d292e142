"""Which version going back means, and that a file is only left changed when it worked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.deploy import DeployError, roll_back
from apps.deploy.__main__ import DONE, FAILED, REFUSED, main
from apps.deploy.project import ROOT, DeployProject

KEY = "taxi-serving:serving"


class Stack:
    """Stands in for the Automation API; the stack file is a real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.folder, self.works = folder, True
        self.exported: Mapping[str, Any] = {}
        self.served: list[str] = []
        for name in ("Pulumi.yaml", "Pulumi.prod.yaml"):
            shutil.copy2(ROOT / name, folder / name)

        def up(_project: DeployProject, _tell: Callable[[str], None]) -> Mapping[str, Any] | None:
            self.served.append(self.version())
            return {} if self.works else None

        monkeypatch.setattr(DeployProject, "opened", lambda _: self)
        monkeypatch.setattr(DeployProject, "outputs", lambda _: self.exported)
        monkeypatch.setattr(DeployProject, "up", up)

    def version(self) -> str:
        content = yaml.safe_load((self.folder / "Pulumi.prod.yaml").read_text())
        return str(content["config"][KEY]["model"]["aliases"]["champion"])

    def set_config(self, key: str, value: Any, *, path: bool) -> None:
        assert path
        file = self.folder / "Pulumi.prod.yaml"
        content = yaml.safe_load(file.read_text())
        *steps, last = key.removeprefix(f"{KEY}.").split(".")
        place = content["config"][KEY]
        for step in steps:
            place = place[step]
        place[last] = value.value
        file.write_text(yaml.safe_dump(content))


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stack:
    return Stack(monkeypatch, tmp_path)


def test_the_version_before_is_that_of_the_release_where_there_was_one_else_that_of_the_alias(stack: Stack) -> None:
    stack.exported = {"resolvedVersion": "15", "previousVersions": {"champion": "14"}}
    assert roll_back("prod", folder=stack.folder).model_version == "14"
    stack.exported = {**stack.exported, "release": {"previousVersion": "13"}}
    assert roll_back("prod", folder=stack.folder).model_version == "13"
    assert stack.served == ["14", "13"]
    assert stack.version() == "13"


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"resolvedVersion": "15", "previousVersions": {"champion": ""}},
        {"resolvedVersion": "15", "previousVersions": {"champion": "15"}},
    ],
)
def test_a_stack_that_ran_no_other_version_is_left_alone(stack: Stack, outputs: Mapping[str, Any]) -> None:
    stack.exported = outputs
    with pytest.raises(DeployError, match="knows no version before"):
        roll_back("prod", folder=stack.folder)
    assert (stack.served, stack.version()) == ([], "15")


def test_the_command_says_what_became_of_it_and_a_failure_leaves_the_file_as_it_was(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["rollback", "--stack", "prod", "--folder", str(stack.folder)]
    assert main(command) == REFUSED
    stack.exported = {"resolvedVersion": "15", "previousVersions": {"champion": "14"}}
    stack.works = False
    assert main(command) == FAILED
    assert stack.version() == "15"
    stack.works = True
    assert main(command) == DONE
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer == {
        "status": "success",
        "endpoint_name": "taxi-fare-regressor-prod",
        "alias": "champion",
        "left_version": "15",
        "model_version": "14",
    }
