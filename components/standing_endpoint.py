"""What an endpoint that is there already does not let a stack file change: asked at preview.

Source: the provider (`ModelServing.routeOptimized` replaces) and the service, which has no call that changes it. The
new endpoint stands before the old one goes, so that it would be refused under the same name, while the update runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from .dynamic.errors import AbsentError, WorkspaceError, asking

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.serving import ServingEndpointDetailed


class StandingEndpointError(pulumi.RunError):
    """The endpoint that is there cannot become what the stack file says. Shown without a traceback."""


def standing_endpoint(endpoint: str, client: WorkspaceClient) -> ServingEndpointDetailed | None:
    """The endpoint of that name, None where there is none. Raises WorkspaceError where the workspace did not say."""
    try:
        with asking(f"reading endpoint {endpoint}"):
            return client.serving_endpoints.get(endpoint)
    except AbsentError:
        return None


def check_route(endpoint: str, wanted: bool, client: WorkspaceClient) -> None:
    """Refuses another `endpoint.routeOptimized` under the same name. Reads the workspace, never writes.

    Args:
        endpoint: name of the endpoint, which need not exist yet.
        wanted: what the stack file says.

    Raises:
        StandingEndpointError: the endpoint was made otherwise, or the workspace did not say.
    """
    try:
        found = standing_endpoint(endpoint, client)
    except WorkspaceError as error:
        raise StandingEndpointError(str(error)) from None
    if found is not None and bool(found.route_optimized) != wanted:
        made = "with" if found.route_optimized else "without"
        raise StandingEndpointError(
            f"endpoint.routeOptimized is {str(wanted).lower()}, and endpoint {endpoint} was made {made} route "
            "optimisation, which cannot be changed: give the endpoint a new name too (the new one answers before the "
            "old one goes), or put the old value back"
        )
