"""The components as a library in another Pulumi project: under their own name, and without this clone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.engine import PROJECT, EngineProject
from tests.support.library import build_wheel, unpacked
from tests.support.rest_stub import TOKEN, RestStub, running

PROGRAM = """
import sys
import pulumi
from databricks_serving.dynamic import ModelAlias, ModelAliasArgs
from databricks_serving.served_entity import ServedEntityArgs
from databricks_serving.serving_endpoint import ServingEndpointArgs

args = ServingEndpointArgs(
    name="fares",
    served_entities=[
        ServedEntityArgs(model="main.ml.fare", version="1", traffic_percentage=100, scale_to_zero_enabled=True)
    ],
)
alias = ModelAlias("champion", ModelAliasArgs(model="main.ml.fare", alias="champion", version="1"))
pulumi.export("version", alias.version)
pulumi.export("entity", args.served_entities[0].entity_name)
pulumi.export("of_the_clone", sorted(name for name in sys.modules if name.split(".")[0] in ("components", "apps")))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_the_library_and_nothing_else_of_the_clone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"databricks_serving", "databricks_serving_client"}
    assert "databricks_serving/dynamic/rollout.py" in names
    # Without the marker a type checker takes every import for Any.
    assert {"databricks_serving/py.typed", "databricks_serving_client/py.typed"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_another_projects_own_versions_are_not_pinned_and_nothing_is_asked_for_that_no_module_imports(
    wheel: Path, tmp_path: Path
) -> None:
    site = unpacked(wheel, tmp_path / "site")
    (metadata,) = site.glob("*.dist-info/METADATA")
    asked = [
        line.removeprefix("Requires-Dist: ") for line in metadata.read_text().splitlines() if "Requires-Dist" in line
    ]
    assert [one for one in asked if "==" in one.partition(";")[0]] == []
    needed = {re.split(r"[^\w-]", one)[0].replace("-", "_").lower() for one in asked}
    text = "\n".join(file.read_text() for file in site.rglob("*.py"))
    imported = set(re.findall(r"^\s*(?:from|import) ([a-z_]+)", text, re.MULTILINE))
    packages = {"databricks_sdk": "databricks", "pyyaml": "yaml", "mlflow_skinny": "mlflow"}
    assert {packages.get(one, one) for one in needed} <= imported


def test_every_module_is_imported_under_the_librarys_name(wheel: Path, tmp_path: Path) -> None:
    site = unpacked(wheel, tmp_path / "site")
    modules = [
        ".".join(file.relative_to(site).with_suffix("").parts).removesuffix(".__init__")
        for folder in ("databricks_serving", "databricks_serving_client")
        for file in sorted((site / folder).rglob("*.py"))
        if file.name != "__main__.py"
    ]
    assert len(modules) > 60
    script = "import importlib, sys\n" + "\n".join(f"importlib.import_module({name!r})" for name in modules)
    script += "\nassert not [name for name in sys.modules if name.split('.')[0] in ('components', 'apps')], sys.modules"
    environ = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_another_project_deploys_with_it(wheel: Path, tmp_path: Path) -> None:
    site = unpacked(wheel, tmp_path / "site")
    with running(RestStub(versions={"main.ml.fare": {1: "READY"}})) as stub:
        project = EngineProject.of_program(
            tmp_path / "project",
            PROGRAM,
            config={"databricks:host": stub.host},
            environ={"DATABRICKS_TOKEN": TOKEN, "PYTHONPATH": str(site)},
        )
        outcome = project.up()
        assert outcome.ok, outcome
        assert project.outputs() == {"version": "1", "entity": "fare-1", "of_the_clone": []}
        assert stub.aliases == {("main.ml.fare", "champion"): 1}
        again = project.up()
        assert again.operations() == [], again


def test_a_copy_of_the_components_gives_way_to_the_library_without_a_change(wheel: Path, tmp_path: Path) -> None:
    site = unpacked(wheel, tmp_path / "site")
    program = (
        "from PACKAGE.dynamic import ModelAlias, ModelAliasArgs\n"
        'ModelAlias("champion", ModelAliasArgs(model="main.ml.fare", alias="champion", version="1"))\n'
    )
    (bridge,) = re.findall(
        r"```python\n# components.py\n(.*?)```", (PROJECT / "docs" / "library.md").read_text(), re.DOTALL
    )
    with running(RestStub(versions={"main.ml.fare": {1: "READY", 2: "READY"}})) as stub:
        project = EngineProject.of_program(
            tmp_path / "project",
            program.replace("PACKAGE", "components"),
            config={"databricks:host": stub.host},
            environ={"DATABRICKS_TOKEN": TOKEN, "PYTHONPATH": str(PROJECT)},
        )
        assert project.up().ok
        project.environ = {"DATABRICKS_TOKEN": TOKEN, "PYTHONPATH": str(site)}
        project.write_program(program.replace("PACKAGE", "databricks_serving"))
        (project.folder / "components.py").write_text(bridge)
        # What is in state is read by its old name, and what the program declares is no change of it.
        moved = project.up("--refresh")
        assert moved.ok, moved
        assert {operation for operation, _ in moved.operations()} <= {"refresh"}, moved

        project.write_program(program.replace("PACKAGE", "databricks_serving").replace('version="1"', 'version="2"'))
        changed = project.up()
        assert [operation for operation, _ in changed.operations()] == ["update"], changed
        assert stub.aliases == {("main.ml.fare", "champion"): 2}
        # From its next change on a resource is the library's own.
        (project.folder / "components.py").unlink()
        gone = project.destroy()
        assert gone.ok, gone
