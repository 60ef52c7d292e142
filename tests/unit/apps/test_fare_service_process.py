"""The service as a process: it starts, is asked by many, loses its endpoint and finds it again, and ends gracefully."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.support.server import PROJECT
from tests.unit.apps.test_fare_service import RIDE

SECONDS = 60.0


class Endpoint:
    """An endpoint that can be killed, and that can hold its answers back."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.held.set()
        self.asked = 0
        self.port = _free_port()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["dataframe_records"]
                endpoint.asked += 1
                endpoint.held.wait(SECONDS)
                body = json.dumps({"predictions": [row["trip_distance"] * 3 for row in rows]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def kill(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    made.start()
    yield made
    made.held.set()
    made.kill()


class Service:
    """`python -m apps.fare_service` over the endpoint."""

    def __init__(self, endpoint: Endpoint, folder: Path) -> None:
        host = f"http://127.0.0.1:{endpoint.port}"
        outputs = folder / "outputs.json"
        document = {"contractVersion": "1.0", "endpointName": "ep", "endpointUrl": f"{host}/x/invocations"}
        outputs.write_text(json.dumps(document))
        self.port = _free_port()
        self.log = folder / "log"
        self.http = httpx.Client(timeout=SECONDS)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "apps.fare_service", "--outputs", str(outputs), "--port", str(self.port)],
                cwd=PROJECT,
                env={**os.environ, "DATABRICKS_HOST": host, "DATABRICKS_TOKEN": "planted-secret"},
                stderr=log,
                stdout=log,
            )

    def get(self, path: str, **params: str) -> httpx.Response:
        return self.http.get(f"http://127.0.0.1:{self.port}{path}", params=params)

    def becomes(self, status: int) -> None:
        """Wait until /ready answers with `status`."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                if self.get("/ready").status_code == status:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


@pytest.fixture
def service(endpoint: Endpoint, tmp_path: Path) -> Iterator[Service]:
    made = Service(endpoint, tmp_path)
    made.becomes(200)
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.wait(SECONDS)
    made.http.close()


def test_many_are_answered_then_the_endpoint_dies_and_comes_back_and_the_last_request_is_finished(
    endpoint: Endpoint, service: Service
) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: service.get("/fare", **RIDE), range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["fare_amount"] for answer in answers} == {4.8}

    endpoint.kill()
    failed = service.get("/fare", **RIDE)
    assert failed.status_code in (502, 504), failed.text
    assert service.get("/ready").status_code == 503
    assert service.get("/health").status_code == 200
    endpoint.start()
    service.becomes(200)
    assert service.get("/fare", **RIDE).status_code == 200

    endpoint.held.clear()
    asked = endpoint.asked
    with ThreadPoolExecutor(1) as pool:
        last = pool.submit(service.get, "/fare", **RIDE)
        deadline = time.monotonic() + SECONDS
        while endpoint.asked == asked:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)  # the signal is there before the answer
        endpoint.held.set()
        assert last.result().status_code == 200
    service.process.wait(SECONDS)
    log = service.log.read_text()
    assert "Application shutdown complete" in log
    assert "Traceback" not in log
    assert "planted-secret" not in log


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
