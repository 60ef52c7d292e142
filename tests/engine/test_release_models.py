"""Releases of real models on the embedded workspace, with users asking all along and the time moved by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from components.dynamic.errors import ProviderError
from components.dynamic.rollout import TrafficRolloutProvider
from components.dynamic.smoke_suite import SmokeExpectation, expectation_text, payload_text
from components.release.plan import Gate, Plan
from tests.support.release_world import (
    BETTER,
    DRIFTS,
    GOOD,
    QUESTION,
    RAISES,
    SLOW,
    UNDER_LOAD,
    WRONG,
    ReleaseWorld,
    Users,
    release_world,
)

Props = dict[str, Any]
NAME = "fares"
CONFIG = f"/api/2.0/serving-endpoints/{NAME}/config"
LAG_SECONDS = 1200.0
PLAN = Plan(
    steps=(20, 100),
    bake_seconds=60,
    poll_seconds=15,
    lease_seconds=300,
    bake_cap_seconds=9000,
    gates=(
        Gate(metric="error_rate", pass_at_most=0.01, fail_above=0.05, min_requests=20),
        Gate(metric="latency_p50_ms", pass_at_most=3.0, versus="ratio", min_requests=20),
    ),
)
LATE = replace(
    PLAN,
    gates=(*PLAN.gates, Gate(metric="prediction_drift", pass_at_most=0.5, min_requests=10)),
    delivery_lag_seconds=LAG_SECONDS + 60,
    poll_seconds=60,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseWorld]:
    with release_world(tmp_path_factory.mktemp("releases")) as made:
        yield made


@dataclass
class Stack:
    """A stack that runs version 1 on an endpoint of its own."""

    world: ReleaseWorld
    users: Users
    provider: TrafficRolloutProvider
    endpoint: str
    id: str
    folder: Path
    state: Props | None = None

    def inputs(self, version: int, plan: Plan) -> Props:
        return {
            "endpoint_name": self.endpoint,
            "endpoint_id": self.id,
            "model": self.world.model,
            "version": str(version),
            "entity_name": f"fare-{version}",
            "queries": [
                {
                    "name": "one",
                    "payload": payload_text(QUESTION),
                    "expect": expectation_text(SmokeExpectation(values=[2.0])),
                }
            ],
            "plan": plan.text(),
            "workload_size": "Small",
            "workload_type": "CPU",
            "scale_to_zero_enabled": True,
            "environment_vars": {},
            "timeout_seconds": 20.0,
            "warm_up_seconds": 30.0,
            "retries": 1.0,
            "backoff_seconds": 1.0,
            "payload_table": f"main.ml.{self.endpoint}_payload",
            "warehouse_id": "local",
            "report_folder": str(self.folder),
            "provider_version": "1",
        }

    def up(self, version: int, plan: Plan = PLAN) -> None:
        inputs = self.inputs(version, plan)
        if self.state is None:
            self.state = self.provider.create(inputs).outs
        else:
            self.state = self.provider.update(self.id, self.state, inputs).outs


@pytest.fixture(scope="module")
def deployed(world: ReleaseWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One endpoint for all tests: what a failed release leaves is what the next one begins with."""
    world.do("PUT", "/_workspace/settings", inference_table_delivery_lag_seconds=LAG_SECONDS)
    provider = TrafficRolloutProvider()
    settings = {"databricks:host": world.server.host, "databricks:token": world.server.token}
    provider.configure(ConfigureRequest(Config(settings, "project")))
    users = Users(world, NAME)
    stack = Stack(world, users, provider, NAME, world.endpoint(NAME), tmp_path_factory.mktemp("transcripts"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("components.dynamic.engine.progress", lambda _: None)
        patched.setattr(TrafficRolloutProvider, "clock", users)
        stack.up(GOOD)
        yield stack
    users.close()


@pytest.fixture
def stack(deployed: Stack) -> Stack:
    assert deployed.world.split(NAME) == {"fare-1": 100}
    deployed.users.answers.clear()
    return deployed


@pytest.mark.parametrize(("version", "match"), [(RAISES, "status"), (WRONG, "predictions")])
def test_what_the_smoke_queries_can_see_is_caught_dark_and_costs_no_request(
    stack: Stack, version: int, match: str
) -> None:
    with pytest.raises(ProviderError, match=match):
        stack.up(version)
    assert stack.world.split(NAME) == {"fare-1": 100}
    assert stack.users.failed == 0
    assert {entity for entity, _ in stack.users.answers} <= {"fare-1"}


@pytest.mark.parametrize(("version", "match"), [(SLOW, "latency_p50_ms"), (UNDER_LOAD, "error_rate")])
def test_what_only_traffic_shows_is_caught_at_the_first_step(stack: Stack, version: int, match: str) -> None:
    with pytest.raises(ProviderError, match=match):
        stack.up(version)
    assert stack.world.split(NAME) == {"fare-1": 100}
    shares: Counter[str] = Counter()
    for (entity, _), count in stack.users.answers.items():
        shares[entity] += count
    print(f"\n{match}: {dict(shares)} answers, {stack.users.failed} failed")
    assert shares[f"fare-{version}"] < 0.5 * shares["fare-1"], "no more than the first step got to it"


def test_drifting_predictions_are_caught_in_an_inference_table_that_is_twenty_minutes_late(stack: Stack) -> None:
    stack.users.a_second = 1.0
    began = stack.users.wall()
    with pytest.raises(ProviderError, match=r"prediction_drift \d"):
        stack.up(DRIFTS, LATE)
    assert stack.users.wall() - began >= LAG_SECONDS
    assert stack.world.split(NAME) == {"fare-1": 100}


def test_a_good_release_goes_by_steps_unnoticed_and_back_with_one_call(stack: Stack) -> None:
    stack.users.a_second = 1.0
    # Two answers are lost on the way: of the first config, which takes effect, and of one that meets the other.
    stack.world.do("POST", "/_workspace/faults", method="PUT", path=CONFIG, when="after", reset=True, times=1)
    stack.world.do("POST", "/_workspace/faults", method="PUT", path=CONFIG, when="after", status=500, times=2)
    stack.up(BETTER, LATE)
    assert [rule["hits"] for rule in stack.world.do("GET", "/_workspace/faults")["faults"]] == [1, 2]
    assert stack.world.split(NAME) == {"fare-1": 0, "fare-2": 100}
    assert stack.users.failed == 0
    assert stack.users.answers["fare-2", 200] > 100
    (transcript,) = [file for file in stack.folder.glob("*.md") if "version 1 -> 2" in file.read_text()]
    assert "released" in transcript.read_text()
    assert transcript.with_suffix(".svg").read_text().startswith("<svg")
    before = len(stack.world.requests())
    stack.up(GOOD, LATE)
    sent = stack.world.requests()[before:]
    assert [path for method, path in sent if method == "PUT" and path.endswith("/config")] == [CONFIG]
    assert stack.world.split(NAME) == {"fare-2": 0, "fare-1": 100}
    assert stack.users.failed == 0
