"""Online copies follow their tables, and monitors are refreshed: what is waited for, and what ends it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import MonitorRefreshInfoState
from databricks.sdk.service.pipelines import UpdateStateInfoState

from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.sql import Result
from pipelines.taxi_e2e import monitoring, online
from pipelines.taxi_e2e.monitoring import newest_drift, refresh
from pipelines.taxi_e2e.online import sync_online

SCHEMA = "main.e2e"


class Workspace:
    """Online tables that are there, and the states that their pipeline and their monitor go through."""

    def __init__(self, there: set[str], states: list[Any], pipeline: str = "p-1") -> None:
        self.there, self.states, self.pipeline = there, list(states), pipeline
        self.published: list[tuple[str, str, str, str]] = []
        self.tables = self
        self.feature_store = self
        self.pipelines = SimpleNamespace(get=self._updates)
        self.quality_monitors = SimpleNamespace(run_refresh=self._started, get_refresh=lambda *_: self._refreshed())

    def get(self, name: str) -> None:
        if name not in self.there:
            raise NotFound(name)

    def publish_table(self, source: str, spec: Any) -> Any:
        self.published.append((source, spec.online_table_name, spec.online_store, spec.publish_mode.value))
        return SimpleNamespace(pipeline_id=self.pipeline)

    def _updates(self, pipeline: str) -> Any:
        return SimpleNamespace(latest_updates=[SimpleNamespace(state=self.states.pop(0))])

    def _started(self, table: str) -> Any:
        if table not in self.there:
            raise NotFound(table)
        return self._refreshed()

    def _refreshed(self) -> Any:
        return SimpleNamespace(state=self.states.pop(0), message="said", refresh_id=1)

    @property
    def client(self) -> WorkspaceClient:
        return cast("WorkspaceClient", self)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (online, monitoring):
        monkeypatch.setattr(module, "_POLL_SECONDS", 0)


def test_copies_that_are_there_are_synced_and_waited_for_and_others_are_left_to_the_stack() -> None:
    states = [UpdateStateInfoState.QUEUED, UpdateStateInfoState.RUNNING, UpdateStateInfoState.COMPLETED]
    workspace = Workspace({f"{SCHEMA}.a_online"}, states)
    assert sync_online(workspace.client, SCHEMA, ["a", "b"], "store", Progress()) == [f"{SCHEMA}.a_online"]
    assert workspace.published == [(f"{SCHEMA}.a", f"{SCHEMA}.a_online", "store", "TRIGGERED")]
    assert workspace.states == []


@pytest.mark.parametrize("state", [UpdateStateInfoState.FAILED, UpdateStateInfoState.CANCELED])
def test_a_sync_that_fails_fails_the_task(state: UpdateStateInfoState) -> None:
    workspace = Workspace({f"{SCHEMA}.a_online"}, [UpdateStateInfoState.RUNNING, state])
    with pytest.raises(PipelineError, match=f"a_online ended {state.value}"):
        sync_online(workspace.client, SCHEMA, ["a"], "store", Progress())


def test_a_publication_that_starts_nothing_is_an_error() -> None:
    workspace = Workspace({f"{SCHEMA}.a_online"}, [], pipeline="")
    with pytest.raises(PipelineError, match="started no pipeline"):
        sync_online(workspace.client, SCHEMA, ["a"], "store", Progress())


def test_a_sync_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online, "_SYNC_SECONDS", -1)
    workspace = Workspace({f"{SCHEMA}.a_online"}, [UpdateStateInfoState.RUNNING])
    with pytest.raises(PipelineError, match="not over after half an hour"):
        sync_online(workspace.client, SCHEMA, ["a"], "store", Progress())


def test_a_refresh_is_waited_for_and_its_failure_fails_the_task() -> None:
    pending, success, failed = (
        MonitorRefreshInfoState.PENDING,
        MonitorRefreshInfoState.SUCCESS,
        MonitorRefreshInfoState.FAILED,
    )
    refresh(Workspace({"t"}, [pending, MonitorRefreshInfoState.RUNNING, success]).client, "t")
    with pytest.raises(PipelineError, match="ended FAILED: said"):
        refresh(Workspace({"t"}, [pending, failed]).client, "t")
    with pytest.raises(PipelineError, match="Table other has no monitor"):
        refresh(Workspace({"t"}, []).client, "other")


def test_drift_is_told_by_both_measures_and_what_was_not_measured_is_none() -> None:
    class Metrics:
        def run(self, statement: str, parameters: object = None) -> Result:
            assert "FROM main.e2e.t_drift_metrics" in statement
            rows: list[list[Any]] = [["fare", None, 1.5], ["borough", 0.25, None], ["empty", None, None]]
            return Result(columns=["column_name", "js_distance", "wasserstein_distance"], rows=rows)

    monitored = SimpleNamespace(drift_metrics_table_name="main.e2e.t_drift_metrics")

    def client(*, there: bool) -> WorkspaceClient:
        exists = SimpleNamespace(exists=lambda name: SimpleNamespace(table_exists=there))
        found = SimpleNamespace(quality_monitors=SimpleNamespace(get=lambda table: monitored), tables=exists)
        return cast("WorkspaceClient", found)

    drift = newest_drift(client(there=True), Metrics(), "main.e2e.t")
    assert [(one.column, one.measure, one.value) for one in drift] == [
        ("fare", "wasserstein_distance", 1.5),
        ("borough", "js_distance", 0.25),
    ]
    # A monitor makes its tables at its first refresh.
    assert newest_drift(client(there=False), Metrics(), "main.e2e.t") == []
