"""A workspace client from a stack's settings and the environment, that fails fast where no workspace answers.

Credentials are read when an operation runs. They are never part of a provider's pickled form, of inputs or of outputs.
databricks-sdk retries an unreachable host for five minutes by default (measured, 0.156.0); a probe before it does not.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..late_packages import load_late
from .services import WorkspaceServices

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

load_late("databricks.sdk")

CONNECT_DEADLINE_SECONDS = 10.0
# The SDK's own retries (429, 503, connection errors) end after this; its default of 300 s would make a preview hang.
RETRY_SECONDS = 60
HTTP_TIMEOUT_SECONDS = 60.0
_METADATA_SECONDS = 5

NAMESPACE = "databricks"
# Of the official provider's configuration, what databricks-sdk's Config takes under the same name in snake case.
SETTINGS = (
    "host",
    "token",
    "clientId",
    "clientSecret",
    "profile",
    "configFile",
    "accountId",
    "workspaceId",
    "authType",
    "username",
    "password",
    "azureWorkspaceResourceId",
    "azureClientId",
    "azureClientSecret",
    "azureTenantId",
    "azureEnvironment",
    "azureUseMsi",
    "googleServiceAccount",
    "googleCredentials",
    "databricksCliPath",
    "metadataServiceUrl",
    "skipVerify",
)
SETTING_KEYS = tuple(f"{NAMESPACE}:{name}" for name in SETTINGS)
_BOOLEANS = frozenset({"azureUseMsi", "skipVerify"})


class WorkspaceConnectionError(Exception):
    """There is no usable connection to a workspace."""


class WorkspaceUnreachableError(WorkspaceConnectionError):
    """Nothing answered at the host within `CONNECT_DEADLINE_SECONDS`."""


class WorkspaceCredentialsError(WorkspaceConnectionError):
    """The settings do not make a complete set of credentials."""


def workspace_client(settings: Mapping[str, Any]) -> WorkspaceClient:
    """A client for the workspace that the settings, and then the environment, name.

    Args:
        settings: stack configuration by full key, for example `databricks:host`; absent or empty values are left to the
            environment (`DATABRICKS_HOST`, `DATABRICKS_TOKEN`, a profile), as the official provider does.

    Raises:
        WorkspaceUnreachableError: nothing answers at the host; raised within `CONNECT_DEADLINE_SECONDS`.
        WorkspaceCredentialsError: there are no credentials, or more than one kind.
    """
    from databricks.sdk.core import Config

    arguments = _arguments(settings)
    host = arguments.get("host") or os.environ.get("DATABRICKS_HOST")
    if host:
        _require_answer(_with_scheme(str(host)))
    try:
        config = Config(
            **arguments,
            product="databricks-serving",
            product_version="0.1.0",
            retry_timeout_seconds=_METADATA_SECONDS,
            http_timeout_seconds=_METADATA_SECONDS,
        )
    except ValueError as error:
        raise WorkspaceCredentialsError(
            f"no usable credentials for {host or 'a workspace'}: {error}. "
            f"Set DATABRICKS_HOST and DATABRICKS_TOKEN, or {NAMESPACE}:host and {NAMESPACE}:token in the stack file"
        ) from None
    if not host:
        _require_answer(config.host)
    config.retry_timeout_seconds = RETRY_SECONDS
    config.http_timeout_seconds = HTTP_TIMEOUT_SECONDS
    return WorkspaceServices.client(config)


def _arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for name in SETTINGS:
        value = settings.get(f"{NAMESPACE}:{name}")
        if value in (None, ""):
            continue
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        arguments[snake] = str(value).lower() == "true" if name in _BOOLEANS else value
    return arguments


def _with_scheme(host: str) -> str:
    return host.rstrip("/") if "://" in host else f"https://{host.rstrip('/')}"


def _require_answer(host: str) -> None:
    """Any HTTP answer will do; what it says is the SDK's business."""
    failures: list[str] = []
    answered = threading.Event()
    prober = threading.Thread(target=_probe, args=(host, failures, answered), daemon=True)
    prober.start()
    # A thread, because no time-out of a socket covers a name lookup that hangs or a host with many dead addresses.
    if not answered.wait(CONNECT_DEADLINE_SECONDS):
        failures.append(f"no answer within {CONNECT_DEADLINE_SECONDS:g} seconds")
    if failures:
        raise WorkspaceUnreachableError(
            f"the workspace at {host} cannot be reached: {failures[0]}. "
            f"Check the host ({NAMESPACE}:host in the stack file, or DATABRICKS_HOST), "
            "that the workspace is running, and the network"
        )


def _probe(host: str, failures: list[str], answered: threading.Event) -> None:
    import requests

    try:
        requests.get(
            f"{host}/.well-known/databricks-config",
            timeout=CONNECT_DEADLINE_SECONDS,
            allow_redirects=False,
            stream=True,
        ).close()
    except requests.exceptions.SSLError:
        # Something answers; whether its certificate is accepted is for the SDK, which knows `skipVerify`, to say.
        pass
    except requests.RequestException as error:
        failures.append(_reason(error))
    finally:
        answered.set()


def _reason(error: Exception) -> str:
    """The innermost cause: the outer ones repeat the URL and the pool."""
    innermost: BaseException = error
    while (inner := innermost.__cause__ or innermost.__context__) is not None:
        innermost = inner
    return str(innermost) or type(innermost).__name__
