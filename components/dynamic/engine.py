"""What a dynamic provider may say to the engine that called it: progress, warnings, and one clean failure.

The SDK passes neither URN nor gRPC context to `create` and its fellows, so both are taken from the frame of the
servicer that is calling (measured with pulumi 3.259.0). Outside an engine, or should the SDK change, every function
here falls back: progress is printed, a failure is raised.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

import grpc
from google.protobuf import struct_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, status_pb2

_SERVICER_METHODS = frozenset({"Check", "Diff", "Create", "Read", "Update", "Delete"})
_SAY_WITHIN_SECONDS = 5.0
_PROVIDER_KEY = "__provider"


@dataclass(frozen=True)
class EngineCall:
    """The call of the engine that a provider method is serving."""

    request: Any
    context: Any

    @property
    def urn(self) -> str:
        return str(self.request.urn)


def current_call() -> EngineCall | None:
    """The engine's call on this thread's stack, if there is one."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name in _SERVICER_METHODS:
            request, context = frame.f_locals.get("request"), frame.f_locals.get("context")
            if hasattr(request, "urn") and hasattr(context, "abort"):
                return EngineCall(request=request, context=context)
        frame = frame.f_back
    return None


def progress(message: str) -> None:
    """A line on the resource's own row, gone when the next one comes; nothing of it stays in the diagnostics."""
    _say(message, engine_pb2.INFO, ephemeral=True)


def inform(message: str) -> None:
    """A line among the resource's diagnostics: what a preview has to say beyond the engine's own diff."""
    _say(message, engine_pb2.INFO, ephemeral=False)


def warn(message: str) -> None:
    """A warning among the resource's diagnostics."""
    _say(message, engine_pb2.WARNING, ephemeral=False)


def is_waiting() -> bool:
    """Whether somebody still waits for the result: false once the engine is gone, which kills no provider."""
    call = current_call()
    return call is None or bool(call.context.is_active())


def fail(text: str, error: type[Exception]) -> NoReturn:
    """Ends the operation with `text` as the engine's whole error message.

    An exception would be shown as "Exception calling application: ..."; an aborted call shows its details alone.

    Args:
        error: raised instead where there is no engine.
    """
    call = current_call()
    if call is not None:
        call.context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)
    # Not chained: the original's message and frames may carry what was taken out of this one.
    raise error(text) from None


def fail_partially(text: str, id_: str, outs: Mapping[str, Any], error: type[Exception]) -> NoReturn:
    """Ends a create that made the thing but not all of it: the engine keeps it in state, and tries an update next.

    Without this, what was made would be in no state, and no `pulumi destroy` would find it.

    Args:
        outs: what is known of it; the provider's `diff` has to see from it that something is missing.
        error: raised instead where there is no engine.
    """
    call = current_call()
    if call is None:
        raise error(text) from None
    properties = struct_pb2.Struct()
    properties.update({**outs, _PROVIDER_KEY: call.request.properties[_PROVIDER_KEY]})
    detail = provider_pb2.ErrorResourceInitFailed(
        id=id_, properties=properties, inputs=call.request.properties, reasons=[text]
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text)
    status.details.add().Pack(detail)
    call.context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    call.context.abort(grpc.StatusCode.UNKNOWN, text)
    raise error(text) from None


def _say(message: str, severity: engine_pb2.LogSeverity.ValueType, *, ephemeral: bool) -> None:
    call, engine = current_call(), _engine()
    if call is not None and engine is not None:
        request = engine_pb2.LogRequest(severity=severity, message=message, urn=call.urn, ephemeral=ephemeral)
        try:
            engine.Log(request, timeout=_SAY_WITHIN_SECONDS)
        except grpc.RpcError:
            # The engine may be gone while the work goes on; what there is to say then goes to the provider's output.
            pass
        else:
            return
    print(message, flush=True)


@cache
def _engine() -> engine_pb2_grpc.EngineStub | None:
    """The engine's own service: its address is the provider process's first argument."""
    address = sys.argv[1] if len(sys.argv) > 1 else ""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return None
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))
