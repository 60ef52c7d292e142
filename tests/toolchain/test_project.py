"""Projects are found by their folder, and the engine's salt does not stay in shared stack files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolchain.layout import Layout
from toolchain.project import drop_salt, find_project, has_resources
from toolchain.report import ToolchainError

STACK_FILE = "# a comment that stays\nconfig:\n  taxi:size: 3\n"


@pytest.mark.parametrize("line", ["name: taxi-serving", 'name: "taxi-serving"', "name:   'taxi-serving' # yes"])
def test_the_project_is_named_by_its_file(tmp_path: Path, line: str) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "Pulumi.yaml").write_text(f"runtime:\n  name: python\n{line}\n")
    project = find_project(Layout(tmp_path), "examples")
    assert (project.name, project.folder) == ("taxi-serving", tmp_path / "examples")


def test_a_folder_without_a_project_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"PROJECT is 'nowhere'.*Name a folder that has a Pulumi\.yaml"):
        find_project(Layout(tmp_path), "nowhere")


def test_the_salt_is_dropped_and_everything_else_stays(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text(STACK_FILE + "encryptionsalt: v1:QWAe/FNlYas=:v1:yyVkBhB5PIPZsLCD:Kuy5VU25EIxUZEWdX7n4wdrE==\n")
    drop_salt(file)
    assert file.read_text() == STACK_FILE


def test_the_salt_of_a_file_with_secret_values_stays(tmp_path: Path) -> None:
    text = STACK_FILE + "  taxi:key:\n    secure: v1:abc\nencryptionsalt: v1:QWAe\n"
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text(text)
    drop_salt(file)
    assert file.read_text() == text


def test_a_file_without_a_salt_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text(STACK_FILE)
    before = file.stat()
    drop_salt(file)
    drop_salt(tmp_path / "Pulumi.none.yaml")
    assert file.stat().st_ino == before.st_ino
    assert not (tmp_path / "Pulumi.none.yaml").exists()


@pytest.mark.parametrize(
    ("latest", "expected"), [(None, False), ({"resources": []}, False), ({"resources": [{"urn": "u"}]}, True)]
)
def test_a_stack_with_resources_is_told_from_an_empty_one(tmp_path: Path, latest: object, expected: bool) -> None:
    file = tmp_path / "local.json"
    file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))
    assert has_resources(file) is expected
