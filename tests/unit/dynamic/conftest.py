"""Providers as the engine configures them, against the scripted REST stub, on a clock that only tests move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from components.dynamic.provider import WorkspaceProvider
from tests.support.rest_stub import TOKEN, RestStub, running

SomeProvider = TypeVar("SomeProvider", bound=WorkspaceProvider)
MakeProvider = Callable[[type[SomeProvider]], SomeProvider]


@dataclass
class FakeClock:
    """Time passes only when somebody sleeps."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(WorkspaceProvider, "clock", clock)
    return clock


@pytest.fixture(autouse=True)
def _no_credentials_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing but what a test says decides which workspace is met."""
    for name in ("HOST", "TOKEN", "CONFIG_PROFILE", "CLIENT_ID", "CLIENT_SECRET", "AUTH_TYPE"):
        monkeypatch.delenv(f"DATABRICKS_{name}", raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path_factory.mktemp("home") / "none"))


@pytest.fixture
def stub() -> Iterator[RestStub]:
    with running(RestStub()) as stub:
        yield stub


@pytest.fixture
def provider(stub: RestStub, clock: FakeClock) -> MakeProvider[Any]:
    """Makes a provider that is configured for the stub."""

    def make(kind: type[WorkspaceProvider]) -> WorkspaceProvider:
        made = kind()
        settings = {"databricks:host": stub.host, "databricks:token": TOKEN}
        made.configure(ConfigureRequest(Config(settings, "project")))
        return made

    return make
