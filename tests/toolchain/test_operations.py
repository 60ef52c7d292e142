"""`make verify`, `status` and `doctor` run the command on the stack that was named, and end as it ends."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolchain import operations
from toolchain.layout import project_layout
from toolchain.report import Steps
from toolchain.shell import Variables
from toolchain.stacks import CommandFailed, Request


@pytest.fixture
def brought_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whether engine and workspace were asked for."""
    asked: list[str] = []

    def shell_variables(request: Request, *_: Any) -> tuple[Path, Variables]:
        asked.append(request.stack)
        return Path("pulumi"), Variables({"DATABRICKS_HOST": "http://127.0.0.1:1"})

    monkeypatch.setattr(operations, "shell_variables", shell_variables)
    return asked


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    commands: list[Any] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        commands.append((command, options["env"]))
        return subprocess.CompletedProcess(command, 3 if "doctor" in command else 0)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


@pytest.mark.parametrize("command", ["verify", "status"])
def test_a_command_gets_the_projects_folder_the_stack_and_the_stacks_shell(
    command: str, brought_up: list[str], ran: list[Any]
) -> None:
    layout = project_layout()
    operations.operate(command, Request(layout, project="churn"), Steps())
    ((words, environ),) = ran
    assert words[1:] == [
        "-m",
        "apps.ops",
        command,
        "--project",
        str(layout.root / "examples" / "churn"),
        "--stack",
        "local",
    ]
    assert environ["DATABRICKS_HOST"] == "http://127.0.0.1:1"
    assert brought_up == ["local"]


def test_a_doctor_makes_no_engine_where_there_is_none_and_its_exit_code_is_ours(
    tmp_path: Path, brought_up: list[str], ran: list[Any]
) -> None:
    layout = replace(project_layout(), root=tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: taxi-serving\nruntime: python\n")
    with pytest.raises(CommandFailed) as failed:
        operations.operate("doctor", Request(layout, stack="staging"), Steps())
    assert failed.value.exit_code == 3
    assert brought_up == []
    assert ran[0][0][-2:] == ["--stack", "staging"]
