"""A scripted stand-in for a workspace's REST API on loopback, for tests of the dynamic providers.

Not a workspace: it keeps what a test put into it, answers the calls that the providers make, logs every one of them,
and fails on request. `tests/workspace` and the whole-stack tests use the embedded workspace instead.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]
Reply = tuple[int, Json | str] | tuple[int, Json | str, dict[str, str]]
Responder = Callable[["Received"], Reply]

TOKEN = "dapi-stub-0f1e2d3c4b5a69788796a5b4c3d2e1f0"
METADATA = "/.well-known/databricks-config"


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    text: str
    headers: dict[str, str]
    query: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> Any:
        return json.loads(self.text) if self.text else None


@dataclass
class Fault:
    """What happens to the next `count` requests that match, instead of the answer or after it took effect."""

    method: str
    path: str
    status: int | None
    body: Json
    count: int
    after_effect: bool

    def matches(self, request: Received) -> bool:
        return self.count > 0 and request.method == self.method and re.search(self.path, request.path) is not None


@dataclass
class RestStub:
    """The state of the stub; tests read and change it directly."""

    host: str = ""
    received: list[Received] = field(default_factory=list)
    versions: dict[str, dict[int, str]] = field(default_factory=dict)
    aliases: dict[tuple[str, str], int] = field(default_factory=dict)
    tags: dict[tuple[str, str, str], str] = field(default_factory=dict)
    runs: dict[tuple[str, str], str] = field(default_factory=dict)
    """Model and version to the run that logged it."""
    tables: dict[str, Json] = field(default_factory=dict)
    stores: dict[str, list[str]] = field(default_factory=dict)
    synced: dict[str, Json] = field(default_factory=dict)
    pipelines: dict[str, Json] = field(default_factory=dict)
    endpoints: dict[str, list[Json]] = field(default_factory=dict)
    sync_states: list[list[str]] = field(default_factory=lambda: [["COMPLETED"]])
    """Of a new pipeline: updates, newest first, as seen by one read after the other; the last stays."""
    jobs: dict[str, list[list[str]]] = field(default_factory=dict)
    """By id, for each of its runs to come: the states that are seen one after the other, the last being the result."""
    runs_started: list[Json] = field(default_factory=list)
    rows: Json = field(default_factory=dict)
    """What a SQL statement answers: `columns` as name to type, `rows` as lists of texts."""
    answer: Responder = field(default=lambda _: (200, {"predictions": [1.0]}))
    faults: list[Fault] = field(default_factory=list)

    def fail(
        self,
        method: str,
        path: str,
        status: int | None,
        message: str = "scripted",
        *,
        code: str = "",
        count: int = 1,
        after_effect: bool = False,
    ) -> None:
        """Fails the next matching requests; `status` None drops the connection."""
        body = {"error_code": code, "message": message} if code else {"message": message}
        self.faults.append(Fault(method, path, status, body, count, after_effect))

    def calls(self, *, reads: bool = True) -> list[str]:
        """Method and path of every call, without the SDK's look at the host's metadata."""
        return [
            f"{one.method} {one.path}"
            for one in self.received
            if one.path != METADATA and (reads or one.method != "GET")
        ]

    def writes(self) -> list[str]:
        return self.calls(reads=False)

    def forget(self) -> None:
        self.received.clear()

    def handle(self, request: Received) -> Reply | None:
        """The reply; None drops the connection."""
        self.received.append(request)
        fault = next((one for one in self.faults if one.matches(request)), None)
        if fault is not None:
            fault.count -= 1
            if fault.after_effect:
                self._reply(request)
            return None if fault.status is None else (fault.status, fault.body)
        return self._reply(request)

    def _reply(self, request: Received) -> Reply:
        if request.path == METADATA:
            return 200, {"workspace_id": "900800700600"}
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"error_code": "UNAUTHENTICATED", "message": "Invalid token"}
        for method, pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, request.path)
            if method == request.method and found is not None:
                return handler(self, request, *found.groups())
        return 501, {"error_code": "NOT_IMPLEMENTED", "message": f"the stub has no {request.method} {request.path}"}


def feature_table(full_name: str, keys: list[str], *, timeseries: list[str] | None = None, feed: bool = True) -> Json:
    """A table as Unity Catalog shows it: the keys, NOT NULL, and one feature."""
    catalog, schema, name = full_name.split(".")
    constraint: Json = {"name": f"{name}_pk", "child_columns": keys}
    if timeseries:
        constraint["timeseries_columns"] = timeseries
    return {
        "catalog_name": catalog,
        "schema_name": schema,
        "name": name,
        "full_name": full_name,
        "table_type": "MANAGED",
        "columns": [
            *({"name": key, "type_text": "int", "nullable": False} for key in keys),
            {"name": "feature", "type_text": "double", "nullable": True},
        ],
        "table_constraints": [{"primary_key_constraint": constraint}] if keys else [],
        "properties": {"delta.enableChangeDataFeed": "true"} if feed else {},
    }


def endpoint(name: str, entities: dict[str, int], *, update: str = "NOT_UPDATING", ready: str = "READY") -> Json:
    """A serving endpoint: served entity to traffic."""
    return {
        "name": name,
        "id": "e1",
        "state": {"ready": ready, "config_update": update},
        "config": {
            "served_entities": [
                {"name": entity, "state": {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""}}
                for entity in entities
            ],
            "traffic_config": {
                "routes": [
                    {"served_model_name": entity, "served_entity_name": entity, "traffic_percentage": share}
                    for entity, share in entities.items()
                ]
            },
        },
    }


def absent(what: str) -> Reply:
    return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"{what} does not exist."}


def _me(_: RestStub, __: Received) -> Reply:
    return 200, {"userName": "deployer@example.com", "id": "1"}


def _model(stub: RestStub, _: Received, model: str) -> Reply:
    return (200, {"full_name": model}) if model in stub.versions else absent(f"Registered model '{model}'")


def _version(stub: RestStub, _: Received, model: str, version: str) -> Reply:
    status = stub.versions.get(model, {}).get(int(version))
    if status is None:
        return absent(f"Version {version} of '{model}'")
    return 200, {"model_name": model.split(".")[-1], "version": int(version), "status": status}


def _get_alias(stub: RestStub, _: Received, model: str, alias: str) -> Reply:
    version = stub.aliases.get((model, alias))
    return absent(f"Alias '{alias}'") if version is None else (200, {"version": version, "status": "READY"})


def _put_alias(stub: RestStub, request: Received, model: str, alias: str) -> Reply:
    stub.aliases[model, alias] = request.body["version_num"]
    return 200, {"alias_name": alias, "version_num": request.body["version_num"]}


def _delete_alias(stub: RestStub, _: Received, model: str, alias: str) -> Reply:
    return absent(f"Alias '{alias}'") if stub.aliases.pop((model, alias), None) is None else (200, {})


def _tag(stub: RestStub, request: Received) -> Reply:
    body = request.body
    stub.tags[body["name"], body["version"], body["key"]] = body["value"]
    return 200, {}


def _tags(stub: RestStub, request: Received) -> Reply:
    model, version = request.query["name"], request.query["version"]
    if int(version) not in stub.versions.get(model, {}):
        return absent(f"Version {version} of '{model}'")
    tags = [{"key": key[2], "value": value} for key, value in stub.tags.items() if key[:2] == (model, version)]
    run_id = stub.runs.get((model, version), "")
    return 200, {"model_version": {"name": model, "version": version, "run_id": run_id, "tags": tags}}


def _table(stub: RestStub, _: Received, name: str) -> Reply:
    return (200, stub.tables[name]) if name in stub.tables else absent(f"Table '{name}'")


def _store(stub: RestStub, _: Received, name: str) -> Reply:
    if name not in stub.stores:
        return absent(f"Online store '{name}'")
    return 200, {"name": name, "capacity": "CU_1", "state": _next(stub.stores[name])}


def _synced(stub: RestStub, _: Received, name: str) -> Reply:
    return (200, stub.synced[name]) if name in stub.synced else absent(f"Synced table '{name}'")


def _publish(stub: RestStub, request: Received, source: str) -> Reply:
    spec = request.body["publish_spec"]
    name = spec["online_table_name"]
    known = stub.synced.get(name)
    if known is not None and known["spec"]["source_table_full_name"] != source:
        return 409, {"error_code": "ALREADY_EXISTS", "message": f"Online table '{name}' has another source."}
    pipeline = known["pipeline_id"] if known else str(uuid.uuid4())
    stub.tables[name] = {"full_name": name, "table_type": "FOREIGN"}
    stub.synced[name] = {"name": name, "spec": {"source_table_full_name": source}, "pipeline_id": pipeline}
    stub.pipelines[pipeline] = {
        "seen": [list(states) for states in stub.sync_states],
        "continuous": spec["publish_mode"] == "CONTINUOUS",
        "run": stub.pipelines.get(pipeline, {}).get("run", 0) + 1,
        "cause": "",
    }
    return 200, {"online_table_name": name, "pipeline_id": pipeline}


def _unpublish(stub: RestStub, _: Received, name: str) -> Reply:
    found = stub.synced.pop(name, None)
    if found is None:
        return absent(f"Online table '{name}'")
    stub.tables.pop(name, None)
    stub.pipelines.pop(found["pipeline_id"], None)
    return 200, {}


def _pipeline(stub: RestStub, _: Received, pipeline: str) -> Reply:
    found = stub.pipelines.get(pipeline)
    if found is None:
        return absent(f"Pipeline {pipeline}")
    states = _next(found["seen"])
    updates = [{"update_id": f"u{found['run']}-{len(states) - n}", "state": state} for n, state in enumerate(states)]
    return 200, {
        "pipeline_id": pipeline,
        "spec": {"continuous": found["continuous"]},
        "latest_updates": updates,
        "cause": found["cause"],
    }


def _start_update(stub: RestStub, _: Received, pipeline: str) -> Reply:
    stub.pipelines[pipeline]["run"] += 1
    stub.pipelines[pipeline]["seen"] = [list(states) for states in stub.sync_states]
    return 200, {"update_id": "started"}


def _endpoint(stub: RestStub, _: Received, name: str) -> Reply:
    return (200, _next(stub.endpoints[name])) if name in stub.endpoints else absent(f"Endpoint '{name}'")


def _notifications(stub: RestStub, request: Received, name: str) -> Reply:
    if name not in stub.endpoints:
        return absent(f"Endpoint '{name}'")
    for state in stub.endpoints[name]:
        state["email_notifications"] = request.body["email_notifications"]
    return 200, {"name": name, **request.body}


def _invoke(stub: RestStub, request: Received, *_: str) -> Reply:
    return stub.answer(request)


def _statement(stub: RestStub, request: Received) -> Reply:
    if not stub.rows:
        status = {"state": "FAILED", "error": {"message": "TABLE_OR_VIEW_NOT_FOUND"}}
        return 200, {"statement_id": "s1", "status": status}
    columns = [{"name": name, "type_name": kind} for name, kind in stub.rows["columns"].items()]
    return 200, {
        "statement_id": "s1",
        "status": {"state": "SUCCEEDED"},
        "manifest": {"format": "JSON_ARRAY", "schema": {"columns": columns}},
        "result": {"data_array": stub.rows["rows"][: request.body["row_limit"]]},
    }


def _next(script: list[Any]) -> Any:
    """The next state of a script; the last one stays."""
    return script.pop(0) if len(script) > 1 else script[0]


_UC = "/api/2.1/unity-catalog"
_FS = "/api/2.0/feature-store"


def _job(stub: RestStub, request: Received) -> Reply:
    job = request.query["job_id"]
    return (200, {"job_id": int(job)}) if job in stub.jobs else absent(f"Job {job}")


def _run_now(stub: RestStub, request: Received) -> Reply:
    known = [one for one in stub.runs_started if one["idempotency_token"] == request.body["idempotency_token"]]
    if not known:
        if str(request.body["job_id"]) not in stub.jobs:
            return absent(f"Job {request.body['job_id']}")
        stub.runs_started.append(request.body)
    return 200, {"run_id": 70 + (stub.runs_started.index(known[0]) + 1 if known else len(stub.runs_started))}


def _run(stub: RestStub, request: Received) -> Reply:
    number = int(request.query["run_id"])
    states = stub.jobs[str(stub.runs_started[number - 71]["job_id"])][number - 71]
    seen = states.pop(0) if len(states) > 1 else states[0]
    is_over = len(states) == 1 and seen not in ("PENDING", "RUNNING")
    state: Json = {"life_cycle_state": seen, "state_message": ""}
    if is_over:
        state = {"life_cycle_state": "TERMINATED", "result_state": seen, "state_message": "as scripted"}
    return 200, {"run_id": number, "state": state, "tasks": [{"task_key": "publish", "run_id": 900, "state": state}]}


def _run_output(_: RestStub, __: Received) -> Reply:
    return 200, {"error": "Access denied for user 'writer'"}


_ROUTES: list[tuple[str, str, Callable[..., Reply]]] = [
    ("GET", "/api/2.0/preview/scim/v2/Me", _me),
    ("GET", "/api/2.2/jobs/get", _job),
    ("POST", "/api/2.2/jobs/run-now", _run_now),
    ("GET", "/api/2.2/jobs/runs/get", _run),
    ("GET", "/api/2.2/jobs/runs/get-output", _run_output),
    ("GET", f"{_UC}/models/([^/]+)", _model),
    ("GET", f"{_UC}/models/([^/]+)/versions/(\\d+)", _version),
    ("GET", f"{_UC}/models/([^/]+)/aliases/([^/]+)", _get_alias),
    ("PUT", f"{_UC}/models/([^/]+)/aliases/([^/]+)", _put_alias),
    ("DELETE", f"{_UC}/models/([^/]+)/aliases/([^/]+)", _delete_alias),
    ("POST", "/api/2.0/mlflow/unity-catalog/model-versions/set-tag", _tag),
    ("GET", "/api/2.0/mlflow/unity-catalog/model-versions/get", _tags),
    ("GET", f"{_UC}/tables/([^/]+)", _table),
    ("GET", f"{_FS}/online-stores/([^/]+)", _store),
    ("GET", "/api/2.0/database/synced_tables/([^/]+)", _synced),
    ("POST", f"{_FS}/tables/([^/]+)/publish", _publish),
    ("DELETE", f"{_FS}/online-tables/([^/]+)", _unpublish),
    ("GET", "/api/2.0/pipelines/([^/]+)", _pipeline),
    ("POST", "/api/2.0/pipelines/([^/]+)/updates", _start_update),
    ("GET", "/api/2.0/serving-endpoints/([^/]+)", _endpoint),
    ("PATCH", "/api/2.0/serving-endpoints/([^/]+)/notifications", _notifications),
    ("POST", "/api/2.0/sql/statements/?", _statement),
    ("POST", "/serving-endpoints/([^/]+)/invocations", _invoke),
    ("POST", "/serving-endpoints/([^/]+)/served-models/([^/]+)/invocations", _invoke),
]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no event: a provider's process ends with its connections open."""


@contextmanager
def running(stub: RestStub) -> Iterator[RestStub]:
    """Serves the stub on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            url = urlsplit(self.path)
            reply = stub.handle(Received(self.command, url.path, text, headers, dict(parse_qsl(url.query))))
            if reply is None:
                self.close_connection = True
                self.connection.close()
                return
            content = (reply[1] if isinstance(reply[1], str) else json.dumps(reply[1])).encode()
            self.send_response(reply[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in (reply[2] if len(reply) > 2 else {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            """The stub keeps its own log."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    stub.host = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
