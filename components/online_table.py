"""`FeatureOnlineTable`: a feature table's online copy, ready to be looked up.

Two backends: an online store that the table is published to (what Model Serving looks features up in), or a Lakebase
branch that it is synced into. The publication itself is no resource of the provider; `components/dynamic` publishes,
checks the source at preview (primary key, NOT NULL, change data feed) and waits until the copy is online. Databricks'
own `OnlineTable` is gone since January 2026, and is no backend here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from . import databricks
from .arguments import Arguments
from .dynamic import PublishedTable, PublishedTableArgs, SyncedTable, SyncedTableArgs
from .names import ThreePartName, check_online_table
from .options import child_options

DEFAULT_SUFFIX = "_online"


@dataclass(frozen=True, kw_only=True)
class LakebaseTargetArgs(Arguments):
    """Where in Lakebase a table is synced into."""

    branch: pulumi.Input[str]
    """`projects/<id>/branches/<id>` (`LakebaseStore.branch`)."""
    database: pulumi.Input[str] = "databricks_postgres"
    """Postgres database on the branch."""
    storage_catalog: str | None = None
    """Catalog that the sync pipeline keeps its own files in; the source's when left out."""
    storage_schema: str | None = None
    """Schema for the same; the source's when left out."""


@dataclass(frozen=True, kw_only=True)
class FeatureOnlineTableArgs(Arguments):
    """What a `FeatureOnlineTable` is made of."""

    source_table: str
    """Feature table, `catalog.schema.table`: with a PRIMARY KEY, and a change data feed unless the mode is SNAPSHOT."""
    primary_keys: Sequence[str]
    """Key columns in the order of the source's PRIMARY KEY; callers send these."""
    online_store: pulumi.Input[str] | None = None
    """Name of the online store that it is published to. Exactly one of this and `lakebase`."""
    lakebase: LakebaseTargetArgs | None = None
    """Or the Lakebase branch that it is synced into."""
    timeseries_key: str | None = None
    """TIMESERIES column of the key: the online copy keeps the newest row."""
    publish_mode: Literal["SNAPSHOT", "TRIGGERED", "CONTINUOUS"] = "TRIGGERED"
    """SNAPSHOT copies all rows each time, TRIGGERED the changes when asked, CONTINUOUS the changes as they come."""
    online_table: str | None = None
    """Three-part name of the copy; the source's name plus `_online` when left out."""
    readers: Sequence[pulumi.Input[str]] = ()
    """Principals that may read the copy (SELECT). Authoritative: the stack owns this table."""
    triggers: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Whatever says that the source has moved on: a change syncs the copy before anything that depends on it."""
    poll_seconds: float = 30.0
    """Between two looks at the first sync."""
    timeout_seconds: float = 1800.0
    """How long the first sync may take."""
    max_commit_age_seconds: float | None = None
    """How old the newest commit may be that the copy holds when a deployment goes on; any age when left out."""
    max_lag_seconds: float | None = None
    """How far the copy may be behind the source's newest commit when a deployment goes on; any lag when left out."""
    warehouse_id: pulumi.Input[str] | None = None
    """SQL warehouse that reads the source's newest commit; with `max_lag_seconds`."""

    @property
    def online_name(self) -> str:
        """The copy's three-part name. Raises ValueError where it is not one, or too long for Postgres."""
        ThreePartName.parse(self.source_table, what="source_table")
        return check_online_table(self.online_table or f"{self.source_table}{DEFAULT_SUFFIX}")


