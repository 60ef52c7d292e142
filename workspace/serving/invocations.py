"""`POST /serving-endpoints/{name}/invocations` and its relatives: the path of requests, from socket to model and back.

The body is not read here where the gateway has nothing to look at in it: it goes to the model process as it came, and
the answer comes back as it will be sent. The OpenAI client's paths (`/serving-endpoints/chat/completions`) name the
endpoint in the body's `model`.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from workspace.clock import Clock
from workspace.errors import ApiError, bad_request, invalid, invalid_state, not_found
from workspace.http import Caller
from workspace.serving import guardrails, sse, usage
from workspace.serving.deployment import Deployments
from workspace.serving.entity import BusyError, RetiredError
from workspace.serving.inference_table import Exchange
from workspace.serving.live import Live, Served
from workspace.serving.metrics import Metrics
from workspace.serving.outbox import Outbox, Record
from workspace.serving.process import DeploymentError, ProcessGoneError, Reply, StreamFailedError
from workspace.serving.rate_limits import RateLimiter
from workspace.serving.store import EndpointStore

# Docs "Model Serving limits": payload size, of custom models, and of agents, foundation and external models.
MAX_BODY_BYTES = 16 << 20
MAX_AGENT_BODY_BYTES = 4 << 20
JSON = "application/json"
OPENAI_PATHS = ("chat/completions", "completions", "embeddings", "responses")


@dataclass(frozen=True)
class _Asked:
    """A request, as everything after the socket sees it."""

    live: Live
    caller: Caller
    content_type: str
    body: bytes
    """As it came: what is logged."""
    started: float
    """By the workspace's clock, seconds since the epoch."""
    begun: float
    id: str


