"""`TrafficRollout` on the real engine: releases of real models by `pulumi up`, failed, killed, moved by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.release.abort import abort
from tests.support.engine import EngineProject, Outcome
from tests.support.release_world import BETTER, GOOD, WRONG, Load, ReleaseWorld, release_world
from tests.support.stack_file import configure

ROLLOUT = "pulumi-python:dynamic/serving:TrafficRollout"
ALIAS = "pulumi-python:dynamic/serving:ModelAlias"
SERVING = "databricks:index/modelServing:ModelServing"
READS = {"GET", "HEAD"}
PROGRAM = """
import pulumi
from components.ai_gateway import InferenceTableArgs
from components.dynamic import ModelAlias, ModelAliasArgs, SmokeCase, SmokeExpectation
from components.release.plan import Gate, Plan
from components.rollout import RolloutArgs
from components.serving_endpoint import ServedEntityArgs, ServingEndpoint, ServingEndpointArgs

settings = pulumi.Config()
name, version = settings.require("endpoint"), settings.require("version")
endpoint = ServingEndpoint(
    "fare",
    ServingEndpointArgs(
        name=name,
        served_entities=[
            ServedEntityArgs(model="main.ml.fare", version=version, traffic_percentage=100, scale_to_zero_enabled=True)
        ],
        rollout=RolloutArgs(
            queries=[
                SmokeCase(
                    name="one",
                    payload={"dataframe_records": [{"a": 1.0}]},
                    expect=SmokeExpectation(values=[2.0]),
                )
            ],
            plan=Plan(
                steps=(20, 100),
                bake_seconds=settings.get_float("bake") or 0.6,
                poll_seconds=0.2,
                lease_seconds=3.0,
                gates=(Gate(metric="error_rate", pass_at_most=0.01, min_requests=3),),
                retry=settings.get("retry") or "",
            ),
            timeout_seconds=20.0,
            warm_up_seconds=60.0,
        ),
        inference_table=InferenceTableArgs(catalog="main", schema="ml", prefix=name),
        tags={"owner": settings.get("owner") or "ml"},
    ),
)
alias = ModelAlias(
    "champion",
    ModelAliasArgs(
        model="main.ml.fare", alias=name, version=version, evidence=endpoint.rollout.evidence, on_delete="remove"
    ),
    pulumi.ResourceOptions(depends_on=[endpoint.rollout]),
)
pulumi.export("split", endpoint.rollout.split)
pulumi.export("standby", endpoint.rollout.standby)
pulumi.export("history", endpoint.rollout.history)
pulumi.export("digest", endpoint.rollout.digest)
pulumi.export("version", endpoint.rollout.version)
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseWorld]:
    with release_world(tmp_path_factory.mktemp("releases")) as made:
        yield made


@dataclass
class Stack:
    """A stack that runs version 1 on an endpoint of its own."""

    world: ReleaseWorld
    project: EngineProject
    endpoint: str

    def up(self, **config: str) -> Outcome:
        configure(self.project, **config)
        return self.project.up()

    @property
    def split(self) -> dict[str, int]:
        return self.world.split(self.endpoint)

    @property
    def alias(self) -> int:
        return int(self.world.client.model_versions.get_by_alias(self.world.model, self.endpoint).version or 0)

    @property
    def transcripts(self) -> list[str]:
        return [file.read_text() for file in sorted((self.project.folder / "releases").glob("*.md"))]

    def tags(self) -> dict[str, str]:
        found = self.world.client.serving_endpoints.get(self.endpoint)
        return {tag.key: tag.value or "" for tag in found.tags or []}

    def sent_since(self, count: int) -> list[tuple[str, str]]:
        """Writes and queries that the workspace saw since its log had so many entries."""
        return [(method, path) for method, path in self.world.requests()[count:] if method not in READS]


