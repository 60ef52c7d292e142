"""The gateway gets what goes with the entities, whole, and never loses its block."""

from __future__ import annotations

from typing import Any

import pytest

from components.ai_gateway import AiGatewayArgs, AiGatewayError, GuardrailArgs, RateLimitArgs
from components.serving_endpoint import ServingEndpoint, ServingEndpointArgs
from tests.unit.recording import record
from tests.unit.test_served_entity import external, model


def sent(entity: Any, gateway: AiGatewayArgs) -> dict[str, Any]:
    args = ServingEndpointArgs(name="ep", served_entities=[entity], gateway=gateway)
    found: dict[str, Any] = record(lambda: ServingEndpoint("ep", args).endpoint.id).one(":ModelServing")["aiGateway"]
    return found


def test_a_custom_model_has_usage_tracking_and_call_limits() -> None:
    limits = [RateLimitArgs(calls=100), RateLimitArgs(calls=10, key="user_group", principal="grp-apps")]
    assert sent(model(), AiGatewayArgs(usage_tracking=True, rate_limits=limits)) == {
        "inferenceTableConfig": {"enabled": False},
        "usageTrackingConfig": {"enabled": True},
        "rateLimits": [
            {"renewalPeriod": "minute", "calls": 100, "key": "endpoint"},
            {"renewalPeriod": "minute", "calls": 10, "key": "user_group", "principal": "grp-apps"},
        ],
    }


def test_an_external_model_has_guardrails_and_a_fallback() -> None:
    gateway = AiGatewayArgs(
        input_guardrails=GuardrailArgs(pii="BLOCK", safety=True),
        output_guardrails=GuardrailArgs(pii="MASK"),
        fallback=True,
        rate_limits=[RateLimitArgs(tokens=5000, key="user")],
    )
    block = sent(external(), gateway)
    assert block["guardrails"] == {
        "input": {"pii": {"behavior": "BLOCK"}, "safety": True},
        "output": {"pii": {"behavior": "MASK"}, "safety": False},
    }
    assert block["fallbackConfig"] == {"enabled": True}
    assert block["rateLimits"][0]["tokens"] == 5000


@pytest.mark.parametrize(
    ("gateway", "message"),
    [
        (AiGatewayArgs(input_guardrails=GuardrailArgs(safety=True)), "guardrails go with language models"),
        (AiGatewayArgs(fallback=True), "previous version as an entity at 0 %"),
        (AiGatewayArgs(rate_limits=[RateLimitArgs(tokens=1)]), "limit the calls"),
    ],
)
def test_what_a_registered_model_does_not_have_is_refused(gateway: AiGatewayArgs, message: str) -> None:
    def build() -> None:
        with pytest.raises(AiGatewayError, match=message):
            ServingEndpoint("ep", ServingEndpointArgs(name="ep", served_entities=[model()], gateway=gateway))

    assert record(build).resources == []


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({}, "limits nothing"),
        ({"calls": 0}, "use 1 or more"),
        ({"calls": 1, "key": "user_group"}, "name the principal"),
        ({"calls": 1, "principal": "someone"}, "remove the principal"),
    ],
)
def test_a_rate_limit_that_is_none_is_refused(limit: dict[str, Any], message: str) -> None:
    with pytest.raises(AiGatewayError, match=message):
        RateLimitArgs(**limit)


def test_one_key_has_one_limit() -> None:
    with pytest.raises(AiGatewayError, match="put calls and tokens into one"):
        AiGatewayArgs(rate_limits=[RateLimitArgs(calls=1), RateLimitArgs(tokens=1)])
