"""`POST /serving-endpoints/{name}/invocations`: the path that requests take, from the socket to the model and back.

The body is not read here: it goes to the model process as it came, and the answer comes back as it will be sent.
"""

from __future__ import annotations

import json
import time
import uuid

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from workspace.errors import ApiError, invalid_state, not_found
from workspace.serving.deployment import Deployments, Live
from workspace.serving.entity import Entity, RetiredError
from workspace.serving.gateway import RateLimiter
from workspace.serving.inference_table import Exchange, Outbox
from workspace.serving.metrics import Metrics
from workspace.serving.process import DeploymentError, ProcessGoneError, Reply
from workspace.serving.store import EndpointStore

MAX_BODY_BYTES = 16 << 20
JSON = "application/json"


class Invocations:
    """The data plane of serving."""

    def __init__(self, store: EndpointStore, deployments: Deployments, outbox: Outbox, metrics: Metrics) -> None:
        self._store = store
        self._deployments = deployments
        self._outbox = outbox
        self._metrics = metrics
        self._limiter = RateLimiter()

    def routes(self) -> list[BaseRoute]:
        path = "/serving-endpoints/{name}"
        return [
            Route(f"{path}/invocations", self._invoke, methods=["POST"]),
            Route(f"{path}/served-models/{{entity}}/invocations", self._invoke, methods=["POST"]),
        ]

    async def _invoke(self, request: Request) -> Response:
        started = time.time()
        body = await request.body()
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(
                413, "REQUEST_ENTITY_TOO_LARGE", f"Request size {len(body)} cannot exceed {MAX_BODY_BYTES} bytes."
            )
        name, direct = request.path_params["name"], request.path_params.get("entity")
        content_type = request.headers.get("content-type") or JSON
        requester = request.state.caller.user_name
        live = self._live(name)
        if live.rate_limits:
            self._limiter.admit(live.endpoint_id, list(live.rate_limits), requester)
        while True:
            entity = self._choose(live, direct)
            try:
                reply = await _score(entity, content_type, body)
                break
            except RetiredError:
                # A new config came into force between the choice and the call.
                live = self._live(name)
        milliseconds = (time.time() - started) * 1000
        request_id = str(uuid.uuid4())
        if live.payload_table:
            await self._outbox.add(
                Exchange(
                    table=live.payload_table,
                    request_id=request_id,
                    client_request_id=reply.client_request_id,
                    started=started,
                    status=reply.status,
                    milliseconds=reply.milliseconds,
                    request=body,
                    response=reply.body,
                    entity_id=entity.uid,
                    requester=requester,
                )
            )
        self._metrics.add(live.endpoint_id, entity.name, reply.status, milliseconds)
        headers = {"served-model-name": entity.name, "databricks-request-id": request_id}
        return Response(reply.body, reply.status, headers, media_type=reply.content_type)

    def _live(self, name: str) -> Live:
        live = self._deployments.live(name)
        if live is None:
            raise self._not_served(name)
        return live

    def _not_served(self, name: str) -> ApiError:
        """Why an endpoint does not answer. Its first config under way: 503, which clients try again (an assumption: the
        service's answer is not documented). No config that could come: 400, so that clients do not wait for nothing."""
        try:
            endpoint = self._store.get(name)
        except ApiError:
            return not_found(
                "The given endpoint does not exist, please retry after checking the specified model and version "
                "deployment exists."
            )
        if endpoint["config_update"] == "IN_PROGRESS":
            return ApiError(503, "TEMPORARILY_UNAVAILABLE", f"Endpoint '{name}' is not ready yet.", retry_after=1)
        return invalid_state(f"Endpoint '{name}' is not ready: {endpoint['config_update']}, without a config in force.")

    def _choose(self, live: Live, direct: str | None) -> Entity:
        if direct is None:
            return live.choose()
        if direct not in live.entities:
            raise not_found(f"Endpoint '{live.name}' has no served entity '{direct}'; it has {sorted(live.entities)}.")
        return live.entities[direct]


async def _score(entity: Entity, content_type: str, body: bytes) -> Reply:
    started = time.time()
    try:
        return await entity.score(content_type, body)
    except TimeoutError:
        failure = ApiError(504, "DEADLINE_EXCEEDED", f"Served entity '{entity.name}' did not answer in time.")
    except (ProcessGoneError, DeploymentError) as error:
        failure = ApiError(500, "INTERNAL_ERROR", f"Served entity '{entity.name}' failed: {error}")
    body = json.dumps(failure.body()).encode()
    return Reply(failure.status, JSON, body, None, (time.time() - started) * 1000)
