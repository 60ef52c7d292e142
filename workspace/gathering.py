"""Answers leave in one piece: head and body, which uvicorn writes one after the other, are one call to the system.

For a small answer that call is much of what the server does; the client, too, has it after one read instead of two.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class GatheringProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol over a transport that gathers."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        gathering: Any = _Gathering(transport, self.loop)
        super().connection_made(gathering)


class _Gathering:
    """A transport whose writes of one turn of the event loop leave together, before anything else happens to it."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def __getattr__(self, name: str) -> Any:
        # Closing, pausing, upgrading: whatever it is, what was written comes first.
        self._flush()
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._parts:
            data, self._parts = b"".join(self._parts), []
            self._transport.write(data)
