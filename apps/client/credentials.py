"""How requests to an endpoint authenticate: the way databricks-sdk does, so tokens, OAuth and profiles all work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

Authorization = Callable[[], Mapping[str, str]]
"""Gives the headers of one request; called for each, because OAuth tokens are renewed."""

_SECONDS = 10


class CredentialsError(Exception):
    """There are no credentials for the workspace that the endpoint is in."""


def authorization(endpoint_url: str | None = None, *, profile: str | None = None) -> Authorization:
    """Headers from the environment (`DATABRICKS_HOST`, `DATABRICKS_TOKEN`, `DATABRICKS_CLIENT_ID` ...) or a profile.

    Args:
        endpoint_url: where the headers will be sent; credentials of another workspace are refused.
        profile: of the Databricks configuration file; its default one, or the environment, when left out.

    Raises:
        CredentialsError: there are none, or they are for another workspace. So does the function that is returned, when
            the workspace gives no token any more (the secret has expired, the principal is gone).
    """
    from databricks.sdk.core import Config

    try:
        # The SDK asks the host about itself at once; left alone it would try that for five minutes.
        config = Config(profile=profile, retry_timeout_seconds=_SECONDS, http_timeout_seconds=_SECONDS)
    except ValueError as error:
        raise CredentialsError(
            f"no Databricks credentials: {_words(error)}; set DATABRICKS_HOST and DATABRICKS_TOKEN"
        ) from None
    if endpoint_url is not None and _place(endpoint_url) != _place(config.host or ""):
        raise CredentialsError(
            f"the endpoint is in {'://'.join(_shown(endpoint_url))}, the credentials are for "
            f"{config.host or 'no workspace'}: they are not sent there. "
            "Set DATABRICKS_HOST and its token for the endpoint's workspace"
        )

    def headers() -> Mapping[str, str]:
        # The SDK's errors and the network's are OSErrors, a refusal of an OAuth server is a ValueError.
        try:
            return config.authenticate()
        except (ValueError, OSError) as error:
            raise CredentialsError(f"{config.host} gives no token ({config.auth_type}): {_words(error)}") from None

    return headers


def _place(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: a token that was made for https is not sent over http."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _shown(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2]


def _words(error: Exception) -> str:
    """The SDK's message without its listing of the configuration."""
    return str(error).partition(" Config: ")[0].strip() or type(error).__name__
