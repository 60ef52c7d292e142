"""The end-to-end driver: which phases, in which order, what stops it, what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
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

from apps.deploy.project import DeployError, DeployProject
from apps.run_e2e import Options, PhaseError, driver, job_runs
from apps.run_e2e.__main__ import main
from apps.run_e2e.looks import online_states
from apps.run_e2e.phases import plan_of, target_of

ROOT = Path(__file__).parents[3]
PROJECT = ROOT / "examples" / "taxi_e2e"
KEY = "taxi-e2e-serving:serving"
JOB_IDS = {"feature-engineering": "1", "model-training": "2", "batch-inference": "3", "monitoring": "4"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
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


def test_the_first_run_makes_the_jobs_before_there_is_a_version_and_serves_the_one_that_training_made(
    folder: Path,
) -> None:
    project = FakeProject.of(folder)
    result = drive(project)
    assert result.status == "success", project.log
    assert acts(project) == [
        "up jobs",
        "run feature-engineering",
        "run model-training",
        "up serving",
        "run batch-inference",
    ]
    assert project.ups[-1] == ("serving", "18")
    assert (said(folder)["stage"], result.model_version, result.endpoint_state) == ("serving", "18", "READY")
    assert result.predictions == {"single": [7.0], "batch": [7.0] * 3}
    assert result.batch_rows == 5000
    assert [phase.name for phase in result.phases] == ["jobs", "features", "training", "deployment", "validation"]


def test_a_version_that_training_made_takes_the_place_of_the_one_in_the_stack_file(folder: Path) -> None:
    project = FakeProject.of(folder, known={"jobIds": JOB_IDS})
    project.made.trained = "19"
    assert drive(project).model_version == "19"
    assert said(folder)["model"]["aliases"] == {"champion": "19"}
    # The stack serves already: it is never brought back to its jobs alone.
    assert [stage for stage, _ in project.ups] == ["serving", "serving"]
    assert project.made.parameters[3] == {"model_version": "19"}


def test_nothing_is_brought_up_twice_where_the_file_says_so_already(folder: Path) -> None:
    project = FakeProject.of(folder, known={"jobIds": JOB_IDS})
    assert drive(project, skip_features=True, skip_training=True).status == "success"
    assert acts(project) == ["up serving", "run batch-inference"]


@pytest.mark.parametrize(
    ("options", "ran", "skipped"),
    [
        ({"skip_features": True}, ["run model-training", "run batch-inference"], {"features"}),
        ({"skip_training": True}, ["run feature-engineering", "run batch-inference"], {"training"}),
        ({"skip_features": True, "skip_training": True}, ["run batch-inference"], {"features", "training"}),
    ],
)
def test_what_is_skipped_is_not_run_and_is_said(
    folder: Path, options: dict[str, bool], ran: list[str], skipped: set[str]
) -> None:
    project = FakeProject.of(folder, known={"jobIds": JOB_IDS})
    result = drive(project, **options)
    assert [act for act in acts(project) if act.startswith("run")] == ran
    assert {phase.name for phase in result.phases if phase.status == "skipped"} == skipped


def test_forced_features_are_written_again(folder: Path) -> None:
    project = FakeProject.of(folder, known={"jobIds": JOB_IDS})
    drive(project, force_features=True)
    assert project.made.parameters[1] == {"force": "true"}
    drive(project)
    assert project.made.parameters[1] == {}


def test_a_failing_validation_stops_before_the_deployment_with_its_phase_and_words(folder: Path) -> None:
    project = FakeProject.of(folder)
    project.made.failing[2] = "version 18 is not good enough"
    result = drive(project)
    assert (result.status, result.failed_phase) == ("failed", "training")
    assert "ModelValidation: version 18 is not good enough" in result.phases[-1].message
    assert acts(project) == ["up jobs", "run feature-engineering", "run model-training"]
    assert said(folder)["stage"] == "jobs"


@pytest.mark.parametrize("error", [None, DeployError("stack staging is locked"), KeyboardInterrupt()])
def test_a_deployment_that_ends_without_success_puts_the_stack_file_back(
    error: BaseException | None, folder: Path
) -> None:
    project = FakeProject.of(folder, known={"jobIds": JOB_IDS})
    project.made.trained = "19"
    before = (folder / "Pulumi.staging.yaml").read_bytes()
    first_up = project.up

    def fails_with_19(tell: Any = None, *, only: Any = None) -> Mapping[str, Any] | None:
        if target_of(project).version != "19":
            return first_up(tell)
        if error is not None:
            raise error
        return None

    object.__setattr__(project, "up", fails_with_19)
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            drive(project)
    else:
        assert drive(project).failed_phase == "deployment"
    assert (folder / "Pulumi.staging.yaml").read_bytes() == before


@pytest.fixture
def follower(folder: Path) -> Path:
    """The project of a stack that serves the newest version that passed, without writing it down."""
    write(folder, stage="auto", model={"aliases": {"champion": ""}}, endpoint={"name": "fares-staging"})
    return folder


def test_a_stack_that_follows_training_is_served_without_a_word_in_its_file(follower: Path) -> None:
    file, project = follower / "Pulumi.staging.yaml", FakeProject.of(follower)
    before = file.read_bytes()
    assert drive(project).model_version == "18"
    assert project.ups == [("jobs", ""), ("serving", "18")]
    # Nothing new: one `up`. A newer version: the first `up` still has the one before.
    project.ups.clear()
    assert drive(project).model_version == "18"
    assert project.ups == [("serving", "18")]
    project.ups.clear()
    project.made.trained = "19"
    assert drive(project).model_version == "19"
    assert project.ups == [("serving", "18"), ("serving", "19")]
    assert file.read_bytes() == before


def test_a_stack_that_follows_training_does_not_take_another_version_for_the_one_that_training_gave(
    follower: Path,
) -> None:
    project = FakeProject.of(follower, known={"jobIds": JOB_IDS})
    object.__setattr__(project, "passed", "19")
    result = drive(project)
    assert result.failed_phase == "deployment"
    assert "training gave version 18, and the stack serves 19" in result.phases[-1].message
    assert f"pulumi config set --path '{KEY}.model.aliases.champion' 18" in result.phases[-1].message


def test_a_stack_that_still_serves_nothing_after_training_is_a_failed_deployment(follower: Path) -> None:
    project = FakeProject.of(follower, known={"jobIds": JOB_IDS})
    result = drive(project, skip_training=True)
    assert result.failed_phase == "deployment"
    assert "no version may be served" in result.phases[-1].message
    assert any("names no version, so that the next `pulumi up` tries the newest again" in line for line in project.log)


def test_a_version_that_a_following_stack_names_is_replaced_in_its_file_and_the_stage_stays(folder: Path) -> None:
    write(folder, stage="auto", model={"aliases": {"champion": "17"}}, endpoint={"name": "fares-staging"})
    project = FakeProject.of(folder, known={"jobIds": JOB_IDS})
    assert drive(project).model_version == "18"
    assert (said(folder)["stage"], said(folder)["model"]["aliases"]) == ("auto", {"champion": "18"})


def test_skipped_features_are_still_looked_at_where_they_are_served_from(folder: Path) -> None:
    names = ["p03.e2e_demo_simon.pickup_features_online"]
    project = FakeProject.of(folder, known={"jobIds": JOB_IDS, "onlineTableNames": names})
    project.made.online = SyncedTableState.SYNCED_TABLE_OFFLINE_FAILED
    result = drive(project, skip_features=True, skip_training=True)
    assert result.failed_phase == "features"
    assert f"{names[0]} is SYNCED_TABLE_OFFLINE_FAILED" in result.phases[-1].message
    assert acts(project) == ["up serving"]


def test_another_number_of_predictions_than_of_records_fails_the_validation(folder: Path) -> None:
    project = FakeProject.of(folder, known={"jobIds": JOB_IDS})
    project.made.answers = 2
    result = drive(project, skip_features=True, skip_training=True)
    assert result.failed_phase == "validation"
    assert "answered 1 records with [7.0, 7.0]" in result.phases[-1].message


def test_a_table_that_the_workspace_does_not_say_anything_of_is_not_online(folder: Path) -> None:
    client = FakeProject.of(folder).made
    client.online = None  # type: ignore[assignment]
    with pytest.raises(PhaseError, match="a is UNKNOWN"):
        online_states(cast("WorkspaceClient", client), ["a"], lambda _: None)


def test_a_run_that_does_not_say_the_version_is_refused() -> None:
    with pytest.raises(PhaseError, match="does not say which model_version"):
        job_runs.reference_value(Run(run_id=1, tasks=[RunTask(task_key="Train")]), "ModelValidation", "model_version")


def test_the_json_is_read_and_the_stack_file_counts_over_it(folder: Path) -> None:
    target = target_of(FakeProject.of(folder))
    assert target.document() == {
        "endpoint": "fares-staging",
        "model": "p03.e2e_demo_simon.dev_mlops_stacks_gcp_fs_model",
        "version": "18",
        "workload_size": "Small",
        "scale_to_zero": True,
        "payload_table": "p03.e2e_demo_simon.taxi_fare_endpoint_payload",
    }
    write(folder, stage="serving", model={"aliases": {"champion": "21"}}, endpoint={"scaleToZero": False})
    target = target_of(FakeProject.of(folder))
    assert (target.endpoint, target.version, target.scale_to_zero) == ("mlops-taxi-fare-endpoint", "21", False)


def test_a_workspace_that_stops_answering_ends_the_run_with_its_phase(folder: Path) -> None:
    project = FakeProject.of(folder, known={"jobIds": JOB_IDS})

    def silent(job_id: int, job_parameters: dict[str, str]) -> Any:
        raise TimeoutError("Timed out after 0:00:30")

    project.made.run_now = silent  # type: ignore[method-assign]
    result = drive(project)
    assert (result.status, result.failed_phase) == ("failed", "features")
    assert "Timed out after 0:00:30" in result.phases[-1].message


def test_the_json_means_to_the_driver_what_it_means_to_the_program(folder: Path) -> None:
    file = folder / "serving" / "config" / "taxi_fare_endpoint.json"
    document = json.loads(file.read_text())
    table = document["config"].pop("auto_capture_config")
    document["ai_gateway"] = {"inference_table_config": {**table, "enabled": True}}
    first = document["config"]["served_entities"][0]
    document["config"]["served_entities"].append({**first, "entity_version": "19", "workload_size": "Large"})
    name = first["entity_name"].rpartition(".")[2]
    document["config"]["traffic_config"] = {
        "routes": [
            {"served_model_name": f"{name}-18", "traffic_percentage": 20},
            {"served_model_name": f"{name}-19", "traffic_percentage": 80},
        ]
    }
    file.write_text(json.dumps(document))
    target = target_of(FakeProject.of(folder))
    assert target.payload_table == "p03.e2e_demo_simon.taxi_fare_endpoint_payload"
    assert (target.version, target.workload_size) == ("19", "Large")
    document["config"]["served_entities"] = []
    file.write_text(json.dumps(document))
    with pytest.raises(DeployError, match=r"servingConfig: .*name at least one entity"):
        target_of(FakeProject.of(folder))


def test_changing_the_json_changes_the_plan(folder: Path) -> None:
    file = folder / "serving" / "config" / "taxi_fare_endpoint.json"
    options = Options(stack="staging", skip_training=True)
    before = plan_of(FakeProject.of(folder), options)["serves"]
    document = json.loads(file.read_text())
    document["config"]["served_entities"][0] |= {"entity_version": "20", "workload_size": "Large"}
    file.write_text(json.dumps(document))
    after = plan_of(FakeProject.of(folder), options)["serves"]
    assert {name: after[name] for name in after if after[name] != before[name]} == {
        "version": "20",
        "workload_size": "Large",
    }


@pytest.mark.parametrize(
    ("arguments", "skipped", "does"),
    [
        ([], [], "run the feature job: both tables"),
        (["--force-features"], [], "written again"),
        (["--skip-features"], ["features"], "only looked at"),
        (["--skip-features", "--skip-training"], ["features", "training"], "only looked at"),
    ],
)
def test_a_dry_run_lists_every_phase_and_does_nothing(
    arguments: list[str], skipped: list[str], does: str, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert main(["--dry-run", "--stack", "staging", "--folder", str(folder), *arguments]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [phase["name"] for phase in plan["phases"]] == [
        "jobs",
        "features",
        "training",
        "deployment",
        "validation",
    ]
    assert [phase["name"] for phase in plan["phases"] if phase["action"] == "skip"] == skipped
    assert does in plan["phases"][1]["does"]
    assert plan["serves"]["version"] == ("18" if "--skip-training" in arguments else "from training")
    assert "into the stack file" in plan["phases"][3]["does"]


def test_a_dry_run_of_a_stack_that_follows_training_writes_no_version(follower: Path) -> None:
    deployment = plan_of(FakeProject.of(follower), Options(stack="staging"))["phases"][3]["does"]
    assert "stack file" not in deployment
    assert "pulumi up: online tables" in deployment


def test_options_that_exclude_each_other_and_projects_that_are_none_are_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--stack", "staging", "--folder", str(folder)]
    assert main(["--skip-features", "--force-features", *place]) == 2
    assert "exclude each other" in capsys.readouterr().err
    assert main(["--dry-run", "--stack", "prod", "--folder", str(folder)]) == 2
    assert "cannot be read" in capsys.readouterr().err
    (folder / "serving" / "config" / "taxi_fare_endpoint.json").write_text("{")
    assert main(["--dry-run", *place]) == 2
    assert "servingConfig" in capsys.readouterr().err
    with pytest.raises(SystemExit) as unknown:
        main(["--skip-everything"])
    assert unknown.value.code == 2


def test_help_lists_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for option in ("--skip-features", "--force-features", "--skip-training", "--stack", "--dry-run", "--help"):
        assert option in text


def test_without_an_engine_nothing_is_tried(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert main(["--stack", "staging", "--folder", str(folder)]) == 2
    assert "no pulumi on PATH" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("start", "launcher"),
    [
        (PROJECT / "serving" / "config", "../../run_mlops.sh"),
        (PROJECT / "scripts", "./run_e2e_mlops_pipeline.sh"),
        (ROOT, "examples/taxi_e2e/scripts/run_e2e_mlops_pipeline.sh"),
    ],
)
def test_the_launchers_work_from_any_folder_and_hand_options_on(start: Path, launcher: str) -> None:
    planned = launch(start, launcher, "--dry-run", "--skip-training", "--stack", "staging")
    assert planned.returncode == 0, planned.stderr
    assert json.loads(planned.stdout)["serves"]["endpoint"] == "mlops-taxi-fare-endpoint-staging"


def test_a_launcher_hands_the_exit_code_on() -> None:
    assert launch(PROJECT, "run_mlops.sh", "--skip-features", "--force-features").returncode == 2


def launch(start: Path, launcher: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHON": sys.executable}
    command = ["bash", launcher, *arguments]
    return subprocess.run(command, cwd=start, env=environ, capture_output=True, text=True, check=False)


def test_a_payload_that_holds_no_records_is_refused_before_anything_is_tried(folder: Path) -> None:
    (folder / "serving" / "config" / "test_single_prediction.json").write_text('{"inputs": [1]}')
    project = FakeProject.of(folder)
    with pytest.raises(DeployError, match="has no dataframe_records"):
        drive(project)
    assert project.log == []


def test_an_interrupt_names_the_run_that_goes_on_and_is_no_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = FakeProject.of(folder, known={"jobIds": JOB_IDS})

    def interrupted(_: int) -> Run:
        raise KeyboardInterrupt

    monkeypatch.setattr(project.made, "get_run", interrupted)
    monkeypatch.setattr(DeployProject, "open", lambda *_: project)
    monkeypatch.setattr("apps.run_e2e.__main__._require_engine", lambda: None)
    assert main(["--stack", "staging", "--folder", str(folder)]) == 130
    told = capsys.readouterr()
    assert "features: run 1 goes on by itself; `databricks jobs cancel-run 1` ends it" in told.err
    assert "interrupted" in told.err
    assert told.out == ""
