"""A provider on a fake endpoint, operated the way the engine does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from components.dynamic.errors import ProviderError
from components.dynamic.rollout import TrafficRolloutProvider
from components.dynamic.smoke_suite import SmokeCase, SmokeExpectation, expectation_text, payload_text
from components.release.plan import Gate, Plan
from tests.support.fake_serving import HOST, MODEL, TOKEN, Behaviour, FakeServing, install

Props = dict[str, Any]
ERRORS = Gate(metric="error_rate", pass_at_most=0.02, fail_above=0.05, min_requests=20)
QUICK = Plan(bake_seconds=60, poll_seconds=15, lease_seconds=60, gates=(ERRORS,))
SUITE = [
    SmokeCase(name="known trip", payload={"dataframe_records": [{"a": 1.0}]}, expect=SmokeExpectation(values=[12.5]))
]


@dataclass
class Stack:
    """A stack with one rollout: its state, and `up`, `refresh` and `preview` on it."""

    fake: FakeServing
    said: list[str]
    reports: str | None = None
    state: Props | None = None
    progress: list[str] = field(default_factory=list)

    def inputs(self, version: str, plan: Plan = QUICK, **changes: Any) -> Props:
        return {
            "endpoint_name": self.fake.name,
            "endpoint_id": self.fake.id,
            "model": MODEL,
            "version": version,
            "entity_name": f"fare-{version}",
            "queries": [
                {"name": case.name, "payload": payload_text(case.payload), "expect": expectation_text(case.expect)}
                for case in SUITE
            ],
            "plan": plan.text(),
            "workload_size": "Small",
            "workload_type": "CPU",
            "scale_to_zero_enabled": True,
            "environment_vars": {},
            "timeout_seconds": 5.0,
            "warm_up_seconds": 0.0,
            "retries": 0.0,
            "backoff_seconds": 1.0,
            "payload_table": None,
            "warehouse_id": None,
            "report_folder": self.reports,
            "provider_version": "1",
            **changes,
        }

    def provider(self) -> TrafficRolloutProvider:
        made = TrafficRolloutProvider()
        made.configure(ConfigureRequest(Config({"databricks:host": HOST, "databricks:token": TOKEN}, "project")))
        return made

    def preview(self, version: str, plan: Plan = QUICK, **changes: Any) -> bool:
        """Whether something is to be done. Raises what a preview would show."""
        inputs, provider = self.inputs(version, plan, **changes), self.provider()
        checked = provider.check(self.state or {}, inputs)
        if checked.failures:
            raise ProviderError("; ".join(failure.reason for failure in checked.failures))
        if self.state is None:
            return True
        return bool(provider.diff(self.fake.id, self.state, inputs).changes)

    def up(self, version: str, plan: Plan = QUICK, **changes: Any) -> bool:
        """Whether anything was done. Raises what an `up` would; the state stays as it was then."""
        if not self.preview(version, plan, **changes):
            return False
        inputs, provider = self.inputs(version, plan, **changes), self.provider()
        if self.state is None:
            self.state = provider.create(inputs).outs
        else:
            self.state = provider.update(self.fake.id, self.state, inputs).outs
        return True

    def refresh(self) -> None:
        assert self.state is not None
        read = self.provider().read(self.fake.id, self.state)
        self.state = read.outs if read.id else None


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeServing:
    fake = FakeServing(behaviours={version: Behaviour() for version in ("16", "17", "18")})
    install(fake, monkeypatch)
    monkeypatch.setattr(TrafficRolloutProvider, "clock", fake)
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "RELEASE_REPORT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return fake


@pytest.fixture
def stack(fake: FakeServing, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that has made its first release, of version 17."""
    said: list[str] = []
    monkeypatch.setattr("components.dynamic.engine.inform", said.append)
    stack = Stack(fake, said)
    monkeypatch.setattr("components.dynamic.engine.progress", stack.progress.append)
    assert stack.up("17")
    fake.log.clear()
    fake.puts.clear()
    return stack
