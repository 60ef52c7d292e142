"""`FeatureOnlineTable`: a feature table's online copy, ready to be looked up by an endpoint.

The publication itself is no resource of the provider; `components/dynamic` publishes, checks the source at
preview (primary key, NOT NULL, change data feed) and waits until the copy is online.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from components import databricks
from components.dependencies import dependencies
from components.dynamic import PublishedTable, PublishedTableArgs
from components.names import ThreePartName

DEFAULT_SUFFIX = "_online"


@dataclass(frozen=True, kw_only=True)
class FeatureOnlineTableArgs:
    """What a `FeatureOnlineTable` is made of."""

    source_table: str
    """Feature table, `catalog.schema.table`: with a PRIMARY KEY, and a change data feed unless the mode is SNAPSHOT."""
    online_store: pulumi.Input[str]
    """Name of the online store."""
    primary_keys: Sequence[str]
    """Key columns in the order of the source's PRIMARY KEY; callers send these."""
    timeseries_key: str | None = None
    """TIMESERIES column of the key: the online copy keeps the newest row."""
    publish_mode: Literal["SNAPSHOT", "TRIGGERED", "CONTINUOUS"] = "TRIGGERED"
    """SNAPSHOT copies all rows each time, TRIGGERED the changes when asked, CONTINUOUS the changes as they come."""
    online_table: str | None = None
    """Three-part name of the copy; the source's name plus `_online` when left out."""
    readers: Sequence[str] = ()
    """Principals that may read the copy (SELECT). Authoritative: the stack owns this table."""
    triggers: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Whatever says that the source has moved on: a change syncs the copy before anything that depends on it."""
    poll_seconds: float = 30.0
    """Between two looks at the first sync."""
    timeout_seconds: float = 1800.0
    """How long the first sync may take."""

    @property
    def online_name(self) -> str:
        """The copy's three-part name. Raises ValueError where it is not one."""
        return str(ThreePartName.parse(self.online_table or f"{self.source_table}{DEFAULT_SUFFIX}"))


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
        online_name = args.online_name
        super().__init__("databricks-serving:index:FeatureOnlineTable", name, None, opts)
        self.published = PublishedTable(
            name,
            PublishedTableArgs(
                source_table=str(ThreePartName.parse(args.source_table)),
                online_store=args.online_store,
                online_table=online_name,
                primary_keys=list(args.primary_keys),
                timeseries_key=args.timeseries_key,
                publish_mode=args.publish_mode,
                triggers=args.triggers,
                poll_seconds=args.poll_seconds,
                timeout_seconds=args.timeout_seconds,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=dependencies(opts)),
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
