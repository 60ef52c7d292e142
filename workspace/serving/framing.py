"""How the server and a model process talk: frames on a socket pair, several requests at a time on one connection.

A frame is a number (which request it belongs to), a small JSON object, and a body that is passed on as it is. A request
is answered by one frame, or, where the model streams, by several that say MORE and a last one that does not.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

HEADER = struct.Struct("!QII")
Meta = dict[str, Any]

# The frames before the first request: the server says what to load, the process answers how that went.
LOAD = 0
MORE = "more"


def pack(number: int, meta: Meta, body: bytes = b"") -> bytes:
    encoded = json.dumps(meta, separators=(",", ":")).encode()
    return HEADER.pack(number, len(encoded), len(body)) + encoded + body


class Frames:
    """The frames that come on a blocking socket. One thread at a time."""

    def __init__(self, connection: socket.socket) -> None:
        # Buffered: a request is read with one call to the system, not with one for each of its parts.
        self._stream = connection.makefile("rb", buffering=1 << 16)

    def read(self) -> tuple[int, Meta, bytes] | None:
        """The next frame, blocking; None where the other side has gone. Raises OSError, TimeoutError."""
        header = self._stream.read(HEADER.size)
        if len(header) < HEADER.size:
            return None
        number, meta_length, body_length = HEADER.unpack(header)
        rest = self._stream.read(meta_length + body_length)
        if len(rest) < meta_length + body_length:
            return None
        return number, decode(rest[:meta_length]), rest[meta_length:]


def decode(meta: bytes) -> Meta:
    decoded: Meta = json.loads(meta)
    return decoded
