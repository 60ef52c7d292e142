"""Projects are found by their folder, and the engine's salt does not stay in shared stack files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolchain.layout import Layout
from toolchain.project import Pipeline, driver_of, drop_salt, find_project, has_resources, pipeline_of
from toolchain.report import ToolchainError

STACK_FILE = "# a comment that stays\nconfig:\n  taxi:size: 3\n"


@pytest.mark.parametrize("line", ["name: taxi-serving", 'name: "taxi-serving"', "name:   'taxi-serving' # yes"])
def test_the_project_is_named_by_its_file(tmp_path: Path, line: str) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "Pulumi.yaml").write_text(f"runtime:\n  name: python\n{line}\n")
    project = find_project(Layout(tmp_path), "examples")
    assert (project.name, project.folder) == ("taxi-serving", tmp_path / "examples")


def test_a_folder_without_a_project_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"PROJECT is 'nowhere'.*name a folder that has a Pulumi\.yaml"):
        find_project(Layout(tmp_path), "nowhere")


def clone(root: Path, **stack_files: str) -> Layout:
    """A clone with a project in its root and an example `two-words`, each with a pipeline."""
    for folder, pipeline in ((root, "taxi"), (root / "examples" / "two-words", "two_words")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Pulumi.yaml").write_text(f"name: {pipeline}-serving\n")
        (root / "pipelines" / pipeline).mkdir(parents=True)
        (root / "pipelines" / pipeline / "__main__.py").touch()
        if pipeline in stack_files:
            (folder / "Pulumi.local.yaml").write_text(stack_files[pipeline])
    return Layout(root)


@pytest.mark.parametrize(
    ("named", "folder"),
    [
        ("", "."),
        (".", "."),
        ("taxi", "."),
        ("two-words", "examples/two-words"),
        ("examples/two-words", "examples/two-words"),
    ],
)
def test_a_project_is_found_by_its_name_or_its_folder(tmp_path: Path, named: str, folder: str) -> None:
    assert find_project(clone(tmp_path), named).folder == (tmp_path / folder).resolve()


def test_a_dash_stands_for_an_underscore_and_the_folder_says_what_drives_its_stack(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    for name in ("taxi_e2e", "churn"):
        (tmp_path / "examples" / name).mkdir(parents=True)
        (tmp_path / "examples" / name / "Pulumi.yaml").write_text(f"name: {name}\n")
    (tmp_path / "taxi_e2e").mkdir()
    (tmp_path / "taxi_e2e" / "Pulumi.yaml").write_text("name: other\n")
    for named in ("taxi-e2e", "taxi_e2e"):
        assert driver_of(layout, find_project(layout, named)) == "apps.run_e2e"
    assert driver_of(layout, find_project(layout, "churn")) is None
    assert driver_of(layout, find_project(layout, str(tmp_path / "taxi_e2e"))) is None


def test_an_absolute_folder_is_found_as_well(tmp_path: Path) -> None:
    clone(tmp_path)
    assert find_project(Layout(tmp_path), str(tmp_path / "examples" / "two-words")).name == "two_words-serving"


def test_a_name_that_is_none_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="Use taxi, two-words"):
        find_project(clone(tmp_path), "churn")


PLACE = "config:\n  x:size: '3'\n  x:serving: {catalog: c, schema: s}\n"


@pytest.mark.parametrize(
    ("named", "file", "module"), [("", "taxi", "pipelines.taxi"), ("two-words", "two_words", "pipelines.two_words")]
)
def test_the_pipeline_of_a_project_writes_where_its_stack_file_says(
    tmp_path: Path, named: str, file: str, module: str
) -> None:
    layout = clone(tmp_path, **{file: PLACE})
    assert pipeline_of(layout, find_project(layout, named), "local") == Pipeline(module, "c", "s")


def test_a_project_without_a_pipeline_has_none_and_needs_no_place(tmp_path: Path) -> None:
    layout = clone(tmp_path)
    (tmp_path / "pipelines" / "two_words" / "__main__.py").unlink()
    assert pipeline_of(layout, find_project(layout, "two-words"), "local") is None


def test_a_folder_that_only_has_the_name_of_a_pipeline_has_none(tmp_path: Path) -> None:
    layout = clone(tmp_path, taxi=PLACE)
    (tmp_path / "elsewhere" / "taxi").mkdir(parents=True)
    (tmp_path / "elsewhere" / "taxi" / "Pulumi.yaml").write_text("name: other\n")
    assert pipeline_of(layout, find_project(layout, "elsewhere/taxi"), "local") is None


@pytest.mark.parametrize(
    "text",
    ["", "config: {}", "config: {a: {catalog: c}}", PLACE + "  y:z: {catalog: d, schema: e}\n"],
)
def test_a_stack_file_that_names_no_place_is_refused_before_anything_runs(tmp_path: Path, text: str) -> None:
    layout = clone(tmp_path, two_words=text)
    with pytest.raises(ToolchainError, match=r"(?s)Pulumi\.local\.yaml does not say where .*catalog and schema"):
        pipeline_of(layout, find_project(layout, "two-words"), "local")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, r"Pulumi\.local\.yaml cannot be read \(No such file"),
        ({"two_words": "config: ["}, r"Pulumi\.local\.yaml is no YAML; correct it: while parsing"),
    ],
)
def test_a_stack_file_that_is_not_there_or_no_yaml_is_told_as_that(
    tmp_path: Path, files: dict[str, str], says: str
) -> None:
    layout = clone(tmp_path, **files)
    with pytest.raises(ToolchainError, match=says):
        pipeline_of(layout, find_project(layout, "two-words"), "local")


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
