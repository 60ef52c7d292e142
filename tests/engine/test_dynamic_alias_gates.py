"""Gates and ladder of `ModelAlias` on the real engine: preview refuses what is known, the write what has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import EngineProject
from tests.support.rest_stub import TOKEN, RestStub, running
from tests.support.stack_file import configure

MODEL = "main.ml.fare"
PROGRAM = """
import pulumi
from components.alias_ladder import stack_aliases
from components.config import ModelConfig

version = pulumi.Config().require("version")
model = ModelConfig.model_validate(
    {
        "name": "main.ml.fare",
        "aliases": {"production": version, "champion": version},
        "ladder": ["champion", "production"],
        "promotion": {"production": {"requires": {"approved_by": ""}}},
    }
)
stack_aliases(
    model,
    {"production": version, "champion": version},
    evidence="sha256:11",
    on_delete="remove",
    depends_on=[],
)
"""


@pytest.fixture
def stub() -> Iterator[RestStub]:
    with running(RestStub(versions={MODEL: dict.fromkeys((1, 2), "READY")})) as stub:
        yield stub


@pytest.fixture
def project(stub: RestStub, tmp_path: Path) -> EngineProject:
    return EngineProject.of_program(
        tmp_path / "project",
        PROGRAM,
        config={"databricks:host": stub.host, "project:version": "1"},
        environ={"DATABRICKS_TOKEN": TOKEN},
    )


def test_a_version_climbs_the_ladder_in_one_up_once_it_is_approved(project: EngineProject, stub: RestStub) -> None:
    refused = project.preview()
    assert not refused.ok, refused
    assert "alias production of main.ml.fare is not moved to version 1: it has no tag approved_by" in refused.text
    assert "set_model_version_tag('main.ml.fare', '1', 'approved_by', '<value>')" in refused.text
    assert stub.writes() == []

    stub.tags[MODEL, "1", "approved_by"] = "ann@example.com"
    created = project.up()
    assert created.ok, created
    moved = [call.rpartition("/aliases/")[2] for call in stub.writes() if "/aliases/" in call]
    assert moved == ["champion", "production"]

    stub.forget()
    rest = project.up()
    assert rest.operations() == [], rest
    assert stub.writes() == []

    configure(project, version="2")
    stub.tags[MODEL, "2", "approved_by"] = "ann@example.com"
    stub.fail("PUT", "/aliases/champion", 403, "not the owner", code="PERMISSION_DENIED")
    half = project.up()
    assert not half.ok
    assert (stub.aliases[MODEL, "champion"], stub.aliases[MODEL, "production"]) == (1, 1)
    assert project.up().ok
    assert (stub.aliases[MODEL, "champion"], stub.aliases[MODEL, "production"]) == (2, 2)
