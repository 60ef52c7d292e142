"""Jobs carry their files, their compute and their people; names keep stacks apart."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from components.job import ClusterArgs, EnvironmentArgs, JobPermission, WorkflowJob, WorkflowJobArgs
from components.job_tasks import (
    AfterArgs,
    ConditionTaskArgs,
    JobError,
    NotebookTaskArgs,
    PythonTaskArgs,
    RunJobTaskArgs,
    TaskArgs,
)
from components.workflow import MlWorkflow, MlWorkflowArgs, drift_response
from tests.unit.recording import Recording, record

CLUSTER = ClusterArgs(
    key="feature_engineering_cluster",
    spark_version="17.1.x-cpu-ml-scala2.12",
    node_type_id="Standard_D4s_v3",
    num_workers=2,
)
EXISTING = NotebookTaskArgs(path="/Workspace/Shared/churn/08_drift_detection")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "Features.py").write_text("# Databricks notebook source\nprint(1)\n")
    (tmp_path / "train.py").write_text("print(2)\n")
    return tmp_path


def job(**changes: Any) -> WorkflowJobArgs:
    values: dict[str, Any] = {
        "name": "",
        "tasks": [TaskArgs(key="Drift_detection", work=EXISTING)],
        "computes": [CLUSTER],
        **changes,
    }
    return WorkflowJobArgs(**values)


def workflow(**jobs: WorkflowJobArgs) -> MlWorkflowArgs:
    named = {role.replace("_", "-"): one for role, one in jobs.items()}
    return MlWorkflowArgs(bundle="mlops_stacks_gcp_fs", stack="staging", jobs=named, tags={"owner": "ml"})


def args() -> MlWorkflowArgs:
    return workflow(feature_engineering=job())


def build(arguments: MlWorkflowArgs) -> Recording:
    return record(lambda: MlWorkflow("ml", arguments).job_ids)


def test_names_carry_stack_and_bundle_unless_a_job_has_its_own() -> None:
    recording = build(workflow(feature_engineering=job(), model_training=job(name="mine")))
    assert [one["name"] for one in recording.of_type(":Job")] == [
        "staging-mlops_stacks_gcp_fs-feature-engineering-job",
        "mine",
    ]


def test_a_cluster_is_the_jobs_own_and_its_tasks_run_on_it() -> None:
    made = build(args()).one(":Job")
    assert made["jobClusters"] == [
        {
            "jobClusterKey": "feature_engineering_cluster",
            "newCluster": {
                "sparkVersion": "17.1.x-cpu-ml-scala2.12",
                "nodeTypeId": "Standard_D4s_v3",
                "numWorkers": 2,
                "dataSecurityMode": "SINGLE_USER",
            },
        }
    ]
    assert made["tasks"][0]["jobClusterKey"] == "feature_engineering_cluster"
    assert made["tags"] == {"owner": "ml"}


def test_a_growing_cluster_states_both_ends() -> None:
    growing = ClusterArgs(key="c", spark_version="x", node_type_id="y", num_workers=1, max_workers=8)
    cluster = build(workflow(batch=job(computes=[growing]))).one(":Job")["jobClusters"][0]["newCluster"]
    assert cluster["autoscale"] == {"minWorkers": 1, "maxWorkers": 8}
    assert "numWorkers" not in cluster


def test_a_clusters_packages_are_installed_for_each_of_its_tasks_and_for_no_other() -> None:
    cluster = ClusterArgs(key="c", spark_version="x-ml-y", node_type_id="y", packages=["mlflow==3.17.2"])
    check = ConditionTaskArgs(left="1", op="EQUAL_TO", right="1")
    tasks = [TaskArgs(key="a", work=EXISTING), TaskArgs(key="b", work=check)]
    first, second = build(workflow(batch=job(computes=[cluster], tasks=tasks))).one(":Job")["tasks"]
    assert first["libraries"] == [{"pypi": {"package": "mlflow==3.17.2"}}]
    assert "libraries" not in second


def test_serverless_compute_carries_pinned_packages() -> None:
    environment = EnvironmentArgs(dependencies=["mlflow==3.17.2"])
    made = build(workflow(training=job(computes=[environment]))).one(":Job")
    assert made["environments"] == [
        {"environmentKey": "default", "spec": {"environmentVersion": "4", "dependencies": ["mlflow==3.17.2"]}}
    ]
    assert made["tasks"][0]["environmentKey"] == "default"


def test_local_files_go_to_the_jobs_folder_notebooks_as_notebooks(files: Path) -> None:
    tasks = [
        TaskArgs(key="features", work=NotebookTaskArgs(source=files / "Features.py", parameters={"env": "staging"})),
        TaskArgs(key="train", work=PythonTaskArgs(source=files / "train.py"), after=[AfterArgs(task="features")]),
    ]
    recording = build(workflow(training=job(tasks=tasks, folder="/Workspace/Shared/ml")))
    notebook, file = recording.one(":Notebook"), recording.one(":WorkspaceFile")
    root = "/Workspace/Shared/ml/staging-mlops_stacks_gcp_fs-training-job"
    assert (notebook["path"], notebook["language"]) == (f"{root}/Features", "PYTHON")
    assert file["path"] == f"{root}/train.py"
    assert base64.b64decode(file["contentBase64"]) == b"print(2)\n"
    features, train = recording.one(":Job")["tasks"]
    assert features["notebookTask"] == {"notebookPath": f"{root}/Features", "baseParameters": {"env": "staging"}}
    assert train["sparkPythonTask"] == {"pythonFile": f"{root}/train.py"}
    assert train["dependsOns"] == [{"taskKey": "features"}]


def test_local_files_without_a_folder_are_refused(files: Path) -> None:
    def broken() -> None:
        tasks = [TaskArgs(key="train", work=PythonTaskArgs(source=files / "train.py"))]
        with pytest.raises(JobError, match="give folder"):
            WorkflowJob("train", job(tasks=tasks))

    assert record(broken).resources == []


def test_drift_response_trains_only_on_the_true_side_of_a_count_above_zero() -> None:
    retrain = NotebookTaskArgs(path="/Workspace/Shared/churn/02_automl_champion")
    made = build(workflow(drift=job(tasks=drift_response(EXISTING, retrain)))).one(":Job")
    tasks = {task["taskKey"]: task for task in made["tasks"]}
    assert list(tasks) == ["Check_Violations", "Drift_detection", "Model_training"]
    assert tasks["Check_Violations"]["conditionTask"] == {
        "left": "{{tasks.Drift_detection.values.all_violations_count}}",
        "op": "GREATER_THAN",
        "right": "0",
    }
    assert tasks["Check_Violations"]["dependsOns"] == [{"taskKey": "Drift_detection"}]
    assert tasks["Model_training"]["dependsOns"] == [{"taskKey": "Check_Violations", "outcome": "true"}]
    assert tasks["Drift_detection"]["notebookTask"]["notebookPath"].endswith("08_drift_detection")
    # Two runs at a time would both find that nothing has been set going yet.
    assert (made["maxConcurrentRuns"], made["queue"]) == (1, {"enabled": True})


def test_another_job_is_named_by_its_number() -> None:
    tasks = [TaskArgs(key="retrain", work=RunJobTaskArgs(job_id="42", parameters={"x": "y"}))]
    made = build(workflow(drift=job(tasks=tasks, computes=[]))).one(":Job")
    assert made["tasks"][0]["runJobTask"] == {"jobId": 42, "jobParameters": {"x": "y"}}


def test_schedule_identity_people_and_queue_reach_the_job() -> None:
    recording = build(
        workflow(
            nightly=job(
                cron="0 0 3 * * ?",
                paused=True,
                run_as="sp-jobs",
                notify_on_failure=["ops@example.com"],
                parameters={"metric": "f1_score.macro"},
                permissions=[JobPermission(level="CAN_MANAGE_RUN", group="grp-ml")],
            )
        )
    )
    made = recording.one(":Job")
    assert made["schedule"] == {"quartzCronExpression": "0 0 3 * * ?", "timezoneId": "UTC", "pauseStatus": "PAUSED"}
    assert made["runAs"] == {"servicePrincipalName": "sp-jobs"}
    assert made["emailNotifications"] == {"onFailures": ["ops@example.com"]}
    assert made["parameters"] == [{"name": "metric", "default": "f1_score.macro"}]
    assert made["queue"] == {"enabled": True}
    assert recording.one(":Permissions")["accessControls"] == [
        {"permissionLevel": "CAN_MANAGE_RUN", "groupName": "grp-ml"}
    ]


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ({}, "has no job"),
        ({"a": job(name="same"), "b": job(name="same")}, "jobs of one name"),
        ({"a": job(tasks=[])}, "has 0 tasks"),
    ],
)
def test_a_workflow_that_cannot_be_is_refused(jobs: dict[str, WorkflowJobArgs], message: str) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            MlWorkflow("ml", workflow(**jobs))

    assert [one for one in record(broken).resources if one.typ.startswith("databricks:")] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"db_password": "x"}}, "has the parameter db_password: parameters are shown"),
        ({"cron": "0 0 * * *"}, "'0 0 \\* \\* \\*' is no Quartz expression"),
        ({"folder": "Shared/jobs"}, "folder 'Shared/jobs' begins at no root"),
        ({"max_concurrent_runs": 0}, "max_concurrent_runs is 0"),
        ({"notify_on_failure": ["ops"]}, "'ops' is no e-mail address"),
        ({"permissions": [JobPermission(level="CAN_VIEW")]}, "CAN_VIEW is for nobody"),
    ],
)
def test_what_would_fail_in_the_update_is_refused_before(changes: dict[str, Any], message: str) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            WorkflowJob("one", job(name="one", **changes))

    assert record(broken).resources == []


def test_two_files_of_one_name_that_would_go_to_one_place_are_refused(tmp_path: Path) -> None:
    sources = [tmp_path / folder / "train.py" for folder in ("a", "b")]
    for source in sources:
        source.parent.mkdir()
        source.write_text(f"print({source.parent.name!r})\n")
    tasks = [TaskArgs(key=source.parent.name, work=PythonTaskArgs(source=source)) for source in sources]

    def broken() -> None:
        with pytest.raises(JobError, match=r"tasks a and b come from files called train\.py"):
            WorkflowJob("one", job(name="one", tasks=tasks, folder="/Shared/jobs"))

    assert record(broken).resources == []


def test_tasks_of_one_file_share_it(files: Path) -> None:
    tasks = [
        TaskArgs(key=key, work=NotebookTaskArgs(source=files / "Features.py", parameters={"zip": key}))
        for key in ("pickup", "dropoff")
    ]
    made = record(lambda: WorkflowJob("one", job(name="one", tasks=tasks, folder="/Shared/jobs")).job_id)
    (notebook,) = [one for one in made.resources if one.typ.endswith(":Notebook")]
    assert notebook.name == "one-dropoff"
    paths = {task["notebookTask"]["notebookPath"] for task in made.one(":Job")["tasks"]}
    assert paths == {"/Shared/jobs/one/Features"}
