"""Prepared once, copied for each test: a workspace with a trained model, and one with the stack deployed on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import WorkspaceServer
from tests.support.taxi import Taxi, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Taxi:
    """Feature tables and one version of the model; no stack yet. The server is stopped."""
    folder = tmp_path_factory.mktemp("trained")
    server = WorkspaceServer(folder / "workspace")
    server.start()
    try:
        train(server)
        return Taxi.new(server, folder / "project")
    finally:
        server.stop()


@pytest.fixture(scope="session")
def deployed(trained: Taxi, tmp_path_factory: pytest.TempPathFactory) -> Taxi:
    """The stack as one `up` leaves it. The server is stopped."""
    taxi = trained.copy(tmp_path_factory.mktemp("deployed"))
    try:
        outcome = taxi.project.up()
        assert outcome.ok, outcome
    finally:
        taxi.server.stop()
    return taxi


@pytest.fixture
def fresh(trained: Taxi, tmp_path: Path) -> Iterator[Taxi]:
    """A workspace with a model and no stack."""
    taxi = trained.copy(tmp_path)
    yield taxi
    taxi.server.kill()


@pytest.fixture
def running(deployed: Taxi, tmp_path: Path) -> Iterator[Taxi]:
    """A workspace with the stack deployed."""
    taxi = deployed.copy(tmp_path)
    yield taxi
    taxi.server.kill()
