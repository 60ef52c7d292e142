"""`SyncedTable`: waits for a table that Lakebase keeps in step, and syncs it again when its source has moved on.

The table itself is a resource of the plugin (`PostgresSyncedTable`), which is done when the workspace has accepted it,
and knows no second sync. The source is checked, and the sync waited for, as for a published table: both are kept by a
pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import pulumi

from ..arguments import Arguments
from . import engine
from .errors import AbsentError, WorkspaceError, asking
from .explicit_provider import WorkspaceResource
from .provider import Props, guarded
from .published_table import PublishedTableProvider

PROVIDER_VERSION = "1"


class SyncedTableProvider(PublishedTableProvider):
    """A `PublishedTableProvider` for a pipeline that somebody else has made, and takes away."""

    @guarded
    def delete(self, _id: str, _props: Props) -> None:
        """Nothing is taken away here: the table goes with its own resource."""

    def _publish(self, inputs: Props) -> str:
        pipeline_id: str = inputs["synced_by"]
        return pipeline_id

    def _held_commit(self, inputs: Props) -> datetime | None:
        name = f"synced_tables/{inputs['online_table']}"
        try:
            with asking(f"reading synced table {inputs['online_table']}"):
                found = self.client.postgres.get_synced_table(name)
        except AbsentError:
            return None
        except WorkspaceError as error:
            engine.warn(self.redact(str(error)))
            return None
        last = found.status.last_sync if found.status else None
        info = last.delta_table_sync_info if last else None
        if info is None or info.delta_commit_time is None:
            return None
        return info.delta_commit_time.ToDatetime(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class SyncedTableArgs(Arguments):
    """What a `SyncedTable` is made of."""

    source_table: pulumi.Input[str]
    """Feature table, `catalog.schema.table`, with a PRIMARY KEY on columns that are NOT NULL."""
    online_table: pulumi.Input[str]
    """Name of the copy, `catalog.schema.table`."""
    pipeline_id: pulumi.Input[str]
    """The pipeline that keeps it in step (`status.pipeline_id` of the synced table)."""
    primary_keys: pulumi.Input[Sequence[str]]
    """Key columns in the order of the source's PRIMARY KEY."""
    timeseries_key: pulumi.Input[str] | None = None
    """TIMESERIES column of the PRIMARY KEY."""
    publish_mode: pulumi.Input[Literal["SNAPSHOT", "TRIGGERED", "CONTINUOUS"]] = "TRIGGERED"
    """The scheduling policy of the synced table."""
    poll_seconds: float = 30.0
    """Between two looks at the state."""
    timeout_seconds: float = 1800.0
    """For the first sync."""
    max_commit_age_seconds: float | None = None
    """How old the newest commit may be that the copy holds when a deployment goes on; any age when left out."""
    max_lag_seconds: float | None = None
    """How far the copy may be behind the source's newest commit when a deployment goes on; any lag when left out."""
    warehouse_id: pulumi.Input[str] | None = None
    """SQL warehouse that reads the source's newest commit; with `max_lag_seconds`."""
    triggers: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Whatever says that the source has moved on: a change syncs again and waits."""
    provider_version: str = PROVIDER_VERSION
    """Version of the provider's behaviour; a new one shows as an update, which syncs again."""


class SyncedTable(WorkspaceResource, module="serving", name="SyncedTable"):
    """A synced table of Lakebase, in step with its source."""

    online_table: pulumi.Output[str]
    """Known when the copy is online, so whatever takes it waits for that."""
    state: pulumi.Output[str]
    """In the words of Databricks' online tables."""

    def __init__(self, name: str, args: SyncedTableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: Props = {
            "source_table": args.source_table,
            # Another pipeline is another copy, as another store is for a published table.
            "online_store": args.pipeline_id,
            "synced_by": args.pipeline_id,
            "online_table": args.online_table,
            "primary_keys": args.primary_keys,
            "timeseries_key": args.timeseries_key,
            "publish_mode": args.publish_mode,
            "poll_seconds": args.poll_seconds,
            "timeout_seconds": args.timeout_seconds,
            "max_commit_age_seconds": args.max_commit_age_seconds,
            "max_lag_seconds": args.max_lag_seconds,
            "warehouse_id": args.warehouse_id,
            "triggers": dict(args.triggers),
            "provider_version": args.provider_version,
            "pipeline_id": None,
            "state": None,
        }
        super().__init__(SyncedTableProvider(), name, props, opts)
