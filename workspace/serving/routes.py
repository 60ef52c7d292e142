"""`/api/2.0/serving-endpoints/...`: paths to functions (databricks-sdk 0.156 `serving.ServingEndpointsAPI`)."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute

from workspace.clock import Clock
from workspace.errors import ApiError, invalid, not_found
from workspace.http import Call, Json, api
from workspace.serving.billing import BillingTables, usage_record
from workspace.serving.config import check_endpoint_name, read_config
from workspace.serving.deployment import CreatorsFunction, Deployments
from workspace.serving.entity import SecretOf, no_function
from workspace.serving.gateway import BLOCKS, check_limits, payload_table, read_gateway, tracks_usage
from workspace.serving.inference_table import PAYLOAD, PayloadTables
from workspace.serving.invocations import Invocations
from workspace.serving.metering import Used
from workspace.serving.metrics import Metrics, Replica
from workspace.serving.openapi import describe, task_of
from workspace.serving.outbox import Outbox
from workspace.serving.store import EndpointStore
from workspace.serving.usage import ENDPOINT_USAGE, SERVED_ENTITIES, Containers, SystemTables, entity_record
from workspace.serving.views import detailed, summary
from workspace.settings import Settings
from workspace.state import State
from workspace.unity_catalog.tables import Tables

logger = logging.getLogger("workspace.serving")
PATH = "/api/2.0/serving-endpoints"
ONE = f"{PATH}/{{name}}"
# On Databricks a button of the Serving UI, and no public API (docs "Manage model serving endpoints").
CANCEL = "/_workspace/serving-endpoints/{name}/cancel-update"


class Catalog(Protocol):
    @property
    def tables(self) -> Tables: ...
    @property
    def containers(self) -> Containers: ...


class RegisteredVersion(Protocol):
    @property
    def status(self) -> str: ...
    @property
    def folder(self) -> Path: ...


class Models(Protocol):
    def model_version(self, full_name: str, version: str) -> RegisteredVersion: ...


class OnlineFeatures(Protocol):
    def serving_source(self, source_table: str) -> Path | None: ...


class Serving:
    """Model serving of one workspace. `secret` resolves `{{secrets/scope/key}}` of environment variables."""

    def __init__(
        self,
        state: State,
        catalog: Catalog,
        mlflow: Models,
        features: OnlineFeatures,
        clock: Clock,
        secret: SecretOf = lambda _scope, _key: None,
        function: CreatorsFunction = lambda _creator, full_name: no_function(full_name),
    ) -> None:
        settings = Settings(state)
        folder = state.subfolder("serving")
        self._models = mlflow
        self._clock = clock
        self._ids = (state.workspace_id, state.metastore_id)
        self._store = EndpointStore(state.documents, clock)
        self._payload_tables = PayloadTables(catalog.tables)
        self._system_tables = SystemTables(catalog.containers, catalog.tables)
        billing = BillingTables(self._system_tables, catalog.tables, state.metastore_id)
        kinds = {PAYLOAD: self._payload_tables.kind(), **self._system_tables.kinds(), **billing.kinds()}
        self.outbox = Outbox(folder / "outbox.db", catalog.tables, kinds, settings, clock)
        self._metrics = Metrics()
        self.deployments = Deployments(
            self._store,
            folder / "endpoints",
            mlflow.model_version,
            features.serving_source,
            secret,
            settings,
            clock,
            self._track_entities,
            function,
            self._bill,
        )
        self._invocations = Invocations(self._store, self.deployments, self.outbox, self._metrics, clock, *self._ids)

    def routes(self) -> list[BaseRoute]:
        logs = f"{ONE}/served-models/{{entity}}"
        return [
            api("POST", PATH, self._create),
            api("GET", PATH, lambda _: {"endpoints": [summary(endpoint) for endpoint in self._store.all()]}),
            api("GET", ONE, lambda call: self._shown(self._store.get(call.path["name"]), call)),
            api("DELETE", ONE, self._delete),
            api("PUT", f"{ONE}/config", self._update_config),
            api("PATCH", f"{ONE}/tags", self._patch_tags),
            api("PUT", f"{ONE}/ai-gateway", self._put_gateway),
            api("PUT", f"{ONE}/rate-limits", self._put_rate_limits),
            api("PATCH", f"{ONE}/notifications", self._patch_notifications),
            api("GET", f"{ONE}/metrics", self._export_metrics),
            api("GET", f"{ONE}/openapi", self._openapi),
            api("GET", f"{logs}/build-logs", lambda call: self._log(call, "build.log")),
            api("GET", f"{logs}/logs", lambda call: self._log(call, "service.log")),
            api("POST", CANCEL, lambda call: self._shown(self.deployments.cancel(call.path["name"]), call)),
            *self._invocations.routes(),
        ]

    def id_of_endpoint(self, name: str) -> str | None:
        """The opaque id of an endpoint by its name, None where there is no such endpoint."""
        found = self._store.find(name)
        return str(found["id"]) if found else None

    def creator_of_endpoint(self, endpoint_id: str) -> str | None:
        """The user name of an endpoint's creator by the endpoint's opaque id, None where there is no such endpoint."""
        found = [endpoint for endpoint in self._store.all() if endpoint["id"] == endpoint_id]
        return str(found[0]["creator"]) if found else None

    def start(self) -> None:
        self.outbox.start()
        self.deployments.start()

    def stop(self) -> None:
        self.deployments.stop()
        self.outbox.stop()

    def _create(self, call: Call) -> Json:
        (name,) = call.require("name")
        check_endpoint_name(name)
        body, creator = call.body, call.caller.user_name
        wanted = call.optional_object("config")
        config = self._read_config(wanted, creator) if wanted else None
        if body.get("telemetry_config"):
            raise ApiError(
                501,
                "NOT_IMPLEMENTED",
                "the embedded workspace has no endpoint telemetry (telemetry_config); use "
                "ai_gateway.inference_table_config",
            )
        check_limits(call.objects("rate_limits"))
        gateway = read_gateway(
            call.optional_object("ai_gateway") or {}, name, None, (config or {}).get("served_entities", [])
        )
        self._ensure_tables(gateway)
        fields = {
            "creator": creator,
            "description": body.get("description") or "",
            "route_optimized": bool(body.get("route_optimized")),
            "tags": _tags(call.objects("tags")),
            "email_notifications": body.get("email_notifications"),
            "ai_gateway": gateway,
            "rate_limits": body.get("rate_limits") or [],
        }
        endpoint = self._store.create(name, fields, config)
        if config is not None:
            self.deployments.roll_out(endpoint)
        return self._shown(endpoint, call)

    def _update_config(self, call: Call) -> Json:
        name = call.path["name"]
        endpoint = self._store.get(name)
        previous = (endpoint["config"] or {}).get("served_entities", [])
        config = self._read_config(call.body, call.caller.user_name, previous)
        endpoint = self._store.begin(name, config)
        self.deployments.roll_out(endpoint)
        return self._shown(endpoint, call)

    def _read_config(self, body: Json, creator: str, previous: list[Json] | None = None) -> Json:
        config = read_config(body, creator, self._clock.now_ms(), previous or ())
        for entity in config["served_entities"]:
            if entity.get("external_model"):
                continue
            version = self._models.model_version(entity["entity_name"], entity["entity_version"])
            if version.status != "READY":
                raise invalid(
                    f"Model version {entity['entity_name']} {entity['entity_version']} is {version.status}; "
                    "an endpoint can serve it when it is READY."
                )
            entity["task"] = task_of(version.folder)
        return config

    def _delete(self, call: Call) -> Json:
        endpoint = self._store.get(call.path["name"])
        self.deployments.delete(endpoint["name"])
        self._track_entities(endpoint, deleted=self._clock.now())
        return {}

    def _patch_tags(self, call: Call) -> Json:
        add, delete = _tags(call.objects("add_tags")), call.texts("delete_tags")

        def change(endpoint: Json) -> None:
            kept = {tag["key"]: tag for tag in endpoint["tags"] if tag["key"] not in delete}
            kept.update({tag["key"]: tag for tag in add})
            endpoint["tags"] = list(kept.values())

        return {"tags": self._store.change(call.path["name"], change)["tags"]}

    def _put_gateway(self, call: Call) -> Json:
        endpoint = self._store.get(call.path["name"])
        before = endpoint.get("ai_gateway")
        entities = (endpoint["config"] or endpoint["pending_config"] or {}).get("served_entities", [])
        gateway = read_gateway(call.body, endpoint["name"], before, entities)
        self._ensure_tables(gateway)
        changed = self._change(call, lambda stored: stored.update(ai_gateway=gateway))
        if not tracks_usage(before):
            self._track_entities(changed)
        return {block: gateway[block] for block in BLOCKS if block in gateway}

    def _put_rate_limits(self, call: Call) -> Json:
        limits = call.objects("rate_limits")
        check_limits(limits)
        self._change(call, lambda stored: stored.update(rate_limits=limits))
        return {"rate_limits": limits}

    def _patch_notifications(self, call: Call) -> Json:
        given = call.body.get("email_notifications") or {}
        self._change(call, lambda stored: stored.update(email_notifications=given))
        return {"name": call.path["name"], "email_notifications": given}

    def _change(self, call: Call, change: Callable[[Json], None]) -> Json:
        return self.deployments.change(call.path["name"], change)

    def _export_metrics(self, call: Call) -> PlainTextResponse:
        endpoint = self._store.get(call.path["name"])
        live = self.deployments.live(endpoint["name"])
        replicas = [Replica(one.name, one.pid, one.concurrency) for one in live.entities.values()] if live else []
        return PlainTextResponse(self._metrics.export(endpoint["id"], endpoint["name"], replicas))

    def _openapi(self, call: Call) -> Json:
        endpoint = self._store.get(call.path["name"])
        entities = (endpoint["config"] or {}).get("served_entities", [])
        folders = {
            entity["name"]: self._models.model_version(entity["entity_name"], entity["entity_version"]).folder
            for entity in entities
            if not entity.get("external_model")
        }
        return describe(endpoint["name"], folders)

    def _log(self, call: Call, which: str) -> Json:
        endpoint, name = self._store.get(call.path["name"]), call.path["entity"]
        # The last attempt is what is being looked for after a failure; else what is served.
        for config in (endpoint["pending_config"], endpoint["config"]):
            for entity in (config or {}).get("served_entities", []):
                if entity["name"] == name:
                    path = self.deployments.files(endpoint, entity) / which
                    return {"logs": path.read_text(errors="replace") if path.exists() else ""}
        raise not_found(f"Endpoint '{endpoint['name']}' has no served entity '{name}'.")

    def _ensure_tables(self, gateway: Json) -> None:
        """The tables that are written from now on, so that they can be read before the first row."""
        table = payload_table(gateway)
        if table is not None:
            self._payload_tables.ensure(table)
        if tracks_usage(gateway):
            for name in (ENDPOINT_USAGE, SERVED_ENTITIES):
                self._system_tables.ensure(name)

    def _track_entities(self, endpoint: Json, deleted: float | None = None) -> None:
        """What the endpoint serves from now on, or served, for whoever reads its usage."""
        if tracks_usage(endpoint.get("ai_gateway")) and endpoint.get("config"):
            entities = endpoint["config"]["served_entities"]
            self.outbox.put([entity_record(*self._ids, endpoint, entity, deleted) for entity in entities])

    def _bill(self, used: Sequence[Used]) -> None:
        now = self._clock.now()
        records = [record for one in used if (record := usage_record(*self._ids, one, now)) is not None]
        if records:
            try:
                self.outbox.put(records)
            except (sqlite3.Error, ValueError, TypeError):
                # Whoever looks after the models must go on doing so.
                logger.exception("%d rows of system.billing.usage are lost", len(records))

    def _shown(self, endpoint: Json, call: Call) -> Json:
        return detailed(endpoint, self.deployments.state, call.headers.get("host", "127.0.0.1"))


def _tags(given: list[Json]) -> list[Json]:
    """Tags as they are kept; the last of two with the same key counts."""
    tags = {}
    for tag in given:
        if not tag.get("key"):
            raise invalid("A tag needs a key.")
        tags[tag["key"]] = {"key": tag["key"], "value": tag.get("value", "")}
    return list(tags.values())
