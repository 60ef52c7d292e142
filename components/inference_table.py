"""What can be done with an endpoint's inference table is decided by the endpoint that is there: asked at preview.

Source: databricks-sdk 0.156.0, `AiGatewayInferenceTableConfig`: "On update, you have to disable inference table first
in order to change" catalog, schema or prefix. The plugin checks nothing; its call fails in the middle of the update,
and its state then holds the new location.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from .ai_gateway import AiGatewayArgs, InferenceTableArgs, RateLimitArgs
from .config import EndpointConfig, ServingConfig
from .dynamic.errors import WorkspaceError
from .names import ThreePartName
from .standing_endpoint import standing_endpoint

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


class InferenceTableError(pulumi.RunError):
    """The inference table that the stack file asks for cannot be had from the endpoint. Shown without a traceback."""


def inference_table_of(config: ServingConfig) -> InferenceTableArgs | None:
    """The inference table of a stack file, in the stack's own catalog and schema unless it says otherwise."""
    table = config.endpoint.inference_table
    if table is None:
        return None
    return InferenceTableArgs(
        catalog=table.catalog or config.catalog, schema=table.schema_name or config.schema_name, prefix=table.prefix
    )


def gateway_of(endpoint: EndpointConfig) -> AiGatewayArgs:
    """What the gateway does besides the inference table, as a stack file says it."""
    return AiGatewayArgs(
        usage_tracking=endpoint.usage_tracking,
        rate_limits=[
            RateLimitArgs(calls=limit.calls, key=limit.key, principal=limit.principal) for limit in endpoint.limits
        ],
    )


def check_location(endpoint: str, wanted: InferenceTableArgs | None, client: WorkspaceClient) -> None:
    """Refuses to move an inference table that is on. Reads the workspace, never writes.

    Args:
        endpoint: name of the endpoint, which need not exist yet.
        wanted: where the stack file wants the table; None where it wants none.

    Raises:
        InferenceTableError: the endpoint writes to another table now, or the workspace did not say.
    """
    if wanted is None:
        return
    try:
        found = standing_endpoint(endpoint, client)
    except WorkspaceError as error:
        raise InferenceTableError(str(error)) from None
    live = found.ai_gateway.inference_table_config if found and found.ai_gateway else None
    if live is None or not live.enabled:
        return
    # The service's own default for a prefix is the endpoint's name.
    now = f"{live.catalog_name}.{live.schema_name}.{live.table_name_prefix or endpoint}_payload"
    if not ThreePartName.parse(now).same_as(ThreePartName.parse(wanted.table)):
        raise InferenceTableError(
            f"endpoint.inferenceTable: endpoint {endpoint} writes to {now}, and the stack file asks for "
            f"{wanted.table}: an inference table cannot be moved while it is on. Put the old catalog, schema and "
            "prefix back; or take inferenceTable and monitor out, run `pulumi up` (which drops the unpacked table and "
            "keeps the old inference table), and put them in again with the new location; or give the endpoint a new "
            "name too"
        )
