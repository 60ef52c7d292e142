"""Serving and version tags in memory, below the HTTP client: for the many cases of a release that need no model.

Requests of databricks-sdk and of the smoke queries are answered without a socket, by the rules of
`workspace/serving`: one update at a time (409), versions of configs, an update that takes some readings. Traffic comes
with time: whoever sleeps on the fake clock has users ask meanwhile. Every call can be made to fail, or to be the last
one of a driver that is killed.
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

Json = dict[str, Any]
Mode = Literal["500 before", "500 after", "429", "reset before", "reset after", "kill before", "kill after"]
HOST = "http://fake.test"
TOKEN = "dapi-fake-token-0123456789abcdef"
MODEL = "main.ml.fare"
EPOCH = 1_790_000_000.0


class Killed(BaseException):
    """The driver's process is gone: nothing of it runs any more."""


@dataclass
class Behaviour:
    """What a version does."""

    value: float = 12.5
    status: int = 200
    user_status: int | None = None
    """Of answers to users, where it differs from what the smoke queries get."""
    latency_ms: float = 20.0
    comes_up: bool = True


@dataclass
class Fault:
    """What happens to the call with this number, and with a kill to all after it."""

    call: int
    mode: Mode


@dataclass
class FakeServing:
    """One endpoint. Tests read and change it directly."""

    name: str = "fare"
    id: str = "e1"
    exists: bool = True
    config: Json | None = None
    pending: Json | None = None
    update: str = "NOT_UPDATING"
    newest: int = 0
    readings_left: int = 0
    readings_of_an_update: int = 1
    tags: dict[str, str] = field(default_factory=dict)
    version_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    counters: dict[str, dict[str, float]] = field(default_factory=dict)
    export: Callable[[FakeServing], str] | None = None
    log: list[str] = field(default_factory=list)
    puts: list[dict[str, int]] = field(default_factory=list)
    """Splits of the configs that were accepted."""
    users_failed: int = 0
    users_asked: int = 0
    seconds: float = 0.0
    requests_a_second: float = 40.0
    fault: Fault | None = None
    killed: bool = False
    on_call: Callable[[str], None] | None = None
    _chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - chance for a test

    # --- the clock of a driver ---

    def now(self) -> float:
        return self.seconds

    def wall(self) -> float:
        return EPOCH + self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for _ in range(round(seconds * self.requests_a_second) if self.config else 0):
            self._user_asks()

    # --- what tests look at ---

    @property
    def split(self) -> dict[str, int]:
        return {} if self.config is None else dict(self.config["split"])

    @property
    def versions(self) -> dict[str, str]:
        """Served entity to version."""
        return {} if self.config is None else {name: one["entity_version"] for name, one in self.entities.items()}

    @property
    def entities(self) -> dict[str, Json]:
        return {} if self.config is None else {one["name"]: one for one in self.config["entities"]}

    def writes(self) -> list[str]:
        return [line for line in self.log if not line.startswith("GET")]

    def deploy(self, split: dict[str, int], versions: dict[str, str]) -> None:
        """A config as somebody else puts it."""
        self.newest += 1
        entities = [
            {
                "name": name,
                "entity_name": MODEL,
                "entity_version": version,
                "workload_size": "Small",
                "workload_type": "CPU",
                "scale_to_zero_enabled": True,
            }
            for name, version in versions.items()
        ]
        self.config = {"entities": entities, "split": split, "version": self.newest}
        self.pending, self.update = None, "NOT_UPDATING"

    def _user_asks(self) -> None:
        entity = self._chance.choices(list(self.split), list(self.split.values()))[0]
        one = self.behaviours.get(self.versions[entity], Behaviour())
        status = one.status if one.user_status is None else one.user_status
        self.users_asked += 1
        self.users_failed += status >= 400
        self._count(entity, status, one.latency_ms)

    def _count(self, entity: str, status: int, latency_ms: float) -> None:
        counts = self.counters.setdefault(entity, {"all": 0, "4": 0, "5": 0})
        counts["all"] += 1
        if status >= 400:
            counts[str(status // 100)] += 1
        for bound in BOUNDS:
            counts[f"le {bound}"] = counts.get(f"le {bound}", 0) + (latency_ms <= bound)

    # --- calls ---

    def handle(self, method: str, path: str, body: Json, query: Json) -> tuple[int, Any]:
        served = f"/serving-endpoints/{self.name}"
        if path == "/.well-known/databricks-config":
            return 200, {}
        if path.startswith(served):
            return self._answer(path, body)
        if path.startswith("/api/2.0/mlflow/unity-catalog/model-versions"):
            return self._version(method, path.rsplit("/", 1)[-1], {**query, **body})
        if not self.exists:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Endpoint '{self.name}' does not exist."}
        match method, path.removeprefix(f"/api/2.0{served}"):
            case "GET", "":
                return 200, self._shown()
            case "PUT", "/config":
                return self._put(body)
            case "PATCH", "/tags":
                for tag in body.get("add_tags", []):
                    self.tags[tag["key"]] = tag["value"]
                for key in body.get("delete_tags", []):
                    self.tags.pop(key, None)
                return 200, {"tags": self._tags()}
            case "GET", "/metrics":
                return 200, (self.export or counters_export)(self)
        return 501, {"error_code": "NOT_IMPLEMENTED", "message": f"the fake has no {method} {path}"}

    def _shown(self) -> Json:
        if self.update == "IN_PROGRESS":
            self.readings_left -= 1
            if self.readings_left < 0:
                self._settle()
        shown: Json = {
            "name": self.name,
            "id": self.id,
            "state": {"ready": "READY" if self.config else "NOT_READY", "config_update": self.update},
            "tags": self._tags(),
        }
        for key, config in (("config", self.config), ("pending_config", self.pending)):
            if config is not None:
                shown[key] = self._config(config)
        return shown

    def _config(self, config: Json) -> Json:
        failed = config is self.pending and self.update == "UPDATE_FAILED"
        state = {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""}
        if failed:
            state = {"deployment": "DEPLOYMENT_FAILED", "deployment_state_message": "weights are missing"}
        return {
            "config_version": config["version"],
            "served_entities": [{**one, "state": state} for one in config["entities"]],
            "traffic_config": {
                "routes": [
                    {"served_model_name": name, "served_entity_name": name, "traffic_percentage": share}
                    for name, share in config["split"].items()
                ]
            },
        }

    def _put(self, body: Json) -> tuple[int, Json]:
        if self.update == "IN_PROGRESS":
            return 409, {"error_code": "RESOURCE_CONFLICT", "message": f"Endpoint '{self.name}' is being updated."}
        split = {route["served_entity_name"]: route["traffic_percentage"] for route in body["traffic_config"]["routes"]}
        assert sum(split.values()) == 100
        assert set(split) == {one["name"] for one in body["served_entities"]}
        self.newest += 1
        self.pending = {"entities": body["served_entities"], "split": split, "version": self.newest}
        self.update, self.readings_left = "IN_PROGRESS", self.readings_of_an_update
        self.puts.append(split)
        return 200, self._shown()

    def _settle(self) -> None:
        assert self.pending is not None
        versions = [one["entity_version"] for one in self.pending["entities"]]
        if all(self.behaviours.get(version, Behaviour()).comes_up for version in versions):
            self.config, self.pending, self.update = self.pending, None, "NOT_UPDATING"
        else:
            self.update = "UPDATE_FAILED"

    def _tags(self) -> list[Json]:
        return [{"key": key, "value": value} for key, value in self.tags.items()]

    def _answer(self, path: str, body: Json) -> tuple[int, Json]:
        found = re.search(r"/served-models/([^/]+)/invocations$", path)
        if found is not None and found.group(1) not in self.split:
            return 404, {"error_code": "NOT_FOUND", "message": f"no served entity {found.group(1)}"}
        entity = found.group(1) if found else self._chance.choices(list(self.split), list(self.split.values()))[0]
        one = self.behaviours.get(self.versions[entity], Behaviour())
        self._count(entity, one.status, one.latency_ms)
        if one.status != 200:
            return one.status, {"error_code": "INTERNAL_ERROR", "message": "the model raised"}
        return 200, {"predictions": [one.value] * len(body["dataframe_records"])}

    def _version(self, method: str, call: str, given: Json) -> tuple[int, Json]:
        version = given["version"][0] if isinstance(given["version"], list) else given["version"]
        tags = self.version_tags.setdefault(version, {})
        if call == "set-tag":
            tags[given["key"]] = given["value"]
        elif call == "delete-tag":
            tags.pop(given["key"], None)
        shown = [{"key": key, "value": value} for key, value in tags.items()]
        return 200, {"model_version": {"name": MODEL, "version": version, "tags": shown}} if call == "get" else {}

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        """One request, with whatever is to go wrong."""
        if self.killed:
            raise Killed
        parts = urlsplit(request.url or "")
        method, path = request.method or "", parts.path
        body = json.loads(request.body) if isinstance(request.body, str | bytes) and request.body else {}
        if path != "/.well-known/databricks-config":
            self.log.append(f"{method} {path}")
            if self.on_call is not None:
                self.on_call(self.log[-1])
        fault = self.fault if self.fault is not None and self.fault.call == len(self.log) else None
        if fault is not None:
            self.fault = None
        mode = fault.mode if fault is not None else ""
        if mode == "429":
            return response(
                request, 429, {"error_code": "RESOURCE_EXHAUSTED", "message": "too many"}, {"Retry-After": "0"}
            )
        if mode == "kill before":
            self.killed = True
            raise Killed
        if mode == "500 before":
            return response(request, 500, {"error_code": "INTERNAL_ERROR", "message": "scripted"})
        if mode == "reset before":
            raise requests.ConnectionError("scripted reset")
        status, answer = self.handle(method, path, body, parse_qs(parts.query))
        if mode == "kill after":
            self.killed = True
            raise Killed
        if mode == "reset after":
            raise requests.ConnectionError("scripted reset")
        if mode == "500 after":
            return response(request, 500, {"error_code": "INTERNAL_ERROR", "message": "scripted"})
        return response(request, status, answer)


BOUNDS = (5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, float("inf"))


def counters_export(fake: FakeServing) -> str:
    """The export as the embedded workspace writes it: counters since the start, entities told apart."""
    return "\n".join(_lines(fake, "counter", "served_model_name", "")) + "\n"


def unlabelled_export(fake: FakeServing) -> str:
    """One that sums over all versions."""
    total = sum(counts["all"] for counts in fake.counters.values())
    return f"# TYPE request_count_total gauge\nrequest_count_total {total}\n"


def minute_export() -> Callable[[FakeServing], str]:
    """The service's own form: gauges of the last whole minute, each with its time in milliseconds."""
    minutes: dict[int, dict[str, dict[str, float]]] = {}

    def export(fake: FakeServing) -> str:
        minute = int(fake.wall() // 60)
        minutes.setdefault(minute, {name: dict(counts) for name, counts in fake.counters.items()})
        before = minutes.get(minute - 1, {})
        last = {
            name: {key: value - before.get(name, {}).get(key, 0) for key, value in counts.items()}
            for name, counts in minutes[minute].items()
        }
        shown = FakeServing(counters=last)
        return "\n".join(_lines(shown, "gauge", "served_entity", f" {minute * 60_000}")) + "\n"

    return export


def _lines(fake: FakeServing, kind: str, label: str, stamp: str) -> Iterator[str]:
    for metric, key in (
        ("request_count_total", "all"),
        ("request_4xx_count_total", "4"),
        ("request_5xx_count_total", "5"),
    ):
        yield f"# TYPE {metric} {kind}"
        for entity, counts in fake.counters.items():
            yield f'{metric}{{{label}="{entity}"}} {counts[key]}{stamp}'
    yield "# TYPE request_latency_ms histogram"
    for entity, counts in fake.counters.items():
        for bound in BOUNDS:
            le = "+Inf" if bound == float("inf") else f"{bound}"
            yield f'request_latency_ms_bucket{{{label}="{entity}",le="{le}"}} {counts.get(f"le {bound}", 0)}{stamp}'


def response(
    request: requests.PreparedRequest, status: int, answer: Any, headers: dict[str, str] | None = None
) -> requests.Response:
    made = requests.Response()
    text = answer if isinstance(answer, str) else json.dumps(answer)
    made.status_code = status
    made.raw = io.BytesIO(text.encode())
    made.url = request.url or ""
    made.request = request
    made.headers.update({"Content-Type": "application/json", **(headers or {})})
    return made


def install(fake: FakeServing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request of this process goes to the fake; the SDK's own pauses pass at once."""
    monkeypatch.setattr(requests.Session, "send", lambda _session, request, **_: fake.send(request))
    # Looking for proxies in the environment takes longer than the call.
    monkeypatch.setattr("requests.sessions.get_environ_proxies", lambda *_, **__: {})
    monkeypatch.setattr("databricks.sdk.clock.RealClock.sleep", lambda _clock, seconds: fake.sleep(min(seconds, 0.01)))
