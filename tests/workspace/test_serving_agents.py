"""Chat models and responses agents: messages in, one answer or a stream of them out, by every official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    ChatMessage,
    ChatMessageRole,
    EndpointCoreConfigInput,
)
from mlflow.deployments import get_deploy_client

from tests.support.agents import CHAT, RESPONSES, save_agent
from tests.support.feature_serving import World, entity, eventually, save_model, world

HELLO = [{"role": "user", "content": "say it again"}]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("agents")
    with world(folder) as made:
        made.models.add("main.ml.echo", 1, save_agent(folder / "chat", CHAT))
        made.models.add("main.ml.agent", 1, save_agent(folder / "responses", RESPONSES))
        made.models.add("main.ml.plain", 1, save_model(folder / "plain", "return [1.0] * len(model_input)"))
        table = AiGatewayInferenceTableConfig(
            catalog_name="main", schema_name="ml", table_name_prefix="echo", enabled=True
        )
        for name, model in (("echo", "main.ml.echo"), ("agent", "main.ml.agent"), ("plain", "main.ml.plain")):
            made.client.serving_endpoints.create(
                name,
                config=EndpointCoreConfigInput(name=name, served_entities=[entity(model, 1, "e")]),
                ai_gateway=AiGatewayConfig(inference_table_config=table) if name == "echo" else None,
            ).result()
        yield made


@pytest.fixture
def chat(shop: World) -> Any:
    # Its types want messages as objects; what goes over the wire is what is asked for here.
    return openai.OpenAI(
        base_url=f"{shop.client.config.host}/serving-endpoints", api_key=shop.state.token, max_retries=0
    )


@pytest.fixture
def http(shop: World) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {shop.state.token}"}
    with httpx.Client(base_url=str(shop.client.config.host), headers=headers) as client:
        yield client


def logged(shop: World) -> list[dict[str, Any]]:
    return list(shop.tables.delta("main.ml.echo_payload").to_pyarrow_table().to_pylist())


def test_endpoint_tells_what_its_agents_do_and_plain_models_tell_nothing(shop: World) -> None:
    tasks = {one.name: one.task for one in shop.client.serving_endpoints.list()}
    assert tasks == {"echo": "agent/v1/chat", "agent": "agent/v1/responses", "plain": None}
    assert shop.client.serving_endpoints.get("echo").task == "agent/v1/chat"


def test_sdk_and_deployments_client_get_the_completion(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    message = ChatMessage(role=ChatMessageRole.USER, content="say it again")
    answer = shop.client.serving_endpoints.query("echo", messages=[message], max_tokens=10)
    assert answer.choices is not None
    assert answer.choices[0].message is not None
    assert answer.choices[0].message.content == "say it again"
    monkeypatch.setenv("DATABRICKS_HOST", str(shop.client.config.host))
    monkeypatch.setenv("DATABRICKS_TOKEN", shop.state.token)
    connect: Any = get_deploy_client  # MLflow's function has no types
    deployments = connect("databricks")
    assert deployments.get_endpoint("echo")["state"]["ready"] == "READY"
    completion = deployments.predict(endpoint="echo", inputs={"messages": HELLO})
    assert completion["choices"][0]["message"]["content"] == "say it again"
    chunks = list(deployments.predict_stream(endpoint="echo", inputs={"messages": HELLO}))
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == ["say ", "it ", "again "]
    records = {"dataframe_records": [{"a": 1.0}]}
    assert deployments.predict(endpoint="plain", inputs=records)["predictions"] == [1.0]


def test_openai_client_names_the_endpoint_as_its_model(chat: Any) -> None:
    whole = chat.chat.completions.create(model="echo", messages=HELLO, temperature=0.5)
    assert whole.choices[0].message.content == "say it again"
    assert whole.usage is not None
    assert whole.usage.total_tokens == 6
    streamed = chat.chat.completions.create(model="echo", messages=HELLO, stream=True)
    assert "".join(chunk.choices[0].delta.content for chunk in streamed) == "say it again "
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        chat.chat.completions.create(model="nobody", messages=HELLO)


def test_openai_client_talks_to_a_responses_agent(chat: Any) -> None:
    assert chat.responses.create(model="agent", input=HELLO).output_text == "SAY IT AGAIN"
    stream = chat.responses.create(model="agent", input=HELLO, stream=True)
    events = [event.type for event in stream]
    assert events == ["response.output_text.delta"] * 3 + ["response.output_item.done"]


def test_stream_is_events_that_end_and_one_row_with_the_whole_answer(shop: World, http: httpx.Client) -> None:
    body = {"messages": HELLO, "stream": True, "client_request_id": "streamed"}
    with http.stream("POST", "/serving-endpoints/echo/invocations", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["served-model-name"] == "e"
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert len(lines) == 4
    eventually(lambda: any(row["client_request_id"] == "streamed" for row in logged(shop)))
    (row,) = [row for row in logged(shop) if row["client_request_id"] == "streamed"]
    assert json.loads(row["request"]) == body
    said = json.loads(row["response"])
    assert (row["status_code"], said["object"]) == (200, "chat.completion")
    assert said["choices"][0]["message"] == {"role": "assistant", "content": "say it again "}


def test_stream_that_breaks_says_so_and_is_logged_as_failed(shop: World, http: httpx.Client) -> None:
    broken = [{"role": "user", "content": "one BREAK two"}]
    body = {"messages": broken, "stream": True, "client_request_id": "broken"}
    answer = http.post("/serving-endpoints/echo/invocations", json=body)
    lines = [line for line in answer.text.splitlines() if line]
    assert len(lines) == 2
    assert json.loads(lines[1].removeprefix("data: ")) == {
        "error_code": "INTERNAL_ERROR",
        "message": "broke in the middle",
    }
    eventually(lambda: [row["status_code"] for row in logged(shop) if row["client_request_id"] == "broken"] == [500])


def test_model_without_streams_refuses_one_before_it_starts(http: httpx.Client) -> None:
    answer = http.post("/serving-endpoints/plain/invocations", json={"messages": HELLO, "stream": True})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")
    assert "does not support streaming" in answer.json()["message"]


def test_messages_that_are_none_are_a_bad_request(http: httpx.Client) -> None:
    for body in ({"messages": "hello"}, {"messages": [{"speaker": "me"}]}):
        answer = http.post("/serving-endpoints/echo/invocations", json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")


def test_agents_take_smaller_requests_than_other_models(http: httpx.Client) -> None:
    filler = "x" * (5 << 20)
    assert http.post("/serving-endpoints/echo/invocations", json={"messages": HELLO, "user": filler}).status_code == 413
    plain = {"dataframe_records": [{"a": 1.0}], "client_request_id": filler}
    assert http.post("/serving-endpoints/plain/invocations", json=plain).status_code == 200


def test_model_may_ask_another_endpoint_with_a_secret_that_only_it_gets(shop: World) -> None:
    shop.secrets[("rag", "token")] = shop.state.token
    variables = {
        "OTHER": "echo",
        "DATABRICKS_HOST": str(shop.client.config.host),
        "DATABRICKS_TOKEN": "{{secrets/rag/token}}",
    }
    served = entity("main.ml.echo", 1, "e", environment_vars=variables)
    config = EndpointCoreConfigInput(name="front", served_entities=[served])
    created = shop.client.serving_endpoints.create("front", config=config).result()
    message = ChatMessage(role=ChatMessageRole.USER, content="hello")
    answer = shop.client.serving_endpoints.query("front", messages=[message])
    assert answer.choices is not None
    assert answer.choices[0].message is not None
    assert answer.choices[0].message.content == "other says: hello"
    assert created.config is not None
    assert created.config.served_entities is not None
    assert created.config.served_entities[0].environment_vars == variables
    for log in (shop.client.serving_endpoints.logs, shop.client.serving_endpoints.build_logs):
        assert shop.state.token not in log("front", "e").logs


@pytest.mark.parametrize("path", ["completions", "embeddings", "chat/completions"])
def test_openai_paths_need_an_endpoint(http: httpx.Client, path: str) -> None:
    missing = http.post(f"/serving-endpoints/{path}", json={"input": "x"})
    assert (missing.status_code, missing.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    unknown = http.post(f"/serving-endpoints/{path}", json={"model": "nobody", "input": "x"})
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    # It is the endpoint's model that answers: a table model knows no prompts.
    plain = http.post(f"/serving-endpoints/{path}", json={"model": "plain", "unknown": "x"})
    assert (plain.status_code, plain.headers["served-model-name"]) == (400, "e")
