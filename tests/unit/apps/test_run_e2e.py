"""The end-to-end driver: which phases, in which order, what stops it, what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.database import SyncedTableState
from databricks.sdk.service.jobs import (
    Run,
    RunTask,
)

from apps.deploy.project import DeployError, DeployProject
from apps.run_e2e import Options, PhaseError, job_runs
from apps.run_e2e.__main__ import main
from apps.run_e2e.looks import online_states
from apps.run_e2e.phases import plan_of, target_of
from tests.support.e2e_driver import (
    JOB_IDS,
    KEY,
    PROJECT,
    FakeProject,
    acts,
    drive,
    make_project,
    said,
    write,
)
from tests.support.server import PROJECT as ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_project(tmp_path)


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
