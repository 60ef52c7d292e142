"""An endpoint with releases declares no config, and its rollout everything that the config would have said."""

from __future__ import annotations

from typing import Any

import pytest

from components.dynamic import SmokeCase
from components.rollout import RolloutArgs
from components.served_entity import ServedEntityArgs
from components.serving_endpoint import ServingEndpoint, ServingEndpointArgs
from tests.unit.recording import Recording, record

QUERY = SmokeCase(name="one", payload={"dataframe_records": [{"a": 1.0}]})


def entity(traffic: int = 100, **changes: Any) -> ServedEntityArgs:
    return ServedEntityArgs(
        model="main.ml.fare", version="18", traffic_percentage=traffic, scale_to_zero_enabled=False, **changes
    )


def build(*entities: Any) -> Recording:
    args = ServingEndpointArgs(name="fare", served_entities=entities, rollout=RolloutArgs(queries=[QUERY]))
    return record(lambda: ServingEndpoint("fare", args).endpoint.id)


def test_the_endpoint_declares_no_config_and_the_rollout_declares_the_entity() -> None:
    recording = build(entity(min_provisioned_concurrency=4, max_provisioned_concurrency=8))
    assert "config" not in recording.one(":ModelServing")
    rollout = recording.one(":TrafficRollout")
    assert (rollout["model"], rollout["version"], rollout["entity_name"]) == ("main.ml.fare", "18", "fare-18")
    assert (rollout["min_provisioned_concurrency"], rollout["max_provisioned_concurrency"]) == (4, 8)
    assert rollout["scale_to_zero_enabled"] is False


def test_only_one_version_of_a_registered_model_can_be_released() -> None:
    with pytest.raises(ValueError, match="received fare-18 50 %, fare-19 50 %"):
        build(
            entity(50),
            ServedEntityArgs(model="main.ml.fare", version="19", traffic_percentage=50, scale_to_zero_enabled=False),
        )
    with pytest.raises(ValueError, match="total"):
        build(entity(0))
