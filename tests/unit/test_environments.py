"""What staging and prod do differently reaches the resources."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components import databricks
from components.environments import ENVIRONMENTS
from components.served_entity import ServedEntityArgs
from components.serving_endpoint import ServingEndpoint, ServingEndpointArgs
from tests.unit.recording import record

TIMEOUTS = {"local": "10m", "staging": "30m", "prod": "120m"}


def test_every_environment_gives_an_endpoint_ten_minutes_or_more() -> None:
    assert {name: environment.endpoint_timeout for name, environment in ENVIRONMENTS.items()} == TIMEOUTS
    assert all(int(timeout.removesuffix("m")) >= 10 for timeout in TIMEOUTS.values())


@pytest.mark.parametrize("environment", TIMEOUTS)
def test_an_endpoint_may_take_as_long_as_its_environment_says(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[pulumi.ResourceOptions] = []
    init: Any = databricks.ModelServing.__init__

    def seen(*args: Any, opts: pulumi.ResourceOptions, **inputs: Any) -> None:
        given.append(opts)
        init(*args, opts=opts, **inputs)

    monkeypatch.setattr(databricks.ModelServing, "__init__", seen)
    entity = ServedEntityArgs(model="c.s.m", version="1", traffic_percentage=100, scale_to_zero_enabled=True)
    args = ServingEndpointArgs(name="ep", served_entities=[entity], timeout=ENVIRONMENTS[environment].endpoint_timeout)
    record(lambda: ServingEndpoint("ep", args).endpoint.id)
    (options,) = given
    assert options.custom_timeouts is not None
    assert (options.custom_timeouts.create, options.custom_timeouts.update) == (TIMEOUTS[environment],) * 2
