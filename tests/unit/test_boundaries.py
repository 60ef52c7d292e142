"""A number is taken from its least to its largest, and refused one beyond, in arguments and in stack files alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ai_gateway import RateLimitArgs
from components.alerts import FreshnessAlertArgs
from components.arguments import ArgumentError
from components.config.errors import StackConfigError, parse_stack_config
from components.job import ClusterArgs
from components.lakebase import LakebaseStoreArgs
from components.provisioned_throughput import ModelUnitsArgs
from components.served_entity import FoundationModelArgs
from tests.unit import test_external_store
from tests.unit.stack_values import stack_values


def foundation(least: int, most: int) -> FoundationModelArgs:
    return FoundationModelArgs(
        model="system.ai.m",
        version="1",
        traffic_percentage=100,
        min_provisioned_throughput=least,
        max_provisioned_throughput=most,
    )


def units(number: int) -> ModelUnitsArgs:
    return ModelUnitsArgs(model="system.ai.m", version="1", provisioned_model_units=number, traffic_percentage=100)


ONE: dict[str, tuple[Callable[[int], object], int, int | None]] = {
    "calls": (lambda number: RateLimitArgs(calls=number), 1, None),
    "tokens": (lambda number: RateLimitArgs(tokens=number), 1, None),
    "model units": (units, 1, None),
    "workers": (lambda number: ClusterArgs(key="c", spark_version="v", node_type_id="t", num_workers=number), 0, None),
    "port": (lambda number: test_external_store.args(port=number), 1, 65535),
}


@pytest.mark.parametrize("name", sorted(ONE))
@given(number=st.integers(-3, 3) | st.integers(65_533, 65_538))
def test_a_number_is_taken_within_its_bounds_and_refused_beyond(name: str, number: int) -> None:
    build, least, most = ONE[name]
    if least <= number and (most is None or number <= most):
        build(number)
    else:
        with pytest.raises(ValueError, match=str(number)):
            build(number)


@given(st.integers(-3, 8), st.integers(-3, 8))
def test_a_least_and_a_most_are_in_order(least: int, most: int) -> None:
    pairs: list[tuple[Callable[[], object], bool]] = [
        (lambda: foundation(least, most), 0 <= least <= most and most > 0),
        (lambda: LakebaseStoreArgs(project_id="p", min_cu=least, max_cu=most), 0 < least <= most),
        (
            lambda: ClusterArgs(key="c", spark_version="v", node_type_id="t", num_workers=least, max_workers=most),
            least >= 0 and most >= max(least, 1),
        ),
    ]
    for build, taken in pairs:
        if taken:
            build()
        else:
            with pytest.raises(ValueError, match=str(least)):
                build()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_of_any_size_is_refused(number: float) -> None:
    with pytest.raises(ArgumentError, match=f"max_age_minutes is {number}; expected a number"):
        FreshnessAlertArgs(table="c.s.t", column="ts", max_age_minutes=number)
    values: dict[str, Any] = stack_values()
    values["alerts"] = {"emails": ["a@b.example"], "maxP95LatencyMs": number}
    with pytest.raises(StackConfigError, match=r"alerts\.maxP95LatencyMs: input should be a finite number"):
        parse_stack_config(values, where="the stack file")
