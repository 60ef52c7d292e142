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


def read(connection: socket.socket) -> tuple[int, Meta, bytes] | None:
    """The next frame, blocking; None where the other side has gone."""
    header = _exactly(connection, HEADER.size)
    if header is None:
        return None
    number, meta_length, body_length = HEADER.unpack(header)
    rest = _exactly(connection, meta_length + body_length)
    if rest is None:
        return None
    return number, decode(rest[:meta_length]), rest[meta_length:]


def decode(meta: bytes) -> Meta:
    decoded: Meta = json.loads(meta)
    return decoded


def _exactly(connection: socket.socket, length: int) -> bytes | None:
    received = bytearray()
    while len(received) < length:
        part = connection.recv(min(length - len(received), 1 << 20))
        if not part:
            return None
        received += part
    return bytes(received)
