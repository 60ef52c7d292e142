"""Runs and jobs that an older server stored are shown by this one, and go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from databricks.sdk.service.jobs import RunLifeCycleState, RunResultState

from tests.support.job_runs import Query, RecordingSql, create, ends, finished, jobs_over, sql_task
from tests.support.served import opened_state, served

NEW_OF_A_RUN = ("original_attempt_run_id", "run_as_user_name", "trigger_time", "end_time", "environments", "notices")
NEW_OF_A_TASK = ("private", "end_time", "setup_duration", "cleanup_duration")


def without(record: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


def test_runs_and_schedules_of_an_older_state_folder_are_read(tmp_path: Path) -> None:
    sql = RecordingSql()
    sql.queries = {"q": Query("SELECT 1")}
    with opened_state(tmp_path) as state:
        with served(state, jobs_over(state, sql)) as client:
            job_id = create(client, sql_task("a"))
            run_id = finished(client, job_id).run_id
        run = state.documents.get("job_run", str(run_id))
        assert run is not None
        tasks = [without(task, NEW_OF_A_TASK) for task in run["tasks"]]
        state.documents.put("job_run", str(run_id), {**without(run, NEW_OF_A_RUN), "tasks": tasks})
        job = state.documents.get("job", str(job_id))
        assert job is not None
        job["settings"]["schedule"] = {"quartz_cron_expression": "0 0 12 * * *", "timezone_id": "UTC"}
        state.documents.put("job", str(job_id), job)
    meta = tmp_path / "workspace.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "version": "1"}))
    with opened_state(tmp_path) as state, served(state, jobs_over(state, sql)) as client:
        assert run_id is not None
        old = client.jobs.get_run(run_id)
        assert ends(old) == (RunLifeCycleState.TERMINATED, RunResultState.SUCCESS)
        assert client.jobs.get_run_output((old.tasks or [])[0].run_id or 0).error is None
        assert [one.run_id for one in client.jobs.list_runs(job_id=job_id)] == [run_id]
        assert ends(finished(client, job_id))[1] is RunResultState.SUCCESS
