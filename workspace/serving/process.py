"""The server's end of a model process: start it, ask it, end it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workspace.serving import framing

LOAD_SECONDS = 600.0
END_SECONDS = 5.0
PROJECT = Path(__file__).resolve().parents[2]
# What a serving container would have; everything else that the server's environment holds stays with the server.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "VIRTUAL_ENV")
# One core an entity, as its threads would fight with the other entities' for the machine's few.
THREAD_LIMITS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# Memory that threads free goes back where it came from, instead of staying with each of them (glibc, mallopt(3)).
MEMORY_LIMITS = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}


class DeploymentError(Exception):
    """A model process did not come up; the message is what the service shows as deployment state message."""


class ProcessGoneError(Exception):
    """The model process ended before it answered."""


@dataclass(frozen=True)
class Launch:
    """What a model process needs to know."""

    model_name: str
    model: Path
    folder: Path
    log: Path
    online: Mapping[str, str]
    variables: Mapping[str, str]
    concurrency: int
    lookup_seconds: float = 0.0
    """What one read of an online table takes besides."""
    functions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Functions of on-demand features, by name, as their catalog describes them."""


@dataclass(frozen=True)
class Reply:
    """An answer of a model: a body, or, where the model streams, chunks that are still to come."""

    status: int
    content_type: str
    body: bytes
    client_request_id: str | None = None
    usage_context: Mapping[str, str] = field(default_factory=dict)
    milliseconds: float = 0.0
    chunks: AsyncIterator[bytes] | None = None


class ModelProcess:
    """A running model process. Made, loaded and ended from any thread; asked from the event loop."""

    def __init__(self, launch: Launch) -> None:
        ours, theirs = socket.socketpair()
        lifeline_read, self._lifeline = os.pipe()
        try:
            with launch.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "workspace.serving.model_server",
                        str(theirs.fileno()),
                        str(lifeline_read),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=PROJECT,
                    env=_environment(launch.variables),
                    pass_fds=(theirs.fileno(), lifeline_read),
                    start_new_session=True,
                )
        finally:
            theirs.close()
            os.close(lifeline_read)
        self._launch = launch
        self._socket = ours
        self._channel: _Channel | None = None
        self._ending = threading.Lock()
        self._ended = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._ended and self._process.poll() is None

    async def ask(self, content_type: str, body: bytes) -> Reply:
        """Score one request; ProcessGoneError where the process dies over it."""
        if self._channel is None:
            self._channel = _Channel()
            loop = asyncio.get_running_loop()
            self._channel.connected = loop.create_task(self._connect(self._channel))
        if not self._channel.connected.done():
            await asyncio.shield(self._channel.connected)
        return await self._channel.ask(content_type, body)

    def end(self) -> None:
        """End the process and everything it started. Blocks for a few seconds at most; may be called again."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
            os.close(self._lifeline)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
            if self._channel is None:
                # Wakes a thread that waits for the model to load.
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                self._socket.close()

    def load(self) -> None:
        """Have the model loaded; blocks until it is. Raises DeploymentError, also where `end` is called meanwhile."""
        launch = self._launch
        self._socket.settimeout(LOAD_SECONDS)
        config = {
            "model_name": launch.model_name,
            "model": str(launch.model),
            "folder": str(launch.folder),
            "online": dict(launch.online),
            "concurrency": launch.concurrency,
            "lookup_seconds": launch.lookup_seconds,
            "functions": {name: dict(described) for name, described in launch.functions.items()},
        }
        try:
            self._socket.sendall(framing.pack(framing.LOAD, config))
            frame = framing.Frames(self._socket).read()
        except TimeoutError as error:
            raise DeploymentError(f"Model {launch.model_name} did not load within {LOAD_SECONDS:.0f} s.") from error
        except OSError as error:
            raise DeploymentError(f"Model {launch.model_name}: its process broke off while loading: {error}") from error
        if frame is None:
            code = self._process.wait(END_SECONDS)
            raise DeploymentError(f"Model {launch.model_name}: its process ended with code {code} while loading.")
        meta = frame[1]
        if "error" in meta:
            raise DeploymentError(f"Failed to load model {launch.model_name}. {meta['error']}\n{meta['traceback']}")
        self._socket.setblocking(False)

    async def _connect(self, channel: _Channel) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_unix_connection(lambda: channel, sock=self._socket)
        except OSError as error:
            raise ProcessGoneError(f"the model process cannot be reached: {error}") from error


class StreamFailedError(Exception):
    """The model failed in the middle of a stream; the message is the JSON of its error."""


class _Pending:
    """A request that waits for its reply, and, where that is a stream, for the chunks after it."""

    def __init__(self) -> None:
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.chunks: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()

    def settle(self, reply: Reply) -> None:
        if not self.reply.done():
            self.reply.set_result(reply)

    def fail(self, error: Exception) -> None:
        if self.reply.done():
            self.chunks.put_nowait(error)
        else:
            self.reply.set_exception(error)


class _Channel(asyncio.Protocol):
    """Requests and replies of one connection, matched by number."""

    connected: asyncio.Task[None]

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, _Pending] = {}
        self._received = bytearray()
        self._next = framing.LOAD

    async def ask(self, content_type: str, body: bytes) -> Reply:
        if self._transport is None or self._transport.is_closing():
            raise ProcessGoneError("the model process ended")
        self._next += 1
        number = self._next
        pending = self._waiting[number] = _Pending()
        try:
            self._transport.write(framing.pack(number, {"content_type": content_type}, body))
            reply = await pending.reply
        except BaseException:
            del self._waiting[number]
            raise
        if reply.chunks is None:
            del self._waiting[number]
        return reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        while len(received) >= framing.HEADER.size:
            number, meta_length, body_length = framing.HEADER.unpack_from(received)
            end = framing.HEADER.size + meta_length + body_length
            if len(received) < end:
                return
            meta = framing.decode(bytes(received[framing.HEADER.size : end - body_length]))
            body = bytes(received[end - body_length : end])
            del received[:end]
            pending = self._waiting.get(number)
            if pending is not None:
                self._take(number, pending, meta, body)

    def _take(self, number: int, pending: _Pending, meta: framing.Meta, body: bytes) -> None:
        if not pending.reply.done():
            chunks = self._chunks(number, pending) if framing.MORE in meta else None
            pending.settle(
                Reply(
                    meta["status"],
                    meta["content_type"],
                    body,
                    meta.get("client_request_id"),
                    meta.get("usage_context") or {},
                    meta.get("ms", 0.0),
                    chunks,
                )
            )
        elif framing.MORE in meta:
            pending.chunks.put_nowait(body)
        else:
            self._waiting.pop(number)
            pending.chunks.put_nowait(StreamFailedError(body.decode()) if body else None)

    async def _chunks(self, number: int, pending: _Pending) -> AsyncIterator[bytes]:
        try:
            while (chunk := await pending.chunks.get()) is not None:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            self._waiting.pop(number, None)

    def connection_lost(self, exc: Exception | None) -> None:
        for pending in self._waiting.values():
            pending.fail(ProcessGoneError("the model process ended before it answered"))


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, **THREAD_LIMITS, **MEMORY_LIMITS, **variables}
