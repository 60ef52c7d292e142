"""What all providers share: the pickle holds nothing, no secret gets out, the engine gets one message."""

from __future__ import annotations

import base64
import pickletools
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf import struct_pb2
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2, status_pb2

from components.dynamic import engine
from components.dynamic.errors import PartlyMadeError, ProviderError
from components.dynamic.model_alias import ModelAliasProvider
from components.dynamic.provider import WorkspaceProvider, changed, guarded, is_unknown, known
from components.dynamic.published_table import PublishedTableProvider
from components.dynamic.smoke_query import SmokeQueryProvider
from tests.support.rest_stub import TOKEN, RestStub

PROVIDERS = (ModelAliasProvider, PublishedTableProvider, SmokeQueryProvider)


class AbortedError(Exception):
    """What grpc raises out of `abort`."""


class Context:
    """The part of a gRPC context that the providers use."""

    def __init__(self, *, active: bool = True) -> None:
        self.aborted: tuple[grpc.StatusCode, str] | None = None
        self.metadata: tuple[tuple[str, bytes], ...] = ()
        self.active = active

    def is_active(self) -> bool:
        return self.active

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        self.metadata = metadata

    def abort(self, code: grpc.StatusCode, text: str) -> None:
        self.aborted = (code, text)
        raise AbortedError


class Failing(WorkspaceProvider):
    """Raises whatever a test wants."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    @guarded
    def fail(self) -> None:
        raise self.error


def Create(request: Any, context: Any, provider: Failing) -> None:  # noqa: N802 - the frame is found by this name
    """Calls a provider as the SDK's servicer does."""
    provider.fail()


def request(**properties: Any) -> provider_pb2.CreateRequest:
    struct = struct_pb2.Struct()
    struct.update({"__provider": "pickled", **properties})
    return provider_pb2.CreateRequest(urn="urn:pulumi:test::p::t::n", properties=struct)


@pytest.mark.parametrize("kind", PROVIDERS)
def test_the_pickle_is_a_reference_and_nothing_else(kind: type[WorkspaceProvider], stub: RestStub) -> None:
    fresh, used = kind(), kind()
    used.configure(ConfigureRequest(Config({"databricks:host": stub.host, "databricks:token": TOKEN}, "p")))
    assert used.client.current_user.me().user_name
    pickled = serialize_provider(used)
    assert pickled == serialize_provider(fresh)
    content = base64.b64decode(pickled)
    assert len(content) < 200
    texts = [arg for _, arg, _ in pickletools.genops(content) if isinstance(arg, str)]
    assert texts == [kind.__module__, kind.__qualname__]
    assert kind.serialize_as_secret_always is False


@pytest.mark.parametrize("kind", PROVIDERS)
def test_configure_imports_no_sdk_and_keeps_only_databricks_settings(kind: type[WorkspaceProvider]) -> None:
    provider = kind()
    provider.configure(ConfigureRequest(Config({"databricks:host": "h", "p:other": "planted-secret"}, "p")))
    assert "planted-secret" not in repr(vars(provider))


def test_an_error_leaves_as_one_redacted_message_without_a_prefix() -> None:
    context, provider = Context(), Failing(ProviderError("called with planted-token-1", "and Bearer abcdefgh"))
    provider._settings = {"databricks:token": "planted-token-1"}
    with pytest.raises(AbortedError):
        Create(request(), context, provider)
    assert context.aborted == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "called with [redacted]\n  and Bearer [redacted]",
    )


def test_an_unexpected_error_is_redacted_and_says_where_it_happened() -> None:
    context, provider = Context(), Failing(ValueError("planted-token-1 is bad"))
    provider._settings = {"databricks:token": "planted-token-1"}
    with pytest.raises(AbortedError):
        Create(request(), context, provider)
    assert context.aborted is not None
    first = context.aborted[1].splitlines()[0]
    assert first.startswith("unexpected ValueError: [redacted] is bad (test_provider.py:")


def test_without_an_engine_the_same_message_is_raised() -> None:
    provider = Failing(ValueError("Bearer abcdefghij"))
    with pytest.raises(ProviderError, match=r"Bearer \[redacted\]") as caught:
        provider.fail()
    assert caught.value.__suppress_context__


def test_what_was_partly_made_reaches_the_engine_with_id_properties_and_reason() -> None:
    context = Context()
    with pytest.raises(AbortedError):
        Create(
            request(a=1),
            context,
            Failing(PartlyMadeError("the-id", {"state": "OFFLINE", "keys": ["k"]}, "failed", "why")),
        )
    assert context.aborted is not None
    assert context.aborted[0] == grpc.StatusCode.UNKNOWN
    ((key, content),) = context.metadata
    assert key == "grpc-status-details-bin"
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(content).details[0].Unpack(detail)
    assert detail.id == "the-id"
    assert dict(detail.properties) == {"state": "OFFLINE", "keys": ["k"], "__provider": "pickled"}
    assert dict(detail.inputs) == {"__provider": "pickled", "a": 1.0}
    assert list(detail.reasons) == ["failed\n  why"]


def test_interrupts_pass_the_boundary() -> None:
    class Interrupted(Failing):
        @guarded
        def fail(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Interrupted(ValueError()).fail()


def test_without_an_engine_progress_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    engine.progress("step 1")
    engine.warn("careful")
    assert capsys.readouterr().out == "step 1\ncareful\n"
    assert engine.is_waiting()
    assert engine.current_call() is None


def test_an_engine_that_is_gone_is_noticed_and_spoken_past(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[bool] = []

    def Read(request: Any, context: Any) -> None:  # noqa: N802 - the frame is found by this name
        seen.append(engine.is_waiting())
        engine.progress("still here")

    engine._engine.cache_clear()
    monkeypatch.setattr("sys.argv", ["provider", "127.0.0.1:1"])
    try:
        Read(request(), Context(active=False))
    finally:
        engine._engine.cache_clear()
    assert seen == [False]
    assert capsys.readouterr().out == "still here\n"


@pytest.mark.parametrize(
    "value", [rpc.UNKNOWN, [rpc.UNKNOWN], {"a": {"b": [1, rpc.UNKNOWN]}}, pulumi.UNKNOWN, {"a": [pulumi.UNKNOWN]}]
)
def test_an_unknown_is_found_at_any_depth_and_counts_as_changed(value: Any) -> None:
    assert is_unknown(value)
    assert known({"x": value}, "x") is None
    assert changed({"x": value}, {"x": value}, ["x"]) == ["x"]


def test_only_what_differs_is_changed() -> None:
    assert not is_unknown({"a": ["text", 1, None]})
    assert changed({"a": 1, "b": 2}, {"a": 1.0, "b": 3, "c": 4}, ["a", "b"]) == ["b"]
    assert changed({}, {}, ["absent"]) == []
