"""`SyncedTable`: waits for a table that Lakebase keeps in step, and syncs it again when its source has moved on.

The table itself is a resource of the plugin (`PostgresSyncedTable`), which is done when the workspace has accepted it,
and knows no second sync. The source is checked, and the sync waited for, as for a published table: both are kept by a
pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pulumi

from . import engine
from .copy_args import CopyArgs
from .errors import AbsentError, WorkspaceError, asking
from .explicit_provider import WorkspaceResource
from .provider import Props, guarded
from .published_table import PublishedTableProvider


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
class SyncedTableArgs(CopyArgs):
    """What a `SyncedTable` is made of."""

    pipeline_id: pulumi.Input[str]
    """The pipeline that keeps it in step (`status.pipeline_id` of the synced table)."""


class SyncedTable(WorkspaceResource, module="serving", name="SyncedTable"):
    """A synced table of Lakebase, in step with its source."""

    online_table: pulumi.Output[str]
    """Known when the copy is online, so whatever takes it waits for that."""
    state: pulumi.Output[str]
    """In the words of Databricks' online tables."""

    def __init__(self, name: str, args: SyncedTableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        # Another pipeline is another copy, as another store is for a published table.
        pipeline = {"online_store": args.pipeline_id, "synced_by": args.pipeline_id}
        super().__init__(SyncedTableProvider(), name, {**args.inputs(), **pipeline}, opts)
