"""The other direction: what the plugin says to the engine, and how it notices that the engine is gone."""

import socket
import threading
from collections.abc import Callable
from typing import Protocol

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

_WATCH_SECONDS = 2.0


class Log(Protocol):
    """Shows a line to the user, beside a resource when ``urn`` names one."""

    def info(self, message: str, urn: str = "") -> None: ...

    def warning(self, message: str, urn: str = "") -> None: ...


class Engine:
    """The engine at ``address`` (host:port)."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def info(self, message: str, urn: str = "") -> None:
        self._log(engine_pb2.INFO, message, urn)

    def warning(self, message: str, urn: str = "") -> None:
        self._log(engine_pb2.WARNING, message, urn)

    def _log(self, severity: engine_pb2.LogSeverity.ValueType, message: str, urn: str) -> None:
        request = engine_pb2.LogRequest(severity=severity, message=message, urn=urn)
        try:
            self._stub.Log(request, timeout=5)
        except grpc.RpcError:
            return  # an engine that went away has nobody left to read the line; the watch below ends the process

    def watch(self, gone: Callable[[], None]) -> None:
        """Calls ``gone``, once, when nothing listens at the engine's address any more.

        A killed engine tells its plugins nothing, and this one would go on polling for 45 minutes.
        """
        host, _, port = self._address.rpartition(":")

        def look() -> None:
            while True:
                threading.Event().wait(_WATCH_SECONDS)
                try:
                    socket.create_connection((host or "127.0.0.1", int(port)), timeout=_WATCH_SECONDS).close()
                except OSError:
                    gone()
                    return

        threading.Thread(target=look, name="engine-watch", daemon=True).start()
