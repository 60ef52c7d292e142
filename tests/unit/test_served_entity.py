"""What may stand behind an endpoint, and what is refused before anything is registered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.served_entity import (
    PROVIDERS,
    ExternalModelArgs,
    FoundationModelArgs,
    ServedEntityArgs,
    ServedEntityError,
    check_together,
)
from components.serving_endpoint import ServingEndpoint, ServingEndpointArgs
from tests.unit.recording import Recording, record

REFERENCE = "{{secrets/llm/key}}"


def model(**changes: Any) -> ServedEntityArgs:
    values: dict[str, Any] = {
        "model": "main.ml.rag",
        "version": "3",
        "traffic_percentage": 100,
        "scale_to_zero_enabled": False,
        **changes,
    }
    return ServedEntityArgs(**values)


def external(**changes: Any) -> ExternalModelArgs:
    values: dict[str, Any] = {
        "provider": "openai",
        "model": "gpt-4.1:mini",
        "task": "llm/v1/chat",
        "traffic_percentage": 100,
        "settings": {"openai_api_key": REFERENCE},
        **changes,
    }
    return ExternalModelArgs(**values)


def sent(entity: Any) -> dict[str, Any]:
    args = ServingEndpointArgs(name="ep", served_entities=[entity])
    recording: Recording = record(lambda: ServingEndpoint("ep", args).endpoint.id)
    found: dict[str, Any] = recording.one(":ModelServing")["config"]["servedEntities"][0]
    return found


def test_a_concurrency_takes_the_place_of_the_size() -> None:
    entity = sent(model(min_provisioned_concurrency=8, max_provisioned_concurrency=16))
    assert (entity["minProvisionedConcurrency"], entity["maxProvisionedConcurrency"]) == (8, 16)
    assert "workloadSize" not in entity


def test_without_a_concurrency_the_size_is_small() -> None:
    assert sent(model())["workloadSize"] == "Small"


def test_a_gpu_type_and_a_role_are_sent_as_they_are() -> None:
    entity = sent(model(workload_type="GPU_MEDIUM", instance_profile_arn="arn:aws:iam::1:instance-profile/x"))
    assert entity["workloadType"] == "GPU_MEDIUM"
    assert entity["instanceProfileArn"] == "arn:aws:iam::1:instance-profile/x"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_provisioned_concurrency": 4}, "give both, or neither"),
        ({"min_provisioned_concurrency": 6, "max_provisioned_concurrency": 8}, "multiples of 4"),
        ({"min_provisioned_concurrency": 16, "max_provisioned_concurrency": 8}, "minimum first"),
        ({"min_provisioned_concurrency": 0, "max_provisioned_concurrency": 8}, "scales to zero"),
        (
            {"min_provisioned_concurrency": 4, "max_provisioned_concurrency": 8, "workload_size": "Small"},
            "takes its place",
        ),
        ({"environment_vars": {"1ST": "x"}}, "letters, digits and underscores"),
        ({"environment_vars": {"URL": "{{secrets/scope}}"}}, "a secret reference is"),
        ({"environment_vars": {"URL": "x{{secrets/scope/key}}"}}, "a secret reference is"),
    ],
)
def test_a_broken_rule_names_the_entity_and_the_fix(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ServedEntityError, match=message) as refused:
        model(**changes)
    assert "main.ml.rag version 3" in str(refused.value)


@pytest.mark.parametrize("variable", ["DATABRICKS_TOKEN", "openai_api_key", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY"])
def test_a_secret_in_plain_text_is_refused_and_not_repeated(variable: str) -> None:
    with pytest.raises(ServedEntityError, match="secret scope") as refused:
        model(environment_vars={variable: "hunter2"})
    assert "hunter2" not in str(refused.value)
    assert sent(model(environment_vars={variable: REFERENCE}))["environmentVars"] == {variable: REFERENCE}


@given(st.integers(-8, 80), st.integers(-8, 80), st.booleans())
def test_every_concurrency_that_is_taken_is_one_the_service_takes(low: int, high: int, to_zero: bool) -> None:
    try:
        entity = model(min_provisioned_concurrency=low, max_provisioned_concurrency=high, scale_to_zero_enabled=to_zero)
    except ServedEntityError:
        assert low % 4 or high % 4 or low < 0 or high < max(low, 4) or (low == 0 and not to_zero)
    else:
        assert low % 4 == high % 4 == 0
        assert 0 <= low <= high
        assert high > 0
        assert low > 0 or entity.scale_to_zero_enabled


def test_an_external_model_is_named_after_itself_and_carries_references_only() -> None:
    entity = sent(external())
    assert entity["name"] == "gpt-4-1-mini"
    assert entity["externalModel"] == {
        "name": "gpt-4.1:mini",
        "provider": "openai",
        "task": "llm/v1/chat",
        "openaiConfig": {"openaiApiKey": REFERENCE},
    }
    assert "scaleToZeroEnabled" not in entity


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_every_provider_takes_its_own_block(provider: str) -> None:
    known = PROVIDERS[provider]
    settings = {key: REFERENCE if key in known.secret else "x" for key in (*known.plain, *known.secret)}
    entity = sent(external(provider=provider, settings=settings))
    blocks = [key for key in entity["externalModel"] if key.endswith("Config")]
    assert len(blocks) == 1
    assert len(entity["externalModel"][blocks[0]]) == len(settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"provider": "acme"}, "use one of ai21labs"),
        ({"task": "chat"}, "task is 'chat'; use one of 'llm/v1/chat'"),
        ({"settings": {"openai_api_key": "sk-123"}}, "secret scope"),
        ({"settings": {"openai_api_key_plaintext": "sk-123"}}, "openai_api_key with a reference"),
        ({"settings": {"colour": "blue"}}, "openai has"),
        ({"provider": "anthropic", "settings": {}}, "add anthropic_api_key"),
    ],
)
def test_an_external_model_without_its_due_is_refused_and_no_key_is_repeated(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        external(**changes)
    assert "sk-123" not in str(refused.value)


def test_a_foundation_model_takes_throughput_and_reads_back_no_scale_to_zero() -> None:
    entity = sent(
        FoundationModelArgs(
            model="system.ai.llama", version="1", traffic_percentage=100, max_provisioned_throughput=970
        )
    )
    assert (entity["minProvisionedThroughput"], entity["maxProvisionedThroughput"]) == (0, 970)
    assert entity["scaleToZeroEnabled"] is False
    assert "workloadSize" not in entity


def test_external_and_hosted_models_do_not_share_an_endpoint() -> None:
    with pytest.raises(ServedEntityError, match="make two endpoints"):
        check_together([external(), model()])


def test_external_models_of_an_endpoint_share_a_task() -> None:
    with pytest.raises(ServedEntityError, match="share a task"):
        check_together([external(), external(task="llm/v1/embeddings", name="other")])
