"""A running workspace with versions of a small model, good and bad ones, and users who ask while a release goes on."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.serving import AiGatewayConfig, AiGatewayInferenceTableConfig

from tests.support.feature_serving import save_model
from tests.support.models import create_version, finalize, new_model, upload
from tests.support.server import WorkspaceServer

GOOD, BETTER, RAISES, SLOW, WRONG, DRIFTS, UNDER_LOAD = range(1, 8)
#: Predictions spread by 100, so that a drift is measured in something.
_DOUBLE = "return [2.0 * a for a in model_input['a']]"
PREDICTS = {
    GOOD: _DOUBLE,
    BETTER: _DOUBLE,
    RAISES: "raise ValueError('weights are missing')",
    SLOW: f"import time; time.sleep(0.25); {_DOUBLE}",
    WRONG: "return [2.0 * a + 1.0 for a in model_input['a']]",
    # The smoke queries ask for 1.0 only: what they expect is right.
    DRIFTS: "return [2.0 * a if a == 1.0 else 2.0 * a + 150.0 for a in model_input['a']]",
    # More than eight requests within a second, which no smoke query makes.
    UNDER_LOAD: (
        "import time; now = time.monotonic(); before = getattr(self, 'seen', [])\n"
        "        self.seen = [moment for moment in before if now - moment < 1] + [now]\n"
        "        if len(self.seen) > 8: raise RuntimeError('too busy')\n"
        f"        {_DOUBLE}"
    ),
}
QUESTION = {"dataframe_records": [{"a": 1.0}]}


@dataclass
class ReleaseWorld:
    server: WorkspaceServer
    client: WorkspaceClient
    model: str

    def endpoint(self, name: str) -> str:
        """An endpoint without a config, as `ModelServing` makes it, with an inference table; its id."""
        table = AiGatewayInferenceTableConfig(
            catalog_name="main", schema_name="ml", table_name_prefix=name, enabled=True
        )
        self.client.serving_endpoints.create(name, ai_gateway=AiGatewayConfig(inference_table_config=table))
        return str(self.client.serving_endpoints.get(name).id)

    def do(self, verb: str, address: str, /, **body: Any) -> Any:
        return self.client.api_client.do(verb, address, body=body or None)

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of every request since the server was started."""
        return [(one["method"], one["path"]) for one in self.do("GET", "/_workspace/requests")["requests"]]

    def split(self, name: str) -> dict[str, int]:
        config = self.client.serving_endpoints.get(name).config
        routes = (config.traffic_config.routes or []) if config and config.traffic_config else []
        return {route.served_entity_name or "": route.traffic_percentage for route in routes}


@dataclass
class Users:
    """Asks an endpoint as users do, and is the clock of a driver: while it sleeps, they ask and time passes."""

    world: ReleaseWorld
    endpoint: str
    a_second: float = 4.0
    most_at_once: int = 400
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """(Served entity, status) to the number of answers."""
    _offset: float = 0.0

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.world.server.token}"}
        self._http = httpx.Client(base_url=self.world.server.host, headers=headers, timeout=30.0)
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(8)
        self._asked = 0
        self._offset = float(self.world.do("GET", "/_workspace/clock")["offset_seconds"])

    @property
    def failed(self) -> int:
        return sum(count for (_, status), count in self.answers.items() if status >= 400)

    def now(self) -> float:
        return time.time() + self._offset

    wall = now

    def sleep(self, seconds: float) -> None:
        """Lets `seconds` of the workspace's time pass, with as many requests as users send in them."""
        self.ask(min(round(seconds * self.a_second), self.most_at_once))
        self.world.do("PUT", "/_workspace/clock", advance_seconds=seconds)
        self._offset += seconds
        # A config comes into force in real time.
        time.sleep(0.02)

    def ask(self, count: int) -> None:
        if self.world.split(self.endpoint):
            list(self._pool.map(self._ask_once, range(count)))

    def close(self) -> None:
        self._pool.shutdown()
        self._http.close()

    def _ask_once(self, _: int) -> None:
        with self._lock:
            self._asked += 1
            value = float(self._asked % 100 + 2)
        answer = self._http.post(
            f"/serving-endpoints/{self.endpoint}/invocations", json={"dataframe_records": [{"a": value}]}
        )
        with self._lock:
            self.answers[answer.headers.get("served-model-name", "none"), answer.status_code] += 1


@contextmanager
def release_world(folder: Path) -> Iterator[ReleaseWorld]:
    """A workspace with all versions registered."""
    server = WorkspaceServer(folder / "workspace")
    server.start()
    try:
        client = server.client(retry_timeout_seconds=20)
        model = new_model(client, "fare", catalog="main", schema="ml")
        for version, predict in PREDICTS.items():
            saved = save_model(folder / f"saved-{version}", predict)
            assert create_version(client, model) == version
            files = {str(file.relative_to(saved)): file.read_text() for file in saved.rglob("*") if file.is_file()}
            upload(client, model, version, files)
            finalize(client, model, version)
        yield ReleaseWorld(server, client, model)
    finally:
        server.kill()


class Load:
    """Users who ask an endpoint in real time, all the time, from threads of their own."""

    def __init__(self, world: ReleaseWorld, endpoint: str, threads: int = 2) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self._world = world
        self._url = f"{world.server.host}/serving-endpoints/{endpoint}/invocations"
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(threads)]

    @property
    def failed(self) -> int:
        return sum(count for (_, status), count in self.answers.items() if status >= 400)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        headers = {"Authorization": f"Bearer {self._world.server.token}"}
        with httpx.Client(headers=headers, timeout=30.0) as client:
            while not self._stopping.wait(0.01):
                answer = client.post(self._url, json={"dataframe_records": [{"a": 3.0}]})
                with self._lock:
                    self.answers[answer.headers.get("served-model-name", "none"), answer.status_code] += 1
