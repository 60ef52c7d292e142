"""Runs and tasks that take longer than their health rules say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from databricks.sdk.service.jobs import RunLifeCycleState

from tests.support.job_runs import (
    PATIENCE_SECONDS,
    Query,
    RecordingSql,
    advance,
    create,
    ends,
    jobs_over,
    sql_task,
    started,
    waited,
)
from tests.support.served import opened_state, served
from workspace.alerts.outbox import Outbox
from workspace.clock import Clock

RULES = {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 600}]}
TOLD = {"on_duration_warning_threshold_exceeded": ["a@x.org"]}


def test_people_hear_of_what_takes_longer_than_expected_once_and_it_goes_on(tmp_path: Path) -> None:
    sql = RecordingSql()
    sql.queries = {"q": Query("SELECT 1")}
    with opened_state(tmp_path) as state:
        outbox = Outbox(state, Clock(state))
        with served(state, jobs_over(state, sql, outbox)) as client:
            job_id = create(client, sql_task("t"))
            settings: dict[str, Any] = {"health": RULES, "email_notifications": TOLD}
            task = {**sql_task("t").as_dict(), **settings}
            changes = {"job_id": job_id, "new_settings": {**settings, "tasks": [task]}}
            client.api_client.do("POST", "/api/2.2/jobs/update", body=changes)
            waited(client, started(client, job_id))
            sql.gate.clear()
            sql.entered.clear()
            run_id = started(client, job_id)
            assert sql.entered.wait(PATIENCE_SECONDS)
            advance(client, 590)
            assert outbox.all() == []
            advance(client, 20)
            advance(client, 1000)
            sent = outbox.all()
            assert sorted(one["kind"] for one in sent) == ["JOB_RUN", "JOB_TASK_RUN"]
            assert {one["about"]["event"] for one in sent} == {"jobs.on_duration_warning_threshold_exceeded"}
            assert ends(client.jobs.get_run(run_id))[0] is RunLifeCycleState.RUNNING
            sql.gate.set()
            waited(client, run_id)
