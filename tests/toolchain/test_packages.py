"""What the language host finds installed beside a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolchain.language_host.interpreter import InterpreterError, interpreter_for
from toolchain.language_host.packages import PluginFileError, RequiredPlugin, dependencies, required_plugins


def package(folder: Path, name: str, content: object) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "pulumi-plugin.json").write_text(content if isinstance(content, str) else json.dumps(content))


def distribution(folder: Path, name: str, version: str, requires: str = "") -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")


def test_packages_with_a_plugin_are_found_and_others_are_not(tmp_path: Path) -> None:
    package(tmp_path, "pulumi_databricks", {"resource": True, "name": "databricks", "version": "v1.118.0"})
    package(tmp_path, "pulumi_policy", {"resource": False})
    (tmp_path / "pulumi").mkdir()
    assert required_plugins([tmp_path]) == [RequiredPlugin("databricks", "1.118.0", "", None)]


def test_a_parameterized_package_keeps_what_it_was_made_with(tmp_path: Path) -> None:
    parameterization = {"name": "random", "version": "3.1.0", "value": "aGVsbG8="}
    package(
        tmp_path,
        "pulumi_random",
        {"resource": True, "name": "terraform-provider", "version": "0.9.0", "parameterization": parameterization},
    )
    (plugin,) = required_plugins([tmp_path])
    assert plugin.parameterization is not None
    assert (plugin.name, plugin.parameterization.name, plugin.parameterization.value) == (
        "terraform-provider",
        "random",
        b"hello",
    )


def test_the_package_that_is_imported_decides(tmp_path: Path) -> None:
    for folder, version in (("first", "2.0.0"), ("second", "1.0.0")):
        package(tmp_path / folder, "pulumi_x", {"resource": True, "name": "x", "version": version})
    assert [plugin.version for plugin in required_plugins([tmp_path / "first", tmp_path / "second"])] == ["2.0.0"]


@pytest.mark.parametrize("content", ["{", "[]", {"resource": True, "parameterization": {"name": "x"}}])
def test_a_broken_file_is_named_with_the_remedy(tmp_path: Path, content: object) -> None:
    package(tmp_path, "pulumi_x", content)
    with pytest.raises(PluginFileError, match=r"pulumi_x/pulumi-plugin\.json.*Reinstall"):
        required_plugins([tmp_path])


def test_direct_dependencies_are_those_that_nothing_else_requires(tmp_path: Path) -> None:
    distribution(tmp_path, "pulumi", "3.259.0", "Requires-Dist: grpcio (>=1.0)\n")
    distribution(tmp_path, "GRPCIO", "1.70.0", 'Requires-Dist: pulumi ; extra == "test"\n')
    assert dependencies([tmp_path], transitive=True) == [("grpcio", "1.70.0"), ("pulumi", "3.259.0")]
    assert dependencies([tmp_path], transitive=False) == [("pulumi", "3.259.0")]


def test_a_relative_environment_is_meant_from_the_real_folder_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "real" / "plugin").mkdir(parents=True)
    (tmp_path / "real" / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "real" / ".venv" / "bin" / "python").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "plugin")
    interpreter = interpreter_for({"virtualenv": "../.venv"}, tmp_path / "link")
    assert interpreter.executable == tmp_path / "real" / ".venv" / "bin" / "python"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"virtualenv": "missing"}, r"'missing', but .*missing does not exist.*make env"),
        ({"toolchain": "poetry"}, "'poetry'"),
        ({"typechecker": "mypy"}, "does not type-check"),
        ({"virtualenf": ".venv"}, "unknown runtime option 'virtualenf'; known are 'toolchain'"),
    ],
)
def test_options_that_cannot_be_met_are_refused_with_the_way_out(
    tmp_path: Path, options: dict[str, object], expected: str
) -> None:
    with pytest.raises(InterpreterError, match=expected):
        interpreter_for(options, tmp_path)
