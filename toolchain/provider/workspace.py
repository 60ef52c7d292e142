"""The way to the workspace: databricks-sdk's client, with a guard in front and secrets kept out of every message."""

import configparser
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from toolchain.provider.codec import REDACTED
from toolchain.provider.errors import PluginError, RestError
from toolchain.provider.settings import ALLOW_REMOTE, for_sdk

if TYPE_CHECKING:
    from databricks.sdk.core import ApiClient

ME: Final = "/api/2.0/preview/scim/v2/Me"
_ORG_HEADER: Final = "X-Databricks-Org-Id"
_WORKSPACE_HEADER: Final = "X-Databricks-Workspace-Id"
_REACH_SECONDS: Final = 8.0
_LOCAL_RETRY_SECONDS: Final = 30
"""On this machine a server that was killed stays away until somebody starts it; the SDK's own limit is 300 s."""
_SHORTEST_SECRET: Final = 4
"""Shorter secrets are not redacted: they would blank out ordinary words."""


class Workspace:
    """One workspace, as the provider's configuration names it. Safe to use from several threads.

    Args:
        settings: the provider's arguments in wire names, without secrets' wrappers.
        environment: where the SDK's variables are looked up for the host.
        reach_seconds: how long to try to connect before the host counts as unreachable.
    """

    def __init__(
        self,
        settings: Mapping[str, object],
        environment: Mapping[str, str] | None = None,
        *,
        reach_seconds: float = _REACH_SECONDS,
    ) -> None:
        self._reach_seconds = reach_seconds
        self._settings = dict(settings)
        self._environment = os.environ if environment is None else environment
        self._lock = threading.Lock()
        self._client: ApiClient | None = None
        self._workspace_id = ""
        self._secrets: set[str] = set()
        self._remote_seen = False
        self.host = self._find_host()

    def _find_host(self) -> str:
        host = self._settings.get("host") or self._environment.get("DATABRICKS_HOST") or self._host_of_profile()
        if not isinstance(host, str) or not host:
            raise PluginError(
                "no workspace host: set `databricks:host` in the stack file, or DATABRICKS_HOST, or a profile with a "
                "host"
            )
        return (host if "://" in host else f"https://{host}").rstrip("/")

    def _host_of_profile(self) -> str:
        path = self._settings.get("configFile") or self._environment.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg"
        profile = self._settings.get("profile") or self._environment.get("DATABRICKS_CONFIG_PROFILE") or "DEFAULT"
        parser = configparser.ConfigParser()
        parser.read(Path(str(path)).expanduser())
        return parser.get(str(profile), "host", fallback="")

    def guard(self) -> None:
        """Refuses a host this plugin should not touch, and one that does not answer.

        Raises:
            PluginError: the host is not loopback and nobody allowed that, or nothing listens there.
        """
        if not self.is_local and self._environment.get(ALLOW_REMOTE) != "1":
            raise PluginError(
                f"this is the stand-in `databricks` plugin, and {self.host} is not on this machine; use the official "
                "plugin for it "
                f"(`pulumi plugin install resource databricks`), or set {ALLOW_REMOTE}=1 to let the stand-in manage "
                "that workspace"
            )
        self._reach()

    @property
    def is_local(self) -> bool:
        name = urlsplit(self.host).hostname or ""
        if name == "localhost":
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def _reach(self) -> None:
        """A bounded connection attempt: left alone, the SDK would retry an unreachable host for five minutes."""
        address = urlsplit(self.host)
        port = address.port or (80 if address.scheme == "http" else 443)
        until = time.monotonic() + self._reach_seconds
        while True:
            try:
                socket.create_connection(
                    (address.hostname or "", port), timeout=max(until - time.monotonic(), 0.1)
                ).close()
                return
            except OSError as error:
                if time.monotonic() + 0.5 > until or isinstance(error, socket.gaierror):
                    raise PluginError(
                        f"no workspace answers at {self.host}: {error.strerror or error}; start it, or correct "
                        "`databricks:host` "
                        "or DATABRICKS_HOST"
                    ) from error
                time.sleep(0.25)

    def hide(self, texts: Iterable[str]) -> None:
        """From now on these texts appear in no message."""
        self._secrets.update(text for text in texts if len(text) >= _SHORTEST_SECRET)

    def redact(self, message: str) -> str:
        """``message`` without anything secret this process has seen."""
        for text in sorted(self._secrets, key=len, reverse=True):
            message = message.replace(text, REDACTED)
        return message

    def do(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> dict[str, object]:
        """Sends one request, with the SDK's retries, and returns the JSON object of the answer.

        Raises:
            RestError: the workspace refused.
            PluginError: it cannot be reached.
        """
        return self._send(method, path, query, body)[0]

    def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Mapping[str, object] | None
    ) -> tuple[dict[str, object], str]:
        from databricks.sdk.errors import NotFound
        from databricks.sdk.errors.base import DatabricksError

        client = self._connect()
        headers = {_WORKSPACE_HEADER: self._workspace_id} if self._workspace_id else {}
        try:
            answer = client.do(
                method,
                path,
                query=dict(query) if query else None,
                body=dict(body) if body is not None else None,
                headers={"Accept": "application/json", **headers},
                response_headers=[_ORG_HEADER],
            )
        except NotFound as error:
            raise self._refused(method, path, error.error_code, str(error), not_found=True) from error
        except DatabricksError as error:
            managed = any("MANAGED_BY_PARENT" in (info.metadata or {}).values() for info in error.get_error_info())
            raise self._refused(
                method, path, error.error_code, str(error), not_found=False, managed_by_parent=managed
            ) from error
        except (OSError, TimeoutError, ValueError) as error:
            raise PluginError(self.redact(f"{method} {path} got no answer from {self.host}: {error}")) from error
        content = dict(answer) if isinstance(answer, dict) else {}
        return content, str(content.pop(_ORG_HEADER, "") or "")

    def _refused(
        self,
        method: str,
        path: str,
        code: str | None,
        message: str,
        *,
        not_found: bool,
        managed_by_parent: bool = False,
    ) -> RestError:
        return RestError(
            f"{method} {path}",
            code or "",
            self.redact(message),
            not_found=not_found,
            managed_by_parent=managed_by_parent,
        )

    def _connect(self) -> "ApiClient":
        with self._lock:
            if self.is_local or not self._remote_seen:
                self._reach()
                self._remote_seen = True
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> "ApiClient":
        from databricks.sdk.core import ApiClient, Config

        arguments = for_sdk(self._settings, {attribute.name for attribute in Config.attributes()})
        arguments["host"] = self.host
        if self.is_local:
            arguments.setdefault("retry_timeout_seconds", _LOCAL_RETRY_SECONDS)
        try:
            config = Config(product="pulumi-databricks-stand-in", product_version="0.1.0", **arguments)
        except ValueError as error:
            raise PluginError(self.redact(f"the provider's configuration does not work: {error}")) from error
        self.hide(text for text in (config.token, config.client_secret, config.password) if text)
        self._workspace_id = str(self._settings.get("workspaceId") or config.workspace_id or "")
        return ApiClient(config)

    @property
    def workspace_id(self) -> str:
        """The workspace's number: configured, else from the host's metadata, else from a header of the Me call.

        Raises:
            PluginError: nobody says it.
        """
        if not self._workspace_id:
            self._connect()
        if not self._workspace_id:
            self._workspace_id = self._send("GET", ME, None, None)[1]
        if not self._workspace_id:
            raise PluginError(
                f"{self.host} does not say its workspace id: neither /.well-known/databricks-config has "
                f"`workspace_id` nor {ME} the "
                f"header {_ORG_HEADER}; set `databricks:workspaceId`"
            )
        return self._workspace_id
