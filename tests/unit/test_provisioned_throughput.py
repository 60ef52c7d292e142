"""Model units go to the resource that is made for them."""

from __future__ import annotations

from typing import Any

import pytest

from components.ai_gateway import AiGatewayArgs, GuardrailArgs, InferenceTableArgs, RateLimitArgs
from components.provisioned_throughput import (
    ModelUnitsArgs,
    ProvisionedThroughputEndpoint,
    ProvisionedThroughputEndpointArgs,
)
from components.serving_endpoint import EndpointPermission
from tests.unit.recording import record


def units(**changes: Any) -> ModelUnitsArgs:
    values: dict[str, Any] = {
        "model": "system.ai.llama-4-maverick",
        "version": "1",
        "provisioned_model_units": 50,
        "traffic_percentage": 100,
        **changes,
    }
    return ModelUnitsArgs(**values)


def args(**changes: Any) -> ProvisionedThroughputEndpointArgs:
    values: dict[str, Any] = {
        "name": "llama",
        "served_entities": [units()],
        "inference_table": InferenceTableArgs(catalog="main", schema="llm", prefix="llama"),
        "permissions": [EndpointPermission(level="CAN_QUERY", group="grp-apps")],
        "usage_tracking": True,
        **changes,
    }
    return ProvisionedThroughputEndpointArgs(**values)


def test_units_split_table_and_permissions_reach_the_resource() -> None:
    recording = record(lambda: ProvisionedThroughputEndpoint("llama", args()).endpoint.id)
    endpoint = recording.one(":ModelServingProvisionedThroughput")
    assert endpoint["config"]["servedEntities"] == [
        {
            "name": "llama-4-maverick-1",
            "entityName": "system.ai.llama-4-maverick",
            "entityVersion": "1",
            "provisionedModelUnits": 50,
            "burstScalingEnabled": False,
        }
    ]
    assert endpoint["config"]["trafficConfig"]["routes"] == [
        {"servedModelName": "llama-4-maverick-1", "trafficPercentage": 100}
    ]
    assert endpoint["aiGateway"]["inferenceTableConfig"]["tableNamePrefix"] == "llama"
    assert endpoint["aiGateway"]["usageTrackingConfig"] == {"enabled": True}
    assert recording.one(":Permissions")["accessControls"] == [
        {"permissionLevel": "CAN_QUERY", "groupName": "grp-apps"}
    ]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: units(provisioned_model_units=0), "use 1 or more"),
        (lambda: args(served_entities=[units(traffic_percentage=90)]), "adds up to 90"),
        (lambda: args(name="la ma"), "Model Serving refuses"),
    ],
)
def test_a_broken_rule_is_refused_before_anything_is_registered(build: Any, message: str) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            ProvisionedThroughputEndpoint("llama", build())

    assert record(broken).resources == []


def test_limits_and_guardrails_of_a_language_model_are_sent() -> None:
    gateway = AiGatewayArgs(
        rate_limits=[RateLimitArgs(tokens=1000, key="user")],
        input_guardrails=GuardrailArgs(pii="BLOCK"),
        output_guardrails=GuardrailArgs(pii="MASK", safety=True),
    )
    made = record(lambda: ProvisionedThroughputEndpoint("llama", args(gateway=gateway)).endpoint.id)
    sent = made.one(":ModelServingProvisionedThroughput")["aiGateway"]
    assert sent["rateLimits"] == [{"renewalPeriod": "minute", "tokens": 1000, "key": "user"}]
    assert sent["guardrails"] == {
        "input": {"pii": {"behavior": "BLOCK"}, "safety": False},
        "output": {"pii": {"behavior": "MASK"}, "safety": True},
    }


def test_fallback_is_refused_before_anything_is_registered() -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match="fallback goes between external models"):
            ProvisionedThroughputEndpoint("llama", args(gateway=AiGatewayArgs(fallback=True)))

    assert record(broken).resources == []


def test_who_is_notified_is_kept_in_step_by_its_own_resource() -> None:
    changes: dict[str, Any] = {"notify_on_failure": ["ml@example.com"], "budget_policy_id": "policy"}
    made = record(lambda: ProvisionedThroughputEndpoint("llama", args(**changes)).endpoint.id)
    assert made.one(":ModelServingProvisionedThroughput")["budgetPolicyId"] == "policy"
    settings = made.one(":EndpointSettings")
    assert (settings["endpoint_name"], settings["on_update_failure"]) == ("llama", ["ml@example.com"])
