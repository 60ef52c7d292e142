"""The endpoints that the chatbot asks, where they are this stack's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.ai_gateway import InferenceTableArgs
from components.config import ModelConfig
from components.registry import resolve_aliases
from components.served_entity import ServedEntityArgs
from components.serving_endpoint import EndpointPermission, ServingEndpoint, ServingEndpointArgs
from examples.rag.config import BehindConfig, RagConfig

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_THIS = "served"


def entity_of(behind: BehindConfig, config: RagConfig, client: WorkspaceClient) -> ServedEntityArgs | None:
    """What this stack serves there, its version looked up at preview; None for an endpoint that is there already."""
    if behind.model is None:
        return None
    versions = resolve_aliases(ModelConfig(name=behind.model, aliases={_THIS: behind.version}), client)
    return ServedEntityArgs(
        model=behind.model,
        version=versions[_THIS],
        traffic_percentage=100,
        scale_to_zero_enabled=config.scale_to_zero,
        workload_size=behind.workload_size,
    )


def table_of(behind: BehindConfig, config: RagConfig) -> InferenceTableArgs | None:
    """The inference table of an endpoint of this stack."""
    table = behind.inference_table
    if table is None:
        return None
    return InferenceTableArgs(
        catalog=table.catalog or config.catalog, schema=table.schema_name or config.schema_name, prefix=table.prefix
    )


def make_endpoint(behind: BehindConfig, entity: ServedEntityArgs, config: RagConfig) -> ServingEndpoint:
    """The endpoint; the serving principal, in whose name the chatbot asks, may query it."""
    return ServingEndpoint(
        behind.endpoint,
        ServingEndpointArgs(
            name=behind.endpoint,
            served_entities=[entity],
            inference_table=table_of(behind, config),
            tags=config.endpoint.tags,
            permissions=[EndpointPermission(level="CAN_QUERY", service_principal=config.serving_principal)],
            run_as=config.serving_principal,
            timeout=config.defaults.endpoint_timeout,
        ),
    )
