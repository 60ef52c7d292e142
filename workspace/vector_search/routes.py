"""`/api/2.0/vector-search/...` (databricks-sdk 0.156 `VectorSearchEndpointsAPI`, `VectorSearchIndexesAPI`)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from workspace.clock import Clock
from workspace.documents import Document
from workspace.errors import ApiError, already_exists, bad_request, invalid
from workspace.http import Call, Json, api
from workspace.settings import Settings
from workspace.state import State
from workspace.unity_catalog import names
from workspace.unity_catalog.securables import TABLE, Contents
from workspace.vector_search import direct, query, specs
from workspace.vector_search.embedding import Credentials, Embedder
from workspace.vector_search.runner import IDLE, INITIAL, SyncRunner
from workspace.vector_search.store import Endpoints, Indexes
from workspace.vector_search.sync import Tables

ENDPOINTS = "/api/2.0/vector-search/endpoints"
INDEXES = "/api/2.0/vector-search/indexes"


class Catalog(Tables, Protocol):
    """Unity Catalog's tables as vector search sees them."""

    def exists(self, full_name: str) -> bool: ...


class VectorSearch:
    """Endpoints and indexes. An endpoint is a name here: all of them are answered by this process."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        settings: Settings,
        tables: Catalog,
        require_schema: Callable[[str, str], object],
        credentials: Credentials,
    ) -> None:
        """`require_schema(catalog, schema)` raises ApiError 404 where there is none."""
        self._tables = tables
        self._require_schema = require_schema
        self._endpoints = Endpoints(
            state.documents, clock, lambda: settings.get("vector_search_endpoint_provisioning_seconds")
        )
        self._indexes = Indexes(state.documents, state.subfolder("vector_search"))
        self._embedder = Embedder(credentials)
        self._runner = SyncRunner(self._indexes, tables, self._embedder, settings)

    def start(self) -> None:
        self._runner.start()

    def stop(self) -> None:
        self._runner.stop()

    def creator_of_endpoint(self, endpoint_id: str) -> str | None:
        """Who made the endpoint with that id, None where there is none."""
        return next((str(one["creator"]) for one in self._endpoints.all() if one["id"] == endpoint_id), None)

    def contents(self) -> Contents:
        """Indexes among what is in schemas: securables of type table, which grants and schemas know of."""

        def field(name: str, what: str) -> str:
            found = self._indexes.find(name)
            if found is None:
                raise names.missing(TABLE, name)
            return str(found[what])

        return Contents(
            TABLE,
            names=lambda schema: [
                str(one["name"]) for one in self._indexes.all() if one["name"].lower().rpartition(".")[0] == schema
            ],
            identity=lambda name: field(name, "id"),
            drop=self._indexes.delete,
            owner=lambda name: field(name, "creator"),
        )

    def routes(self) -> list[BaseRoute]:
        return [
            api("POST", ENDPOINTS, self._create_endpoint),
            api("GET", ENDPOINTS, lambda _: {"endpoints": [self._shown(one) for one in self._endpoints.all()]}),
            api("GET", f"{ENDPOINTS}/{{name}}", lambda call: self._shown(self._endpoints.get(call.path["name"]))),
            api("DELETE", f"{ENDPOINTS}/{{name}}", self._delete_endpoint),
            api("PATCH", f"{ENDPOINTS}/{{name}}/tags", self._tag_endpoint),
            api("PATCH", f"{ENDPOINTS}/{{name}}/budget-policy", self._set_budget_policy),
            api("POST", INDEXES, self._create_index),
            api("GET", INDEXES, self._list_indexes),
            api("GET", f"{INDEXES}/{{name}}", self._get_index),
            api("DELETE", f"{INDEXES}/{{name}}", self._delete_index),
            api("POST", f"{INDEXES}/{{name}}/sync", self._sync),
            api("POST", f"{INDEXES}/{{name}}/query", self._query),
            api("POST", f"{INDEXES}/{{name}}/scan", self._scan),
            api("POST", f"{INDEXES}/{{name}}/upsert-data", self._upsert),
            Route(f"{INDEXES}/{{name}}/delete-data", self._delete_data, methods=["DELETE"]),
        ]

    def _create_endpoint(self, call: Call) -> Json:
        name, endpoint_type = call.require("name", "endpoint_type")
        made = self._endpoints.create(str(name), endpoint_type, call.caller.user_name)
        if call.body.get("budget_policy_id"):
            made = self._endpoints.set_budget_policy(str(name), call.text("budget_policy_id"))
        return self._shown(made)

    def _shown(self, endpoint: Document) -> Json:
        return self._endpoints.shown(endpoint, len(self._indexes.all(endpoint["name"])))

    def _delete_endpoint(self, call: Call) -> Json:
        name = call.path["name"]
        indexes = [one["name"] for one in self._indexes.all(name)]
        if indexes:
            raise bad_request(f"Vector search endpoint {name} has indexes ({', '.join(indexes)}); delete them first.")
        self._endpoints.delete(name)
        return {}

    def _tag_endpoint(self, call: Call) -> Json:
        (tags,) = call.require("custom_tags")
        self._endpoints.set_tags(call.path["name"], tags)
        return {"name": call.path["name"], "custom_tags": tags}

    def _set_budget_policy(self, call: Call) -> Json:
        policy = call.text("budget_policy_id")
        self._endpoints.set_budget_policy(call.path["name"], policy)
        return {"effective_budget_policy_id": policy}

    def _create_index(self, call: Call) -> Json:
        name, endpoint_name, primary_key, index_type = call.require(
            "name", "endpoint_name", "primary_key", "index_type"
        )
        specs.check_name(name)
        if index_type not in specs.SPEC_OF:
            raise invalid(f"index_type must be one of {', '.join(specs.SPEC_OF)}; received {index_type!r}")
        if call.body.get("index_subtype") == "FULL_TEXT":
            raise ApiError(501, "NOT_IMPLEMENTED", "the embedded workspace has no FULL_TEXT indexes, only VECTOR")
        endpoint = self._endpoints.get(endpoint_name)
        if not self._endpoints.is_online(endpoint):
            raise bad_request(f"Vector search endpoint {endpoint_name} is not ONLINE yet; wait for it.")
        catalog, schema, _ = name.split(".")
        self._require_schema(catalog, schema)
        if self._tables.exists(name):
            raise already_exists(f"{name} is a table already; an index needs a name of its own.")
        index = self._indexes.create(
            {
                "name": name,
                "endpoint_name": endpoint_name,
                "endpoint_id": endpoint["id"],
                "primary_key": primary_key,
                "index_type": index_type,
                "index_subtype": call.body.get("index_subtype", "VECTOR"),
                "creator": call.caller.user_name,
                **self._spec(call.body, index_type, primary_key),
            }
        )
        if index_type == specs.DELTA_SYNC:
            self._runner.submit(index)
        return self._indexes.shown(index, _host(call))

    def _spec(self, body: Json, index_type: str, primary_key: str) -> Document:
        """The spec of a new index and its first status."""
        field = specs.SPEC_OF[index_type]
        given = body.get(field)
        if not isinstance(given, dict):
            raise invalid(f"{index_type} needs {field}")
        if index_type == specs.DIRECT_ACCESS:
            status = {"ready": True, "detailed_state": IDLE, "message": "Index is ready."}
            return {field: specs.complete_direct_access(given, primary_key), "status": status}
        source = self._tables.get(str(given.get("source_table")))
        spec = specs.complete_delta_sync(given, primary_key, source)
        status = {"ready": False, "detailed_state": INITIAL, "message": "Index is waiting for its first sync."}
        return {field: {**spec, "pipeline_id": str(uuid.uuid4())}, "status": status}

    def _list_indexes(self, call: Call) -> Json:
        name = call.query.get("endpoint_name", "")
        self._endpoints.get(name)
        shown = [self._indexes.shown(one, _host(call), short=True) for one in self._indexes.all(name)]
        return {"vector_indexes": shown}

    def _get_index(self, call: Call) -> Json:
        return self._indexes.shown(self._indexes.get(call.path["name"]), _host(call))

    def _delete_index(self, call: Call) -> Json:
        self._indexes.delete(call.path["name"])
        return {}

    def _sync(self, call: Call) -> Json:
        index = self._of_type(call.path["name"], specs.DELTA_SYNC, "synced")
        if index["delta_sync_index_spec"]["pipeline_type"] == specs.CONTINUOUS:
            raise bad_request(f"Index {index['name']} is CONTINUOUS and syncs by itself.")
        self._runner.request(index)
        return {}

    def _query(self, call: Call) -> Json:
        index = self._indexes.get(call.path["name"])
        return query.answer(index, self._indexes.vectors(index), call.body, self._embedder)

    def _scan(self, call: Call) -> Json:
        index = self._indexes.get(call.path["name"])
        return query.scan(index, self._indexes.vectors(index), call.body)

    def _upsert(self, call: Call) -> Json:
        index = self._of_type(call.path["name"], specs.DIRECT_ACCESS, "written to")
        return direct.upsert(index, self._indexes.vectors(index), call.require("inputs_json")[0])

    async def _delete_data(self, request: Request) -> Response:
        """The keys are a query parameter that comes once for each."""
        keys = request.query_params.getlist("primary_keys")

        def delete() -> Json:
            index = self._of_type(request.path_params["name"], specs.DIRECT_ACCESS, "written to")
            return direct.delete(index, self._indexes.vectors(index), keys)

        return JSONResponse(await run_in_threadpool(delete))

    def _of_type(self, name: str, index_type: str, what: str) -> Document:
        index = self._indexes.get(name)
        if index["index_type"] != index_type:
            raise bad_request(
                f"Index {index['name']} is {index['index_type']}; only {index_type} indexes can be {what}."
            )
        return index


def _host(call: Call) -> str:
    return call.headers.get("host", "")
