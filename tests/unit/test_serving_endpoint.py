"""A `ServingEndpoint` sends what the service needs spelled out, and refuses what it would refuse."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.serving_endpoint import (
    EndpointPermission,
    InferenceTableArgs,
    ServedEntityArgs,
    ServingEndpoint,
    ServingEndpointArgs,
)
from components.traffic import TrafficSplitError
from tests.unit.recording import Recording, record

MODEL = "p03.e2e_demo_simon.taxi_fare_regressor"


def entity(version: str, traffic: int, **changes: Any) -> ServedEntityArgs:
    values: dict[str, Any] = {
        "model": MODEL,
        "version": version,
        "traffic_percentage": traffic,
        "scale_to_zero_enabled": True,
        **changes,
    }
    return ServedEntityArgs(**values)


def args(**changes: Any) -> ServingEndpointArgs:
    values: dict[str, Any] = {
        "name": "taxi-fare",
        "served_entities": [entity("14", 80), entity("15", 20)],
        "inference_table": InferenceTableArgs(catalog="p03", schema="e2e_demo_simon", prefix="taxi"),
        "tags": {"owner": "ml", "environment": "staging"},
        "permissions": [EndpointPermission(level="CAN_QUERY", group="grp-apps")],
        "run_as": "sp-serving",
        "timeout": "30m",
        **changes,
    }
    return ServingEndpointArgs(**values)


def build(**changes: Any) -> Recording:
    return record(lambda: ServingEndpoint("fare", args(**changes)).endpoint.id)


def test_entities_are_named_by_model_and_version_and_routes_name_the_entities() -> None:
    config = build().one(":ModelServing")["config"]
    assert [entity["name"] for entity in config["servedEntities"]] == [
        "taxi_fare_regressor-14",
        "taxi_fare_regressor-15",
    ]
    assert config["trafficConfig"]["routes"] == [
        {"servedModelName": "taxi_fare_regressor-14", "trafficPercentage": 80},
        {"servedModelName": "taxi_fare_regressor-15", "trafficPercentage": 20},
    ]


def test_scale_to_zero_is_stated_for_every_entity_also_when_it_is_off() -> None:
    endpoint = build(served_entities=[entity("14", 100, scale_to_zero_enabled=False)]).one(":ModelServing")
    assert endpoint["config"]["servedEntities"][0]["scaleToZeroEnabled"] is False


def test_the_endpoint_has_the_stated_name_and_never_a_generated_one() -> None:
    assert build().one(":ModelServing")["name"] == "taxi-fare"


def test_the_inference_table_is_the_gateways_and_never_auto_capture() -> None:
    endpoint = build().one(":ModelServing")
    assert endpoint["aiGateway"]["inferenceTableConfig"] == {
        "enabled": True,
        "catalogName": "p03",
        "schemaName": "e2e_demo_simon",
        "tableNamePrefix": "taxi",
    }
    assert "autoCaptureConfig" not in endpoint["config"]


def test_without_an_inference_table_the_gateway_block_is_still_there() -> None:
    endpoint = build(inference_table=None).one(":ModelServing")
    assert endpoint["aiGateway"]["inferenceTableConfig"] == {"enabled": False}


def test_permissions_are_keyed_on_the_opaque_id() -> None:
    permissions = build().one(":Permissions")
    assert permissions["servingEndpointId"] == "opaque-id"
    assert permissions["accessControls"] == [{"permissionLevel": "CAN_QUERY", "groupName": "grp-apps"}]


def test_the_serving_identity_may_execute_each_model_once() -> None:
    grant = build().one(":Grant")
    assert (grant["model"], grant["principal"], grant["privileges"]) == (MODEL, "sp-serving", ["EXECUTE"])


def test_the_serving_identity_may_execute_the_functions_of_on_demand_features() -> None:
    made = build(functions=["main.f.per_mile", "main.f.busy", "main.f.busy"])
    grants = {grant.get("function"): (grant["principal"], grant["privileges"]) for grant in made.of_type(":Grant")}
    assert grants == dict.fromkeys([None, "main.f.busy", "main.f.per_mile"], ("sp-serving", ["EXECUTE"]))


def test_tags_are_in_a_stable_order() -> None:
    assert build().one(":ModelServing")["tags"] == [
        {"key": "environment", "value": "staging"},
        {"key": "owner", "value": "ml"},
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"served_entities": [entity("14", 70), entity("15", 20)]}, "adds up to 90"),
        ({"served_entities": [entity("14", 50), entity("14", 50)]}, "has 2 routes"),
        ({"served_entities": [entity("champion", 100)]}, "'champion' is not a whole number from 1"),
        ({"served_entities": [entity("14", 100, model="taxi.model")]}, "has 2 parts instead of three"),
        ({"name": "taxi fare"}, "has characters that Model Serving refuses"),
    ],
)
def test_a_broken_rule_is_refused_before_anything_is_registered(changes: dict[str, Any], message: str) -> None:
    recorded: list[Recording] = []

    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            ServingEndpoint("fare", args(**changes))

    recorded.append(record(broken))
    assert recorded[0].resources == []


def test_a_broken_split_has_an_error_type_of_its_own() -> None:
    def broken() -> None:
        with pytest.raises(TrafficSplitError):
            ServingEndpoint("fare", args(served_entities=[entity("1", 1)]))

    record(broken)


def test_depends_on_that_is_no_resource_is_refused() -> None:
    def broken() -> None:
        options = pulumi.ResourceOptions(depends_on=pulumi.Output.from_input([]))
        with pytest.raises(TypeError, match="pass a list of them"):
            ServingEndpoint("fare", args(), options)

    record(broken)


def test_models_of_one_last_name_get_a_grant_each_and_the_first_keeps_its_name() -> None:
    models = ["p03.ml.fare", "p04.ml.fare"]
    entities = [entity(str(number), 50, model=model) for number, model in enumerate(models, start=1)]
    made = build(served_entities=entities)
    names = {one.inputs["model"]: one.name for one in made.resources if one.typ.endswith(":Grant")}
    assert names == {"p03.ml.fare": "fare-execute-fare", "p04.ml.fare": "fare-execute-p04-ml-fare"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"permissions": [EndpointPermission(level="CAN_VIEW")]}, "CAN_VIEW is for nobody"),
        (
            {"permissions": [EndpointPermission(level="CAN_VIEW", group="g", user="u")]},
            "CAN_VIEW is for group, user; name one",
        ),
        (
            {"permissions": [EndpointPermission(level=level, group="Apps") for level in ("CAN_VIEW", "CAN_QUERY")]},
            "group apps is named 2 times",
        ),
        ({"permissions": [EndpointPermission(level="CAN_VIEW", group="admins")]}, "group admins can manage everything"),
        ({"timeout": "45 minutes"}, "'45 minutes' is no duration; write a number and its unit"),
        ({"notify_on_failure": ["ops"]}, "'ops' is no e-mail address"),
    ],
)
def test_what_the_provider_or_the_engine_would_refuse_in_the_update_is_refused_before(
    changes: dict[str, Any], message: str
) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            ServingEndpoint("fare", args(**changes))

    assert record(broken).resources == []


def test_a_principal_that_is_known_late_is_listed_too() -> None:
    late = EndpointPermission(level="CAN_QUERY", service_principal=pulumi.Output.from_input("app-id"))
    controls = build(permissions=[late]).one(":Permissions")["accessControls"]
    assert controls == [{"permissionLevel": "CAN_QUERY", "servicePrincipalName": "app-id"}]
