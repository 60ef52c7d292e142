"""Experiments, jobs, queries and warehouses: what callers without a level are refused, and in which words."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, PermissionDenied
from databricks.sdk.errors import NotImplemented as NotImplementedByService
from databricks.sdk.service.compute import Environment
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel
from databricks.sdk.service.jobs import JobEnvironment, JobRunAs, SparkPythonTask, SqlTask, SqlTaskQuery, Task
from databricks.sdk.service.sql import CreateQueryRequestQuery, UpdateQueryRequestQuery

from tests.support.principals import Person, machine, signed_in
from tests.support.rights import allow
from tests.support.warehouse import Warehouse


@pytest.fixture(scope="module")
def ada(client: WorkspaceClient) -> Iterator[Person]:
    with signed_in(client) as person:
        yield person


@pytest.fixture(scope="module")
def robot(client: WorkspaceClient) -> Iterator[Person]:
    with machine(client) as person:
        yield person


def test_an_experiment_is_its_maker_s_and_others_need_its_permissions(
    client: WorkspaceClient, ada: Person, robot: Person
) -> None:
    with pytest.raises(PermissionDenied, match="/Users/"):
        ada.client.experiments.create_experiment(f"/Users/{robot.name}/x")
    experiment = str(ada.client.experiments.create_experiment(f"/Users/{ada.name}/x").experiment_id)
    run = ada.client.experiments.create_run(experiment_id=experiment).run
    assert run is not None
    assert run.info is not None
    run_id = str(run.info.run_id)
    theirs = robot.client.experiments
    view, edit = f"User {robot.name} does not have permission to 'View' experiment with id {experiment}", "'Edit'"
    for read in (
        lambda: theirs.get_experiment(experiment),
        lambda: theirs.get_by_name(f"/Users/{ada.name}/x"),
        lambda: theirs.get_run(run_id),
        lambda: list(theirs.search_runs(experiment_ids=[experiment])),
        lambda: list(theirs.get_history("m", run_id=run_id)),
    ):
        with pytest.raises(PermissionDenied, match=view):
            read()
    assert experiment not in {one.experiment_id for one in theirs.search_experiments(max_results=1000)}
    allow(ada.client, "experiments", experiment, robot, PermissionLevel.CAN_READ)
    theirs.get_run(run_id)
    assert experiment in {one.experiment_id for one in theirs.search_experiments(max_results=1000)}
    with pytest.raises(PermissionDenied, match=edit):
        theirs.log_metric("m", 1.0, 1, run_id=run_id)
    with pytest.raises(PermissionDenied, match=edit):
        theirs.create_run(experiment_id=experiment)
    allow(ada.client, "experiments", experiment, robot, PermissionLevel.CAN_EDIT)
    theirs.log_metric("m", 1.0, 1, run_id=run_id)
    with pytest.raises(PermissionDenied, match="'Manage'"):
        theirs.delete_experiment(experiment)


def test_a_search_in_experiments_that_are_gone_finds_nothing(client: WorkspaceClient, ada: Person) -> None:
    experiment = str(client.experiments.create_experiment(f"/Shared/{uuid.uuid4()}").experiment_id)
    client.experiments.delete_experiment(experiment)
    assert list(ada.client.experiments.search_runs(experiment_ids=[experiment])) == []


def test_artifacts_are_their_experiment_s(client: WorkspaceClient, ada: Person) -> None:
    experiment = client.experiments.create_experiment(f"/Shared/{uuid.uuid4()}").experiment_id
    path = f"/WorkspaceInternal/Mlflow/Artifacts/{experiment}/Runs/r/artifacts/a.txt"
    client.files.upload(path, io.BytesIO(b"a"))
    with pytest.raises(PermissionDenied, match="'View' experiment"):
        ada.client.files.download(path)
    allow(client, "experiments", str(experiment), ada, PermissionLevel.CAN_READ)
    ada.client.files.download(path)
    with pytest.raises(PermissionDenied, match="'Edit' experiment"):
        ada.client.files.upload(path, io.BytesIO(b"b"), overwrite=True)


def query_of(client: WorkspaceClient) -> str:
    made = client.queries.create(
        query=CreateQueryRequestQuery(display_name=f"q-{uuid.uuid4()}", query_text="SELECT 1", warehouse_id="local")
    )
    return str(made.id)


def test_a_job_is_seen_run_and_changed_by_level(client: WorkspaceClient, robot: Person) -> None:
    task = Task(task_key="one", sql_task=SqlTask(warehouse_id="local", query=SqlTaskQuery(query_of(client))))
    job_id = int(client.jobs.create(name=f"j-{uuid.uuid4()}", tasks=[task]).job_id or 0)
    who = f"User {robot.name} does not have"
    steps: list[tuple[str, PermissionLevel, Callable[[], object]]] = [
        (
            f"{who} View or Admin or Manage Run or Owner permissions on job {job_id}",
            PermissionLevel.CAN_VIEW,
            lambda: robot.client.jobs.get(job_id),
        ),
        (
            f"{who} Admin or Manage Run or Owner permissions on job {job_id}",
            PermissionLevel.CAN_MANAGE_RUN,
            lambda: robot.client.jobs.cancel_all_runs(job_id=job_id),
        ),
        (
            f"{who} Admin or Owner permissions on job {job_id}",
            PermissionLevel.CAN_MANAGE,
            lambda: robot.client.jobs.update(job_id, fields_to_remove=["description"]),
        ),
    ]
    with pytest.raises(PermissionDenied, match=rf"Manage permissions on Job with ID: ElasticJobId\({job_id}\)"):
        robot.client.permissions.get("jobs", str(job_id))
    assert job_id not in {job.job_id for job in robot.client.jobs.list()}
    for message, level, call in steps:
        with pytest.raises(PermissionDenied, match=message):
            call()
        allow(client, "jobs", str(job_id), robot, level)
        call()
    assert job_id in {job.job_id for job in robot.client.jobs.list()}
    robot.client.jobs.delete(job_id)


def test_a_run_is_its_job_s(client: WorkspaceClient, ada: Person) -> None:
    task = Task(task_key="one", sql_task=SqlTask(warehouse_id="local", query=SqlTaskQuery(query_of(client))))
    job_id = int(client.jobs.create(name=f"j-{uuid.uuid4()}", tasks=[task]).job_id or 0)
    run = client.jobs.run_now(job_id).result()
    with pytest.raises(PermissionDenied, match=f"permissions on job {job_id}"):
        ada.client.jobs.get_run(int(run.run_id or 0))
    with pytest.raises(PermissionDenied, match=f"permissions on job {job_id}"):
        ada.client.jobs.cancel_run(int((run.tasks or [])[0].run_id or 0))
    assert run.run_id not in {one.run_id for one in ada.client.jobs.list_runs()}
    allow(client, "jobs", str(job_id), ada, PermissionLevel.CAN_VIEW)
    ada.client.jobs.get_run(int(run.run_id or 0))


def test_nobody_but_admins_lets_a_job_run_as_somebody_else(ada: Person, robot: Person) -> None:
    task = Task(task_key="one", environment_key="e", spark_python_task=SparkPythonTask(f"/Users/{ada.name}/x.py"))
    environment = JobEnvironment("e", Environment(environment_version="2"))
    with pytest.raises(PermissionDenied, match=f"run_as to {robot.name}"):
        ada.client.jobs.create(
            name="x", tasks=[task], environments=[environment], run_as=JobRunAs(service_principal_name=robot.name)
        )


def test_a_saved_query_is_its_maker_s_and_others_need_its_permissions(client: WorkspaceClient, ada: Person) -> None:
    query = query_of(client)
    with pytest.raises(PermissionDenied, match="CAN_VIEW"):
        ada.client.queries.get(query)
    assert query not in {one.id for one in ada.client.queries.list()}
    allow(client, "sql/queries", query, ada, PermissionLevel.CAN_VIEW)
    ada.client.queries.get(query)
    with pytest.raises(PermissionDenied, match="CAN_EDIT"):
        ada.client.queries.update(query, query=UpdateQueryRequestQuery(query_text="SELECT 2"), update_mask="query_text")
    with pytest.raises(PermissionDenied, match="CAN_MANAGE"):
        ada.client.queries.delete(query)


def test_a_warehouse_is_used_by_those_who_may(client: WorkspaceClient, ada: Person) -> None:
    mine = Warehouse(ada.client, "main", "default")
    before = client.permissions.get("warehouses", "local").access_control_list or []
    assert mine.rows("SELECT 1") == [["1"]]
    client.permissions.set("warehouses", "local", access_control_list=[owner_of_warehouse(client)])
    try:
        with pytest.raises(PermissionDenied, match="CAN_USE permission on local"):
            mine.rows("SELECT 1")
        assert [one.id for one in ada.client.warehouses.list()] == []
    finally:
        everybody = AccessControlRequest(group_name="users", permission_level=PermissionLevel.CAN_USE)
        client.permissions.set("warehouses", "local", access_control_list=[owner_of_warehouse(client), everybody])
    assert client.permissions.get("warehouses", "local").access_control_list == before


def owner_of_warehouse(client: WorkspaceClient) -> AccessControlRequest:
    return AccessControlRequest(user_name=client.current_user.me().user_name, permission_level=PermissionLevel.IS_OWNER)


def test_the_workspace_s_own_paths_are_for_admins(ada: Person) -> None:
    for path in ("/_workspace/requests", "/_workspace/settings", "/_workspace/clock", "/_workspace/faults"):
        with pytest.raises(PermissionDenied, match="only workspace admins"):
            ada.client.api_client.do("GET", path)


def test_a_path_without_a_rule_is_refused_to_all_but_admins(ada: Person) -> None:
    with pytest.raises(NotImplementedByService, match=r"GET /api/2\.0/unheard/of"):
        ada.client.api_client.do("GET", "/api/2.0/unheard/of")


def test_a_malformed_body_is_the_service_s_to_refuse(ada: Person) -> None:
    with pytest.raises(BadRequest):
        ada.client.api_client.do("POST", "/api/2.0/serving-endpoints", body={"config": "none"})