@pytest.fixture
def stack(world: ReleaseWorld, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    name = f"fare{abs(hash(request.node.name)) % 10**6}"
    project = EngineProject.of_program(
        tmp_path / "project",
        PROGRAM,
        config={"databricks:host": world.server.host, "project:endpoint": name, "project:version": str(GOOD)},
        environ={
            "DATABRICKS_TOKEN": world.server.token,
            "RELEASE_REPORT_DIR": str(tmp_path / "project" / "releases"),
        },
    )
    made = Stack(world, project, name)
    outcome = made.up()
    assert outcome.ok, outcome
    yield made
    stop_everything_of(tmp_path)


def test_releases_over_the_life_of_a_stack(stack: Stack) -> None:
    assert (stack.split, stack.alias) == ({"fare-1": 100}, 1)
    with Load(stack.world, stack.endpoint) as users:
        configure(stack.project, version=str(BETTER))
        preview = stack.project.preview()
        assert "fare-2 is released beside fare-1 100 %" in preview.text, preview
        assert "0 % with smoke queries, then 20 %, 100 %; each watched for 0.6 s" in preview.text, preview
        released = stack.project.up()
        assert released.operations() == [("update", ROLLOUT), ("update", ALIAS)], released
        assert (stack.split, stack.alias) == ({"fare-1": 0, "fare-2": 100}, 2)
    assert users.failed == 0
    assert users.answers["fare-2", 200] > 0
    shown = [event["message"] for event in released.of_kind("diagnosticEvent") if event.get("ephemeral")]
    assert any("shifting: fare-1 80 %, fare-2 20 %" in line for line in shown), shown
    assert any("20 %:" in line and "s left; error_rate" in line for line in shown), shown
    outputs = stack.project.outputs()
    assert outputs["split"] == {"fare-1": 0, "fare-2": 100}
    assert list(outputs["standby"]) == ["fare-1"]
    assert outputs["history"][-1] == "released"
    assert any("version 1 -> 2" in text for text in stack.transcripts)
    assert stack.tags() == {"owner": "ml"}

    # An unchanged `up` sends no query and no write; refresh finds nothing to change in either resource.
    before = len(stack.world.requests())
    assert stack.project.up().operations() == []
    assert stack.sent_since(before) == []
    refreshed = stack.project.refresh()
    assert refreshed.ok, refreshed
    assert stack.project.preview().operations() == []

    # The endpoint's own resource can change beside it, and puts no config.
    before = len(stack.world.requests())
    assert stack.up(owner="others").operations() == [("update", SERVING)]
    assert not [path for _, path in stack.sent_since(before) if path.endswith(("/config", "/invocations"))]

    # Back to the version that stands by: one call, no steps.
    configure(stack.project, version=str(GOOD))
    assert "fare-1 was good and stands by" in stack.project.preview().text
    before = len(stack.world.requests())
    assert stack.project.up().operations() == [("update", ROLLOUT), ("update", ALIAS)]
    assert len([path for _, path in stack.sent_since(before) if path.endswith("/config")]) == 1
    assert (stack.split, stack.alias) == ({"fare-2": 0, "fare-1": 100}, 1)

    destroyed = stack.project.destroy()
    assert destroyed.ok, destroyed


def test_a_failed_release_reverts_and_neither_it_nor_an_unrelated_change_starts_it_again(stack: Stack) -> None:
    with Load(stack.world, stack.endpoint) as users:
        failed = stack.up(version=str(WRONG))
        assert not failed.ok
        assert "Traceback" not in failed.text, failed
        assert "failed: endpoint" in failed.text
        assert "predictions[0] is 3.0, expected 2.0" in failed.text, failed
        assert (stack.split, stack.alias) == ({"fare-1": 100}, 1)
    assert users.failed == 0, "a version that fails dark costs no request"
    before = len(stack.world.requests())
    again = stack.up(owner="others")
    assert not again.ok
    assert "is not tried again" in again.text, again
    assert not [path for _, path in stack.sent_since(before) if path.endswith(("/config", "/invocations"))]
    back = stack.up(version=str(GOOD))
    assert [one for one in back.operations() if one[1] in (ROLLOUT, ALIAS)] == [], back


def test_traffic_and_endpoint_changed_by_hand_are_shown_by_refresh_and_put_right(stack: Stack) -> None:
    with Load(stack.world, stack.endpoint):
        released = stack.up(version=str(BETTER))
        assert released.ok, released
    client = stack.world.client
    move_traffic(stack, {"fare-1": 60, "fare-2": 40})
    refreshed = stack.project.refresh("--diff")
    assert refreshed.ok, refreshed
    assert "fare-2" in refreshed.text, refreshed
    repaired = stack.project.up()
    assert repaired.operations() == [("update", ROLLOUT)], repaired
    assert stack.split == {"fare-1": 0, "fare-2": 100}

    client.serving_endpoints.delete(stack.endpoint)
    unseen = stack.project.up()
    assert not unseen.ok
    assert "`pulumi refresh` takes note of that" in unseen.text, unseen
    assert stack.project.refresh().ok
    made = stack.project.up()
    assert made.ok, made
    assert stack.split == {"fare-2": 100}


def test_an_abort_restores_what_ran_before(stack: Stack) -> None:
    running = start_up(stack, version=str(BETTER), bake="30")
    wait_until(lambda: stack.split.get("fare-2") == 20, running)
    with Load(stack.world, stack.endpoint):
        assert abort(stack.world.client, stack.endpoint) is not None
        output, code = finished(running)
    assert code != 0
    assert "aborted by the abort tag of the endpoint" in output, output
    assert (stack.split, stack.alias) == ({"fare-1": 100}, 1)
    assert stack.tags() == {"owner": "ml"}


@pytest.mark.parametrize("victim", ["engine", "provider", "workspace"])
def test_a_release_that_is_killed_in_the_middle_ends_in_the_declared_version_with_the_next_up(
    stack: Stack, victim: str
) -> None:
    running = start_up(stack, version=str(BETTER), bake="30")
    wait_until(lambda: stack.split.get("fare-2") == 20, running)
    if victim == "engine":
        running.kill()
    elif victim == "provider":
        for pid in children_of(running.pid, "pulumi-resource-pulumi-python"):
            os.kill(pid, signal.SIGKILL)
    else:
        stack.world.server.restart()
    output, code = finished(running, terminate=victim == "workspace")
    assert code != 0, output
    stack.project.run("cancel", "--yes")
    configure(stack.project, bake="0.6")
    with Load(stack.world, stack.endpoint):
        after = stack.project.up()
        assert after.ok, after
    assert (stack.split, stack.alias) == ({"fare-1": 0, "fare-2": 100}, 2)
    assert stack.tags() == {"owner": "ml"}


def move_traffic(stack: Stack, split: dict[str, int]) -> None:
    """As somebody does in the workspace's own pages."""
    from databricks.sdk.service.serving import Route, ServedEntityInput, TrafficConfig

    stack.world.client.serving_endpoints.update_config_and_wait(
        stack.endpoint,
        served_entities=[
            ServedEntityInput(
                name=name,
                entity_name=stack.world.model,
                entity_version=name.rpartition("-")[2],
                workload_size="Small",
                scale_to_zero_enabled=True,
            )
            for name in split
        ],
        traffic_config=TrafficConfig(
            routes=[Route(served_entity_name=name, traffic_percentage=share) for name, share in split.items()]
        ),
    )


def start_up(stack: Stack, **config: str) -> subprocess.Popen[str]:
    configure(stack.project, **config)
    return stack.project.start(
        "up", "--yes", "--skip-preview", "--stack", stack.project.stack, "--non-interactive", "--color=never"
    )


def finished(running: subprocess.Popen[str], *, terminate: bool = False) -> tuple[str, int]:
    if terminate:
        running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=120)
    return output + errors, running.returncode


def wait_until(reached: Callable[[], bool], running: subprocess.Popen[str], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def children_of(parent: int, what: str) -> list[int]:
    """Processes below `parent` whose command line names `what`."""
    parents, commands = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            commands[int(entry.name)] = (entry / "cmdline").read_text()
        except OSError:
            continue

    def below(pid: int) -> bool:
        return pid == parent or (pid in parents and below(parents[pid]))

    return [pid for pid, command in commands.items() if what in command and below(pid)]


def stop_everything_of(folder: Path) -> None:
    """Plugins that outlived an engine of this test."""
    from toolchain.orphans import find_orphans, stop

    for home in folder.rglob(".engine/home"):
        stop(find_orphans(home))