class FeatureOnlineTable(pulumi.ComponentResource):
    """A published feature table and who may read it.

    Raises:
        ValueError: a name is not a three-part name, or there is no primary key; nothing has been registered then.
    """

    online_name: str
    online_table: pulumi.Output[str]
    state: pulumi.Output[str]

    def __init__(self, name: str, args: FeatureOnlineTableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if not args.primary_keys:
            raise ValueError(
                f"{args.source_table} is published without primary keys; name the columns of its PRIMARY KEY"
            )
        if (args.online_store is None) == (args.lakebase is None):
            raise ValueError(
                f"{args.source_table} goes to an online store or to Lakebase; set exactly one of online_store and "
                f"lakebase"
            )
        online_name = args.online_name
        super().__init__("databricks-serving:index:FeatureOnlineTable", name, None, opts)
        child = child_options(self, opts)
        self.synced = None if args.lakebase is None else _synced(name, args, args.lakebase, child)
        self.published = (
            _published(name, args, child) if self.synced is None else _waited_for(name, args, self.synced, self)
        )
        self.grants = self._grants(name, args)
        self.online_name = online_name
        self.online_table = self.published.online_table
        self.state = self.published.state
        self.register_outputs({"online_table": self.online_table, "state": self.state})

    def _grants(self, name: str, args: FeatureOnlineTableArgs) -> databricks.Grants | None:
        if not args.readers:
            return None
        return databricks.Grants(
            f"{name}-readers",
            table=self.published.online_table,
            grants=[databricks.GrantsGrantArgs(principal=reader, privileges=["SELECT"]) for reader in args.readers],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _published(name: str, args: FeatureOnlineTableArgs, opts: pulumi.ResourceOptions) -> PublishedTable:
    return PublishedTable(
        name,
        PublishedTableArgs(
            source_table=str(ThreePartName.parse(args.source_table)),
            online_store=args.online_store or "",
            online_table=args.online_name,
            primary_keys=list(args.primary_keys),
            timeseries_key=args.timeseries_key,
            publish_mode=args.publish_mode,
            triggers=args.triggers,
            poll_seconds=args.poll_seconds,
            timeout_seconds=args.timeout_seconds,
            max_commit_age_seconds=args.max_commit_age_seconds,
            max_lag_seconds=args.max_lag_seconds,
            warehouse_id=args.warehouse_id,
        ),
        opts,
    )


def _synced(
    name: str,
    args: FeatureOnlineTableArgs,
    target: LakebaseTargetArgs,
    opts: pulumi.ResourceOptions,
) -> databricks.PostgresSyncedTable:
    source = ThreePartName.parse(args.source_table)
    return databricks.PostgresSyncedTable(
        name,
        synced_table_id=args.online_name,
        spec=databricks.PostgresSyncedTableSpecArgs(
            source_table_full_name=str(source),
            primary_key_columns=list(args.primary_keys),
            timeseries_key=args.timeseries_key,
            scheduling_policy=args.publish_mode,
            branch=target.branch,
            postgres_database=target.database,
            create_database_objects_if_missing=True,
            new_pipeline_spec=databricks.PostgresSyncedTableSpecNewPipelineSpecArgs(
                storage_catalog=target.storage_catalog or source.catalog,
                storage_schema=target.storage_schema or source.schema,
            ),
        ),
        # Two of one name cannot stand side by side, and the provider would make the new one first.
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(delete_before_replace=True)),
    )


def _waited_for(
    name: str, args: FeatureOnlineTableArgs, synced: databricks.PostgresSyncedTable, parent: pulumi.Resource
) -> SyncedTable:
    return SyncedTable(
        f"{name}-sync",
        SyncedTableArgs(
            source_table=str(ThreePartName.parse(args.source_table)),
            online_table=args.online_name,
            pipeline_id=synced.status.apply(lambda status: status.pipeline_id or ""),
            primary_keys=list(args.primary_keys),
            timeseries_key=args.timeseries_key,
            publish_mode=args.publish_mode,
            triggers=args.triggers,
            poll_seconds=args.poll_seconds,
            timeout_seconds=args.timeout_seconds,
            max_commit_age_seconds=args.max_commit_age_seconds,
            max_lag_seconds=args.max_lag_seconds,
            warehouse_id=args.warehouse_id,
        ),
        pulumi.ResourceOptions(parent=parent),
    )
