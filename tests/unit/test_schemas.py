"""An editor refuses what the program refuses, as far as a schema can, and takes what it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from components.schemas import STACK_FILE, stack_file_schema
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
