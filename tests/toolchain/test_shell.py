"""What `make -s env` prints can be evaluated by a plain shell, whatever the values hold."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from toolchain.engine import Engine
from toolchain.layout import Layout
from toolchain.shell import (
    OTHER_CREDENTIALS,
    Variables,
    combined,
    engine_variables,
    passphrase,
    workspace_port,
    workspace_variables,
)

HOSTILE = "a b'c\"d$HOME`touch {}/owned`\\;&|\n(x)"


def evaluated(lines: str, environ: dict[str, str]) -> dict[str, str]:
    done = subprocess.run(
        ["/bin/sh", "-euc", f'eval "$1"; exec {shlex.quote("/usr/bin/env")} -0', "sh", lines],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)


def engine(layout: Layout, route: str = "build") -> Engine:
    assert route in ("build", "path")
    if route == "build":
        return Engine(layout.bin / "pulumi", "3.259.0", "build", "")
    return Engine(Path("/usr/bin/pulumi"), "3.259.0", "path", "")


def test_values_survive_a_shell_unchanged_and_run_nothing(tmp_path: Path) -> None:
    value = HOSTILE.format(tmp_path)
    assert evaluated(Variables({"VALUE": value}).shell_lines(), {})["VALUE"] == value
    assert list(tmp_path.iterdir()) == []


def test_every_line_is_an_export_or_an_unset(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "a folder")
    variables = combined(
        engine_variables(layout, engine(layout), {"PATH": "/bin"}, "local"),
        workspace_variables("http://127.0.0.1:8650", "dapi123", {}),
    )
    for line in variables.shell_lines().splitlines():
        words = shlex.split(line)
        assert words[0] in ("export", "unset")
        assert len(words) == 2


def test_the_shell_reaches_the_embedded_workspace_and_no_other(tmp_path: Path) -> None:
    before = {"PATH": "/usr/bin:/bin", "DATABRICKS_HOST": "https://other.example", "DATABRICKS_TOKEN": "other"}
    before |= dict.fromkeys(OTHER_CREDENTIALS, "other")
    after = evaluated(workspace_variables("http://127.0.0.1:8650", "dapi123", before).shell_lines(), before)
    assert {name: value for name, value in after.items() if name.startswith(("DATABRICKS_", "ARM_", "GOOGLE_"))} == {
        "DATABRICKS_HOST": "http://127.0.0.1:8650",
        "DATABRICKS_TOKEN": "dapi123",
    }
    assert (after["MLFLOW_TRACKING_URI"], after["MLFLOW_REGISTRY_URI"]) == ("databricks", "databricks-uc")


def test_a_proxy_is_not_asked_for_the_loopback_server() -> None:
    environ = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "intranet"}
    values = workspace_variables("http://127.0.0.1:8650", "t", environ).values
    assert values["NO_PROXY"] == values["no_proxy"] == "intranet,127.0.0.1,localhost"


def test_the_users_own_engine_stays_first_and_its_language_host_is_not_hidden(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    built = engine_variables(layout, engine(layout), {"PATH": "/bin"}, "local").values["PATH"]
    found = engine_variables(layout, engine(layout, "path"), {"PATH": "/bin"}, "local").values["PATH"]
    assert built.split(os.pathsep) == [str(layout.bin), str(layout.environment / "bin"), "/bin"]
    assert found.split(os.pathsep) == [str(layout.environment / "bin"), "/bin"]


def test_programs_in_any_folder_find_the_components(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    once = engine_variables(layout, engine(layout), {"PATH": "/bin", "PYTHONPATH": "/mine"}, "local").values
    assert once["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), "/mine"]
    assert engine_variables(layout, engine(layout), once, "local").values["PYTHONPATH"] == once["PYTHONPATH"]


def test_evaluating_twice_does_not_grow_the_path(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    once = engine_variables(layout, engine(layout), {"PATH": "/bin"}, "local").values["PATH"]
    assert engine_variables(layout, engine(layout), {"PATH": once}, "local").values["PATH"] == once


def test_a_real_stack_keeps_the_users_backend_and_passphrase_and_the_local_one_does_not(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    environ = {"PATH": "/bin", "PULUMI_BACKEND_URL": "s3://theirs", "PULUMI_CONFIG_PASSPHRASE_FILE": "/theirs"}
    staging = engine_variables(layout, engine(layout), environ, "staging").applied(environ)
    local = engine_variables(layout, engine(layout), environ, "local").applied(environ)
    assert staging["PULUMI_BACKEND_URL"] == "s3://theirs"
    assert staging["PULUMI_CONFIG_PASSPHRASE_FILE"] == "/theirs"
    assert "PULUMI_CONFIG_PASSPHRASE" not in staging
    assert local["PULUMI_BACKEND_URL"] == f"file://{layout.state}"
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in local


def test_the_passphrase_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    made = passphrase(layout)
    assert len(made) >= 24
    assert passphrase(layout) == made
    assert stat.S_IMODE(layout.passphrase.stat().st_mode) == 0o600
    assert passphrase(Layout(tmp_path / "other")) != made


@pytest.mark.parametrize("text", ["0", "65536", "-1", "eight", "8650 "])
def test_a_port_that_is_none_is_refused_with_its_value(text: str) -> None:
    with pytest.raises(ValueError, match="WORKSPACE_PORT is"):
        workspace_port({"WORKSPACE_PORT": text})
