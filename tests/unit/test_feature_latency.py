"""Gates on online features as a stack file describes them, and who uses which version."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.config import StackConfig
from components.config.errors import StackConfigError, parse_stack_config
from components.feature_latency import lookup_gate, lookup_output
from components.online_store import FeatureOnlineStore, FeatureOnlineStoreArgs
from components.online_table import FeatureOnlineTable, FeatureOnlineTableArgs
from components.served_entity import ServedEntityArgs
from components.serving_endpoint import ServingEndpoint, ServingEndpointArgs
from tests.unit.recording import Recording, record
from tests.unit.stack_values import stack_values

FEATURES = {"mean_fare": 9.5, "trips": 3}


def config(**latency: Any) -> StackConfig:
    values = stack_values()
    values["featureLatency"] = {"features": FEATURES, **latency}
    return parse_stack_config(values, where="the test")


def gate(stack: StackConfig) -> Recording:
    entities = [
        ServedEntityArgs(model="c.s.fares", version=version, traffic_percentage=share, scale_to_zero_enabled=True)
        for version, share in (("15", 80), ("14", 20), ("13", 0))
    ]

    def build() -> Any:
        endpoint = ServingEndpoint("fare", ServingEndpointArgs(name="fares", served_entities=entities))
        made = lookup_gate(stack, endpoint, entities, [])
        return None if made is None else made.id

    return record(build)


def test_every_entity_with_traffic_is_measured_on_the_first_smoke_record_by_default() -> None:
    inputs = gate(config()).one(":LookupLatency")
    assert inputs["served_entities"] == ["fares-15", "fares-14"]
    assert json.loads(inputs["record"]) == {"pickup_zip": 10103}
    assert json.loads(inputs["features"]) == FEATURES
    assert (inputs["target_ms"], inputs["percentile"], inputs["strict"]) == (5, 95, False)
    assert inputs["versions"]["fares-14"] == "14"
    assert inputs["triggers"] == {"store": "taxi-online-staging CU_1 0"}


def test_a_stack_file_may_say_record_target_percentile_and_strictness() -> None:
    stack = config(record={"pickup_zip": 7}, targetMs=2.5, percentile=99, strict=True)
    inputs = gate(stack).one(":LookupLatency")
    assert json.loads(inputs["record"]) == {"pickup_zip": 7}
    assert (inputs["target_ms"], inputs["percentile"], inputs["strict"]) == (2.5, 99, True)


def test_without_the_section_nothing_is_measured_and_the_output_is_empty() -> None:
    assert gate(parse_stack_config(stack_values(), where="the test")).of_type(":LookupLatency") == []
    assert lookup_output(None) == {}


@pytest.mark.parametrize(
    ("latency", "says"),
    [
        ({"features": {}}, "featureLatency.features"),
        ({"features": {"pickup_zip": 1}}, "pickup_zip stands in the record of the smoke query too"),
        ({"record": {"a": 1}, "features": {"a": 1}}, "has a in record and in features"),
        ({"features": FEATURES, "percentile": 90}, "featureLatency.percentile"),
        ({"features": FEATURES, "targetMs": 0}, "featureLatency.targetMs"),
    ],
)
def test_a_measurement_that_could_say_nothing_is_refused_with_its_path(latency: dict[str, Any], says: str) -> None:
    values = {**stack_values(), "featureLatency": latency}
    with pytest.raises(StackConfigError) as refused:
        parse_stack_config(values, where="the test")
    assert says in str(refused.value)


def test_a_record_has_to_come_from_somewhere() -> None:
    values = {**stack_values(), "featureLatency": {"features": FEATURES}}
    values["smoke"] = {"queries": [{"name": "split", "payload": {"dataframe_split": {}}}]}
    with pytest.raises(StackConfigError, match="no smoke query has dataframe_records"):
        parse_stack_config(values, where="the test")


def test_the_lag_limit_reaches_the_publication_with_the_warehouse_that_tells() -> None:
    def build() -> Any:
        store = FeatureOnlineStore("features", FeatureOnlineStoreArgs(name="store"))
        return FeatureOnlineTable(
            "trips",
            FeatureOnlineTableArgs(
                source_table="c.s.trips",
                online_store=store.store_name,
                primary_keys=["zip"],
                max_lag_seconds=90.0,
                warehouse_id="w1",
            ),
        ).state

    inputs = record(build).one(":PublishedTable")
    assert (inputs["max_lag_seconds"], inputs["warehouse_id"]) == (90.0, "w1")


def test_consumers_name_aliases_that_are_there() -> None:
    values = stack_values()
    values["model"]["consumers"] = {"batch": "champion", "realtime": "production"}
    assert parse_stack_config(values, where="the test").model.consumers["batch"] == "champion"
    values["model"]["consumers"] = {"batch": "chalenger"}
    with pytest.raises(StackConfigError, match=r"consumers has batch: chalenger, and aliases has champion, production"):
        parse_stack_config(values, where="the test")
