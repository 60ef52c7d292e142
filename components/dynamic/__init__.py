"""Dynamic providers: what Databricks serving needs and its plugin lacks. `PublishedTable`, `SmokeQuery`,
`ModelAlias`, `EndpointSettings`."""

from components.dynamic.endpoint_settings import EndpointSettings, EndpointSettingsArgs
from components.dynamic.model_alias import ModelAlias, ModelAliasArgs
from components.dynamic.published_table import PublishedTable, PublishedTableArgs
from components.dynamic.smoke_resource import GoldenQuery, SmokeQuery, SmokeQueryArgs
from components.dynamic.smoke_suite import SmokeCase, SmokeExpectation
from components.dynamic.synced_table import SyncedTable, SyncedTableArgs

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
