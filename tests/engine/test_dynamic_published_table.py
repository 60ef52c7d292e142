"""`PublishedTable` on the real engine: refused in preview with the remedy, online after `up`, in state when not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import EngineProject
from tests.support.rest_stub import TOKEN, RestStub, feature_table, running
from tests.support.stack_file import configure

TYPE = "pulumi-python:dynamic/serving:PublishedTable"
SOURCE = "main.ml.trips"
ONLINE = "main.ml.trips_online"
PROGRAM = """
import pulumi
from components.dynamic import PublishedTable, PublishedTableArgs

settings = pulumi.Config()
table = PublishedTable(
    "trips",
    PublishedTableArgs(
        source_table="main.ml.trips",
        online_store="taxi",
        online_table=settings.get("online") or "main.ml.trips_online",
        primary_keys=["zip", "hour"],
        publish_mode=settings.get("mode") or "TRIGGERED",
        poll_seconds=0.05,
        timeout_seconds=60.0,
    ),
)
pulumi.export("state", table.state)
pulumi.export("online_table", table.online_table)
"""


@pytest.fixture
def stub() -> Iterator[RestStub]:
    with running(
        RestStub(tables={SOURCE: feature_table(SOURCE, ["zip", "hour"])}, stores={"taxi": ["AVAILABLE"]})
    ) as stub:
        yield stub


@pytest.fixture
def project(stub: RestStub, tmp_path: Path) -> EngineProject:
    return EngineProject.of_program(
        tmp_path / "project", PROGRAM, config={"databricks:host": stub.host}, environ={"DATABRICKS_TOKEN": TOKEN}
    )


def in_state(project: EngineProject) -> list[str]:
    return [resource["outputs"]["state"] for resource in project.resources() if resource["type"] == TYPE]


def test_a_table_lives_through_preview_create_rest_replacement_and_destroy(
    project: EngineProject, stub: RestStub
) -> None:
    stub.stores["taxi"] = ["STARTING", "AVAILABLE"]
    stub.sync_states = [["RUNNING"], ["COMPLETED"]]
    assert project.preview().operations() == [("create", TYPE)]
    assert stub.writes() == []
    created = project.up()
    assert created.ok, created
    assert "online table main.ml.trips_online: PROVISIONING_INITIAL_SNAPSHOT" in created.text
    assert "online table main.ml.trips_online is ready: ONLINE_NO_PENDING_UPDATE" in created.text
    assert project.outputs() == {"state": "ONLINE_NO_PENDING_UPDATE", "online_table": ONLINE}

    stub.forget()
    assert project.up().operations() == []
    assert stub.writes() == []

    configure(project, mode="SNAPSHOT")
    replaced = project.up()
    assert replaced.ok, replaced
    assert [call.split()[0] for call in stub.writes()] == ["DELETE", "POST"]

    assert project.destroy().ok
    assert list(stub.tables) == [SOURCE]
    assert TOKEN not in created.text + replaced.text


def test_a_source_that_cannot_be_published_fails_preview_with_the_sql_that_mends_it(
    project: EngineProject, stub: RestStub
) -> None:
    stub.tables[SOURCE] = feature_table(SOURCE, ["zip", "hour"], feed=False)
    outcome = project.preview()
    assert not outcome.ok
    assert "ALTER TABLE `main`.`ml`.`trips` SET TBLPROPERTIES (delta.enableChangeDataFeed = true);" in outcome.text
    del stub.tables[SOURCE]
    missing = project.preview()
    assert "main.ml.trips: not found" in missing.text
    assert "run it first" in missing.text
    assert stub.writes() == []


def test_a_copy_that_does_not_come_online_is_in_state_synced_again_and_destroyed(
    project: EngineProject, stub: RestStub
) -> None:
    stub.sync_states = [["RUNNING"], ["FAILED"]]
    failed = project.up()
    assert not failed.ok
    assert "online table main.ml.trips_online is OFFLINE_FAILED" in failed.text
    assert in_state(project) == ["PROVISIONING"]

    assert project.refresh().ok
    assert in_state(project) == ["OFFLINE_FAILED"]
    stub.sync_states = [["RUNNING", "FAILED"], ["COMPLETED", "FAILED"]]
    mended = project.up()
    assert mended.operations() == [("update", TYPE)], mended
    assert project.outputs()["state"] == "ONLINE_NO_PENDING_UPDATE"
    assert project.up().operations() == []
    assert project.destroy().ok
    assert list(stub.tables) == [SOURCE]


def test_a_copy_deleted_by_hand_is_gone_after_refresh_and_published_again(
    project: EngineProject, stub: RestStub
) -> None:
    project.up()
    stub.tables.pop(ONLINE)
    stub.synced.pop(ONLINE)
    project.refresh()
    assert in_state(project) == []
    assert project.up().operations() == [("create", TYPE)]
    assert ONLINE in stub.tables


def test_a_delete_that_fails_keeps_the_resource(project: EngineProject, stub: RestStub) -> None:
    project.up()
    stub.fail("DELETE", "online-tables", 403, "not the owner", code="PERMISSION_DENIED")
    failed = project.destroy()
    assert not failed.ok
    assert "not the owner" in failed.text
    assert in_state(project) == ["ONLINE_NO_PENDING_UPDATE"]
    assert project.destroy().ok


def test_an_engine_killed_in_the_first_sync_leaves_a_copy_that_the_next_up_adopts(
    project: EngineProject, stub: RestStub
) -> None:
    stub.sync_states = [["RUNNING"]]
    with project.start("up", "--yes", "--skip-preview", "--non-interactive", "--stack", project.stack) as engine:
        deadline = time.monotonic() + 60
        while not stub.pipelines and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(engine.pid, signal.SIGKILL)
        engine.communicate()
    assert len(stub.pipelines) == 1
    stub.sync_states = [["COMPLETED"]]
    project.must("cancel", "--yes", project.stack)
    adopted = project.up()
    assert adopted.ok, adopted
    assert len(stub.pipelines) == 1
    assert in_state(project) == ["ONLINE_NO_PENDING_UPDATE"]
