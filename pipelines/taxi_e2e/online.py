"""Online copies of the feature tables, brought in step after the tables: mode TRIGGERED syncs only when it is asked.

Publishing a table that is published already asks for another sync (API "Feature store", `publish_table`). Its
pipeline's latest update says how far it is.
"""

import time
from collections.abc import Sequence
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.ml import PublishSpec, PublishSpecPublishMode
from databricks.sdk.service.pipelines import UpdateStateInfoState

from pipelines.errors import PipelineError
from pipelines.progress import Progress

SUFFIX: Final = "_online"
_POLL_SECONDS: Final = 0.5
_SYNC_SECONDS: Final = 1_800.0
_BAD: Final = (UpdateStateInfoState.FAILED, UpdateStateInfoState.CANCELED)


def sync_online(
    workspace: WorkspaceClient, schema: str, tables: Sequence[str], store: str, progress: Progress
) -> list[str]:
    """Bring the online copies that there are in step; their names. The stack makes them, at its first deployment.

    Args:
        schema: `catalog.schema`.
        store: the online store that they are in.

    Raises PipelineError where a sync fails, or is not over after half an hour.
    """
    synced = []
    for table in tables:
        source, online = f"{schema}.{table}", f"{schema}.{table}{SUFFIX}"
        try:
            workspace.tables.get(online)
        except NotFound:
            progress.say("online", f"{online} is not there yet; the first deployment makes it")
            continue
        spec = PublishSpec(online_store=store, online_table_name=online, publish_mode=PublishSpecPublishMode.TRIGGERED)
        answer = workspace.feature_store.publish_table(source, spec)
        if not answer.pipeline_id:
            raise PipelineError(f"Publishing {source} as {online} started no pipeline; look at online store {store}.")
        _wait(workspace, answer.pipeline_id, online)
        synced.append(online)
        progress.say("online", f"{online} is in step")
    return synced


def _wait(workspace: WorkspaceClient, pipeline_id: str, online: str) -> None:
    deadline = time.monotonic() + _SYNC_SECONDS
    while True:
        updates = workspace.pipelines.get(pipeline_id).latest_updates or []
        state = updates[0].state if updates else None
        if state is UpdateStateInfoState.COMPLETED:
            return
        if state is not None and state in _BAD:
            raise PipelineError(f"The sync of {online} ended {state.value}; look at pipeline {pipeline_id}.")
        if time.monotonic() > deadline:
            raise PipelineError(f"The sync of {online} is not over after half an hour; look at {pipeline_id}.")
        time.sleep(_POLL_SECONDS)
