"""The calls behind `PublishedTable`: the online store, the publication, and the pipeline that keeps it in step.

databricks-sdk 0.156.0 knows no call that gives the state of a published table (`FeatureStoreAPI` has create, get, list,
update and delete of stores, `publish_table` and `delete_online_table`). The state here is read from the sync pipeline's
latest update (`GET /api/2.0/pipelines/{id}`) and the table's entry in Unity Catalog. That this is enough is a
belief: it has not been tried against a Databricks account. The words of the state are those of Databricks' online
tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .errors import AbsentError, ProviderError, WorkspaceError, asking

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.catalog import TableInfo

ONLINE = frozenset({"ONLINE_NO_PENDING_UPDATE", "ONLINE_CONTINUOUS_UPDATE"})
FAILED = frozenset({"ONLINE_PIPELINE_FAILED", "OFFLINE_FAILED"})
PROVISIONING = "PROVISIONING"
OFFLINE = "OFFLINE"
# Not there yet, or not any more: an update is due. A sync under way is none of them, it comes and goes by itself.
INCOMPLETE = FAILED | {OFFLINE, PROVISIONING, "PROVISIONING_PIPELINE_RESOURCES", "PROVISIONING_INITIAL_SNAPSHOT"}
CONTINUOUS = "CONTINUOUS"

_STARTING = frozenset({"CREATED", "QUEUED", "WAITING_FOR_RESOURCES", "INITIALIZING", "RESETTING", "SETTING_UP_TABLES"})
_OVER = frozenset({"COMPLETED", "FAILED", "CANCELED"})
# What an online store passes through on its way; the others do not end by themselves.
_STORE_ON_ITS_WAY = frozenset({"STARTING", "UPDATING", "FAILING_OVER"})


@dataclass(frozen=True)
class SyncState:
    """How far the copy of a table is."""

    word: str
    """In the words of Databricks' online tables, for example ONLINE_NO_PENDING_UPDATE."""
    update_id: str | None
    """The pipeline's latest update."""
    cause: str
    """What the pipeline says about a failure."""
    is_continuous: bool
    is_over: bool
    """Whether no update is under way. One that is may have read its source before the source moved on."""


def read_table(client: WorkspaceClient, full_name: str) -> TableInfo:
    """A table's entry in Unity Catalog. Raises AbsentError or WorkspaceError."""
    with asking(f"reading table {full_name}"):
        return client.tables.get(full_name)


def table_exists(client: WorkspaceClient, full_name: str) -> bool:
    """Whether the table is there. Raises WorkspaceError where the workspace does not say."""
    try:
        read_table(client, full_name)
    except AbsentError:
        return False
    return True


def store_state(client: WorkspaceClient, store: str) -> str:
    """The online store's state.

    Raises:
        ProviderError: there is no such store, or it is stopped or being deleted.
    """
    try:
        with asking(f"reading online store {store}"):
            found = client.feature_store.get_online_store(store)
    except AbsentError as error:
        raise AbsentError(str(error), f"Create online store {store} first, or correct online_store") from None
    state = found.state.value if found.state else "UNKNOWN"
    if state != "AVAILABLE" and state not in _STORE_ON_ITS_WAY and state != "UNKNOWN":
        raise ProviderError(
            f"online store {store} is {state}, expected AVAILABLE",
            "Start it, or name another store, then run `pulumi up` again",
        )
    return state


def publish(client: WorkspaceClient, source: str, online_table: str, store: str, mode: str) -> str:
    """Publishes the table, or asks for another sync of the same publication; gives the id of its pipeline.

    Raises:
        ProviderError: the online table is a copy of another source, the request is refused, or nothing was published.
    """
    from databricks.sdk.service.ml import PublishSpec, PublishSpecPublishMode

    _refuse_another_source(client, source, online_table)
    spec = PublishSpec(online_store=store, online_table_name=online_table, publish_mode=PublishSpecPublishMode(mode))
    try:
        with asking(f"publishing {source} as {online_table}"):
            answer = client.feature_store.publish_table(source, spec)
    except WorkspaceError as error:
        if error.kind == "denied":
            # There is no privilege of its own for it (databricks-sdk 0.156.0 `Privilege`).
            raise WorkspaceError(
                error.kind,
                str(error),
                f"Publishing {source} needs USE_CATALOG, USE_SCHEMA and SELECT on it, CREATE_TABLE in "
                f"{online_table.rpartition('.')[0]} for {online_table}, and the use of online store {store}",
            ) from None
        if error.kind != "conflict":
            raise
        raise ProviderError(
            str(error),
            f"{online_table} exists already and is no copy of {source}: delete it, or choose another online_table",
        ) from None
    # Publishing can fail without an error (databricks-sdk-py#1134).
    if not answer.pipeline_id:
        raise ProviderError(
            f"publishing {source} as {online_table}: the workspace accepted it and started no pipeline",
            "Look at the online store in the workspace, then run `pulumi up` again",
        )
    return answer.pipeline_id


