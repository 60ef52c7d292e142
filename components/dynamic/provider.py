"""What every dynamic provider here has in common: where credentials come from, and what may leave.

A provider is pickled into state as `__provider`. The pickle of these holds a reference to the class and nothing else:
no settings, no client, no code. So it is the same text for everybody, a change of code is no diff by itself
(`provider_version` makes one that matters visible), and refresh and destroy run the code that is installed.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar

from pulumi.dynamic import CheckFailure, ConfigureRequest, ResourceProvider
from pulumi.runtime import rpc

from . import engine
from .client import SETTING_KEYS, WorkspaceConnectionError, workspace_client
from .errors import PartlyMadeError, ProviderError
from .redaction import Redactor
from .waiting import Clock, SystemClock

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

Props = dict[str, Any]
_PROVIDER_KEY = "__provider"
_CONNECTING = threading.Lock()

P = ParamSpec("P")
R = TypeVar("R")
SomeProvider = TypeVar("SomeProvider", bound="WorkspaceProvider")


class WorkspaceProvider(ResourceProvider):
    """A provider that works through a workspace's REST API."""

    # Right only because `__getstate__` leaves nothing to keep secret.
    serialize_as_secret_always = False

    clock: ClassVar[Clock] = SystemClock()

    _settings: Mapping[str, Any] = {}
    _client: WorkspaceClient | None = None

    def __getstate__(self) -> Props:
        return {}

    def configure(self, req: ConfigureRequest) -> None:
        """Keeps the stack's `databricks:*` settings for as long as this process lives."""
        self._settings = {key: value for key in SETTING_KEYS if (value := req.config.get(key)) is not None}

    @property
    def client(self) -> WorkspaceClient:
        """The connection, made when it is first needed.

        Raises:
            ProviderError: there is none to be had.
        """
        with _CONNECTING:
            if self._client is None:
                try:
                    self._client = workspace_client(self._settings)
                except WorkspaceConnectionError as error:
                    raise ProviderError(str(error)) from None
            return self._client

    @property
    def redact(self) -> Redactor:
        """Takes this process's credentials out of a text."""
        return Redactor.of(self._settings, os.environ)

    def failure(self, property_name: str, reason: str | Exception) -> CheckFailure:
        """A check failure whose reason is safe to show."""
        return CheckFailure(property_name, self.redact(str(reason)))


class _Boundary:
    """Everything that is raised inside leaves as one redacted message, without a traceback of library frames."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception):
            return
        text = str(error) if isinstance(error, ProviderError) else _unexpected(error)
        if isinstance(error, PartlyMadeError):
            engine.fail_partially(self._redact(text), error.id, error.outs, ProviderError)
        engine.fail(self._redact(text), ProviderError)


def guarded(
    method: Callable[Concatenate[SomeProvider, P], R],
) -> Callable[Concatenate[SomeProvider, P], R]:
    """Marks a method that the engine calls: what it raises is redacted and reported as one message."""

    @functools.wraps(method)
    def call(self: SomeProvider, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with _Boundary(self.redact):
            return method(self, *args, **kwargs)

    return call


def is_unknown(value: object) -> bool:
    """Whether a value, or any part of it, is not known before the deployment."""
    if isinstance(value, Mapping):
        return any(is_unknown(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(is_unknown(part) for part in value)
    return value == rpc.UNKNOWN


def known(props: Mapping[str, Any], key: str) -> Any:
    """The value of `key`; None where it is absent or not known yet."""
    value = props.get(key)
    return None if is_unknown(value) else value


def without_provider(props: Mapping[str, Any]) -> Props:
    """The domain's own properties: the pickled provider is put back by the SDK."""
    return {key: value for key, value in props.items() if key != _PROVIDER_KEY}


def changed(olds: Mapping[str, Any], news: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Which of `keys` differ; a value that is not known yet counts as different."""
    return [key for key in keys if is_unknown(news.get(key)) or olds.get(key) != news.get(key)]


def _unexpected(error: Exception) -> str:
    place = ""
    if (traceback := error.__traceback__) is not None:
        while traceback.tb_next is not None:
            traceback = traceback.tb_next
        place = f" ({os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno})"
    return f"unexpected {type(error).__name__}: {error}{place}\n  This is a mistake of the provider: please report it"
