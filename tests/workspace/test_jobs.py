"""Jobs as the official client sees them, and as the Databricks provider needs them back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.service.jobs import JobSettings, Task

from tests.support.job_runs import RecordingSql, create, jobs_over, sql_task
from tests.support.served import CALLER, opened_state, served

UNKNOWN_ID = 7


@pytest.fixture
def client(tmp_path: Path) -> Iterator[WorkspaceClient]:
    with opened_state(tmp_path) as state, served(state, jobs_over(state, RecordingSql())) as workspace:
        yield workspace


DECLARED: dict[str, Any] = {
    "max_concurrent_runs": 1,
    "name": "retrain",
    "queue": {"enabled": False},
    "schedule": {"quartz_cron_expression": "0 0 12 * * ?", "timezone_id": "UTC"},
    "tags": {"team": "rec"},
    "tasks": [
        {
            "task_key": "deploy",
            "depends_on": [{"outcome": "true", "task_key": "gate"}],
            "run_job_task": {"job_id": 42, "job_parameters": {"x": "y"}},
        },
        {
            "task_key": "gate",
            "depends_on": [{"task_key": "train"}],
            "condition_task": {"left": "{{tasks.train.values.auc}}", "op": "GREATER_THAN", "right": "0.7"},
        },
        {"task_key": "train", "notebook_task": {"notebook_path": "/Shared/train"}, "timeout_seconds": 3600},
    ],
}
"""What the official provider sends for a job with a train, gate and deploy task."""


@pytest.mark.parametrize("version", ["2.1", "2.2"])
def test_what_was_declared_is_read_back_with_the_defaults_of_the_service(client: WorkspaceClient, version: str) -> None:
    created = client.api_client.do("POST", f"/api/{version}/jobs/create", body=DECLARED)
    assert isinstance(created, dict)
    job = client.api_client.do("GET", f"/api/{version}/jobs/get", query=created)
    assert isinstance(job, dict)
    assert job["creator_user_name"] == CALLER.user_name
    assert job["run_as_user_name"] == CALLER.user_name
    assert job["settings"] == {
        **DECLARED,
        "format": "MULTI_TASK",
        "email_notifications": {},
        "webhook_notifications": {},
        "timeout_seconds": 0,
        "schedule": {**DECLARED["schedule"], "pause_status": "UNPAUSED"},
        "tasks": [
            {"run_if": "ALL_SUCCESS", "email_notifications": {}, "timeout_seconds": 0, **task}
            for task in DECLARED["tasks"]
        ],
    }


def test_a_reset_replaces_all_settings_but_who_the_job_runs_as(client: WorkspaceClient) -> None:
    job_id = create(client, sql_task("a"), tags={"team": "rec"}, max_concurrent_runs=3)
    client.api_client.do(
        "POST",
        "/api/2.2/jobs/reset",
        body={"job_id": job_id, "new_settings": {"name": "n", "run_as": {"service_principal_name": "sp"}}},
    )
    client.jobs.reset(job_id, JobSettings(name="renamed", tasks=[sql_task("b")]))
    job = client.jobs.get(job_id)
    assert job.settings is not None
    assert job.settings.name == "renamed"
    assert job.settings.tags is None
    assert job.settings.max_concurrent_runs == 1
    assert [task.task_key for task in job.settings.tasks or []] == ["b"]
    assert job.run_as_user_name == "sp"


def test_an_update_merges_tasks_by_key_and_takes_out_what_it_names(client: WorkspaceClient) -> None:
    job_id = create(client, sql_task("a", "q1"), sql_task("b", "q2"), sql_task("c", "q3"), tags={"team": "rec"})
    client.jobs.update(
        job_id,
        new_settings=JobSettings(max_concurrent_runs=5, tasks=[sql_task("b", "q9")]),
        fields_to_remove=["tags", "tasks/c"],
    )
    settings = client.jobs.get(job_id).settings
    assert settings is not None
    assert settings.name == "retrain"
    assert settings.max_concurrent_runs == 5
    assert not settings.tags
    assert {t.task_key: t.sql_task.query.query_id for t in settings.tasks or [] if t.sql_task and t.sql_task.query} == {
        "a": "q1",
        "b": "q9",
    }


def test_a_missing_job_is_what_each_path_makes_of_it(client: WorkspaceClient) -> None:
    with pytest.raises(NotFound, match=f"Job {UNKNOWN_ID} does not exist"):
        client.jobs.get(UNKNOWN_ID)
    with pytest.raises(PermissionDenied, match=f"job {UNKNOWN_ID}"):
        client.jobs.reset(UNKNOWN_ID, JobSettings(name="x"))
    with pytest.raises(NotFound, match=f"Job {UNKNOWN_ID} does not exist"):
        client.jobs.delete(UNKNOWN_ID)
    with pytest.raises(BadRequest, match=f"Job {UNKNOWN_ID} does not exist"):
        client.jobs.run_now(UNKNOWN_ID)
    with pytest.raises(NotFound, match=f"Run {UNKNOWN_ID} does not exist"):
        client.jobs.get_run(UNKNOWN_ID)


def test_a_deleted_job_is_gone_and_its_id_is_not_used_again(client: WorkspaceClient) -> None:
    first = create(client, sql_task("a"))
    client.jobs.delete(first)
    with pytest.raises(NotFound):
        client.jobs.get(first)
    assert create(client, sql_task("a")) > first


def test_jobs_are_listed_newest_first_page_by_page_and_by_name(client: WorkspaceClient) -> None:
    ids = [client.jobs.create(name=f"job {number}", tasks=[sql_task("a")]).job_id for number in range(25)]
    assert [job.job_id for job in client.jobs.list()] == ids[::-1]
    assert [job.job_id for job in client.jobs.list(name="JOB 7")] == [ids[7]]
    first = client.api_client.do("GET", "/api/2.2/jobs/list")
    assert isinstance(first, dict)
    assert len(first["jobs"]) == 20
    assert first["has_more"] is True
    assert "tasks" not in first["jobs"][0]["settings"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": [{"task_key": "a"}]}, "'a' must have exactly one kind of task; received none"),
        ({"tasks": [{"task_key": "a b", "notebook_task": {}}]}, "'a b' must be"),
        ({"tasks": [{"task_key": "a", "notebook_task": {}, "sql_task": {}}]}, "received notebook_task, sql_task"),
        ({"tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/x"}}] * 2}, "'a' is used twice"),
        (
            {"tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/x"}, "depends_on": [{"task_key": "z"}]}]},
            "'a' depends on 'z', which is no task of the job",
        ),
        (
            {
                "tasks": [
                    {"task_key": "a", "notebook_task": {"notebook_path": "/x"}, "depends_on": [{"task_key": "b"}]},
                    {"task_key": "b", "notebook_task": {"notebook_path": "/x"}, "depends_on": [{"task_key": "a"}]},
                ]
            },
            "in a circle",
        ),
        ({"tasks": [{"task_key": "a", "sql_task": {"query": {"query_id": "q"}}}]}, "needs a warehouse_id"),
        ({"tasks": [{"task_key": "a", "sql_task": {"warehouse_id": "w"}}]}, "exactly one of query, alert"),
        ({"tasks": [{"task_key": "a", "notebook_task": {}, "run_if": "SOMETIMES"}]}, "received 'SOMETIMES'"),
        ({"schedule": {"quartz_cron_expression": "daily", "timezone_id": "UTC"}}, "6 or 7 fields"),
        ({"tasks": [{"task_key": "a", "notebook_task": {}}]}, "notebook_task of 'a' needs notebook_path"),
        (
            {"tasks": [{"task_key": "a", "condition_task": {"left": "1", "op": "IS", "right": "1"}}]},
            "condition_task.op of 'a' must be one of EQUAL_TO",
        ),
        (
            {
                "tasks": [
                    {"task_key": "a", "notebook_task": {"notebook_path": "/x"}},
                    {
                        "task_key": "b",
                        "notebook_task": {"notebook_path": "/x"},
                        "depends_on": [{"task_key": "a", "outcome": "true"}],
                    },
                ]
            },
            "'b' depends on the outcome of 'a', which is no condition_task",
        ),
        (
            {
                "tasks": [
                    {"task_key": "a", "for_each_task": {"inputs": "[]", "concurrency": 101, "task": {"task_key": "b"}}}
                ]
            },
            "concurrency of 'a' must be a whole number from 0 to 100",
        ),
        (
            {"schedule": None, "trigger": {"periodic": {"interval": 0, "unit": "DAYS"}}},
            "trigger.periodic.interval must be a whole number of 1 or more; received 0",
        ),
        ({"continuous": {"pause_status": "PAUSED"}}, "at most one of schedule, continuous, trigger"),
        ({"max_concurrent_runs": -1}, "max_concurrent_runs must be a whole number from 0 to 1000; received -1"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(client: WorkspaceClient, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        client.api_client.do("POST", "/api/2.2/jobs/create", body={**DECLARED, **changes})
    assert not list(client.jobs.list())


def test_a_refused_reset_leaves_the_job_as_it_was(client: WorkspaceClient) -> None:
    job_id = create(client, sql_task("a"))
    with pytest.raises(BadRequest):
        client.jobs.reset(job_id, JobSettings(name="broken", tasks=[Task(task_key="a")]))
    settings = client.jobs.get(job_id).settings
    assert settings is not None
    assert settings.name == "retrain"
