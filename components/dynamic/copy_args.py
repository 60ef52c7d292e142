"""What a copy of a feature table is made of, whoever keeps it in step: an online store, or Lakebase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from ..arguments import Arguments
from .provider import Props

PROVIDER_VERSION = "1"


@dataclass(frozen=True, kw_only=True)
class CopyArgs(Arguments):
    """The source, the copy, and how long the one may take to become the other."""

    source_table: pulumi.Input[str]
    """Feature table, `catalog.schema.table`, with a PRIMARY KEY on columns that are NOT NULL."""
    online_table: pulumi.Input[str]
    """Name of the copy, `catalog.schema.table`."""
    primary_keys: pulumi.Input[Sequence[str]]
    """Key columns in the order of the source's PRIMARY KEY, with or without the time-series column."""
    timeseries_key: pulumi.Input[str] | None = None
    """TIMESERIES column of the PRIMARY KEY: of the rows of one key the copy keeps the newest."""
    publish_mode: pulumi.Input[Literal["SNAPSHOT", "TRIGGERED", "CONTINUOUS"]] = "TRIGGERED"
    """SNAPSHOT copies all rows each time. TRIGGERED copies the changes when asked, CONTINUOUS as they come; both read
    the change data feed.
    """
    poll_seconds: float = 30.0
    """Between two looks at the state."""
    timeout_seconds: float = 1800.0
    """For the store to be available, and again for the first sync."""
    max_commit_age_seconds: float | None = None
    """How old the newest commit may be that the copy holds when a deployment goes on; any age when left out."""
    max_lag_seconds: float | None = None
    """How far the copy may be behind the source's newest commit when a deployment goes on; any lag when left out."""
    warehouse_id: pulumi.Input[str] | None = None
    """SQL warehouse that reads the source's newest commit; with `max_lag_seconds`."""
    triggers: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Whatever says that the source has moved on, for example the model version trained on it: a change syncs again
    and waits, so that whatever depends on the copy meets the rows of that moment. Text, by name.
    """
    provider_version: str = PROVIDER_VERSION
    """Version of the provider's behaviour; a new one shows as an update, which syncs again."""

    def inputs(self) -> Props:
        """The properties of the resource, what is only known afterwards among them."""
        return {
            "source_table": self.source_table,
            "online_table": self.online_table,
            "primary_keys": self.primary_keys,
            "timeseries_key": self.timeseries_key,
            "publish_mode": self.publish_mode,
            "poll_seconds": self.poll_seconds,
            "timeout_seconds": self.timeout_seconds,
            "max_commit_age_seconds": self.max_commit_age_seconds,
            "max_lag_seconds": self.max_lag_seconds,
            "warehouse_id": self.warehouse_id,
            "triggers": dict(self.triggers),
            "provider_version": self.provider_version,
            "pipeline_id": None,
            "state": None,
        }
