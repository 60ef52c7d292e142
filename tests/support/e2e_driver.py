"""The end-to-end driver without an engine and a workspace: its stack file is a real one, the rest is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import yaml
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.database import SyncedTableState
from databricks.sdk.service.jobs import (
    NotebookOutput,
    ResolvedNotebookTaskValues,
    ResolvedValues,
    Run,
    RunLifeCycleState,
    RunOutput,
    RunResultState,
    RunState,
    RunTask,
)

from apps.deploy.project import DeployProject
from apps.run_e2e import Options, driver
from apps.run_e2e.phases import target_of
from tests.support.server import PROJECT as ROOT

PROJECT = ROOT / "examples" / "taxi_e2e"
KEY = "taxi-e2e-serving:serving"
JOB_IDS = {"feature-engineering": "1", "model-training": "2", "batch-inference": "3", "monitoring": "4"}


def make_project(tmp_path: Path) -> Path:
    """A project whose stack file says little, and leaves the rest to its JSON."""
    (tmp_path / "serving" / "config").mkdir(parents=True)
    for name in ("taxi_fare_endpoint.json", "test_single_prediction.json", "test_batch_predictions.json"):
        path = Path("serving", "config", name)
        (tmp_path / path).write_text((PROJECT / path).read_text())
    (tmp_path / "Pulumi.yaml").write_text("name: taxi-e2e-serving\n")
    write(tmp_path, stage="serving", model={}, endpoint={"name": "fares-staging"})
    return tmp_path


def write(folder: Path, **values: Any) -> None:
    settings = {
        "servingConfig": "serving/config/taxi_fare_endpoint.json",
        "catalog": "p03",
        "schema": "e2e_demo_simon",
        "featureTables": [{"source": "pickup_features"}, {"source": "dropoff_features"}],
        **values,
    }
    (folder / "Pulumi.staging.yaml").write_text(yaml.safe_dump({"config": {KEY: settings}}))


def said(folder: Path) -> dict[str, Any]:
    content = yaml.safe_load((folder / "Pulumi.staging.yaml").read_text())
    settings: dict[str, Any] = content["config"][KEY]
    return settings


class FakeStack:
    """Of the Automation API: what settings are written, and the outputs."""

    def __init__(self, project: FakeProject) -> None:
        self.project = project

    def outputs(self) -> dict[str, Any]:
        return {name: SimpleNamespace(value=value) for name, value in self.project.known.items()}

    def set_config(self, key: str, value: Any, path: bool) -> None:
        assert path
        file = self.project.folder / "Pulumi.staging.yaml"
        content = yaml.safe_load(file.read_text())
        place = content["config"][KEY]
        *parents, last = key.removeprefix(f"{KEY}.").split(".")
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = value.value
        file.write_text(yaml.safe_dump(content))


class FakeProject(DeployProject):
    """Its engine and workspace are made up; its files are real."""

    known: dict[str, Any]
    ups: list[tuple[str, str]]
    fails_at: str
    passed: str
    """The newest version that passed validation; empty where none has."""
    log: list[str]
    made: FakeClient

    @classmethod
    def of(cls, folder: Path, *, known: Mapping[str, Any] | None = None) -> FakeProject:
        project = cls(folder, "taxi-e2e-serving", "staging")
        for name, value in {"known": dict(known or {}), "ups": [], "fails_at": "", "passed": "", "log": []}.items():
            object.__setattr__(project, name, value)
        object.__setattr__(project, "made", FakeClient(project))
        return project

    def opened(self) -> Any:
        return FakeStack(self)

    def client(self) -> WorkspaceClient:
        return cast("WorkspaceClient", self.made)

    def up(self, tell: Any = None, *, only: Any = None) -> Mapping[str, Any] | None:
        stage, version = said(self.folder)["stage"], target_of(self).version
        if stage == "auto":
            # What the program of the stack finds in the registry.
            version = version or self.passed
            stage = "serving" if version else "jobs"
        self.ups.append((stage, version))
        self.log.append(f"up {stage}")
        if stage == self.fails_at:
            return None
        self.known.update({"jobIds": JOB_IDS, "stage": stage})
        if stage == "serving":
            self.known.update(
                endpointName="fares-staging",
                resolvedVersion=version,
                smokeResult={"status": "passed"},
                onlineTableNames=["p03.e2e_demo_simon.pickup_features_online"],
            )
        return self.known


class FakeClient:
    """The calls that the driver makes."""

    def __init__(self, project: FakeProject) -> None:
        self.project = project
        self.parameters: dict[int, dict[str, str]] = {}
        self.failing: dict[int, str] = {}
        self.trained = "18"
        self.answers = 1
        self.online = SyncedTableState.SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE
        self.jobs = self
        self.tables = SimpleNamespace(exists=lambda name: SimpleNamespace(table_exists=True))
        self.serving_endpoints = self
        status = lambda name: SimpleNamespace(  # noqa: E731 - one attribute of a fake
            data_synchronization_status=SimpleNamespace(detailed_state=self.online)
        )
        self.database = SimpleNamespace(get_synced_database_table=status)

    def run_now(self, job_id: int, job_parameters: dict[str, str]) -> Any:
        self.parameters[job_id] = job_parameters
        self.project.log.append(f"run {next(role for role, known in JOB_IDS.items() if known == str(job_id))}")
        if job_id == int(JOB_IDS["model-training"]) and not self.failing and self.trained > self.project.passed:
            object.__setattr__(self.project, "passed", self.trained)
        return SimpleNamespace(run_id=job_id)

    def get_run(self, run_id: int) -> Run:
        failed = run_id in self.failing
        state = RunState(
            life_cycle_state=RunLifeCycleState.TERMINATED,
            result_state=RunResultState.FAILED if failed else RunResultState.SUCCESS,
        )
        keys = {1: ["GenerateAndWriteFeatures"], 2: ["Train", "ModelValidation"], 3: ["BatchInference"]}[run_id]
        given = ResolvedNotebookTaskValues(base_parameters={"model_version": self.trained})
        return Run(
            run_id=run_id,
            state=state,
            tasks=[
                RunTask(
                    task_key=key,
                    run_id=run_id * 10 + number,
                    state=state,
                    resolved_values=ResolvedValues(notebook_task=given) if key == "ModelValidation" else None,
                )
                for number, key in enumerate(keys)
            ],
        )

    def get_run_output(self, run_id: int) -> RunOutput:
        return RunOutput(error=self.failing.get(run_id // 10), notebook_output=NotebookOutput(result="5000"))

    def query(self, name: str, dataframe_records: list[Any]) -> Any:
        return SimpleNamespace(predictions=[7.0] * len(dataframe_records) * self.answers)

    def get(self, name: str) -> Any:
        entity = SimpleNamespace(
            entity_version=self.project.known["resolvedVersion"],
            state=SimpleNamespace(deployment=SimpleNamespace(value="DEPLOYMENT_READY")),
        )
        return SimpleNamespace(
            state=SimpleNamespace(
                ready=SimpleNamespace(value="READY"), config_update=SimpleNamespace(value="NOT_UPDATING")
            ),
            config=SimpleNamespace(served_entities=[entity]),
        )


def drive(project: FakeProject, **options: bool) -> driver.Result:
    return driver.run(project, Options(stack="staging", **options), project.log.append)


def acts(project: FakeProject) -> list[str]:
    return [line for line in project.log if line.startswith(("up ", "run "))]
