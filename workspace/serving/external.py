"""Served entities that are external models: what may be said of them, and how they are asked.

Providers whose wire is OpenAI's are asked as it is (openai, custom, databricks-model-serving: another endpoint); those
with a wire of their own are refused. Source: databricks-sdk `serving.ExternalModel`; docs "External models".
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from workspace.errors import ApiError, invalid
from workspace.http import Json
from workspace.serving.process import ProcessGoneError, Reply

SecretOf = Callable[[str, str], str | None]
TASKS = {"llm/v1/chat": "chat/completions", "llm/v1/completions": "completions", "llm/v1/embeddings": "embeddings"}
CONFIGS = {
    "openai": "openai_config",
    "custom": "custom_provider_config",
    "databricks-model-serving": "databricks_model_serving_config",
}
OPENAI = "https://api.openai.com/v1"
SECRET = re.compile(r"\{\{secrets/(?P<scope>[^/{}]+)/(?P<key>[^/{}]+)\}\}")
REQUEST_SECONDS = 297.0
PLAINTEXT = "_plaintext"


def check_external_model(given: Json, name: str) -> Json:
    """The external model as it is stored. ApiError 400 for what the service refuses, 501 for other providers."""
    for field in ("provider", "name", "task"):
        if not given.get(field):
            raise invalid(f"Missing required field: served_entities.external_model.{field} of '{name}'")
    provider = given["provider"]
    if given["task"] not in TASKS:
        raise invalid(f"external_model.task '{given['task']}' of '{name}' is not valid: one of {', '.join(TASKS)}.")
    if provider not in CONFIGS:
        raise ApiError(
            501,
            "NOT_IMPLEMENTED",
            f"the embedded workspace does not speak the API of external_model.provider '{provider}' (served entity "
            f"'{name}'); it asks {', '.join(CONFIGS)}",
        )
    config = given.get(CONFIGS[provider])
    if not isinstance(config, dict):
        raise invalid(f"Missing required field: served_entities.external_model.{CONFIGS[provider]} of '{name}'")
    others = sorted(field for field in given if field.endswith("_config") and field != CONFIGS[provider])
    if others:
        raise invalid(f"external_model of '{name}' has provider {provider}, and {others} of others.")
    if config.get("openai_api_type", "openai") != "openai":
        raise ApiError(501, "NOT_IMPLEMENTED", "the embedded workspace asks openai_api_type openai only, not Azure's")
    return given


def shown(external_model: Json) -> Json:
    """Without what was given as plaintext, which the service never shows again."""
    return {
        field: shown(value) if isinstance(value, dict) else value
        for field, value in external_model.items()
        if not field.endswith(PLAINTEXT)
    }


class ExternalEntity:
    """A served entity that is somebody else's model; in place of `entity.Entity`. Belongs to the event loop."""

    concurrency = 0
    pid: int | None = None
    was_awake = False

    def __init__(self, stored: Json, secret: SecretOf) -> None:
        self.uid: str = stored["uid"]
        self.name: str = stored["name"]
        self._model: Json = stored["external_model"]
        self._secret = secret
        self._client: httpx.AsyncClient | None = None

    async def score(self, content_type: str, body: bytes) -> Reply:
        """Pass a request on. Raises ProcessGoneError where the provider cannot be reached, TimeoutError after 297 s."""

        started = time.perf_counter()
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise invalid("The body of a request to an external model must be a JSON object.")
        client_request_id, context = document.pop("client_request_id", None), document.pop("usage_context", None) or {}
        url, headers = self._target()
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=REQUEST_SECONDS)
        asked = {**document, "model": self._model["name"]}
        request = self._client.build_request("POST", url, json=asked, headers=headers)
        try:
            response = await self._client.send(request, stream=True)
            kind = response.headers.get("content-type", "application/json")
            if response.status_code == 200 and kind.startswith("text/event-stream"):
                chunks = _chunks(response)
                return Reply(200, "text/event-stream", b"", client_request_id, context, _since(started), chunks)
            content = await response.aread()
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        except httpx.TransportError as error:
            raise ProcessGoneError(f"provider {self._model['provider']} cannot be reached at {url}: {error}") from error
        return Reply(response.status_code, kind, content, client_request_id, context, _since(started))

    def _target(self) -> tuple[str, dict[str, str]]:
        config = self._model[CONFIGS[self._model["provider"]]]
        path = TASKS[self._model["task"]]
        if self._model["provider"] == "openai":
            base = str(config.get("openai_api_base") or OPENAI).rstrip("/")
            return f"{base}/{path}", _bearer(self._value(config, "openai_api_key"))
        if self._model["provider"] == "databricks-model-serving":
            base = str(config.get("databricks_workspace_url")).rstrip("/")
            url = f"{base}/serving-endpoints/{self._model['name']}/invocations"
            return url, _bearer(self._value(config, "databricks_api_token"))
        url = str(config.get("custom_provider_url")).rstrip("/")
        key = config.get("api_key_auth")
        if key:
            return _ending(url, path), {str(key["key"]): self._value(key, "value")}
        return _ending(url, path), _bearer(self._value(config.get("bearer_token_auth") or {}, "token"))

    def _value(self, config: Json, field: str) -> str:
        plain: Any = config.get(field + PLAINTEXT)
        if plain:
            return str(plain)
        given = str(config.get(field) or "")
        reference = SECRET.fullmatch(given)
        value = self._secret(reference["scope"], reference["key"]) if reference else given
        if not value:
            raise invalid(f"The {field} of served entity '{self.name}' is '{given}', and there is no such secret.")
        return value

    def build(self, model_folder: object) -> None:
        """There is nothing to build."""

    def start(self) -> None:
        """There is nothing to start; a key that is missing is found before traffic comes."""
        try:
            self._target()
        except ApiError as error:
            raise ApiError(400, error.error_code, f"External model '{self.name}': {error.message}") from error

    def state(self) -> Json:
        return {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""}

    def rest(self, idle_seconds: float) -> None: ...

    def awake(self, idle_seconds: float) -> None:
        """Its provider bills it."""

    def revive(self) -> None: ...

    def retire(self) -> None: ...

    def end(self) -> None: ...


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The JSON of each server-sent event."""
    try:
        async for line in response.aiter_lines():
            kind, _, data = line.partition(":")
            if kind == "data" and data.strip() != "[DONE]":
                yield data.strip().encode()
    finally:
        await response.aclose()


def _ending(url: str, path: str) -> str:
    return url if url.endswith(path) else f"{url}/{path}"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
