"""The taxi stack goes over to releases: nothing is moved, the proof and the outputs come from the rollout."""

from __future__ import annotations

from typing import Any

from components.outputs import StackOutputs
from tests.support.taxi import ENDPOINT, Taxi

ROLLOUT = "pulumi-python:dynamic/serving:TrafficRollout"
SMOKE = "pulumi-python:dynamic/serving:SmokeQuery"


def test_a_stack_with_a_standing_split_goes_over_to_releases_without_a_change_of_what_serves(running: Taxi) -> None:
    def release_by_steps(serving: dict[str, Any]) -> None:
        serving["endpoint"]["rollout"] = {"steps": [20, 100], "bakeSeconds": 1.0, "pollSeconds": 0.2}

    running.change(release_by_steps)
    before = running.last_request()
    outcome = running.project.up()
    assert outcome.ok, outcome
    assert ("create", ROLLOUT) in outcome.operations()
    assert ("delete", SMOKE) in outcome.operations()
    assert not [
        path for _, path in running.requests_since(before) if path == f"/api/2.0/serving-endpoints/{ENDPOINT}/config"
    ]
    outputs = StackOutputs.model_validate(running.project.outputs())
    assert outputs.release is not None
    assert outputs.release.split == {"taxi_fare_regressor-1": 100}
    assert outputs.smoke_result.answered_by == {"taxi_fare_regressor-1": "ok"}
    assert [entity.traffic_percentage for entity in outputs.served_entities] == [100]
    assert running.alias() == "1"
    before = running.last_request()
    again = running.project.up()
    assert again.operations() == [], again
    assert {method for method, _ in running.requests_since(before)} == {"GET"}
