"""A running workspace for the tests of this folder: a real process, its state in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient

from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceServer]:
    """One server for the whole run; a test keeps to catalogs, names and ids of its own."""
    running = WorkspaceServer(tmp_path_factory.mktemp("workspace"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def client(server: WorkspaceServer) -> WorkspaceClient:
    return server.client()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[[], WorkspaceServer]]:
    """Makes servers that a test may kill and restart; they are gone when the test ends."""
    started: list[WorkspaceServer] = []

    def start() -> WorkspaceServer:
        server = WorkspaceServer(tmp_path / f"workspace-{len(started)}")
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def sql(client: WorkspaceClient) -> Iterator[Warehouse]:
    """The warehouse, in a new schema of the shared server; the schema is gone when the test ends."""
    warehouse = Warehouse.in_new_schema(client)
    yield warehouse
    client.schemas.delete(f"{warehouse.catalog}.{warehouse.schema}", force=True)