class Invocations:
    """The data plane of serving."""

    def __init__(
        self,
        store: EndpointStore,
        deployments: Deployments,
        outbox: Outbox,
        metrics: Metrics,
        clock: Clock,
        workspace_id: str,
        account_id: str,
    ) -> None:
        self._store = store
        self._deployments = deployments
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._limiter = RateLimiter(clock)
        self._workspace_id = workspace_id
        self._account_id = account_id

    def routes(self) -> list[BaseRoute]:
        path = "/serving-endpoints/{name}"
        return [
            Route(f"{path}/invocations", self._invoke, methods=["POST"]),
            Route(f"{path}/served-models/{{entity}}/invocations", self._invoke, methods=["POST"]),
            *(Route(f"/serving-endpoints/{suffix}", self._openai, methods=["POST"]) for suffix in OPENAI_PATHS),
        ]

    async def _invoke(self, request: Request) -> Response:
        body = await request.body()
        return await self._answer(request, request.path_params["name"], request.path_params.get("entity"), body)

    async def _openai(self, request: Request) -> Response:
        try:
            document = json.loads(await request.body())
        except (ValueError, RecursionError) as error:
            raise bad_request(f"Invalid JSON given in the body of the request: {error}") from error
        name = document.pop("model", None) if isinstance(document, dict) else None
        if not isinstance(name, str) or not name:
            raise invalid("Missing required field: model (the name of the serving endpoint)")
        return await self._answer(request, name, None, json.dumps(document).encode())

    async def _answer(self, request: Request, name: str, direct: str | None, body: bytes) -> Response:
        live = self._live(name)
        most = MAX_AGENT_BODY_BYTES if live.task else MAX_BODY_BYTES
        if len(body) > most:
            raise ApiError(413, "REQUEST_ENTITY_TOO_LARGE", f"Request size {len(body)} cannot exceed {most} bytes.")
        asked = _Asked(
            live=live,
            caller=request.state.caller,
            content_type=request.headers.get("content-type") or JSON,
            body=body,
            started=self._clock.now(),
            begun=time.perf_counter(),
            id=str(uuid.uuid4()),
        )
        if live.gateway.rate_limits:
            self._limiter.admit(live.endpoint_id, live.gateway.rate_limits, asked.caller)
        while True:
            try:
                entity, reply = await self._score(asked, direct)
                break
            except RetiredError:
                # A new config came into force between the choice and the call.
                asked = replace(asked, live=self._live(name))
        if reply.chunks is not None:
            return await self._streamed(asked, entity, reply, reply.chunks)
        await self._done(asked, entity, reply, streaming=False)
        headers = _headers(asked, entity) | ({"Retry-After": "1"} if reply.status == 429 else {})
        return Response(reply.body, reply.status, headers, media_type=reply.content_type)

    async def _score(self, asked: _Asked, direct: str | None) -> tuple[Served, Reply]:
        """Ask the entity that the split chooses, then, with fallbacks, the others until one answers."""
        live = asked.live
        entity = self._choose(live, direct)
        reply = await self._guarded(asked, entity)
        if live.gateway.falls_back and direct is None:
            for other in live.others(entity):
                if reply.status != 429 and reply.status < 500:
                    break
                entity, reply = other, await self._guarded(asked, other)
        return entity, reply

    async def _guarded(self, asked: _Asked, entity: Served) -> Reply:
        rules = asked.live.gateway.guardrails
        if not rules:
            return await _ask(entity, asked.content_type, asked.body)
        try:
            reply = await _ask(entity, asked.content_type, guardrails.check_input(rules, asked.body))
            if not rules.get("output") or reply.status != 200:
                return reply
            if reply.chunks is not None:
                async for _ in reply.chunks:
                    """The model is let finish: nothing of its answer is passed on."""
                raise bad_request('Output guardrails do not support streaming. Ask without "stream": true.')
            return replace(reply, body=guardrails.check_output(rules, reply.body))
        except ApiError as error:
            return _failure(error, asked.begun)

    async def _streamed(
        self, asked: _Asked, entity: Served, reply: Reply, chunks: AsyncIterator[bytes]
    ) -> StreamingResponse:
        """Each chunk as an event. The exchange is on disk before the last event is sent."""
        # The first one here, so that the request is followed to its end, whatever becomes of the connection.
        first = await _next(chunks, entity)

        async def events() -> AsyncIterator[bytes]:
            sent: list[bytes] = []
            status, last, chunk = reply.status, sse.DONE, first
            while isinstance(chunk, bytes):
                sent.append(chunk)
                yield sse.event(chunk)
                chunk = await _next(chunks, entity)
            if chunk is not None:
                status, last = 500, sse.event(chunk.body)
            content = sse.aggregated(sent) if status == 200 else last
            whole = replace(reply, status=status, body=content, milliseconds=_since(asked.begun))
            await self._done(asked, entity, whole, streaming=True)
            yield last

        return StreamingResponse(events(), reply.status, _headers(asked, entity), media_type=sse.EVENT_STREAM)

    async def _done(self, asked: _Asked, entity: Served, reply: Reply, *, streaming: bool) -> None:
        """Log, count and measure an answer before it is given."""
        live, gateway = asked.live, asked.live.gateway
        tokens = usage.Tokens()
        if live.task and (gateway.tracks_usage or gateway.counts_tokens):
            tokens = usage.count(asked.body, reply.body)
        if gateway.counts_tokens:
            self._limiter.spend(live.endpoint_id, gateway.rate_limits, asked.caller, tokens.total)
        records: list[Record] = []
        if gateway.payload_table:
            records.append(self._exchange(asked, entity, reply, gateway.payload_table).record())
        if gateway.tracks_usage:
            records.append(self._usage(asked, entity, reply, tokens, streaming=streaming))
        if records:
            await self._outbox.add(records)
        self._metrics.add(live.endpoint_id, entity.name, reply.status, _since(asked.begun), reply.milliseconds)

    def _exchange(self, asked: _Asked, entity: Served, reply: Reply, table: str) -> Exchange:
        return Exchange(
            table=table,
            request_id=asked.id,
            client_request_id=reply.client_request_id,
            started=asked.started,
            status=reply.status,
            milliseconds=reply.milliseconds,
            request=asked.body,
            response=reply.body,
            entity_id=entity.uid,
            requester=asked.caller.user_name,
        )

    def _usage(self, asked: _Asked, entity: Served, reply: Reply, tokens: usage.Tokens, *, streaming: bool) -> Record:
        fields = {
            "client_request_id": reply.client_request_id,
            "databricks_request_id": asked.id,
            "requester": asked.caller.user_name,
            "status_code": reply.status,
            "request_time": asked.started,
            "usage_context": dict(reply.usage_context),
            "request_streaming": streaming,
            "served_entity_id": entity.uid,
        }
        return usage.usage_record(self._workspace_id, self._account_id, tokens, fields)

    def _live(self, name: str) -> Live:
        live = self._deployments.live(name)
        if live is None:
            raise self._not_served(name)
        return live

    def _not_served(self, name: str) -> ApiError:
        """Why an endpoint does not answer. Its first config under way: 503, which clients try again (an assumption: the
        service's answer is not documented). No config that could come: 400, so that clients do not wait for nothing."""
        endpoint = self._store.find(name)
        if endpoint is None:
            return not_found(
                "The given endpoint does not exist, please retry after checking the specified model and version "
                "deployment exists."
            )
        if endpoint["config_update"] == "IN_PROGRESS":
            return ApiError(503, "TEMPORARILY_UNAVAILABLE", f"Endpoint '{name}' is not ready yet.", retry_after=1)
        return invalid_state(f"Endpoint '{name}' is not ready: {endpoint['config_update']}, without a config in force.")

    def _choose(self, live: Live, direct: str | None) -> Served:
        if direct is None:
            return live.choose()
        if direct not in live.entities:
            raise not_found(f"Endpoint '{live.name}' has no served entity '{direct}'; it has {sorted(live.entities)}.")
        return live.entities[direct]


async def _ask(entity: Served, content_type: str, body: bytes) -> Reply:
    begun = time.perf_counter()
    try:
        return await entity.score(content_type, body)
    except BusyError:
        return _failure(
            ApiError(429, "RESOURCE_EXHAUSTED", f"Exceeded max number of parallel requests of '{entity.name}'."), begun
        )
    except ApiError as error:
        return _failure(error, begun)
    except (TimeoutError, ProcessGoneError, DeploymentError) as error:
        return _failure(_failed(entity, error), begun)


async def _next(chunks: AsyncIterator[bytes], entity: Served) -> bytes | Reply | None:
    """The next chunk; None at the end, a reply with the error where there is one."""
    try:
        return await anext(chunks, None)
    except StreamFailedError as error:
        return Reply(500, JSON, str(error).encode())
    except (TimeoutError, ProcessGoneError) as error:
        return _failure(_failed(entity, error), time.perf_counter())


def _failed(entity: Served, error: Exception) -> ApiError:
    if isinstance(error, TimeoutError):
        return ApiError(504, "DEADLINE_EXCEEDED", f"Served entity '{entity.name}' did not answer in time.")
    return ApiError(500, "INTERNAL_ERROR", f"Served entity '{entity.name}' failed: {error}")


def _failure(error: ApiError, begun: float) -> Reply:
    return Reply(error.status, JSON, json.dumps(error.body()).encode(), milliseconds=_since(begun))


def _headers(asked: _Asked, entity: Served) -> dict[str, str]:
    return {"served-model-name": entity.name, "databricks-request-id": asked.id}


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
