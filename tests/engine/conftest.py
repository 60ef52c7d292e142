"""Prepared once, copied for each test: a workspace with a trained model, and one with the stack deployed on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.once import once_a_run
from tests.support.server import WorkspaceServer
from tests.support.taxi import Taxi, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Taxi:
    """Feature tables and one version of the model; no stack yet. The server is stopped."""

    def prepare(folder: Path) -> Taxi:
        server = WorkspaceServer(folder / "workspace")
        server.start()
        try:
            train(server)
            return Taxi.new(server, folder / "project")
        finally:
            server.stop()

    return once_a_run(tmp_path_factory, "trained", prepare)


@pytest.fixture(scope="session")
def deployed(trained: Taxi, tmp_path_factory: pytest.TempPathFactory) -> Taxi:
    """The stack as one `up` leaves it. The server is stopped."""

    def prepare(folder: Path) -> Taxi:
        taxi = trained.copy(folder)
        try:
            outcome = taxi.project.up()
            assert outcome.ok, outcome
        finally:
            taxi.server.stop()
        return taxi

    return once_a_run(tmp_path_factory, "deployed", prepare)


@pytest.fixture(scope="session")
def retrained(deployed: Taxi, tmp_path_factory: pytest.TempPathFactory) -> Taxi:
    """The same with a second version of the model, which nothing serves yet. The server is stopped."""

    def prepare(folder: Path) -> Taxi:
        taxi = deployed.copy(folder)
        try:
            train(taxi.server, "--force", "--seed", "7")
        finally:
            taxi.server.stop()
        return taxi

    return once_a_run(tmp_path_factory, "retrained", prepare)


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


@pytest.fixture
def outdated(retrained: Taxi, tmp_path: Path) -> Iterator[Taxi]:
    """A workspace with the stack deployed, and a newer version of the model."""
    taxi = retrained.copy(tmp_path)
    yield taxi
    taxi.server.kill()
