"""AI Gateway: limits by caller, usage tables, guardrails, fallbacks between external models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from databricks.sdk import errors
from databricks.sdk.errors import InvalidParameterValue
from databricks.sdk.service.serving import (
    AiGatewayGuardrailParameters,
    AiGatewayGuardrails,
    AiGatewayRateLimit,
    AiGatewayRateLimitKey,
    AiGatewayRateLimitRenewalPeriod,
    AiGatewayUsageTrackingConfig,
    EndpointCoreConfigInput,
    ExternalModel,
    FallbackConfig,
    Route,
    ServedEntityInput,
    TrafficConfig,
)

from tests.support.agents import CHAT, save_agent
from tests.support.feature_serving import World, entity, eventually, save_model, world

ME, ANN, BOB, JOB = "", "token-of-ann", "token-of-bob", "token-of-job"
RECORD = {"dataframe_records": [{"a": 1.0}]}
KEYS = AiGatewayRateLimitKey


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("gateway")
    with world(folder) as made:
        made.models.add("main.ml.plain", 1, save_model(folder / "plain", "return [1.0] * len(model_input)"))
        made.models.add("main.ml.echo", 1, save_agent(folder / "echo", CHAT))
        for name in ("plain", "echo"):
            config = EndpointCoreConfigInput(name=name, served_entities=[entity(f"main.ml.{name}", 1, "e")])
            made.client.serving_endpoints.create(name, config=config).result()
        yield made


@pytest.fixture(autouse=True)
def cleared(shop: World) -> Iterator[None]:
    yield
    for name in ("plain", "echo"):
        shop.client.serving_endpoints.put_ai_gateway(name)


def post(shop: World, name: str, body: Any, token: str = ME) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token or shop.state.token}"}
    return httpx.post(f"{shop.client.config.host}/serving-endpoints/{name}/invocations", json=body, headers=headers)


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def limit(key: KEYS, principal: str | None = None, **amount: int) -> AiGatewayRateLimit:
    return AiGatewayRateLimit(AiGatewayRateLimitRenewalPeriod.MINUTE, key=key, principal=principal, **amount)


def limits(shop: World, name: str, *given: AiGatewayRateLimit) -> None:
    answered = shop.client.serving_endpoints.put_ai_gateway(name, rate_limits=list(given))
    assert answered.rate_limits == list(given)
    gateway = shop.client.serving_endpoints.get(name).ai_gateway
    assert gateway is not None
    assert gateway.rate_limits == list(given)


def statuses(shop: World, name: str, body: Any, *tokens: str) -> list[int]:
    return [post(shop, name, body, token).status_code for token in tokens]


def read(shop: World, table: str) -> list[dict[str, Any]]:
    return list(shop.tables.delta(f"system.serving.{table}").to_pyarrow_table().to_pylist())


def next_minute(shop: World) -> None:
    shop.client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": 60})


def test_endpoint_limit_holds_for_all_callers_together_and_is_renewed_after_a_minute(shop: World) -> None:
    limits(shop, "plain", limit(KEYS.ENDPOINT, calls=3))
    assert statuses(shop, "plain", RECORD, ME, ANN, BOB) == [200, 200, 200]
    refused = post(shop, "plain", RECORD, JOB)
    assert (refused.status_code, refused.json()["error_code"]) == (429, "REQUEST_LIMIT_EXCEEDED")
    assert 0 < int(refused.headers["retry-after"]) <= 61
    next_minute(shop)
    assert statuses(shop, "plain", RECORD, JOB) == [200]


def test_default_of_users_holds_for_each_and_a_limit_of_one_user_goes_before_it(shop: World) -> None:
    limits(shop, "plain", limit(KEYS.USER, calls=1), limit(KEYS.USER, "ann@example.com", calls=2))
    assert statuses(shop, "plain", RECORD, ANN, ANN, ANN, BOB, BOB, ME) == [200, 200, 429, 200, 429, 200]


def test_group_limit_is_shared_by_its_members_and_goes_before_the_default_of_users(shop: World) -> None:
    next_minute(shop)
    limits(shop, "plain", limit(KEYS.USER_GROUP, "riders", calls=2), limit(KEYS.USER, calls=1))
    assert statuses(shop, "plain", RECORD, ANN, BOB, ANN, BOB, ME, ME) == [200, 200, 429, 429, 200, 429]


def test_member_of_two_limited_groups_is_refused_when_both_are_used_up(shop: World) -> None:
    next_minute(shop)
    limits(shop, "plain", limit(KEYS.USER_GROUP, "riders", calls=1), limit(KEYS.USER_GROUP, "users", calls=3))
    assert statuses(shop, "plain", RECORD, ANN, ANN, ANN, ANN) == [200, 200, 200, 429]


def test_service_principal_has_a_limit_of_its_own(shop: World) -> None:
    next_minute(shop)
    principal = "6f3b1d9e-0000-4000-8000-000000000001"
    limits(shop, "plain", limit(KEYS.SERVICE_PRINCIPAL, principal, calls=1))
    assert statuses(shop, "plain", RECORD, JOB, JOB, ANN, ANN) == [200, 429, 200, 200]


def test_tokens_of_answers_use_up_a_token_limit(shop: World) -> None:
    next_minute(shop)
    limits(shop, "echo", limit(KEYS.USER, tokens=8))
    # Three words asked and three answered are six tokens by the model's own count: the next call is let in, no more.
    assert statuses(shop, "echo", said("one two three"), ANN, ANN, ANN, BOB) == [200, 200, 429, 200]
    next_minute(shop)
    assert statuses(shop, "echo", said("one"), ANN) == [200]


def test_limits_set_the_old_way_hold_too(shop: World) -> None:
    next_minute(shop)
    api = shop.client.api_client
    old = [{"calls": 1, "key": "endpoint", "renewal_period": "minute"}]
    assert api.do("PUT", "/api/2.0/serving-endpoints/plain/rate-limits", body={"rate_limits": old}) == {
        "rate_limits": old
    }
    assert statuses(shop, "plain", RECORD, ME, ME) == [200, 429]
    api.do("PUT", "/api/2.0/serving-endpoints/plain/rate-limits", body={"rate_limits": []})
    assert statuses(shop, "plain", RECORD, ME) == [200]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"key": "everyone", "calls": 1, "renewal_period": "minute"}, "key 'everyone'"),
        ({"key": "user_group", "calls": 1, "renewal_period": "minute"}, "needs a principal"),
        ({"key": "user", "calls": 1, "renewal_period": "hour"}, "renewal_period 'hour'"),
        ({"key": "user", "renewal_period": "minute"}, "calls or tokens"),
        ({"key": "user", "tokens": -1, "renewal_period": "minute"}, "tokens -1"),
    ],
)
def test_limit_that_cannot_be_is_refused(shop: World, given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidParameterValue, match=words):
        shop.client.api_client.do("PUT", "/api/2.0/serving-endpoints/plain/ai-gateway", body={"rate_limits": [given]})


def test_usage_of_tracked_endpoints_is_in_the_system_tables(shop: World) -> None:
    next_minute(shop)
    tracked = AiGatewayUsageTrackingConfig(enabled=True)
    for name in ("plain", "echo"):
        shop.client.serving_endpoints.put_ai_gateway(name, usage_tracking_config=tracked)
    post(shop, "echo", said("one two three", client_request_id="mine", usage_context={"team": "fares"}), ANN)
    post(shop, "echo", said("one two", stream=True), BOB)
    post(shop, "plain", RECORD)
    post(shop, "plain", {"nothing": 1})
    eventually(lambda: len(read(shop, "endpoint_usage")) == 4)
    eventually(lambda: len(read(shop, "served_entities")) == 2)
    entities = {row["served_entity_id"]: row for row in read(shop, "served_entities")}
    rows = [
        (
            *(
                entities[row["served_entity_id"]][name]
                for name in ("endpoint_name", "entity_type", "entity_name", "task")
            ),
            row["requester"],
            row["status_code"],
            row["client_request_id"],
            row["input_token_count"],
            row["output_token_count"],
            row["input_character_count"],
            row["request_streaming"],
            dict(row["usage_context"]).get("team"),
        )
        for row in sorted(read(shop, "endpoint_usage"), key=lambda row: row["request_time"])
    ]
    echo = ("echo", "CUSTOM_MODEL", "main.ml.echo", "agent/v1/chat")
    plain = ("plain", "CUSTOM_MODEL", "main.ml.plain", None)
    assert rows == [
        # By the model's own count; where it gives none, as in streams, (characters + 1) / 4, as documented.
        (*echo, "ann@example.com", 200, "mine", 3, 3, 13, False, "fares"),
        (*echo, "bob@example.com", 200, None, 2, 2, 7, True, None),
        (*plain, "me@example.com", 200, None, 0, 0, 0, False, None),
        (*plain, "me@example.com", 400, None, 0, 0, 0, False, None),
    ]


def test_served_entities_are_told_anew_at_each_config_and_at_the_end(shop: World) -> None:
    client = shop.client.serving_endpoints
    client.create(
        "told",
        config=EndpointCoreConfigInput(name="told", served_entities=[entity("main.ml.plain", 1, "e")]),
    ).result()
    client.put_ai_gateway("told", usage_tracking_config=AiGatewayUsageTrackingConfig(enabled=True))
    client.update_config("told", served_entities=[entity("main.ml.plain", 1, "renamed")]).result()
    client.delete("told")

    def told() -> list[tuple[str, int, bool]]:
        found = read(shop, "served_entities")
        return [
            (row["served_entity_name"], row["endpoint_config_version"], row["endpoint_delete_time"] is not None)
            for row in found
            if row["endpoint_name"] == "told"
        ]

    eventually(lambda: sorted(told()) == [("e", 1, False), ("renamed", 2, False), ("renamed", 2, True)])


def guard(shop: World, **sides: dict[str, Any]) -> None:
    given = {side: AiGatewayGuardrailParameters.from_dict(rules) for side, rules in sides.items()}
    shop.client.serving_endpoints.put_ai_gateway("echo", guardrails=AiGatewayGuardrails(**given))


def test_invalid_keywords_end_a_request_and_words_that_hold_them_do_not(shop: World) -> None:
    guard(shop, input={"invalid_keywords": ["bid"]})
    assert post(shop, "echo", said("forbidden")).status_code == 200
    refused = post(shop, "echo", said("my BID is 3"))
    assert (refused.status_code, refused.json()["error_code"]) == (400, "BAD_REQUEST")
    finding = json.loads(refused.json()["message"])
    assert finding["finishReason"] == "input_guardrail_triggered"
    assert finding["input_guardrail"] == [{"flagged": True, "categories": {"invalid_keywords": ["bid"]}}]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to ann.lee@example.com now", "EMAIL_ADDRESS"),
        ("my number is (212) 555-0147", "PHONE_NUMBER"),
        ("ssn 219-09-9999", "US_SSN"),
        ("card 4111 1111 1111 1111", "CREDIT_CARD"),
    ],
)
def test_personal_data_is_blocked_or_masked(shop: World, text: str, kind: str) -> None:
    guard(shop, input={"pii": {"behavior": "BLOCK"}})
    refused = post(shop, "echo", said(text))
    assert refused.status_code == 400
    assert json.loads(refused.json()["message"])["input_guardrail"][0]["categories"] == {"pii": [kind]}
    guard(shop, input={"pii": {"behavior": "MASK"}})
    heard = post(shop, "echo", said(text)).json()["choices"][0]["message"]["content"]
    assert f"<{kind}>" in heard
    assert (
        post(shop, "echo", said("trip 4111 1111 1111 1112 on 2016-01-15")).json()["choices"][0]["message"]["content"]
        == "trip 4111 1111 1111 1112 on 2016-01-15"
    )


def test_output_is_guarded_too_and_not_streamed_then(shop: World) -> None:
    guard(shop, output={"pii": {"behavior": "BLOCK"}})
    refused = post(shop, "echo", said("call me at 212-555-0147"))
    assert json.loads(refused.json()["message"])["finishReason"] == "output_guardrail_triggered"
    assert post(shop, "echo", said("hello")).status_code == 200
    streamed = post(shop, "echo", said("hello", stream=True))
    assert (streamed.status_code, "do not support streaming" in streamed.json()["message"]) == (400, True)


def test_guardrails_are_for_chats_and_those_that_need_a_model_are_refused(shop: World) -> None:
    rules = AiGatewayGuardrails(input=AiGatewayGuardrailParameters(invalid_keywords=["x"]))
    with pytest.raises(InvalidParameterValue, match="chat and completion models only"):
        shop.client.serving_endpoints.put_ai_gateway("plain", guardrails=rules)
    safe = AiGatewayGuardrails(input=AiGatewayGuardrailParameters(safety=True))
    with pytest.raises(errors.NotImplemented, match=r"guardrails\.input\.safety"):
        shop.client.serving_endpoints.put_ai_gateway("echo", guardrails=safe)


def external(shop: World, name: str, model: str, **more: Any) -> ServedEntityInput:
    """An entity that is an endpoint of this very workspace, asked as OpenAI is asked."""
    given = {
        "provider": "openai",
        "name": model,
        "task": "llm/v1/chat",
        "openai_config": {
            "openai_api_base": f"{shop.client.config.host}/serving-endpoints",
            "openai_api_key": "{{secrets/llm/key}}",
        },
    }
    return ServedEntityInput(name=name, external_model=ExternalModel.from_dict({**given, **more}))


def test_failing_external_model_falls_back_to_the_next_where_that_is_on(shop: World) -> None:
    shop.secrets[("llm", "key")] = shop.state.token
    routes = [Route(served_model_name=name, traffic_percentage=share) for name, share in (("gone", 100), ("spare", 0))]
    broken = {"openai_config": {"openai_api_base": "http://127.0.0.1:9", "openai_api_key": "{{secrets/llm/key}}"}}
    config = EndpointCoreConfigInput(
        name="llm",
        served_entities=[external(shop, "gone", "echo", **broken), external(shop, "spare", "echo")],
        traffic_config=TrafficConfig(routes),
    )
    created = shop.client.serving_endpoints.create("llm", config=config).result()
    assert created.task == "llm/v1/chat"
    failed = post(shop, "llm", said("hello"))
    assert (failed.status_code, failed.headers["served-model-name"]) == (500, "gone")
    shop.client.serving_endpoints.put_ai_gateway("llm", fallback_config=FallbackConfig(enabled=True))
    answered = post(shop, "llm", said("hello"))
    assert (answered.status_code, answered.headers["served-model-name"]) == (200, "spare")
    assert answered.json()["choices"][0]["message"]["content"] == "hello"
    streamed = post(shop, "llm", said("hello there", stream=True))
    assert [line for line in streamed.text.splitlines() if line][-1] == "data: [DONE]"
    with pytest.raises(InvalidParameterValue, match="external models only"):
        shop.client.serving_endpoints.put_ai_gateway("echo", fallback_config=FallbackConfig(enabled=True))


def test_external_models_keep_their_kind_their_task_and_their_secrets(shop: World) -> None:
    shop.secrets[("llm", "key")] = shop.state.token
    client = shop.client.serving_endpoints
    plain = {
        "openai_config": {
            "openai_api_base": f"{shop.client.config.host}/serving-endpoints",
            "openai_api_key_plaintext": shop.state.token,
        }
    }
    served = external(shop, "told", "echo", **plain)
    client.create("kept", config=EndpointCoreConfigInput(name="kept", served_entities=[served])).result()
    shown = shop.client.api_client.do("GET", "/api/2.0/serving-endpoints/kept")
    assert shop.state.token not in json.dumps(shown)
    assert post(shop, "kept", said("hello")).status_code == 200
    with pytest.raises(InvalidParameterValue, match="external models to registered"):
        client.update_config("kept", served_entities=[entity("main.ml.plain", 1)])
    mixed = [external(shop, "a", "echo"), external(shop, "b", "echo", task="llm/v1/completions")]
    with pytest.raises(InvalidParameterValue, match="same task"):
        client.create("mixed", config=EndpointCoreConfigInput(name="mixed", served_entities=mixed))
    other = external(shop, "a", "claude", provider="anthropic")
    with pytest.raises(errors.NotImplemented, match="anthropic"):
        client.create("other", config=EndpointCoreConfigInput(name="other", served_entities=[other]))
