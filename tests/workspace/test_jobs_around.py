"""Jobs with the rest of the workspace: SQL files and results, alerts, notifications, identities."""

from __future__ import annotations

import base64
import time
import uuid
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import PermissionsChange, Privilege
from databricks.sdk.service.jobs import (
    AlertTask,
    ConditionTask,
    ConditionTaskOp,
    Run,
    RunResultState,
    SqlTask,
    SqlTaskAlert,
    SqlTaskFile,
    SqlTaskQuery,
    SubmitTask,
    TaskDependency,
)
from databricks.sdk.service.settings import Config, GenericWebhookConfig
from databricks.sdk.service.sql import (
    AlertV2,
    AlertV2Evaluation,
    AlertV2Operand,
    AlertV2OperandColumn,
    AlertV2OperandValue,
    ComparisonOperator,
    CreateQueryRequestQuery,
    CronSchedule,
    SchedulePauseStatus,
)
from databricks.sdk.service.workspace import ImportFormat

from tests.support.job_runs import PATIENCE_SECONDS, ends, task_results, waited
from tests.support.warehouse import Warehouse

SUCCESS, FAILED = RunResultState.SUCCESS, RunResultState.FAILED


def ran(client: WorkspaceClient, *tasks: SubmitTask, **more: Any) -> Run:
    return waited(client, client.jobs.submit(run_name="once", tasks=list(tasks), **more).bind()["run_id"])


def query(client: WorkspaceClient, text: str) -> str:
    made = client.queries.create(
        query=CreateQueryRequestQuery(display_name=uuid.uuid4().hex, query_text=text, warehouse_id="local")
    )
    assert made.id is not None
    return made.id


