"""`ModelAlias` on the real engine, against a scripted REST stub: its life, drift and repair, and every refusal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import EngineProject
from tests.support.rest_stub import TOKEN, RestStub, running
from tests.support.stack_file import configure

TYPE = "pulumi-python:dynamic/serving:ModelAlias"
MODEL = "main.ml.fare"
PROGRAM = """
import pulumi
from components.dynamic import ModelAlias, ModelAliasArgs

settings = pulumi.Config()
alias = ModelAlias(
    "champion",
    ModelAliasArgs(
        model=settings.get("model") or "main.ml.fare",
        alias=settings.get("alias") or "champion",
        version=settings.require("version"),
        on_delete=settings.get("onDelete") or "keep",
        provider_version=settings.get("providerVersion") or "1",
    ),
)
pulumi.export("version", alias.version)
pulumi.export("previous", alias.previous_version)
pulumi.export("moves", alias.journal.apply(lambda journal: [entry["to"] for entry in journal]))
"""


@pytest.fixture
def stub() -> Iterator[RestStub]:
    with running(RestStub(versions={MODEL: dict.fromkeys((1, 2, 3, 99), "READY")})) as stub:
        yield stub


@pytest.fixture
def project(stub: RestStub, tmp_path: Path) -> EngineProject:
    return EngineProject.of_program(
        tmp_path / "project",
        PROGRAM,
        config={"databricks:host": stub.host, "project:version": "1"},
        environ={"DATABRICKS_TOKEN": TOKEN},
    )


def live(stub: RestStub, alias: str = "champion") -> int | None:
    return stub.aliases.get((MODEL, alias))


def test_an_alias_lives_through_preview_create_rest_move_and_destroy(project: EngineProject, stub: RestStub) -> None:
    preview = project.preview()
    assert preview.ok, preview
    assert preview.operations() == [("create", TYPE)]
    assert stub.writes() == []

    created = project.up()
    assert created.ok, created
    assert live(stub) == 1

    stub.forget()
    rest = project.up()
    assert rest.operations() == [], rest
    assert stub.writes() == []

    configure(project, version="2")
    moved = project.up()
    assert moved.operations() == [("update", TYPE)], moved
    assert live(stub) == 2
    assert project.outputs() == {"version": "2", "previous": "1", "moves": ["1", "2"]}

    stub.forget()
    configure(project, providerVersion="2")
    upgraded = project.up()
    assert upgraded.operations() == [("update", TYPE)], upgraded
    assert stub.writes() == []

    destroyed = project.destroy()
    assert destroyed.ok, destroyed
    assert live(stub) == 2
    assert TOKEN not in "".join(outcome.text for outcome in (preview, created, rest, moved, destroyed))
    kept = [file for file in project.folder.rglob("*") if file.is_file()]
    assert kept
    assert [file for file in kept if TOKEN.encode() in file.read_bytes()] == []


def test_refresh_shows_a_move_by_hand_and_the_next_up_repairs_it(project: EngineProject, stub: RestStub) -> None:
    project.up()
    stub.aliases[MODEL, "champion"] = 99
    drift = project.refresh()
    (step,) = [step for step in drift.steps() if step["type"] == TYPE]
    assert step["op"] == "refresh"
    (alias,) = [resource for resource in project.resources() if resource["type"] == TYPE]
    assert alias["outputs"]["version"] == "99"

    repaired = project.up()
    assert repaired.operations() == [("update", TYPE)], repaired
    assert live(stub) == 1


def test_a_move_nobody_has_seen_is_refused_in_preview_and_by_up(project: EngineProject, stub: RestStub) -> None:
    project.up()
    stub.aliases[MODEL, "champion"] = 99
    configure(project, version="2")
    for outcome in (project.preview(), project.up()):
        assert not outcome.ok, outcome
        assert "points to version 99, this stack last saw it at 1: not moved to 2" in outcome.text
        assert "pulumi refresh" in outcome.text
        assert "Exception calling application" not in outcome.text
        assert "Traceback" not in outcome.text
    assert live(stub) == 99
    assert project.refresh().ok
    assert project.up().ok
    assert live(stub) == 2


def test_an_update_that_raises_keeps_the_old_state_and_is_tried_again(project: EngineProject, stub: RestStub) -> None:
    project.up()
    configure(project, version="2")
    stub.fail("PUT", "/aliases/", 403, "you are not the owner", code="PERMISSION_DENIED")
    assert not project.up().ok
    (alias,) = [resource for resource in project.resources() if resource["type"] == TYPE]
    assert alias["outputs"]["version"] == "1"
    again = project.up()
    assert again.operations() == [("update", TYPE)], again
    assert live(stub) == 2


def test_another_alias_is_set_before_the_old_one_is_released(project: EngineProject, stub: RestStub) -> None:
    configure(project, onDelete="remove")
    project.up()
    stub.forget()
    configure(project, alias="production")
    outcome = project.up()
    assert outcome.ok, outcome
    assert (live(stub), live(stub, "production")) == (None, 1)
    written = [call.rpartition("/models/")[2] for call in stub.writes() if "/aliases/" in call]
    assert written == ["main.ml.fare/aliases/production", "main.ml.fare/aliases/champion"]


def test_what_would_fail_fails_in_preview_and_a_create_that_raises_leaves_nothing(
    project: EngineProject, stub: RestStub
) -> None:
    configure(project, version="50")
    assert "main.ml.fare has no version 50" in project.preview().text
    configure(project, version="1")
    stub.aliases[MODEL, "champion"] = 99
    assert "points to version 99 already" in project.preview().text
    del stub.aliases[MODEL, "champion"]
    assert stub.writes() == []

    stub.fail("PUT", "/aliases/", 403, "you are not the owner", code="PERMISSION_DENIED")
    failed = project.up()
    assert not failed.ok
    assert "you are not the owner" in failed.errors()
    assert [resource for resource in project.resources() if resource["type"] == TYPE] == []
    assert project.up().ok
    assert live(stub) == 1


def test_an_unreachable_workspace_fails_preview_with_the_host(project: EngineProject) -> None:
    configure(project, databricks__host="http://127.0.0.1:1")
    outcome = project.preview()
    assert not outcome.ok
    assert "the workspace at http://127.0.0.1:1 cannot be reached" in outcome.text
    assert TOKEN not in outcome.text
