"""The provider's own arguments (facts of the installed package: 1.118.0, ``Provider.__init__``)."""

from collections.abc import Mapping
from typing import Any, Final

from toolchain.provider.check import convert
from toolchain.provider.schema import Kind

ALLOW_REMOTE: Final = "ALLOW_STANDIN_REMOTE"

SECRETS: Final = frozenset(
    {"azureClientSecret", "clientSecret", "googleCredentials", "metadataServiceUrl", "password", "token"}
)

_TEXTS: Final = SECRETS | {
    "accountId",
    "actionsIdTokenRequestToken",
    "actionsIdTokenRequestUrl",
    "audience",
    "authType",
    "azureClientId",
    "azureEnvironment",
    "azureLoginAppId",
    "azureTenantId",
    "azureWorkspaceResourceId",
    "cloud",
    "clientId",
    "clusterId",
    "configFile",
    "databricksCliPath",
    "databricksIdTokenFilepath",
    "discoveryUrl",
    "googleServiceAccount",
    "groupId",
    "host",
    "oauthCallbackPort",
    "oidcTokenEnv",
    "profile",
    "serverlessComputeId",
    "username",
    "warehouseId",
    "workspaceId",
}
_INTEGERS: Final = frozenset({"debugTruncateBytes", "httpTimeoutSeconds", "rateLimit", "retryTimeoutSeconds"})
_BOOLEANS: Final = frozenset({"azureUseMsi", "debugHeaders", "disableOauthRefreshToken", "skipVerify"})
KNOWN: Final = _TEXTS | _INTEGERS | _BOOLEANS | {"scopes"}
ENGINE_KEYS: Final = frozenset(
    {"version", "pluginDownloadURL", "pluginDownloadUrl", "pluginChecksums", "parameterization"}
)
"""Keys that the engine puts among the arguments for itself."""


def kind_of(key: str) -> Kind:
    if key in _INTEGERS:
        return Kind.INTEGER
    return Kind.BOOLEAN if key in _BOOLEANS else Kind.TEXT


def for_sdk(settings: Mapping[str, object], accepted: set[str]) -> dict[str, Any]:
    """The arguments of ``databricks.sdk.core.Config``: snake names, only those it ``accepted``, without absent ones."""
    arguments: dict[str, Any] = {}  # each of Config's keywords has a type of its own
    for key, value in settings.items():
        name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
        if name in accepted and value not in (None, ""):
            arguments[name] = value if key == "scopes" else convert(kind_of(key), value)
    return arguments