def notifications(client: WorkspaceClient, name: str, count: int) -> list[dict[str, Any]]:
    """Those that name a job, once there are so many: they leave after the run is over."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = client.api_client.do("GET", "/_workspace/notifications")
        assert isinstance(answer, dict)
        found = [one for one in answer["notifications"] if name in one["subject"]]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def test_a_sql_file_is_run_statement_by_statement_with_its_parameters(client: WorkspaceClient, sql: Warehouse) -> None:
    path = f"/Shared/{uuid.uuid4().hex}.sql"
    text = f"CREATE TABLE {sql.full('made')} (n INT);\nINSERT INTO {sql.full('made')} VALUES (CAST(:n AS INT));\n"
    client.workspace.import_(path, content=base64.b64encode(text.encode()).decode(), format=ImportFormat.AUTO)
    task = SqlTask("local", file=SqlTaskFile(path=f"/Workspace{path}"), parameters={"n": "7"})
    run = ran(client, SubmitTask(task_key="f", sql_task=task))
    assert ends(run)[1] is SUCCESS, run.state
    assert sql.rows(f"SELECT n FROM {sql.full('made')}") == [["7"]]


def test_the_rows_of_a_query_are_there_for_later_tasks(client: WorkspaceClient) -> None:
    first = SubmitTask(
        task_key="q", sql_task=SqlTask("local", query=SqlTaskQuery(query(client, "SELECT 5 AS n, 'x' AS s")))
    )
    gate = SubmitTask(
        task_key="gate",
        condition_task=ConditionTask(left="{{tasks.q.output.first_row.n}}", op=ConditionTaskOp.GREATER_THAN, right="4"),
        depends_on=[TaskDependency("q")],
    )
    rows = SubmitTask(
        task_key="rows",
        condition_task=ConditionTask(
            left="{{tasks.q.output.rows}}", op=ConditionTaskOp.EQUAL_TO, right='[{"n": 5, "s": "x"}]'
        ),
        depends_on=[TaskDependency("q")],
    )
    run = ran(client, first, gate, rows)
    outcomes = {task.task_key: task.condition_task.outcome for task in run.tasks or [] if task.condition_task}
    assert outcomes == {"gate": "true", "rows": "true"}


def alert(client: WorkspaceClient, text: str) -> str:
    made = client.alerts_v2.create_alert(
        AlertV2(
            display_name=uuid.uuid4().hex,
            query_text=text,
            warehouse_id="local",
            schedule=CronSchedule("0 0 0 1 1 ? 2099", "UTC", pause_status=SchedulePauseStatus.PAUSED),
            evaluation=AlertV2Evaluation(
                source=AlertV2OperandColumn(name="n"),
                comparison_operator=ComparisonOperator.GREATER_THAN,
                threshold=AlertV2Operand(value=AlertV2OperandValue(double_value=3.0)),
            ),
        )
    )
    assert made.id is not None
    return made.id


@pytest.mark.parametrize(("value", "state"), [(5, "TRIGGERED"), (1, "OK")])
def test_an_alert_is_evaluated_by_a_task_and_its_state_can_be_asked_for(
    client: WorkspaceClient, value: int, state: str
) -> None:
    alert_id = alert(client, f"SELECT {value} AS n")
    run = ran(
        client,
        SubmitTask(task_key="own", alert_task=AlertTask(alert_id=alert_id, warehouse_id="local")),
        SubmitTask(task_key="sql", sql_task=SqlTask("local", alert=SqlTaskAlert(alert_id))),
        SubmitTask(
            task_key="gate",
            condition_task=ConditionTask(
                left="{{tasks.own.output.alert_state}}", op=ConditionTaskOp.EQUAL_TO, right=state
            ),
            depends_on=[TaskDependency("own")],
        ),
    )
    assert set(task_results(run).values()) == {SUCCESS}, run.state
    by_key = {task.task_key: task for task in run.tasks or []}
    own = client.jobs.get_run_output(by_key["own"].run_id or 0).alert_output
    assert own is not None
    assert own.alert_state is not None
    assert own.alert_state.value == state
    sql_output = client.jobs.get_run_output(by_key["sql"].run_id or 0).sql_output
    assert sql_output is not None
    assert sql_output.alert_output is not None
    assert by_key["gate"].condition_task is not None
    assert by_key["gate"].condition_task.outcome == "true"


def test_an_alert_that_cannot_be_told_fails_its_task(client: WorkspaceClient) -> None:
    task = AlertTask(alert_id=alert(client, "SELECT n FROM no_such_table"), warehouse_id="local")
    run = ran(client, SubmitTask(task_key="a", alert_task=task))
    assert task_results(run) == {"a": FAILED}
    assert run.state is not None
    assert "no_such_table" in (run.state.state_message or "")


def job(client: WorkspaceClient, text: str, task: dict[str, Any] | None = None, **settings: Any) -> tuple[str, int]:
    """The name and id of a job of one query."""
    name = f"job-{uuid.uuid4().hex[:8]}"
    body = {
        "name": name,
        "tasks": [
            {
                "task_key": "t",
                "sql_task": {"warehouse_id": "local", "query": {"query_id": query(client, text)}},
                **(task or {}),
            }
        ],
        **settings,
    }
    created = client.api_client.do("POST", "/api/2.2/jobs/create", body=body)
    assert isinstance(created, dict)
    return name, created["job_id"]


def run_of(client: WorkspaceClient, job_id: int) -> Run:
    return waited(client, client.jobs.run_now(job_id).bind()["run_id"])


EVERYTHING = {"on_start": ["a@x.org"], "on_success": ["b@x.org"], "on_failure": ["c@x.org"]}


def test_people_hear_of_the_start_and_the_end_of_a_run_as_they_asked(client: WorkspaceClient) -> None:
    for text, events in (
        ("SELECT 1", [("jobs.on_start", ["a@x.org"]), ("jobs.on_success", ["b@x.org"])]),
        ("SELECT * FROM no_such_table", [("jobs.on_start", ["a@x.org"]), ("jobs.on_failure", ["c@x.org"])]),
    ):
        name, job_id = job(client, text, email_notifications=EVERYTHING)
        run = run_of(client, job_id)
        sent = [one for one in notifications(client, name, len(events)) if one["kind"] == "JOB_RUN"]
        assert [(one["about"]["event"], one["recipients"]) for one in sent] == events
        assert {one["about"]["run_id"] for one in sent} == {run.run_id}


def test_a_destination_gets_the_webhook_of_a_job(client: WorkspaceClient) -> None:
    made = client.notification_destinations.create(
        display_name=uuid.uuid4().hex, config=Config(generic_webhook=GenericWebhookConfig(url="https://x.org/hook"))
    )
    name, job_id = job(client, "SELECT 1", webhook_notifications={"on_success": [{"id": made.id}]})
    run = run_of(client, job_id)
    (sent,) = notifications(client, name, 1)
    assert sent["destination_id"] == made.id
    assert sent["payload"] == {
        "event_type": "jobs.on_success",
        "workspace_id": str(client.get_workspace_id()),
        "run": {"run_id": str(run.run_id)},
        "job": {"job_id": str(job_id), "name": name},
    }


def test_of_a_task_that_is_tried_again_each_failure_is_told_or_the_last_alone(client: WorkspaceClient) -> None:
    for last_only, failures in ((False, 2), (True, 1)):
        task = {
            "max_retries": 1,
            "email_notifications": {"on_failure": ["c@x.org"]},
            "notification_settings": {"alert_on_last_attempt": last_only},
        }
        name, job_id = job(client, "SELECT * FROM no_such_table", task)
        run_of(client, job_id)
        sent = notifications(client, name, failures)
        assert [one["kind"] for one in sent] == ["JOB_TASK_RUN"] * failures
        assert "no_such_table" in sent[0]["body"]


def test_a_task_sees_what_the_identity_of_its_run_may_see(client: WorkspaceClient, sql: Warehouse) -> None:
    sql.execute(f"CREATE TABLE {sql.full('hidden')} AS SELECT 1 AS n")
    principal = client.service_principals.create(display_name=uuid.uuid4().hex)
    run_as = {"service_principal_name": principal.application_id}
    _, job_id = job(client, f"SELECT * FROM {sql.full('hidden')}", run_as=run_as)
    refused = run_of(client, job_id)
    assert task_results(refused) == {"t": FAILED}
    assert refused.state is not None
    assert "does not have" in (refused.state.state_message or "")
    for kind, name, privilege in (
        ("catalog", sql.catalog, Privilege.USE_CATALOG),
        ("schema", f"{sql.catalog}.{sql.schema}", Privilege.USE_SCHEMA),
        ("table", sql.full("hidden"), Privilege.SELECT),
    ):
        change = PermissionsChange(add=[privilege], principal=principal.application_id)
        client.grants.update(kind, name, changes=[change])
    assert task_results(run_of(client, job_id)) == {"t": SUCCESS}
