"""The taxi stack's files say what the document says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.config import StackConfig
from components.config.errors import parse_stack_config
from pipelines.taxi.features import DROPOFF, PICKUP

ROOT = Path(__file__).parents[2]
# No record is in the document; this one is ours, made of its keys.
RECORD = {
    "pickup_zip": 10103,
    "dropoff_zip": 10110,
    "rounded_pickup_datetime": "2016-02-13 21:00:00",
    "rounded_dropoff_datetime": "2016-02-13 21:30:00",
    "trip_distance": 2.5,
}


def config_of(stack: str) -> StackConfig:
    content = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())
    values = {"environment": stack, **content["config"]["taxi-serving:serving"]}
    return parse_stack_config(values, StackConfig, where=stack)


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_taxi_stacks_publish_the_documented_tables_keys_and_names(stack: str) -> None:
    config = config_of(stack)
    assert (config.catalog, config.schema_name) == ("p03", "e2e_demo_simon")
    assert config.model.name == "p03.e2e_demo_simon.taxi_fare_regressor"
    assert config.model.aliases == {"champion": "15"}
    assert [(table.source, table.primary_keys, table.publish_mode) for table in config.feature_tables] == [
        ("trip_pickup_features", ["pickup_zip", "rounded_pickup_datetime"], "TRIGGERED"),
        ("trip_dropoff_features", ["dropoff_zip", "rounded_dropoff_datetime"], "TRIGGERED"),
    ]
    assert all(table.online_name is None for table in config.feature_tables)
    assert all(table.timeseries_key is None for table in config.feature_tables)
    (query,) = config.smoke.queries
    assert query.payload == {"dataframe_records": [RECORD]}


@pytest.mark.parametrize(
    ("stack", "capacity", "replicas", "to_zero"), [("staging", "CU_1", 0, True), ("prod", "CU_2", 1, False)]
)
def test_staging_is_small_and_sleeps_and_prod_does_neither(
    stack: str, capacity: str, replicas: int, to_zero: bool
) -> None:
    config = config_of(stack)
    assert config.online_store.name == f"taxi-online-{stack}"
    assert (config.online_store.capacity, config.online_store.read_replica_count) == (capacity, replicas)
    assert config.scale_to_zero is to_zero
    assert config.endpoint.name == f"taxi-fare-regressor-{stack}"
    assert config.endpoint.inference_table is not None
    assert config.endpoint.inference_table.prefix == f"taxi_fare_regressor_{stack}"
    levels = {entry.group: entry.level for entry in config.endpoint.permissions}
    assert levels == {"grp-apps": "CAN_QUERY", "grp-ml-owners": "CAN_MANAGE", "grp-support": "CAN_VIEW"}
    assert {"environment", "owner", "cost_center"} <= set(config.endpoint.tags)


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_availability_latency_and_freshness_are_watched(stack: str) -> None:
    alerts = config_of(stack).alerts
    assert alerts is not None
    assert (alerts.max_error_share, alerts.max_p95_latency_ms, alerts.window_minutes) == (0.01, 200, 15)
    assert [(one.table, one.column, one.max_age_minutes) for one in alerts.freshness] == [
        ("trip_pickup_features", "rounded_pickup_datetime", 60),
        ("trip_dropoff_features", "rounded_dropoff_datetime", 60),
    ]


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_lookups_have_the_documented_target_and_every_feature_of_both_tables_is_told_apart(stack: str) -> None:
    latency = config_of(stack).feature_latency
    assert latency is not None
    assert (latency.target_ms, latency.percentile, latency.record) == (5, 95, None)
    # One that is left out would be looked up all the same, and the lookup look shorter than it is.
    assert set(latency.features) == {feature for table in (PICKUP, DROPOFF) for feature in table.features}
