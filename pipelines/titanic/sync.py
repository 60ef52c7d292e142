"""The third feature table, built, and its published copy brought in step with it."""

from __future__ import annotations

import time
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.ml import PublishSpec, PublishSpecPublishMode

from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.titanic import tables
from pipelines.titanic.pipeline import warehouse_of
from pipelines.titanic.request import Request

_POLL_SECONDS: Final = 1.0
_WAIT_SECONDS: Final = 3_600.0
_DONE: Final = "COMPLETED"
_FAILED: Final = ("FAILED", "CANCELED")


def sync_online(
    request: Request, online_store: str, online_table: str, workspace: WorkspaceClient, progress: Progress
) -> int:
    """Build the table, have its copy take over what has changed, and wait for that; the number of rows of the table.

    Raises PipelineError where nothing is published, or the copy's pipeline fails or takes longer than an hour.
    """
    rows = tables.online_features(warehouse_of(request, workspace))
    source = f"{request.full_schema}.{tables.ONLINE}"
    progress.say("features", f"{rows} rows in {source}")
    # The same publication again is none: it tells which pipeline keeps the copy in step.
    spec = PublishSpec(
        online_store=online_store, online_table_name=online_table, publish_mode=PublishSpecPublishMode.TRIGGERED
    )
    pipeline_id = workspace.feature_store.publish_table(source, spec).pipeline_id
    if not pipeline_id:
        raise PipelineError(f"{source} is not published as {online_table}: run `pulumi up` first, which publishes it.")
    deadline = time.monotonic() + _WAIT_SECONDS
    # What is under way may have begun before the last row came.
    _wait(workspace, pipeline_id, deadline)
    workspace.pipelines.start_update(pipeline_id)
    _wait(workspace, pipeline_id, deadline)
    progress.say("published", f"{online_table} is in step")
    return rows


def _wait(workspace: WorkspaceClient, pipeline_id: str, deadline: float) -> None:
    """Wait for the end of the pipeline's latest update."""
    while True:
        updates = workspace.pipelines.get(pipeline_id).latest_updates or []
        state = updates[0].state.value if updates and updates[0].state else _DONE
        if state == _DONE:
            return
        if state in _FAILED or time.monotonic() > deadline:
            raise PipelineError(
                f"The sync by pipeline {pipeline_id} is {state}: look at the pipeline, mend the cause, run this again."
            )
        time.sleep(_POLL_SECONDS)
