"""The pack stands alone: requirements of its own, pinned as the lock file pins them, and no code from around it."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.requirements import FILE, needed, requirements
from tests.support.engine import PROJECT

PACK = PROJECT / "policies"
LOCK: dict[str, Any] = tomllib.loads((PROJECT / "uv.lock").read_text())
MODULES = sorted(PACK.rglob("*.py"))


def imported(file: Path) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACK)))
def test_the_pack_imports_itself_its_requirements_and_the_standard_library(file: Path) -> None:
    assert imported(file) - sys.stdlib_module_names <= {"policies", "pulumi_policy", "pulumi", "grpc"}


def test_the_requirements_are_those_of_the_lock_file() -> None:
    assert FILE.read_text() == requirements(LOCK), "run `python -m policies.requirements`"


def test_everything_that_the_policy_library_needs_is_pinned_and_nothing_else() -> None:
    pins = dict(line.split("==") for line in FILE.read_text().splitlines() if "==" in line)
    locked = {package["name"]: package["version"] for package in LOCK["package"]}
    assert {"pulumi", "pulumi-policy", "grpcio", "protobuf"} <= set(pins)
    assert not {"pulumi-databricks", "databricks-sdk", "mlflow", "pydantic", "pytest"} & set(pins)
    assert pins == {name: locked[name] for name in pins}


def test_what_a_package_needs_is_followed_to_the_end() -> None:
    lock = {
        "package": [
            {"name": "pulumi-policy", "version": "1", "dependencies": [{"name": "a"}]},
            {"name": "a", "version": "2", "dependencies": [{"name": "b"}, {"name": "pulumi-policy"}]},
            {"name": "b", "version": "3"},
            {"name": "c", "version": "4"},
        ]
    }
    assert needed(lock) == {"pulumi-policy": "1", "a": "2", "b": "3"}


def test_the_lock_file_must_have_the_library() -> None:
    with pytest.raises(KeyError, match="pulumi-policy"):
        needed({"package": []})


def test_the_pack_says_how_it_is_run() -> None:
    declared = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())
    assert declared["runtime"]["name"] == "python"
    assert declared["description"]
    assert declared["version"]
