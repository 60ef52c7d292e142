"""The taxi stack: online features, the fare endpoint, the queries that prove it, the alias that follows, the
monitor.
"""

from __future__ import annotations

import pulumi

from components.config import OBSERVED
from components.dynamic import ModelAlias, ModelAliasArgs, SmokeQuery, SmokeQueryArgs
from components.monitor import InferenceMonitor, InferenceMonitorArgs
from components.online_store import FeatureOnlineStore, FeatureOnlineStoreArgs
from components.online_table import FeatureOnlineTable, FeatureOnlineTableArgs
from components.outputs import export_outputs
from components.registry import check_versions_exist, resolve_aliases, served_entities
from components.serving_endpoint import EndpointPermission, InferenceTableArgs, ServingEndpoint, ServingEndpointArgs
from components.stack import connect, load_stack_config
from components.unpack import UnpackedSchema

config = load_stack_config()
client = connect()
versions = resolve_aliases(config.model, client)
entities = served_entities(config.endpoint, config.model, versions, scale_to_zero=config.scale_to_zero)
check_versions_exist(config.model.name, entities, client)

store = FeatureOnlineStore(
    "features",
    FeatureOnlineStoreArgs(
        name=config.online_store.name,
        capacity=config.online_store.capacity,
        read_replica_count=config.online_store.read_replica_count,
    ),
)
tables = [
    FeatureOnlineTable(
        table.source,
        FeatureOnlineTableArgs(
            source_table=config.qualified(table.source),
            online_store=store.store_name,
            primary_keys=table.primary_keys,
            timeseries_key=table.timeseries_key,
            publish_mode=table.publish_mode,
            online_table=None if table.online_name is None else config.qualified(table.online_name),
            readers=[config.serving_principal],
        ),
    )
    for table in config.feature_tables
]

inference_table = config.endpoint.inference_table
endpoint = ServingEndpoint(
    "taxi-fare",
    ServingEndpointArgs(
        name=config.endpoint.name,
        served_entities=entities,
        inference_table=None
        if inference_table is None
        else InferenceTableArgs(
            catalog=inference_table.catalog or config.catalog,
            schema=inference_table.schema_name or config.schema_name,
            prefix=inference_table.prefix,
        ),
        tags=config.endpoint.tags,
        permissions=[
            EndpointPermission(
                level=entry.level, group=entry.group, user=entry.user, service_principal=entry.service_principal
            )
            for entry in config.endpoint.permissions
        ],
        run_as=config.serving_principal,
        timeout=config.defaults.endpoint_timeout,
    ),
    pulumi.ResourceOptions(depends_on=tables),
)