def sync_state(client: WorkspaceClient, pipeline_id: str, *, ignoring: str | None = None) -> SyncState:
    """The state of the publication that a pipeline keeps in step.

    Args:
        ignoring: id of an update that was over before; while it is still the latest one, the next has not begun.

    Raises:
        WorkspaceError: the workspace does not say.
    """
    try:
        with asking(f"reading pipeline {pipeline_id}"):
            found = client.pipelines.get(pipeline_id)
    except AbsentError:
        return SyncState(OFFLINE, None, "the pipeline is gone", is_continuous=False, is_over=True)
    updates = found.latest_updates or []
    states = [update.state.value if update.state else "CREATED" for update in updates]
    latest = updates[0].update_id if updates else None
    is_continuous = bool(found.spec and found.spec.continuous)
    is_over = not states or states[0] in _OVER
    if latest is not None and latest == ignoring:
        return SyncState("ONLINE_UPDATING_PIPELINE_RESOURCES", latest, "", is_continuous, is_over)
    return SyncState(_word(states, is_continuous), latest, found.cause or "", is_continuous, is_over)


def held_commit(client: WorkspaceClient, online_table: str) -> datetime | None:
    """When the newest commit was made that the copy holds; None where the workspace does not say.

    Read from the table's entry as a synced table, which online stores on Lakebase have (an assumption, as above).
    """
    try:
        with asking(f"reading synced table {online_table}"):
            found = client.database.get_synced_database_table(online_table)
    except WorkspaceError:
        return None
    status = found.data_synchronization_status
    info = status.last_sync.delta_table_sync_info if status and status.last_sync else None
    return None if info is None or not info.delta_commit_timestamp else _moment(info.delta_commit_timestamp)


def start_sync(client: WorkspaceClient, pipeline_id: str) -> None:
    """Starts an update of the pipeline; one that runs already is fine. Raises WorkspaceError."""
    try:
        with asking(f"starting pipeline {pipeline_id}"):
            client.pipelines.start_update(pipeline_id)
    except WorkspaceError as error:
        if error.kind != "conflict":
            raise


def unpublish(client: WorkspaceClient, online_table: str) -> None:
    """Deletes the online table; one that is gone already is fine. Raises WorkspaceError."""
    try:
        with asking(f"deleting online table {online_table}"):
            client.feature_store.delete_online_table(online_table)
    except AbsentError:
        return


def _word(states: list[str], is_continuous: bool) -> str:
    """Pipeline updates, newest first, in the words of an online table."""
    if not states:
        return PROVISIONING
    latest, was_online = states[0], "COMPLETED" in states[1:] or (is_continuous and "RUNNING" in states[1:])
    if latest == "COMPLETED":
        return "ONLINE_NO_PENDING_UPDATE"
    if latest in ("FAILED", "CANCELED"):
        return "ONLINE_PIPELINE_FAILED" if was_online else "OFFLINE_FAILED"
    if latest in _STARTING:
        return "ONLINE_UPDATING_PIPELINE_RESOURCES" if was_online else "PROVISIONING_PIPELINE_RESOURCES"
    if is_continuous:
        return "ONLINE_CONTINUOUS_UPDATE"
    return "ONLINE_TRIGGERED_UPDATE" if was_online else "PROVISIONING_INITIAL_SNAPSHOT"


def _refuse_another_source(client: WorkspaceClient, source: str, online_table: str) -> None:
    """An online store is a Lakebase database, and its tables are synced tables: their API names the source.

    Nothing is concluded where it does not answer (a store of another kind): the publish call itself refuses then.
    """
    if not table_exists(client, online_table):
        return
    try:
        with asking(f"reading synced table {online_table}"):
            synced = client.database.get_synced_database_table(online_table)
    except WorkspaceError:
        return
    found = synced.spec.source_table_full_name if synced.spec else None
    if found is not None and found.lower() != source.lower():
        raise ProviderError(
            f"online table {online_table} is a copy of {found}, expected {source}",
            "Choose another online_table, or delete that one where it was made",
        )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
