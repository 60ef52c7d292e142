"""Dynamic providers: what Databricks serving needs and its plugin lacks. `PublishedTable`, `SmokeQuery`,
`ModelAlias`, `EndpointSettings`."""

from .endpoint_settings import EndpointSettings, EndpointSettingsArgs
from .model_alias import ModelAlias, ModelAliasArgs
from .published_table import PublishedTable, PublishedTableArgs
from .smoke_resource import GoldenQuery, SmokeQuery, SmokeQueryArgs
from .smoke_suite import SmokeCase, SmokeExpectation
from .synced_table import SyncedTable, SyncedTableArgs

__all__ = [
    "EndpointSettings",
    "EndpointSettingsArgs",
    "GoldenQuery",
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
