"""Whom an endpoint will run as: whoever creates it, for good. Said at preview, before it is too late.

Source: Databricks, "Create custom model serving endpoints": the identity that creates an endpoint is recorded, is what
it reaches Unity Catalog as, owns its inference table, and cannot be changed afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from .dynamic.errors import WorkspaceError, asking
from .standing_endpoint import standing_endpoint

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_WAY_OUT = (
    "deploy as the serving principal (DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or a profile of its own); an "
    "endpoint that is there already has to be made anew for that"
)


def check_deployer(endpoint: str, serving_principal: str, client: WorkspaceClient) -> None:
    """Warns where the endpoint runs, or is going to run, as somebody else than the principal that gets the rights.

    Args:
        endpoint: its name; one that is there tells its creator, one that is not will have the caller.
        serving_principal: gets SELECT on online tables and EXECUTE on the model.
    """
    try:
        found = standing_endpoint(endpoint, client)
        creator, runs = found.creator if found else None, "runs"
        if creator is None:
            with asking("reading the current user"):
                creator, runs = client.current_user.me().user_name, "is going to run"
    except WorkspaceError as error:
        pulumi.log.warn(f"whom endpoint {endpoint} runs as was not looked at: {error}")
        return
    if not creator or creator == serving_principal:
        return
    # A service principal is called by its application id, a person by an address.
    who = f"{creator}, a person, who may leave" if "@" in creator else creator
    pulumi.log.warn(
        f"endpoint {endpoint} {runs} as {who}: its creator, which cannot be changed. The rights go to servingPrincipal "
        f"{serving_principal}: {_WAY_OUT}"
    )
