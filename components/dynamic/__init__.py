"""Dynamic providers: what Databricks serving needs and its plugin lacks. `PublishedTable`, `SmokeQuery`,
`ModelAlias`, `EndpointSettings`, `JobRun`."""

from .endpoint_settings import EndpointSettings, EndpointSettingsArgs
from .job_run import JobRun, JobRunArgs
from .model_alias import ModelAlias, ModelAliasArgs
from .published_table import PublishedTable, PublishedTableArgs
from .smoke_resource import GoldenQuery, SmokeQuery, SmokeQueryArgs
from .smoke_suite import SmokeCase, SmokeExpectation
from .synced_table import SyncedTable, SyncedTableArgs

__all__ = [
    "EndpointSettings",
    "EndpointSettingsArgs",
    "GoldenQuery",
    "JobRun",
    "JobRunArgs",
    "ModelAlias",
    "ModelAliasArgs",
    "PublishedTable",
    "PublishedTableArgs",
    "SmokeCase",
    "SmokeExpectation",
    "SmokeQuery",
    "SmokeQueryArgs",
    "SyncedTable",
    "SyncedTableArgs",
]
