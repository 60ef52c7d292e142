"""Which Databricks plugin is used, with an engine that only pretends to install one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.toolchain.conftest import executable
from toolchain import provider_plugin
from toolchain.layout import Layout
from toolchain.provider_plugin import ensure_plugin, required_version
from toolchain.report import ToolchainError

NAME = "resource-databricks-v1.118.0"


@pytest.fixture
def clone(bare_clone: Layout) -> Layout:
    package = bare_clone.environment / "lib" / "python3.11" / "site-packages" / "pulumi_databricks"
    package.mkdir(parents=True)
    content = {"resource": True, "name": "databricks", "version": "1.118.0"}
    (package / "pulumi-plugin.json").write_text(json.dumps(content))
    return bare_clone


def ensure(clone: Layout, engine: Path, home: Path) -> str:
    environ = {"PATH": "/usr/bin:/bin", "PULUMI_HOME": str(clone.pulumi_home)}
    return ensure_plugin(clone, engine, environ, {"HOME": str(home)})


def installed(clone: Layout) -> Path:
    return clone.pulumi_home / "plugins" / NAME


def test_the_official_plugin_is_used_where_it_can_be_installed(clone: Layout, tmp_path: Path) -> None:
    script = f'mkdir -p "$PULUMI_HOME/plugins/{NAME}"; echo "$@" > "$PULUMI_HOME/plugins/{NAME}/asked"'
    reason = ensure(clone, executable(tmp_path / "pulumi", script), tmp_path)
    assert reason == "databricks plugin: the official 1.118.0, downloaded"
    assert (installed(clone) / "asked").read_text() == "plugin install resource databricks v1.118.0\n"


def test_the_stand_in_is_used_where_it_cannot_and_the_reason_is_said_and_remembered(
    clone: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = tmp_path / "calls"
    leave_half = (
        f'echo called >> {calls}; mkdir -p "$PULUMI_HOME/plugins/{NAME}"; touch "$PULUMI_HOME/plugins/{NAME}.partial"'
    )
    engine = executable(tmp_path / "pulumi", f'{leave_half}; echo "error: no route to host" >&2; exit 255')
    reason = ensure(clone, engine, tmp_path)
    assert "the stand-in of this project for 1.118.0" in reason
    assert "no route to host" in reason
    assert reason in capsys.readouterr().err
    assert {file.name for file in installed(clone).iterdir()} == {"PulumiPlugin.yaml", "__main__.py"}
    assert not installed(clone).with_name(f"{NAME}.partial").exists()

    assert ensure(clone, engine, tmp_path) == reason
    assert calls.read_text() == "called\n"
    assert capsys.readouterr().err == ""


def test_a_network_that_swallows_everything_does_not_hold_up_the_user(
    clone: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_plugin, "INSTALL_SECONDS", 0.2)
    reason = ensure(clone, executable(tmp_path / "pulumi", "exec sleep 600"), tmp_path)
    assert "no answer within" in reason
    assert installed(clone).is_dir()


def test_the_plugin_of_the_users_own_pulumi_is_used_without_asking_the_network(clone: Layout, tmp_path: Path) -> None:
    own = executable(tmp_path / ".pulumi" / "plugins" / NAME / "pulumi-resource-databricks", "echo 1234")
    reason = ensure(clone, executable(tmp_path / "pulumi", "exit 1"), tmp_path)
    assert reason == f"databricks plugin: the official 1.118.0 that is installed in {own.parent}"
    assert not installed(clone).is_symlink()
    assert os.path.samefile(installed(clone) / "pulumi-resource-databricks", own)


def test_another_version_wanted_means_another_plugin(clone: Layout, tmp_path: Path) -> None:
    engine = executable(tmp_path / "pulumi", "exit 1")
    ensure(clone, engine, tmp_path)
    file = next(clone.environment.glob("lib/*/site-packages/pulumi_databricks/pulumi-plugin.json"))
    file.write_text(json.dumps({"resource": True, "name": "databricks", "version": "v1.119.0"}))
    ensure(clone, engine, tmp_path)
    assert (clone.pulumi_home / "plugins" / "resource-databricks-v1.119.0" / "__main__.py").is_file()


def test_an_environment_without_the_package_is_an_error_with_the_remedy(bare_clone: Layout) -> None:
    with pytest.raises(ToolchainError, match="make clean"):
        required_version(bare_clone)


def test_the_stand_in_finds_this_project_from_where_it_is_installed(clone: Layout, tmp_path: Path) -> None:
    ensure(clone, executable(tmp_path / "pulumi", "exit 1"), tmp_path)
    manifest = (installed(clone) / "PulumiPlugin.yaml").read_text()
    assert (installed(clone) / manifest.split("virtualenv: ")[1].strip()).resolve() == clone.environment
    program = installed(clone) / "__main__.py"
    assert program.resolve().parents[4] == clone.root
    assert "parents[4]" in program.read_text()
