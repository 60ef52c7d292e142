"""An editor refuses what the program refuses, as far as a schema can, and takes what it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from components.schemas import STACK_FILE, stack_file_schema
from examples import schemas as examples
from tests.unit.stack_values import stack_values

ROOT = Path(__file__).parents[2]


def problems(values: dict[str, Any]) -> list[str]:
    document = {"config": {"taxi-serving:serving": values}}
    return [error.message for error in jsonschema.Draft202012Validator(stack_file_schema()).iter_errors(document)]


def test_the_published_schema_is_the_one_that_the_code_has() -> None:
    published = json.loads((ROOT / "docs" / "schemas" / STACK_FILE).read_text())
    assert published == stack_file_schema(), "run `python -m components.schemas docs/schemas`"


@pytest.mark.parametrize("file", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda file: file.name)
def test_every_stack_file_names_the_schema_and_keeps_it(file: Path) -> None:
    assert f"$schema=docs/schemas/{STACK_FILE}" in file.read_text().splitlines()[0]
    document = yaml.safe_load(file.read_text())
    jsonschema.validate(document, stack_file_schema())


def test_what_the_program_takes_the_editor_takes() -> None:
    assert problems(stack_values()) == []


def test_a_misspelt_key_is_marked_where_it_stands() -> None:
    values = stack_values()
    values["endpoint"]["inferenceTabel"] = values["endpoint"].pop("inferenceTable")
    assert any("inferenceTabel" in problem for problem in problems(values))


def test_a_wrong_type_is_marked() -> None:
    values = stack_values()
    values["endpoint"]["entities"][0]["traffic"] = "most"
    assert problems(values)


def test_a_version_may_be_written_as_a_number_in_the_editor_too() -> None:
    values = stack_values()
    values["model"]["aliases"]["champion"] = 15
    assert problems(values) == []
    values["model"]["aliases"]["champion"] = 1.5
    assert problems(values)


EXAMPLES = [
    file for project in examples.PROJECTS for file in sorted((ROOT / "examples" / project).glob("Pulumi.*.yaml"))
]


@pytest.mark.parametrize("project", sorted(examples.PROJECTS))
def test_the_published_schema_of_an_example_is_the_one_that_its_code_has(project: str) -> None:
    published = json.loads((ROOT / "docs" / "schemas" / examples.file_name(project)).read_text())
    assert published == examples.schema_of(project), "run `python -m examples.schemas docs/schemas`"


def test_every_example_has_one() -> None:
    assert {folder.parent.name for folder in (ROOT / "examples").glob("*/Pulumi.yaml")} == set(examples.PROJECTS)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_every_stack_file_of_an_example_names_its_schema_and_keeps_it(file: Path) -> None:
    project = file.parent.name
    named = file.read_text().splitlines()[0].partition("$schema=")[2]
    assert (file.parent / named).resolve() == ROOT / "docs" / "schemas" / examples.file_name(project)
    document = yaml.safe_load(file.read_text())
    jsonschema.validate(document, examples.schema_of(project))
    (section,) = [key for key in document["config"] if key.endswith(":serving")]
    document["config"][section]["typo"] = 1
    assert list(jsonschema.Draft202012Validator(examples.schema_of(project)).iter_errors(document))
