"""How requests to an endpoint authenticate: the way databricks-sdk does, so tokens, OAuth and profiles all work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

Authorization = Callable[[], Mapping[str, str]]
"""Gives the headers of one request; called for each, because OAuth tokens are renewed."""


class CredentialsError(Exception):
    """There are no credentials for the workspace that the endpoint is in."""


def authorization(endpoint_url: str | None = None, *, profile: str | None = None) -> Authorization:
    """Headers from the environment (`DATABRICKS_HOST`, `DATABRICKS_TOKEN`, `DATABRICKS_CLIENT_ID` ...) or a profile.

    Args:
        endpoint_url: where the headers will be sent; credentials of another workspace are refused.
        profile: of the Databricks configuration file; its default one, or the environment, when left out.

    Raises:
        CredentialsError: there are none, or they are for another workspace.
    """
    from databricks.sdk.core import Config

    try:
        config = Config(profile=profile) if profile else Config()
    except ValueError as error:
        reason = str(error).partition(" Config: ")[0]
        raise CredentialsError(
            f"no Databricks credentials: {reason}; set DATABRICKS_HOST and DATABRICKS_TOKEN"
        ) from None
    if endpoint_url is not None and urlsplit(endpoint_url).netloc != urlsplit(config.host or "").netloc:
        raise CredentialsError(
            f"the endpoint is in {urlsplit(endpoint_url).netloc}, the credentials are for "
            f"{urlsplit(config.host or '').netloc or 'no workspace'}: they are not sent there. "
            "Set DATABRICKS_HOST and its token for the endpoint's workspace"
        )
    return config.authenticate
