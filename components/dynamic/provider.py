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
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar, cast

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.runtime import rpc

from . import engine
from .client import SETTING_KEYS, WorkspaceConnectionError, workspace_client
from .errors import PartlyMadeError, ProviderError
from .explicit_provider import PROPERTY
from .redaction import Redactor
from .waiting import Clock, SystemClock
from .workspace_settings import settings_for

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

Props = dict[str, Any]
_PROVIDER_KEY = "__provider"
_CONNECTING = threading.Lock()
# Of the resource that this thread's operation is about; empty where no explicit provider names one.
_WORKSPACE: ContextVar[Mapping[str, Any]] = ContextVar("workspace", default=MappingProxyType({}))

P = ParamSpec("P")
R = TypeVar("R")
SomeProvider = TypeVar("SomeProvider", bound="WorkspaceProvider")


class WorkspaceProvider(ResourceProvider):
    """A provider that works through a workspace's REST API."""

    # Right only because `__getstate__` leaves nothing to keep secret.
    serialize_as_secret_always = False

    clock: ClassVar[Clock] = SystemClock()

    _settings: Mapping[str, Any] = {}
    _clients: Mapping[tuple[tuple[str, str], ...], WorkspaceClient] = {}

    def __getstate__(self) -> Props:
        return {}

    def configure(self, req: ConfigureRequest) -> None:
        """Keeps the stack's `databricks:*` settings for as long as this process lives."""
        self._settings = {key: value for key in SETTING_KEYS if (value := req.config.get(key)) is not None}

    @property
    def client(self) -> WorkspaceClient:
        """The connection to the workspace of the resource that the operation is about, made when it is first needed.

        Raises:
            ProviderError: there is none to be had.
        """
        key = tuple(sorted((name, str(value)) for name, value in _WORKSPACE.get().items()))
        with _CONNECTING:
            if key not in self._clients:
                try:
                    made = workspace_client(self._settings_now())
                except WorkspaceConnectionError as error:
                    raise ProviderError(str(error)) from None
                self._clients = {**self._clients, key: made}
            return self._clients[key]

    @property
    def redact(self) -> Redactor:
        """Takes this process's credentials out of a text."""
        try:
            now = self._settings_now()
        except ProviderError:
            # Without credentials for the workspace there are none of them to show.
            now = {}
        return Redactor.of(self._settings, now, os.environ)

    def _settings_now(self) -> Mapping[str, Any]:
        workspace = _WORKSPACE.get()
        return settings_for(workspace, self._settings, os.environ) if workspace else self._settings

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
        # The last argument of every operation holds the properties that count.
        props = args[-1] if args else None
        told = props.get(PROPERTY) if isinstance(props, Mapping) else None
        if told is None:
            with _Boundary(self.redact):
                return method(self, *args, **kwargs)
        workspace = {} if is_unknown(told) and not isinstance(told, Mapping) else _known_of(told)
        token = _WORKSPACE.set(workspace)
        try:
            with _Boundary(self.redact):
                if is_unknown(told) and not workspace:
                    return cast("R", _not_yet(method.__name__, args))
                return _with_workspace(method(self, *args, **kwargs), workspace, args)
        finally:
            _WORKSPACE.reset(token)

    return call


def _known_of(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if not is_unknown(value)}


def _not_yet(operation: str, args: tuple[Any, ...]) -> CheckResult | DiffResult:
    """What preview can say of a workspace that is not there yet: the engine asks again when it is."""
    if operation == "check":
        return CheckResult(without_provider(args[-1]), [])
    return DiffResult(changes=True, replaces=[], delete_before_replace=False)


def _with_workspace(result: R, workspace: Mapping[str, Any], args: tuple[Any, ...]) -> R:
    """The workspace stays in state whatever a provider keeps; another one is another thing of the same name."""
    if isinstance(result, CreateResult | UpdateResult | ReadResult):
        if result.outs:
            result.outs = {**result.outs, PROPERTY: dict(workspace)}
    elif isinstance(result, DiffResult):
        before = args[-2].get(PROPERTY) or {}
        if any(before.get(key) != value for key, value in workspace.items()):
            result.changes = True
        if before.get("host") and workspace.get("host") and before["host"] != workspace["host"]:
            result.replaces = [*(result.replaces or []), PROPERTY]
    return result


def is_unknown(value: object) -> bool:
    """Whether a value, or any part of it, is not known before the deployment."""
    if isinstance(value, Mapping):
        return any(is_unknown(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(is_unknown(part) for part in value)
    # In an operation the SDK hands over objects; the text is what travels.
    return isinstance(value, type(pulumi.UNKNOWN)) or value == rpc.UNKNOWN


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
